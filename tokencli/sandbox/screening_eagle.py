"""Screening Eagle ID, as "Generate Auth Access Token" documents it."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import uuid4

from tokencli.sandbox.http_messages import OAuthError, Request, Response, json_response
from tokencli.sandbox.system import FakeSystem, integer_if_whole
from tokencli.sandbox.token_db import AuthorizationGrant

SCOPES = ("openid", "email", "profile", "inspect", "offline")
REFRESH_TOKEN_LIFETIME_S = 180 * 86400


class ScreeningEagle(FakeSystem):
    """Basic authentication, a mandatory scope, JWTs only, camelCase errors."""

    name = "screening-eagle"
    path_prefixes = ("/api/",)
    token_path = "/api/id/v1/auth/token"
    resource_path = "/api/inspect/v1/me"
    access_token_lifetime_s = 604800
    profile_values: ClassVar = {
        "base_url": "{url}",
        "client_id": "integration-sandbox",
        "scope": "openid email profile inspect",
    }
    secrets: ClassVar = {"client_secret": "made-up-secret-of-the-integration"}

    def authenticate_client(self, request: Request, form: Mapping[str, str]) -> str:  # noqa: ARG002 - not in the form
        """Expect id and secret unencoded in the Basic header, as documented."""
        credentials = request.basic_credentials(form_encoded=False)
        if credentials != (self.profile_values["client_id"], self.secrets["client_secret"]):
            raise OAuthError("invalid_client", "", 401)
        return credentials[0]

    def grant_client_credentials(self, client: str, form: Mapping[str, str]) -> AuthorizationGrant:
        """Grant the requested scopes if they are allowed."""
        scopes = form.get("scope", "").split()
        if not scopes:
            raise OAuthError("invalid_request", "")
        if not set(scopes) <= set(SCOPES):
            raise OAuthError("invalid_scope", "", 403)
        return AuthorizationGrant(self.name, client, "1302", " ".join(scopes))

    grant_handlers: ClassVar = {"client_credentials": grant_client_credentials}

    def generate_access_token(self, grant: AuthorizationGrant, lifetime: float) -> str:
        """Return a JWT with the claims of the documented sample."""
        more = {"scp": grant.scope, "scopes": ["user"], "userID": 1302, "userRegion": "SG"}
        return self.signing_keys.sign_hs256(
            self._common_claims(grant, lifetime) | {"jti": str(uuid4())} | more
        )

    def generate_refresh_token(self, grant: AuthorizationGrant) -> str:
        """Return a JWT."""
        claims = self._common_claims(grant, REFRESH_TOKEN_LIFETIME_S)
        return self.signing_keys.sign_hs256(claims | {"jti": str(uuid4()), "scp": grant.scope})

    def token_response_members(
        self,
        grant: AuthorizationGrant,
        access_token: str,
        refresh_token: str | None,
        lifetime: float,
    ) -> dict[str, object]:
        """Return the members of the documented sample; the scope `openid` adds an ID token."""
        id_token = None
        if "openid" in grant.scope.split():
            user_claims = {
                "email": "sandbox@example.com",
                "email_verified": True,
                "name": "Sandbox User",
                "first_name": "Sandbox",
                "last_name": "User",
                "country_code": "SG",
                "picture": f"{self.context.url}/api/v1/user/1302/picture/",
                "updated_at": int(self.context.now()),
            }
            id_token = self.signing_keys.sign_hs256(
                self._common_claims(grant, lifetime) | user_claims
            )
        return {
            "scope": grant.scope,
            "token_type": "Bearer",
            "access_token": access_token,
            "expires_in": integer_if_whole(lifetime),
            "id_token": id_token,
            "refresh_token": refresh_token,
        }

    def unauthorized_response(self) -> Response:
        """Return the one documented body, whatever is wrong with the token."""
        return self.error_response(401)

    def error_response(
        self,
        status: int,
        code: str | None = None,
        text: str | None = None,  # noqa: ARG002 - one documented body for all errors
    ) -> Response:
        """Return the body documented for every status."""
        body = {"error": "Forbidden", "errorDescription": "permission denied"}
        return json_response(status, body, error=code)

    def _common_claims(self, grant: AuthorizationGrant, lifetime: float) -> dict[str, object]:
        now = int(self.context.now())
        return {
            "aud": grant.client_id,
            "exp": integer_if_whole(now + lifetime),
            "iat": now,
            "iss": "Screening Eagle ID",
            "sub": grant.subject,
        }
