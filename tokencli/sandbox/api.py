"""The API of a scenario: it checks access tokens by its rules, as a resource server does.

JWT access tokens are checked as RFC 9068 section 4 says, others by asking the issuer. Refusals are
those of RFC 6750 section 3, RFC 9449 section 7.1 and RFC 9470 section 3, if the API explains them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from tokencli.sandbox.dpop import ALGORITHMS, ProofChecker
from tokencli.sandbox.http_messages import OAuthError, Request, Response, json_response
from tokencli.sandbox.oauth2 import OAuth2
from tokencli.sandbox.system import INVALID_TOKEN_REASONS, SandboxContext, add_headers

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

API_PATH = "/orders"
API_METADATA_PATH = f"/.well-known/oauth-protected-resource{API_PATH}"
CLOCK_LEEWAY_S = 30.0
SIGNING_ALGORITHMS = ["ES256", "RS256"]
MISSING_KEYS_TEXT = "can't get the issuer's keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRules:
    """What the API asks of a request, and how it refuses one."""

    header: str = "Authorization"
    """The header that it reads the token from."""
    scheme: str | None = "Bearer"
    """The scheme before the token; None if there is none."""
    accepts_only_jwts: bool = True
    """Otherwise it asks the issuer about tokens that aren't JWTs."""
    asks_issuer: bool = False
    """Whether it asks the issuer about each token (RFC 7662), and so notices revoked ones."""
    caches_keys: bool = False
    """Whether it never reads the issuer's JWK Set again."""
    scopes: tuple[str, ...] = ()
    """The scopes that a token needs."""
    claims: Mapping[str, str] = field(default_factory=dict)
    """Claims that a token needs, or of which it needs one element, e.g. `groups`."""
    acr: str | None = None
    """The authentication context that a token needs (RFC 9470)."""
    max_age: int | None = None
    """Seconds since the user signed in."""
    max_header_bytes: int | None = None
    """The size of all headers that its server accepts."""
    clock_ahead: float = 0.0
    """Seconds that its clock is ahead of the issuer's."""
    refusals: Literal["challenge", "message", "bare"] = "challenge"
    """Whether a refusal says why, has only a general message in JSON, or is empty."""
    status_without_keys: int = 503
    """The status if it can't get the issuer's keys."""


class _Refusal(Exception):
    """A request that the API refuses."""

    def __init__(
        self, status: int, code: str | None = None, text: str | None = None, **params: str
    ) -> None:
        super().__init__(text)
        self.status, self.code, self.text, self.params = status, code, text, params


