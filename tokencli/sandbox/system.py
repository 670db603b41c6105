"""`FakeSystem`, what the systems have in common, the table of systems, and their signing keys."""

import json
import math
import secrets
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tokencli.sandbox.faults import Faults
from tokencli.sandbox.http_messages import OAuthError, Request, Response, json_response
from tokencli.sandbox.settings import Settings
from tokencli.sandbox.token_db import AuthorizationGrant, InvalidRefreshTokenError, TokenDatabase

if TYPE_CHECKING:
    from joserfc.jwk import KeyParameters, RSAKey

SYSTEMS: Mapping[str, str] = {
    "groupid": "tokencli.sandbox.groupid:GroupId",
    "screening-eagle": "tokencli.sandbox.screening_eagle:ScreeningEagle",
    "socialid": "tokencli.sandbox.socialid:SocialId",
    "oauth2": "tokencli.sandbox.oauth2:OAuth2",
}

TomlValue = str | int | float | bool | Mapping[str, str]
REFRESH_TOKEN = "refresh_token"
INVALID_TOKEN_REASONS = {
    "expired": "The access token expired",
    "revoked": "The access token was revoked",
    "unknown": "The access token was not issued by this server",
}


def load_system(name: str) -> "type[FakeSystem]":
    """Return the class of a system."""
    module, _, attribute = SYSTEMS[name].partition(":")
    found: type[FakeSystem] = getattr(import_module(module), attribute)
    return found


class SigningKeys:
    """Sign JWTs. joserfc is imported only when a sandbox starts."""

    def __init__(self, key_id: str | None = None) -> None:
        from joserfc import jwk

        parameters: KeyParameters = {"use": "sig", "alg": "ES256"}
        if key_id is not None:
            parameters["kid"] = key_id
        self._ec_key = jwk.ECKey.generate_key("P-256", parameters)
        self._ec_key.ensure_kid()
        self.key_id = str(self._ec_key.kid)
        """The ID of the key that signs access tokens."""
        self.client_key = jwk.ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"})
        """The key of the sandbox's clients that sign assertions."""
        self._hmac_key = jwk.OctKey.generate_key(256)
        self._rsa_key: RSAKey | None = None
        self._lock = Lock()

    def sign_es256(self, claims: Mapping[str, object], typ: str) -> str:
        """Sign with the key whose public part is in `public_jwks`."""
        from joserfc import jwt

        header = {"alg": "ES256", "kid": self._ec_key.kid, "typ": typ}
        return jwt.encode(header, dict(claims), self._ec_key)

    def sign_rs256(self, claims: Mapping[str, object]) -> str:
        """Sign with RSA, as clients expect ID tokens to be (OpenID Connect Core section 3.1.3.7)."""
        from joserfc import jwt

        key = self._get_rsa_key()
        return jwt.encode({"alg": "RS256", "kid": key.kid, "typ": "JWT"}, dict(claims), key)

    def _get_rsa_key(self) -> "RSAKey":
        """Return the RSA key, generated on first use because that takes some 100 ms."""
        from joserfc import jwk

        with self._lock:
            if self._rsa_key is None:
                self._rsa_key = jwk.RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"})
                self._rsa_key.ensure_kid()
            return self._rsa_key

    def sign_hs256(self, claims: Mapping[str, object]) -> str:
        """Sign with a symmetric key that only the server has."""
        from joserfc import jwt

        return jwt.encode({"alg": "HS256", "typ": "JWT"}, dict(claims), self._hmac_key)

    def public_jwks(self) -> Mapping[str, Any]:
        """Return the public keys as a JWK Set (RFC 7517 section 5)."""
        from joserfc import jwk

        return dict(jwk.KeySet([self._ec_key, self._get_rsa_key()]).as_dict(private=False))


def generate_opaque_token() -> str:
    """Return a new opaque token: 64 hexadecimal digits."""
    return secrets.token_hex(32)


@dataclass(slots=True)
class SandboxContext:
    """What all systems of one sandbox share."""

    url: str
    database: TokenDatabase
    signing_keys: SigningKeys
    faults: Faults = field(default_factory=Faults)
    settings: Settings = field(default_factory=Settings)
    clock_skew: float = 0.0
    """Seconds that a scenario sets the server's clock ahead, besides the fault."""
    _fault_counts: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    @property
    def plain_url(self) -> str:
        """Return the URL without TLS, which only the sign-in pages have."""
        return self.url.replace("https://", "http://", 1)

    def now(self) -> float:
        """Return the server's time, including its skew, in seconds since the epoch."""
        return self.database.now() + self.faults.clock_skew + self.clock_skew

    def set_faults(self, faults: Faults) -> None:
        """Replace the faults and reset their counts."""
        with self._lock:
            self.faults = faults
            self._fault_counts.clear()

    def fault_applies(self, name: str, times: int | None) -> bool:
        """Count a request and tell whether the fault of the first `times` requests applies to it."""
        with self._lock:
            self._fault_counts[name] += 1
            return times is None or self._fault_counts[name] <= times


