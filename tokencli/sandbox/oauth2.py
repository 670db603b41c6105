"""A standard authorization server: RFC 6749 with RFC 9068 access tokens, and OpenID Connect.

Where users sign in is in `sign_in`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote_plus
from uuid import uuid4

from tokencli.sandbox import assertions, sign_in
from tokencli.sandbox.dpop import ALGORITHMS, ProofChecker
from tokencli.sandbox.http_messages import OAuthError, Request, Response, json_response
from tokencli.sandbox.settings import CONFIDENTIAL_GRANTS, GRANTS, Client
from tokencli.sandbox.system import (
    INVALID_TOKEN_REASONS,
    REFRESH_TOKEN,
    FakeSystem,
    SandboxContext,
    add_headers,
    generate_opaque_token,
    integer_if_whole,
    reason_phrase,
)
from tokencli.sandbox.token_db import AuthorizationGrant

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, OctKey

PUBLIC_CLIENT_ID = "public"
KEY_CLIENT_ID, CERTIFICATE_CLIENT_ID, ROBOT_CLIENT_ID = "private-key", "mtls", "robot"
"""Clients that authenticate with a key or a certificate, or exchange an assertion; also profiles."""
SCOPES = ("read", "write", "openid", "profile", "email", "offline_access")
DEFAULT_ERROR_CODES: Mapping[int, str] = {
    401: "invalid_client",
    403: "unauthorized_client",
    503: "temporarily_unavailable",
}
ISSUER_PATH = "/oauth2"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLIENT_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"


class OAuth2(FakeSystem):
    """An authorization server with clients for each method of authentication, and those of a file."""

    name = "oauth2"
    issuer_path = ISSUER_PATH
    path_prefixes: ClassVar[tuple[str, ...]] = (
        "/oauth2/",
        "/.well-known/oauth-authorization-server/oauth2",
        "/.well-known/oauth-protected-resource/oauth2/",
    )
    token_path = "/oauth2/token"
    resource_path = "/oauth2/resource"
    jwks_path = "/oauth2/keys"
    introspection_path = "/oauth2/introspect"
    revocation_path = "/oauth2/revoke"
    userinfo_path = "/oauth2/userinfo"
    metadata_paths: ClassVar[tuple[str, ...]] = (
        f"{ISSUER_PATH}/.well-known/openid-configuration",
        f"/.well-known/oauth-authorization-server{ISSUER_PATH}",
    )
    resource_metadata_path = f"/.well-known/oauth-protected-resource{resource_path}"
    access_token_lifetime_s = 3600
    _confidential: ClassVar = {
        "issuer": "{url}/oauth2",
        "token_url": "{url}/oauth2/token",
        "grant": "client_credentials",
        "client_id": "batch",
        "scope": "read write",
    }
    profile_values: ClassVar = {**_confidential, "api_url": "{url}/oauth2/"}
    secrets: ClassVar = {"client_secret": "made-up-secret-of-batch"}
    # The second client's id and secret survive Basic only if form-encoded first (section 2.3.1).
    client_secrets: ClassVar = {
        profile_values["client_id"]: secrets["client_secret"],
        "odd client:1": "100% made up: a+b & c=d / £ €",
    }
    _signed_in: ClassVar = {
        "issuer": "{url}/oauth2",
        "client_id": PUBLIC_CLIENT_ID,
        "client_auth": "none",
        "scope": "openid profile email offline_access read write",
    }
    more_profiles: ClassVar = {
        "corp": {
            **_signed_in,
            "grant": "authorization_code",
            "authorization_url": "{plain_url}/oauth2/authorize",
            "allow_http": True,
            "audience": "https://api.example.com",
            "api_url": "{url}/oauth2/",
        },
        "tv": {**_signed_in, "grant": "device_code"},
        "dpop-demo": {**_confidential, "dpop": True},
        "on-behalf": {
            **_confidential,
            "grant": "token_exchange",
            "scope": "read",
            "audience": "orders",
            "subject_token": {"profile": "corp"},
        },
        KEY_CLIENT_ID: {
            **_confidential,
            "client_id": KEY_CLIENT_ID,
            "client_auth": "private_key_jwt",
            "private_key": {},
        },
        CERTIFICATE_CLIENT_ID: {
            **_confidential,
            "client_id": CERTIFICATE_CLIENT_ID,
            "client_auth": "tls_client_auth",
            "client_cert": "{client_cert}",
            "client_key": "{client_key}",
        },
        ROBOT_CLIENT_ID: {
            **_confidential,
            "grant": "jwt_bearer",
            "client_id": ROBOT_CLIENT_ID,
            "client_auth": "none",
            "private_key": {},
        },
    }

    def __init__(self, context: SandboxContext) -> None:
        super().__init__(context)
        self.issuer = context.url + self.issuer_path
        self.more_claims: Mapping[str, object] = {}
        """More claims of access tokens."""
        self.issues_opaque_tokens = False
        self.users = context.settings.users
        own = {name: Client(secret) for name, secret in self.client_secrets.items()}
        own[PUBLIC_CLIENT_ID] = Client(
            grants=tuple(grant for grant in GRANTS if grant not in CONFIDENTIAL_GRANTS)
        )
        key = context.signing_keys.client_key
        own[KEY_CLIENT_ID] = Client(grants=("client_credentials",), public_key=key)
        own[CERTIFICATE_CLIENT_ID] = Client(
            grants=("client_credentials",), certificate_name=CERTIFICATE_CLIENT_ID
        )
        own[ROBOT_CLIENT_ID] = Client(grants=("jwt_bearer",))
        self.clients: Mapping[str, Client] = {**own, **context.settings.clients}
        self._proofs = ProofChecker()
        self._assertions = assertions.AssertionChecker((self.issuer, context.url + self.token_path))
        self._sign_in = sign_in.SignIn(
            context,
            self.issuer,
            clients=self.clients,
            users=self.users,
            validate_scope=self._validated_scope,
            create_grant=self._create_user_grant,
            authenticate_client=self.authenticate_client,
        )

    def routes(self) -> dict[str, tuple[str, Callable[[Request], Response]]]:
        """Return the routes of an OpenID Connect server."""
        more: dict[str, tuple[str, Callable[[Request], Response]]] = {
            sign_in.AUTHORIZE_PATH: (
                "authorization",
                self._sign_in.handle_authorization_request,
            ),
            sign_in.DEVICE_PATH: ("authorization", self._sign_in.handle_device_page),
            sign_in.PUSH_PATH: ("pushed", self._posted(self._sign_in.handle_pushed_request)),
            sign_in.DEVICE_AUTHORIZATION_PATH: (
                "device",
                self._posted(self._sign_in.handle_device_authorization),
            ),
            self.introspection_path: ("introspection", self._posted(self._introspect)),
            self.revocation_path: ("revocation", self._posted(self._revoke)),
            self.userinfo_path: ("userinfo", self._handle_userinfo_request),
        }
        metadata = ("metadata", lambda _: json_response(200, self._metadata()))
        more[self.resource_metadata_path] = (
            "metadata",
            lambda _: json_response(200, self._resource_metadata()),
        )
        return super().routes() | more | dict.fromkeys(self.metadata_paths, metadata)

    def authenticate_client(self, request: Request, form: Mapping[str, str]) -> str:
        """Accept exactly one method of client authentication (section 2.3)."""
        basic = request.basic_credentials(form_encoded=True)
        if "client_assertion" in form:
            if basic is not None or "client_secret" in form:
                raise OAuthError("invalid_request", "more than one client authentication method")
            return self._authenticate_by_assertion(form)
        if basic is not None:
            client_id, secret = basic
            if "client_secret" in form or form.get("client_id", client_id) != client_id:
                raise OAuthError("invalid_request", "more than one client authentication method")
        else:
            client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if not client_id:
            raise OAuthError("invalid_client", "no client authentication", 401)
        client = self.clients.get(client_id)
        if client is not None and client.secret is None and not secret and basic is None:
            if client.public_key is not None:
                raise OAuthError("invalid_client", "this client has to use private_key_jwt", 401)
            if client.certificate_name not in (None, *request.certificate_names):
                raise OAuthError("invalid_client", "the client's certificate is missing", 401)
            return client_id
        if client is None or client.secret is None or client.secret != secret:
            encoded = quote_plus(client_id) != client_id or quote_plus(secret) != secret
            hint = (
                "; Basic requires both to be form-encoded first"
                if basic is not None and encoded
                else ""
            )
            raise OAuthError("invalid_client", f"wrong client ID or secret{hint}", 401)
        return client_id

    def _authenticate_by_assertion(self, form: Mapping[str, str]) -> str:
        """Return the client that signed the assertion with its key or secret (RFC 7523 section 2.2)."""
        if form.get("client_assertion_type") != CLIENT_ASSERTION_TYPE:
            text = f"client_assertion_type must be {CLIENT_ASSERTION_TYPE}"
            raise OAuthError("invalid_client", text, 401)

        def find_key(client_id: str) -> "ECKey | OctKey | None":
            client = self.clients.get(client_id)
            if client is None or client.secret is None:
                return client.public_key if client is not None else None
            return assertions.shared_key(client.secret)

        try:
            claims = self._assertions.check_assertion(
                form["client_assertion"], find_key, self.context.now()
            )
        except ValueError as error:
            text = f"the client assertion is not valid: {error}"
            raise OAuthError("invalid_client", text, 401) from error
        client_id: str = claims["iss"]
        if claims["sub"] != client_id or form.get("client_id", client_id) != client_id:
            raise OAuthError("invalid_client", "iss and sub must be the client's ID", 401)
        return client_id

    def grant_client_credentials(self, client: str, form: Mapping[str, str]) -> AuthorizationGrant:
        """Grant a confidential client its own token (section 4.4); no refresh token (4.4.3)."""
        self._require_grant(client, "client_credentials")
        return AuthorizationGrant(
            self.name,
            client,
            client,
            self._validated_scope(form, client),
            refreshable=False,
            audience=form.get("resource") or form.get("audience"),
        )

    def grant_password(self, client: str, form: Mapping[str, str]) -> AuthorizationGrant:
        """Authenticate a user (section 4.3)."""
        self._require_grant(client, "password")
        if "username" not in form or "password" not in form:
            raise OAuthError("invalid_request", "username or password is missing")
        if not self.context.settings.check_password(form["username"], form["password"]):
            raise OAuthError("invalid_grant", "wrong user name or password")
        return self._create_user_grant(
            client, form["username"], self._validated_scope(form, client)
        )

    def grant_authorization_code(self, client: str, form: Mapping[str, str]) -> AuthorizationGrant:
        """Exchange the code of a sign-in with a browser (section 4.1.3)."""
        self._require_grant(client, "authorization_code")
        return self._sign_in.exchange_code(client, form)

    def grant_device_code(self, client: str, form: Mapping[str, str]) -> AuthorizationGrant:
        """Exchange the code of a sign-in on another device (RFC 8628 section 3.4)."""
        self._require_grant(client, "device_code")
        return self._sign_in.poll_device_code(client, form)

    def grant_token_exchange(self, client: str, form: Mapping[str, str]) -> AuthorizationGrant:
        """Exchange an access token for one with another audience (RFC 8693)."""
        self._require_grant(client, "token_exchange")
        subject = self._exchanged_grant(form, "subject_token")
        actor = self._exchanged_grant(form, "actor_token") if "actor_token" in form else None
        return replace(
            subject,
            client_id=client,
            scope=self._validated_scope(form, client),
            refreshable=False,
            audience=form.get("resource") or form.get("audience"),
            actor=actor.subject if actor is not None else None,
            exchanged=True,
            key_thumbprint=None,
        )

    def grant_jwt_bearer(self, client: str, form: Mapping[str, str]) -> AuthorizationGrant:
        """Exchange an assertion about the client or a user (RFC 7523 section 2.1)."""
        self._require_grant(client, "jwt_bearer")
        if "assertion" not in form:
            raise OAuthError("invalid_request", "assertion is missing")
        keys = {ROBOT_CLIENT_ID: self.context.signing_keys.client_key}
        try:
            claims = self._assertions.check_assertion(
                form["assertion"], keys.get, self.context.now()
            )
        except ValueError as error:
            text = f"the assertion is not valid: {error}"
            raise OAuthError("invalid_grant", text) from error
        scope, subject = self._validated_scope(form, client), claims["sub"]
        if subject in self.users:
            grant = self._create_user_grant(client, subject, scope)
        elif subject == claims["iss"]:
            grant = AuthorizationGrant(self.name, client, subject, scope)
        else:
            raise OAuthError("invalid_grant", "there is no such user as the assertion's sub")
        audience = form.get("resource") or form.get("audience")
        return replace(grant, refreshable=False, audience=audience)

    grant_handlers: ClassVar = {
        "client_credentials": grant_client_credentials,
        "password": grant_password,
        "authorization_code": grant_authorization_code,
        DEVICE_CODE: grant_device_code,
        TOKEN_EXCHANGE: grant_token_exchange,
        JWT_BEARER: grant_jwt_bearer,
    }

    def binding_key(self, request: Request) -> str | None:
        """Return the thumbprint of the request's DPoP key (RFC 9449 section 5)."""
        if "dpop" not in request.headers:
            return None
        return self._proofs.check_proof(request, self.context.now())

    def generate_access_token(self, grant: AuthorizationGrant, lifetime: float) -> str:
        """Return a JWT with the claims of RFC 9068 section 2.2."""
        if self.issues_opaque_tokens:
            return generate_opaque_token()
        client = self.clients[grant.client_id]
        now = int(self.context.now())
        claims = {
            "iss": self.issuer,
            "aud": grant.audience or client.audience or self.context.url + self.resource_path,
            "iat": now,
            "exp": integer_if_whole(now + lifetime),
            "jti": uuid4().hex,
            "client_id": grant.client_id,
            "sub": grant.subject,
            "scope": grant.scope,
            **client.claims,
            **self._user_claims(grant),
            **self.more_claims,
        }
        if grant.acr is not None:
            claims |= _authentication_claims(grant)
        if grant.actor is not None:
            claims["act"] = {"sub": grant.actor}
        if grant.key_thumbprint is not None:
            claims["cnf"] = {"jkt": grant.key_thumbprint}
        if grant.certificate_thumbprint is not None:
            claims["cnf"] = {"x5t#S256": grant.certificate_thumbprint}
        return self.signing_keys.sign_es256(claims, "at+jwt")

    def token_response_members(
        self,
        grant: AuthorizationGrant,
        access_token: str,
        refresh_token: str | None,
        lifetime: float,
    ) -> dict[str, object]:
        """Return the members of section 5.1."""
        return {
            "access_token": access_token,
            "token_type": "DPoP" if grant.key_thumbprint is not None else "Bearer",
            "expires_in": integer_if_whole(lifetime),
            "refresh_token": refresh_token,
            "scope": grant.scope,
            "id_token": self._generate_id_token(grant, lifetime),
            "issued_token_type": ACCESS_TOKEN_TYPE if grant.exchanged else None,
        }

    def authorize_resource_request(self, request: Request) -> AuthorizationGrant | Response:
        """Accept Bearer tokens, and DPoP tokens with a proof (RFC 9449 section 7.1)."""
        token = request.access_token("dpop")
        if token is None:
            result = super().authorize_resource_request(request)
            if isinstance(result, Response):  # RFC 9728 section 5.1: where to get a token
                url = self.context.url + self.resource_metadata_path
                challenge = f'{result.headers["WWW-Authenticate"]}, resource_metadata="{url}"'
                return add_headers(result, {"WWW-Authenticate": challenge})
            if result.key_thumbprint is None:
                return result
            return self._refuse_dpop("the token is bound to a key, so a DPoP proof is required")
        result_or_reason = self.context.database.check_access_token(token, self.name)
        if not isinstance(result_or_reason, AuthorizationGrant):
            return self._refuse_dpop(INVALID_TOKEN_REASONS[result_or_reason])
        try:
            key = self._proofs.check_proof(request, self.context.now(), token)
        except OAuthError as refusal:
            return self._refuse_dpop(refusal.description, "invalid_dpop_proof")
        if key != result_or_reason.key_thumbprint:
            return self._refuse_dpop("the token is bound to another key")
        return result_or_reason

    def error_response(
        self, status: int, code: str | None = None, text: str | None = None
    ) -> Response:
        """Return the body of section 5.2, with the challenge that a 401 requires."""
        code = code or DEFAULT_ERROR_CODES.get(
            status, "server_error" if status >= 500 else "invalid_request"
        )
        response = json_response(
            status, {"error": code, "error_description": text or reason_phrase(status)}, error=code
        )
        if status == 401:
            return replace(response, headers={"WWW-Authenticate": 'Basic realm="oauth2"'})
        return response

    def _posted(self, answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
        """Return a handler for POST that turns refusals into error responses."""

        def handle(request: Request) -> Response:
            if request.method != "POST":
                return self.method_not_allowed_response("POST")
            try:
                return answer(request)
            except OAuthError as refusal:
                return self.error_response(refusal.status, refusal.code, refusal.description)

        return handle

    def _require_grant(self, client_id: str, grant: str) -> None:
        client = self.clients[client_id]
        if grant in client.grants:
            return
        public = client.secret is None and grant in CONFIDENTIAL_GRANTS
        whom = "public clients" if public else "this client"
        raise OAuthError("unauthorized_client", f"this grant is not available to {whom}")

    def _validated_scope(self, form: Mapping[str, str], client_id: str) -> str:
        """Return the scope of a request: its own, or else the client's."""
        allowed = self.clients[client_id].scopes
        scopes = form.get("scope", " ".join(allowed or ("read",))).split()
        if not set(scopes) <= set(allowed or SCOPES):
            raise OAuthError("invalid_scope", f"supported scopes: {' '.join(allowed or SCOPES)}")
        return " ".join(scopes)

    def _create_user_grant(self, client_id: str, user: str, scope: str) -> AuthorizationGrant:
        subject = self.users[user].claims.get("sub", user)
        return AuthorizationGrant(self.name, client_id, subject, scope, user=user)

    def _exchanged_grant(self, form: Mapping[str, str], parameter: str) -> AuthorizationGrant:
        """Return the grant of an access token that is to be exchanged (RFC 8693 section 2.1)."""
        if parameter not in form or f"{parameter}_type" not in form:
            raise OAuthError("invalid_request", f"{parameter} or {parameter}_type is missing")
        if form[f"{parameter}_type"] != ACCESS_TOKEN_TYPE:
            raise OAuthError("invalid_request", f"{parameter}_type must be {ACCESS_TOKEN_TYPE}")
        result = self.context.database.check_access_token(form[parameter], self.name)
        if not isinstance(result, AuthorizationGrant):
            raise OAuthError("invalid_request", f"{parameter}: {INVALID_TOKEN_REASONS[result]}")
        return result

    def _user_claims(self, grant: AuthorizationGrant) -> Mapping[str, Any]:
        return self.users[grant.user].claims if grant.user is not None else {}

    def _generate_id_token(self, grant: AuthorizationGrant, lifetime: float) -> str | None:
        """Return an ID token (OpenID Connect Core section 2), or None without the scope `openid`."""
        if grant.user is None or grant.exchanged or "openid" not in grant.scope.split():
            return None
        now = int(self.context.now())
        own_lifetime = self.context.settings.lifetimes.get("id_token", lifetime)
        claims = {
            "iss": self.issuer,
            "aud": grant.client_id,
            "iat": now,
            "exp": integer_if_whole(now + own_lifetime),
            "sub": grant.subject,
            **self._user_claims(grant),
        }
        if grant.nonce is not None:
            claims["nonce"] = grant.nonce
        claims |= _authentication_claims(grant)
        return self.signing_keys.sign_rs256(claims)

    def _introspect(self, request: Request) -> Response:
        """Tell an authenticated client about a token (RFC 7662 section 2.2)."""
        form = request.parse_form()
        self.authenticate_client(request, form)
        token = form.get("token")
        if token is None:
            raise OAuthError("invalid_request", "token is missing")
        result = self.context.database.check_access_token(token, self.name)
        if isinstance(result, AuthorizationGrant):
            kind = "DPoP" if result.key_thumbprint is not None else "Bearer"
            if token.count(".") == 2:
                claims = _read_claims(token)
            else:
                claims = {
                    "iss": self.issuer,
                    "client_id": result.client_id,
                    "sub": result.subject,
                    "scope": result.scope,
                }
            members = {"active": True, **claims, "token_type": kind}
            if result.user is not None:
                members["username"] = result.user
            return json_response(200, members)
        grant = self.context.database.check_refresh_token(token, self.name)
        if grant is None:
            return json_response(200, {"active": False})
        members = {"active": True, "client_id": grant.client_id, "sub": grant.subject}
        return json_response(200, {**members, "scope": grant.scope, "iss": self.issuer})

    def _revoke(self, request: Request) -> Response:
        """Revoke a token of the authenticated client (RFC 7009 section 2.2)."""
        form = request.parse_form()
        client_id = self.authenticate_client(request, form)
        if "token" not in form:
            raise OAuthError("invalid_request", "token is missing")
        self.context.database.revoke_token(form["token"], system=self.name, client_id=client_id)
        return Response(200, b"")

    def _handle_userinfo_request(self, request: Request) -> Response:
        """Return the claims about the user (OpenID Connect Core section 5.3)."""
        if request.method not in ("GET", "POST"):
            return self.method_not_allowed_response("GET, POST")
        result = self.authorize_resource_request(request)
        if isinstance(result, Response):
            return result
        if result.user is None or "openid" not in result.scope.split():
            challenge = 'Bearer realm="oauth2", error="insufficient_scope", scope="openid"'
            refusal = self.error_response(403, "insufficient_scope", "the token lacks openid")
            return add_headers(refusal, {"WWW-Authenticate": challenge})
        return json_response(200, {"sub": result.subject, **self._user_claims(result)})

    def _refuse_dpop(self, text: str, code: str = "invalid_token") -> Response:
        challenge = (
            f'DPoP error="{code}", error_description="{text}", algs="{" ".join(ALGORITHMS)}"'
        )
        return add_headers(self.unauthorized_response(), {"WWW-Authenticate": challenge})

    def _resource_metadata(self) -> dict[str, object]:
        """Return the metadata of the protected resource (RFC 9728 section 2)."""
        return {
            "resource": self.context.url + self.resource_path,
            "authorization_servers": [self.issuer],
            "scopes_supported": list(SCOPES),
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": ALGORITHMS,
        }

    def _metadata(self) -> dict[str, object]:
        """Return the metadata of RFC 8414 and OpenID Connect Discovery."""
        url = self.context.url
        auth_methods = [
            "client_secret_basic",
            "client_secret_post",
            "client_secret_jwt",
            "private_key_jwt",
            "tls_client_auth",
            "none",
        ]
        return {
            "issuer": self.issuer,
            "authorization_endpoint": url + sign_in.AUTHORIZE_PATH,
            "token_endpoint": url + self.token_path,
            "pushed_authorization_request_endpoint": url + sign_in.PUSH_PATH,
            "device_authorization_endpoint": url + sign_in.DEVICE_AUTHORIZATION_PATH,
            "userinfo_endpoint": url + self.userinfo_path,
            "introspection_endpoint": url + self.introspection_path,
            "revocation_endpoint": url + self.revocation_path,
            "jwks_uri": f"{url}{self.jwks_path}",
            "scopes_supported": list(SCOPES),
            "response_types_supported": ["code"],
            "grant_types_supported": [*self.grant_handlers, REFRESH_TOKEN],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": auth_methods,
            "token_endpoint_auth_signing_alg_values_supported": assertions.ALGORITHMS,
            "introspection_endpoint_auth_methods_supported": auth_methods,
            "revocation_endpoint_auth_methods_supported": auth_methods,
            "code_challenge_methods_supported": ["S256"],
            "dpop_signing_alg_values_supported": ALGORITHMS,
            "authorization_response_iss_parameter_supported": True,
        }


def _authentication_claims(grant: AuthorizationGrant) -> dict[str, object]:
    """Return how and when the user signed in (RFC 9470 section 6.2)."""
    claims: dict[str, object] = {}
    if grant.signed_in_at is not None:
        claims["auth_time"] = int(grant.signed_in_at)
    if grant.acr is not None:
        claims["acr"] = grant.acr
    return claims


def _read_claims(token: str) -> dict[str, Any]:
    """Return the claims of a JWT that the sandbox has signed."""
    from joserfc import jws

    claims: dict[str, Any] = json.loads(jws.extract_compact(token.encode()).payload)
    return claims