class Api:
    """The orders of a made-up shop, protected by the issuer's access tokens."""

    def __init__(self, context: SandboxContext, issuer: OAuth2, rules: ApiRules) -> None:
        self.context, self.issuer, self.rules = context, issuer, rules
        self.front: Callable[[Request], Response | None] | None = None
        """What stands before the API and may answer instead of it."""
        self._cached_keys: KeySet | None = None
        self._proofs = ProofChecker()

    @property
    def audience(self) -> str:
        """Return the `aud` that access tokens need."""
        return self.context.url + API_PATH

    def now(self) -> float:
        """Return the time by the API's clock, in epoch seconds."""
        return self.context.now() + self.rules.clock_ahead

    def serves(self, request: Request) -> bool:
        """Tell whether a request is for the API, or for what stands before it."""
        paths = (API_PATH, f"{API_PATH}/", API_METADATA_PATH)
        return request.method == "CONNECT" or request.path.startswith(paths)

    def handle_request(self, request: Request) -> Response:
        """Answer a request for which `serves` is true."""
        response = self._respond(request)
        return replace(response, sent_at=self.now()) if response.sent_at is None else response

    def _respond(self, request: Request) -> Response:
        if self.front is not None and (response := self.front(request)) is not None:
            return response
        if request.path == API_METADATA_PATH and self.rules.refusals == "challenge":
            return json_response(200, self._metadata())
        if request.path != API_PATH or request.method not in ("GET", "HEAD", "POST"):
            return json_response(404, {"error": "not_found"}, error="not_found")
        try:
            claims = self._authorize(request)
        except _Refusal as refusal:
            return self._refuse(refusal)
        return json_response(
            200, {"orders": [{"id": 1, "item": "teapot"}], "subject": claims.get("sub")}
        )

    def _metadata(self) -> dict[str, object]:
        """Return the metadata of the protected resource (RFC 9728 section 2)."""
        return {
            "resource": self.audience,
            "authorization_servers": [self.issuer.issuer],
            "scopes_supported": list(self.rules.scopes or ("read", "write")),
            "bearer_methods_supported": ["header"],
        }

    def _authorize(self, request: Request) -> Mapping[str, Any]:
        """Return the claims of the request's token; raise _Refusal if it isn't accepted."""
        limit = self.rules.max_header_bytes
        size = sum(len(name) + len(value) + 4 for name, value in request.headers.items())
        if limit is not None and size > limit:
            raise _Refusal(431, None, "Request Header Fields Too Large")
        token, scheme = self._read_token(request)
        if not self.rules.accepts_only_jwts and token.count(".") != 2:
            claims = self._introspect(token)
        else:
            claims = self._read_jwt(token)
            if self.rules.asks_issuer:
                self._introspect(token)
        self._check_binding(request, token, scheme, claims)
        self._check_permission(claims)
        return claims

    def _read_token(self, request: Request) -> tuple[str, str]:
        """Return the token and its scheme in lower case."""
        value = request.headers.get(self.rules.header.lower(), "").strip()
        if self.rules.scheme is None:
            if value:
                return value, ""
            raise _Refusal(401, None, f"{self.rules.header} is missing")
        scheme, _, token = value.partition(" ")
        accepted = {self.rules.scheme.lower()}
        if "bearer" in accepted:
            accepted.add("dpop")
        if scheme.lower() not in accepted or not token.strip():
            raise _Refusal(401)  # RFC 6750 section 3.1: no error code without a token
        return token.strip(), scheme.lower()

    def _read_jwt(self, token: str) -> Mapping[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError

        header = _read_header(token)
        keys = self.fetch_keys()
        if header.get("typ") not in ("at+jwt", "application/at+jwt"):
            raise _invalid_token(f"typ is {header.get('typ')}, not at+jwt")
        if header.get("kid") not in [key.kid for key in keys]:
            raise _invalid_token("the token is signed with an unknown key")
        try:
            claims: dict[str, Any] = jwt.decode(token, keys, algorithms=SIGNING_ALGORITHMS).claims
        except (JoseError, ValueError) as error:
            raise _invalid_token("the signature is not valid") from error
        if claims.get("iss") != self.issuer.issuer:
            raise _invalid_token(f"the issuer must be {self.issuer.issuer}")
        audience = claims.get("aud", [])
        if self.audience not in (audience if isinstance(audience, list) else [audience]):
            raise _invalid_token(f"the audience must be {self.audience}")
        if claims.get("exp", 0) + CLOCK_LEEWAY_S <= self.now():
            raise _invalid_token("the token has expired")
        if claims.get("nbf", 0) - CLOCK_LEEWAY_S > self.now():
            raise _invalid_token("the token is not valid yet")
        return claims

    def fetch_keys(self) -> "KeySet":
        """Return the issuer's JWK Set."""
        from joserfc.jwk import KeySet

        if self._cached_keys is None or not self.rules.caches_keys:
            response = self.issuer.handle_keys_request(Request("GET", self.issuer.jwks_path or ""))
            if response.status != 200:
                status = self.rules.status_without_keys
                raise _Refusal(
                    status, "invalid_token" if status == 401 else None, MISSING_KEYS_TEXT
                )
            self._cached_keys = KeySet.import_key_set(json.loads(response.body))
        return self._cached_keys

    def _introspect(self, token: str) -> Mapping[str, Any]:
        """Return what the issuer says about the token."""
        result = self.context.database.check_access_token(token, self.issuer.name)
        if isinstance(result, str):
            raise _invalid_token(INVALID_TOKEN_REASONS[result])
        return {
            "sub": result.subject,
            "client_id": result.client_id,
            "scope": result.scope,
            "cnf": {"jkt": result.key_thumbprint} if result.key_thumbprint else {},
        }

    def _check_binding(
        self, request: Request, token: str, scheme: str, claims: Mapping[str, Any]
    ) -> None:
        """Check that the client proves the key that the token is bound to (RFC 9449, RFC 8705)."""
        confirmation = claims.get("cnf", {})
        if "jkt" in confirmation:
            if scheme != "dpop":
                raise _invalid_token("the token is bound to a key, so a DPoP proof is required")
            try:
                key = self._proofs.check_proof(request, self.now(), token)
            except OAuthError as error:
                raise _Refusal(401, error.code, error.description) from error
            if key != confirmation["jkt"]:
                raise _invalid_token("the token is bound to another key")
        thumbprint = confirmation.get("x5t#S256")
        if thumbprint is not None and request.certificate_thumbprint != thumbprint:
            raise _invalid_token("the token is bound to a client certificate")

    def _check_permission(self, claims: Mapping[str, Any]) -> None:
        """Check what the token's owner may do."""
        if not set(self.rules.scopes) <= set(str(claims.get("scope", "")).split()):
            needed = " ".join(self.rules.scopes)
            raise _Refusal(403, "insufficient_scope", "the scope is not sufficient", scope=needed)
        for name, wanted in self.rules.claims.items():
            found = claims.get(name)
            if wanted not in (found if isinstance(found, list) else [found]):
                raise _Refusal(403, "access_denied", f"{name} must include {wanted}")
        age = self.now() - claims.get("auth_time", 0)
        params = {}
        if self.rules.acr is not None and claims.get("acr") != self.rules.acr:
            params["acr_values"] = self.rules.acr
        if self.rules.max_age is not None and age > self.rules.max_age:
            params["max_age"] = str(self.rules.max_age)
        if params:
            code = "insufficient_user_authentication"
            raise _Refusal(401, code, "a stronger sign-in is required", **params)

    def _refuse(self, refusal: _Refusal) -> Response:
        """Write a refusal in the API's way."""
        if self.rules.refusals == "bare":
            return Response(refusal.status, b"", "text/plain", error_code=refusal.code)
        if self.rules.refusals == "message":
            text = "Forbidden" if refusal.status == 403 else "Unauthorized"
            return json_response(refusal.status, {"message": text}, error=refusal.code)
        members = {"error": refusal.code or "unauthorized", "error_description": refusal.text or ""}
        response = json_response(refusal.status, members, error=refusal.code)
        if refusal.status not in (401, 403) or refusal.code == "access_denied":
            return response
        params = {"realm": "orders"}
        if refusal.code is not None:
            params |= {"error": refusal.code, "error_description": refusal.text or ""}
        params |= refusal.params
        scheme = self.rules.scheme or "ApiKey"
        if scheme == "Bearer":
            params["resource_metadata"] = self.context.url + API_METADATA_PATH
        challenge = f"{scheme} {_join_params(params)}"
        if scheme == "DPoP" or refusal.code == "invalid_dpop_proof":
            challenge = f"DPoP {_join_params(params | {'algs': ' '.join(ALGORITHMS)})}"
        return add_headers(response, {"WWW-Authenticate": challenge})


def _join_params(params: Mapping[str, str]) -> str:
    return ", ".join(f'{name}="{value}"' for name, value in params.items())


def _invalid_token(text: str) -> _Refusal:
    return _Refusal(401, "invalid_token", text)


def _read_header(token: str) -> Mapping[str, Any]:
    """Return the header of a JWT."""
    from joserfc import jws
    from joserfc.errors import JoseError

    try:
        return dict(jws.extract_compact(token.encode("ascii")).headers())
    except (JoseError, ValueError, TypeError) as error:
        raise _invalid_token("the token is not a JWT") from error