class FakeSystem(ABC):
    """One documented system: a token endpoint, and a resource protected by its tokens."""

    name: ClassVar[str]
    path_prefixes: ClassVar[tuple[str, ...]]
    """Path prefixes of this system; it answers 404 under them in its own format."""
    token_path: ClassVar[str]
    resource_path: ClassVar[str]
    jwks_path: ClassVar[str | None] = None
    access_token_lifetime_s: ClassVar[int]
    """Documented lifetime of an access token, in seconds."""
    profile_values: ClassVar[Mapping[str, str]]
    """Keys of a profile; `{url}` and `{address}` are replaced by the sandbox's."""
    secrets: ClassVar[Mapping[str, str]]
    """Made-up secrets, by logical name."""
    more_profiles: ClassVar[Mapping[str, Mapping[str, TomlValue]]] = {}
    """Further profiles for this system: only in the sandbox's own configuration."""
    grant_handlers: ClassVar[Mapping[str, Callable[..., AuthorizationGrant]]]
    """`grant_type` -> method with the arguments client and form; `refresh_token` is built in."""

    def __init__(self, context: SandboxContext) -> None:
        self.context = context
        self.signing_keys = context.signing_keys
        self.keys_failure: Literal["status", "drop"] | None = None
        """How requests for the JWK Set fail: with 503, or with a closed connection."""
        self.binds_certificates = False
        """Whether tokens are bound to the certificate that the client has shown."""
        self.last_response: Mapping[str, object] = {}
        """The members of the last token response."""

    def routes(self) -> dict[str, tuple[str, Callable[[Request], Response]]]:
        """Return path -> kind of request for the log, and the method that answers it."""
        routes: dict[str, tuple[str, Callable[[Request], Response]]] = {
            self.token_path: ("token", self.handle_token_request),
            self.resource_path: ("resource", self.handle_resource_request),
        }
        if self.jwks_path is not None:
            routes[self.jwks_path] = ("keys", self.handle_keys_request)
        return routes

    def handle_keys_request(self, _: Request) -> Response:
        """Return the public keys."""
        if self.keys_failure is not None:
            return replace(self.error_response(503), drop_connection=self.keys_failure == "drop")
        return json_response(200, self.signing_keys.public_jwks())

    @abstractmethod
    def authenticate_client(self, request: Request, form: Mapping[str, str]) -> str:
        """Return the id of the authenticated client; raise OAuthError otherwise."""

    @abstractmethod
    def generate_access_token(self, grant: AuthorizationGrant, lifetime: float) -> str:
        """Return a new access token."""

    @abstractmethod
    def token_response_members(
        self,
        grant: AuthorizationGrant,
        access_token: str,
        refresh_token: str | None,
        lifetime: float,
    ) -> dict[str, object]:
        """Return the members of a token response, in the documented order."""

    @abstractmethod
    def error_response(
        self, status: int, code: str | None = None, text: str | None = None
    ) -> Response:
        """Return an error response in the documented format."""

    def generate_refresh_token(self, grant: AuthorizationGrant) -> str:  # noqa: ARG002 - some systems use the grant
        """Return a new refresh token."""
        return generate_opaque_token()

    def malformed_token_response(self, members: Mapping[str, object]) -> str:
        """Return JSON with the mistake of the vendors' samples: a trailing comma."""
        return json.dumps(members, indent=2)[:-2] + ",\n}"

    def invalid_refresh_token_error(self, reason: str) -> OAuthError:
        """Return the error for an invalid refresh token."""
        return OAuthError("invalid_grant", reason)

    def unauthorized_response(self) -> Response:
        """Return the 401 of the protected resource, without its challenge."""
        return json_response(401, {})

    def handle_token_request(self, request: Request) -> Response:
        """Answer a request to the token endpoint."""
        if request.method != "POST":
            return self.method_not_allowed_response("POST")
        try:
            form = request.parse_form()
            client = self.authenticate_client(request, form)
            grant_type = form.get("grant_type")
            if grant_type is None:
                raise OAuthError("invalid_request", "grant_type is missing")
            key = self.binding_key(request)
            if grant_type == REFRESH_TOKEN:
                return self._refresh_tokens(client, form, key)
            if grant_type not in self.grant_handlers:
                raise OAuthError("unsupported_grant_type", "the grant type is not supported")
            grant = self.grant_handlers[grant_type](self, client, form)
            if self.binds_certificates:  # RFC 8705 section 3
                grant = replace(grant, certificate_thumbprint=request.certificate_thumbprint)
            return self._start_family(replace(grant, key_thumbprint=key) if key else grant)
        except OAuthError as refusal:
            return self.error_response(refusal.status, refusal.code, refusal.description)

    def binding_key(self, request: Request) -> str | None:  # noqa: ARG002 - systems with DPoP use it
        """Return the thumbprint of the key that the new tokens are bound to, or None."""
        return None

    def handle_resource_request(self, request: Request) -> Response:
        """Answer a request to the protected resource (RFC 6750 section 3); a POST gets its body back."""
        if request.method not in ("GET", "POST"):
            return self.method_not_allowed_response("GET, POST")
        result = self.authorize_resource_request(request)
        if isinstance(result, Response):
            return result
        members = {"subject": result.subject, "client": result.client_id, "scope": result.scope}
        if request.method == "POST":
            return json_response(200, {**members, "received": request.describe_body()})
        return json_response(200, members)

    def authorize_resource_request(self, request: Request) -> AuthorizationGrant | Response:
        """Return the grant of the request's access token, or the response that refuses it."""
        token = request.access_token()
        if token is None:  # RFC 6750 section 3.1: no error code without a token
            return add_headers(
                self.unauthorized_response(),
                {"WWW-Authenticate": f'Bearer realm="{self.name}"'},
            )
        result = self.context.database.check_access_token(token, self.name)
        if not isinstance(result, AuthorizationGrant):
            challenge = (
                f'Bearer realm="{self.name}", error="invalid_token",'
                f' error_description="{INVALID_TOKEN_REASONS[result]}"'
            )
            return add_headers(self.unauthorized_response(), {"WWW-Authenticate": challenge})
        return result

    def method_not_allowed_response(self, allowed: str) -> Response:
        """Return 405 with the allowed method."""
        return add_headers(self.error_response(405), {"Allow": allowed})

    def supports_grant(self, grant_type: str) -> bool:
        """Tell whether the system supports this grant."""
        return grant_type == REFRESH_TOKEN or grant_type in self.grant_handlers

    def _start_family(self, grant: AuthorizationGrant) -> Response:
        refresh_token = None
        if grant.refreshable and not self.context.faults.no_refresh_token:
            refresh_token = self.generate_refresh_token(grant)
            self.context.database.add_family(
                grant,
                refresh_token,
                self.context.settings.lifetimes.get("refresh_token", math.inf),
            )
        return self._issue_tokens(grant, refresh_token, refresh_token)

    def _refresh_tokens(self, client: str, form: Mapping[str, str], key: str | None) -> Response:
        faults = self.context.faults
        if REFRESH_TOKEN not in form:
            raise OAuthError("invalid_request", "refresh_token is missing")
        try:
            grant, current = self.context.database.rotate_refresh_token(
                form[REFRESH_TOKEN],
                self.generate_refresh_token,
                system=self.name,
                client_id=client,
                grace=faults.grace,
                keep=faults.no_refresh_token,
            )
        except InvalidRefreshTokenError as reason:
            raise self.invalid_refresh_token_error(str(reason)) from reason
        if grant.key_thumbprint != key:  # RFC 9449 section 5
            raise OAuthError("invalid_grant", "the refresh token is bound to another DPoP key")
        return self._issue_tokens(grant, current, None if faults.no_refresh_token else current)

    def _issue_tokens(
        self, grant: AuthorizationGrant, family: str | None, refresh_token: str | None
    ) -> Response:
        faults = self.context.faults
        lifetime = faults.lifetime
        if lifetime is None:
            lifetime = self.context.settings.lifetimes.get(
                "access_token", self.access_token_lifetime_s
            )
        access_token = self.generate_access_token(grant, lifetime)
        self.context.database.add_access_token(access_token, grant, lifetime, family)
        members = self.token_response_members(grant, access_token, refresh_token, lifetime)
        self.last_response = members
        return Response(
            200,
            self._encode_token_response(
                {name: value for name, value in members.items() if value is not None}
            ),
            headers={"Cache-Control": "no-store", "Pragma": "no-cache"},
            token_issued=True,
        )

    def _encode_token_response(self, members: dict[str, object]) -> bytes:
        """Encode the response, with the faults injected."""
        faults = self.context.faults
        if faults.no_token:
            del members["access_token"]
        if faults.expires_in == "":
            del members["expires_in"]
        if faults.broken_json:
            return self.malformed_token_response(members).encode()
        if not faults.expires_in:
            return json.dumps(members, indent=2).encode()
        placeholder = generate_opaque_token()
        encoded = json.dumps(members | {"expires_in": placeholder}, indent=2)
        return encoded.replace(f'"{placeholder}"', faults.expires_in).encode()


def reason_phrase(status: int) -> str:
    """Return the standard reason phrase of an HTTP status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def integer_if_whole(seconds: float) -> int | float:
    """Return whole seconds as an integer, as `expires_in` requires (RFC 6749 section 4.2.2)."""
    return int(seconds) if seconds == int(seconds) else seconds


def add_headers(response: Response, headers: Mapping[str, str]) -> Response:
    """Return the response with more headers."""
    return replace(response, headers={**response.headers, **headers})
