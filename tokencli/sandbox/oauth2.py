"""A token endpoint by the book: RFC 6749, with RFC 9068 access tokens."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar
from urllib.parse import quote_plus
from uuid import uuid4

from tokencli.sandbox.state import Grant
from tokencli.sandbox.systems import System, phrase, whole
from tokencli.sandbox.wire import Refusal, Reply, Request, as_json

PUBLIC_CLIENT = "public"
USERNAME, PASSWORD = "alice", "made-up-password-of-alice"
SCOPES = ("read", "write", "openid", "profile", "email", "offline_access")
CODES: Mapping[int, str] = {
    401: "invalid_client",
    403: "unauthorized_client",
    503: "temporarily_unavailable",
}


class OAuth2(System):
    """Speak as RFC 6749 says, to confidential clients and to a public one."""

    name = "oauth2"
    roots = ("/oauth2/",)
    token_path = "/oauth2/token"  # noqa: S105 - a path
    resource_path = "/oauth2/resource"
    keys_path = "/oauth2/keys"
    lifetime = 3600
    values: ClassVar = {
        "token_url": "{url}/oauth2/token",
        "grant": "client_credentials",
        "client_id": "batch",
        "scope": "read write",
    }
    secrets: ClassVar = {"client_secret": "made-up-secret-of-batch"}
    # The second one's id and secret arrive whole only if Basic encodes them (section 2.3.1).
    clients: ClassVar = {
        values["client_id"]: secrets["client_secret"],
        "odd client:1": "100% made up: a+b & c=d / £ €",
    }

    def client(self, request: Request, form: Mapping[str, str]) -> str:
        """Take exactly one method of client authentication (section 2.3)."""
        basic = request.basic(form_encoded=True)
        if basic is not None:
            client_id, secret = basic
            if "client_secret" in form or form.get("client_id", client_id) != client_id:
                raise Refusal("invalid_request", "more than one client authentication")
        else:
            client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if not client_id:
            raise Refusal("invalid_client", "no client authentication", 401)
        if client_id == PUBLIC_CLIENT and not secret and basic is None:
            return client_id
        if self.clients.get(client_id) != secret:
            encoded = quote_plus(client_id) != client_id or quote_plus(secret) != secret
            hint = "; Basic wants both form-encoded first" if basic is not None and encoded else ""
            raise Refusal("invalid_client", f"client id or secret is wrong{hint}", 401)
        return client_id

    def client_credentials(self, client: str, form: Mapping[str, str]) -> Grant:
        """Grant a confidential client its own token (section 4.4); no refresh token (4.4.3)."""
        if client == PUBLIC_CLIENT:
            raise Refusal("unauthorized_client", "a public client can't have this grant")
        return Grant(self.name, client, client, _scope(form), refreshable=False)

    def password(self, client: str, form: Mapping[str, str]) -> Grant:
        """Sign a user in (section 4.3)."""
        if "username" not in form or "password" not in form:
            raise Refusal("invalid_request", "username or password is missing")
        if (form["username"], form["password"]) != (USERNAME, PASSWORD):
            raise Refusal("invalid_grant", "user name or password is wrong")
        return Grant(self.name, client, form["username"], _scope(form))

    grants: ClassVar = {"client_credentials": client_credentials, "password": password}

    def access_token(self, grant: Grant, lifetime: float) -> str:
        """Return a JWT with the claims of RFC 9068 section 2.2."""
        now = int(self.site.now())
        claims = {
            "iss": f"{self.site.url}/oauth2",
            "aud": f"{self.site.url}{self.resource_path}",
            "iat": now,
            "exp": whole(now + lifetime),
            "jti": uuid4().hex,
            "client_id": grant.client_id,
            "sub": grant.subject,
            "scope": grant.scope,
        }
        return self.site.keys.es256(claims, "at+jwt")

    def members(
        self, grant: Grant, access_token: str, refresh_token: str | None, lifetime: float
    ) -> dict[str, object]:
        """Return the members of section 5.1."""
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": whole(lifetime),
            "refresh_token": refresh_token,
            "scope": grant.scope,
        }

    def refused(self, status: int, code: str | None = None, text: str | None = None) -> Reply:
        """Return the body of section 5.2, which wants a challenge beside 401."""
        code = code or CODES.get(status, "server_error" if status >= 500 else "invalid_request")
        reply = as_json(
            status, {"error": code, "error_description": text or phrase(status)}, error=code
        )
        if status == 401:
            return replace(reply, headers={"WWW-Authenticate": 'Basic realm="oauth2"'})
        return reply


def _scope(form: Mapping[str, str]) -> str:
    asked = form.get("scope", "read").split()
    if not set(asked) <= set(SCOPES):
        raise Refusal("invalid_scope", f"the scopes are: {' '.join(SCOPES)}")
    return " ".join(asked)
