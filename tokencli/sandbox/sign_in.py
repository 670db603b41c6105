"""Sign-in at the sandbox: the authorization endpoint, the device authorization endpoint, and their page.

The page has a button for each user and asks for no password. With `Settings.sign_in` there is no
page: that user is signed in at once.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from html import escape
from threading import Lock
from typing import Literal
from urllib.parse import urlencode, urlsplit

from tokencli.sandbox.http_messages import (
    OAuthError,
    Request,
    Response,
    hash_base64url,
    json_response,
)
from tokencli.sandbox.settings import Client
from tokencli.sandbox.system import SandboxContext
from tokencli.sandbox.token_db import AuthorizationGrant

AUTHORIZE_PATH = "/oauth2/authorize"
PUSH_PATH = "/oauth2/par"
DEVICE_AUTHORIZATION_PATH = "/oauth2/device_authorization"
DEVICE_PATH = "/oauth2/device"
CODE_LIFETIME_S = 60.0
DEVICE_CODE_LIFETIME_S = 600.0
POLL_INTERVAL_S = 1
"""Shorter than the 5 seconds of RFC 8628, so that trying it takes less time."""
USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""Without vowels, so that no words arise (RFC 8628 section 6.1)."""
REQUEST_URI_PREFIX = "urn:ietf:params:oauth:request_uri:"
LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} - tokencli sandbox</title>
<style>
body {{ max-width: 32rem; margin: 15vh auto 0; padding: 0 1.5rem; font: 1rem/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.5rem; }}
button, input {{ font: inherit; padding: .4rem 1rem; margin: .25rem .25rem .25rem 0; }}
code {{ font-size: 1.1em; }}
</style>
</head>
<body>
<h1>{title}</h1>
{content}
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """An authorization code and what it may be exchanged for."""

    grant: AuthorizationGrant
    redirect_uri: str
    code_challenge: str | None
    expires_at: float


@dataclass(slots=True)
class DeviceCode:
    """A device sign-in that is waiting, or was decided."""

    client_id: str
    scope: str
    user_code: str
    expires_at: float
    state: Literal["pending", "approved", "denied", "used"] = "pending"
    user: str | None = None
    polled_at: float | None = None


class SignIn:
    """The endpoints where users sign in; all state is in memory."""

    def __init__(
        self,
        context: SandboxContext,
        issuer: str,
        *,
        clients: Mapping[str, Client],
        users: Mapping[str, object],
        validate_scope: Callable[[Mapping[str, str], str], str],
        create_grant: Callable[[str, str, str], AuthorizationGrant],
        authenticate_client: Callable[[Request, Mapping[str, str]], str],
    ) -> None:
        self._context = context
        self._issuer = issuer
        self._clients = clients
        self._users = users
        self._validate_scope = validate_scope
        self._create_grant = create_grant
        self._authenticate_client = authenticate_client
        self._codes: dict[str, AuthorizationCode] = {}
        self._used_codes: dict[str, AuthorizationGrant] = {}
        self._devices: dict[str, DeviceCode] = {}
        self._pushed: dict[str, tuple[dict[str, str], float]] = {}
        self._lock = Lock()

    # The authorization endpoint (RFC 6749 section 3.1)

    def handle_authorization_request(self, request: Request) -> Response:
        """Show the page, or on its submission redirect to the client."""
        if request.method not in ("GET", "POST"):
            return _page(405, "Method not allowed", "")
        try:
            params = self._resolve_pushed_request(request.parse_query())
            redirect_uri = self._check_redirect_uri(params)
            decision = request.parse_form() if request.method == "POST" else {}
        except OAuthError as refusal:  # section 4.1.2.1: no redirect to an unchecked URL
            return _page(400, "This sign-in can't start", f"<p>{escape(refusal.description)}.</p>")
        try:
            scope = self._check_authorization_request(params)
            user = self._read_decision(decision, params.get("prompt"))
        except OAuthError as refusal:
            error = {"error": refusal.code, "error_description": refusal.description}
            return self._redirect(redirect_uri, params, error)
        if user is None:
            return self._sign_in_page(params["client_id"], scope)
        code = secrets.token_urlsafe(32)
        now = self._context.now()
        lifetime = self._context.settings.lifetimes.get("authorization_code", CODE_LIFETIME_S)
        grant = replace(
            self._create_grant(params["client_id"], user, scope),
            nonce=params.get("nonce"),
            audience=params.get("resource") or params.get("audience"),
            signed_in_at=now,
            acr=params.get("acr_values", "").partition(" ")[0] or None,
        )
        challenge = params.get("code_challenge")
        with self._lock:
            self._codes[code] = AuthorizationCode(grant, redirect_uri, challenge, now + lifetime)
        return self._redirect(redirect_uri, params, {"code": code})

    def handle_pushed_request(self, request: Request) -> Response:
        """Accept a pushed authorization request (RFC 9126 section 2)."""
        form = request.parse_form()
        client_id = self._authenticate_client(request, form)
        if form.get("client_id", client_id) != client_id or "request_uri" in form:
            raise OAuthError("invalid_request", "client_id is wrong, or request_uri is present")
        params = {**form, "client_id": client_id}
        params.pop("client_secret", None)
        self._check_redirect_uri(params)
        self._check_authorization_request(params)
        request_uri = REQUEST_URI_PREFIX + secrets.token_urlsafe(32)
        with self._lock:
            self._pushed[request_uri] = params, self._context.now() + CODE_LIFETIME_S
        return json_response(201, {"request_uri": request_uri, "expires_in": int(CODE_LIFETIME_S)})

    def exchange_code(self, client_id: str, form: Mapping[str, str]) -> AuthorizationGrant:
        """Return the grant of an authorization code (RFC 6749 section 4.1.3, RFC 7636 section 4.6)."""
        code, verifier = form.get("code", ""), form.get("code_verifier", "")
        with self._lock:
            found = self._codes.pop(code, None)
            used = self._used_codes.get(code)
            if found is not None:
                self._used_codes[code] = found.grant
        if used is not None:
            self._context.database.revoke_grant(used)
            raise OAuthError("invalid_grant", "the code was used before, so its tokens are revoked")
        if found is None or found.grant.client_id != client_id:
            raise OAuthError("invalid_grant", "the code is unknown, or belongs to another client")
        if self._context.now() >= found.expires_at:
            raise OAuthError("invalid_grant", "the code has expired")
        if form.get("redirect_uri") != found.redirect_uri:
            raise OAuthError(
                "invalid_grant", "redirect_uri is not that of the authorization request"
            )
        challenge = found.code_challenge
        if challenge is not None and not secrets.compare_digest(
            challenge.encode(), hash_base64url(verifier.encode("ascii", "replace")).encode()
        ):
            raise OAuthError("invalid_grant", "code_verifier doesn't match code_challenge")
        return found.grant

    def _resolve_pushed_request(self, params: dict[str, str]) -> dict[str, str]:
        request_uri = params.get("request_uri")
        if request_uri is None:
            return params
        with self._lock:
            pushed, expires_at = self._pushed.get(request_uri, ({}, 0.0))
        if self._context.now() >= expires_at or pushed["client_id"] != params.get("client_id"):
            raise OAuthError("invalid_request_uri", "The request_uri is unknown or has expired")
        return pushed

    def _check_redirect_uri(self, params: Mapping[str, str]) -> str:
        client = self._clients.get(params.get("client_id", ""))
        if client is None:
            raise OAuthError("invalid_request", "There is no client with this client_id")
        uri = params.get("redirect_uri", "")
        if not _is_registered(uri, client.redirect_uris):
            raise OAuthError(
                "invalid_request", "The redirect_uri is not registered for this client"
            )
        return uri

    def _check_authorization_request(self, params: Mapping[str, str]) -> str:
        """Return the scope of the request."""
        client_id = params["client_id"]
        client = self._clients[client_id]
        if params.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", "response_type must be code")
        if "authorization_code" not in client.grants:
            raise OAuthError("unauthorized_client", "this client may not use authorization_code")
        has_challenge = "code_challenge" in params
        if client.secret is None and not has_challenge:
            raise OAuthError("invalid_request", "PKCE is required for public clients")
        if has_challenge and params.get("code_challenge_method") != "S256":
            raise OAuthError("invalid_request", "code_challenge_method must be S256")
        return self._validate_scope(params, client_id)

    def _read_decision(self, decision: Mapping[str, str], prompt: str | None = None) -> str | None:
        """Return the user who signs in, or None if nobody has been chosen yet."""
        if "deny" in decision:
            raise OAuthError("access_denied", "the user declined the sign-in")
        user = decision.get("user", self._context.settings.sign_in)
        if user is None and prompt == "none":
            raise OAuthError("login_required", "nobody is signed in")
        return user if user in self._users else None

    def _redirect(
        self, redirect_uri: str, params: Mapping[str, str], members: Mapping[str, str]
    ) -> Response:
        """Return the authorization response, with `iss` (RFC 9207 section 2)."""
        state = {"state": params["state"]} if "state" in params else {}
        query = urlencode({**members, **state, "iss": self._issuer})
        location = f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{query}"
        headers = {"Location": location, "Cache-Control": "no-store"}
        return Response(303, b"", headers=headers, error_code=members.get("error"))

    # The device authorization endpoint (RFC 8628)

    def handle_device_authorization(self, request: Request) -> Response:
        """Start a device sign-in (section 3.1)."""
        form = request.parse_form()
        client_id = self._authenticate_client(request, form)
        if "device_code" not in self._clients[client_id].grants:
            raise OAuthError("unauthorized_client", "this client may not use device_code")
        scope = self._validate_scope(form, client_id)
        letters = "".join(secrets.choice(USER_CODE_LETTERS) for _ in range(8))
        lifetime = self._context.settings.lifetimes.get("device_code", DEVICE_CODE_LIFETIME_S)
        started = DeviceCode(
            client_id, scope, f"{letters[:4]}-{letters[4:]}", self._context.now() + lifetime
        )
        if self._context.settings.sign_in is not None:
            started.state, started.user = "approved", self._context.settings.sign_in
        device_code = secrets.token_urlsafe(32)
        with self._lock:
            self._devices[device_code] = started
        page = self._context.plain_url + DEVICE_PATH
        return json_response(
            200,
            {
                "device_code": device_code,
                "user_code": started.user_code,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?user_code={started.user_code}",
                "expires_in": int(lifetime),
                "interval": POLL_INTERVAL_S,
            },
        )

    def handle_device_page(self, request: Request) -> Response:
        """Ask for the user code, then for the user (section 3.3)."""
        try:
            form = request.parse_form() if request.method == "POST" else request.parse_query()
        except OAuthError as refusal:
            return _page(400, "Sign in a device", f"<p>{escape(refusal.description)}.</p>")
        user_code = form.get("user_code", "").upper().strip()
        device = self._find_device(user_code)
        if device is None:
            problem = "<p>This code is unknown, has expired, or was used.</p>" if user_code else ""
            return _page(
                404 if user_code else 200,
                "Sign in a device",
                f'{problem}<form><label>Code: <input name="user_code" autofocus'
                ' autocomplete="off"></label> <button>Continue</button></form>',
            )
        try:
            user = self._read_decision(form if request.method == "POST" else {})
        except OAuthError:
            device.state = "denied"
            return _page(200, "Declined", "<p>The device is not signed in.</p>")
        if user is None:
            return self._sign_in_page(device.client_id, device.scope, user_code)
        device.state, device.user = "approved", user
        return _page(200, "Signed in", "<p>Return to the device. You can close this page.</p>")

    def poll_device_code(self, client_id: str, form: Mapping[str, str]) -> AuthorizationGrant:
        """Return the grant of an approved device code; raise OAuthError otherwise (section 3.5)."""
        now = self._context.now()
        with self._lock:
            device = self._devices.get(form.get("device_code", ""))
            if device is None or device.client_id != client_id or device.state == "used":
                raise OAuthError("invalid_grant", "the device code is unknown or was used")
            if now >= device.expires_at:
                raise OAuthError("expired_token", "the device code has expired")
            last_poll, device.polled_at = device.polled_at, now
            if device.state == "denied":
                raise OAuthError("access_denied", "the user declined the sign-in")
            if device.state == "pending" or device.user is None:
                if last_poll is not None and now - last_poll < POLL_INTERVAL_S / 2:
                    raise OAuthError("slow_down", "the client polls too often")
                raise OAuthError("authorization_pending", "nobody has signed in yet")
            device.state = "used"
        return replace(self._create_grant(client_id, device.user, device.scope), signed_in_at=now)

    def _find_device(self, user_code: str) -> DeviceCode | None:
        """Return the waiting sign-in with this code; hyphens and case don't matter."""
        plain = user_code.replace("-", "")
        with self._lock:
            for device in self._devices.values():
                is_open = device.state == "pending" and self._context.now() < device.expires_at
                if is_open and device.user_code.replace("-", "") == plain:
                    return device
        return None

    def _sign_in_page(self, client_id: str, scope: str, user_code: str | None = None) -> Response:
        """Return the page that asks which user signs in."""
        content = f"<p><code>{escape(client_id)}</code> asks for: {escape(scope)}</p>"
        field = ""
        if user_code is not None:
            content += f"<p>The device shows this code: <code>{escape(user_code)}</code></p>"
            field = f'<input type="hidden" name="user_code" value="{escape(user_code)}">'
        buttons = "".join(
            f'<button name="user" value="{escape(name)}">Sign in as {escape(name)}</button>'
            for name in self._users
        )
        content += (
            f'<form method="post">{field}{buttons}<button name="deny" value="1">Decline</button>'
            "</form><p>This is a test server on your computer. It asks for no password.</p>"
        )
        return _page(200, "Sign in", content)


def _is_registered(uri: str, registered: tuple[str, ...] | None) -> bool:
    """Tell whether a redirect URI is registered; on loopback any port matches (RFC 8252 section 7.3)."""
    plain = split_loopback_uri(uri)
    if registered is None:
        return plain is not None
    return uri in registered or (plain is not None and plain in map(split_loopback_uri, registered))


def split_loopback_uri(uri: str) -> tuple[str, str, str] | None:
    """Return host, path and query of an http URL to this machine, otherwise None."""
    try:
        parts = urlsplit(uri)
        host = parts.hostname
    except ValueError:
        return None
    if (
        parts.scheme != "http"
        or host not in LOOPBACK_HOSTS
        or parts.fragment
        or "@" in parts.netloc
    ):
        return None
    return host, parts.path, parts.query


def _page(status: int, title: str, content: str) -> Response:
    body = _PAGE.format(title=title, content=content).encode()
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    }
    return Response(status, body, "text/html; charset=utf-8", headers)
