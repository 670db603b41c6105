"""Screening Eagle ID: "Generate Auth Access Token"."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import uuid4

from tokencli.sandbox.http_messages import OAuthError, Request, Response, json_response
from tokencli.sandbox.system import FakeSystem, integer_if_whole
from tokencli.sandbox.token_db import AuthorizationGrant

SCOPES = ("openid", "email", "profile", "inspect", "offline")
REFRESH_TOKEN_LIFETIME_S = 180 * 86400


class ScreeningEagle(FakeSystem):
    """Speak as Screening Eagle ID does: Basic, a mandatory scope, JWTs throughout, camelCase errors."""

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

    def authenticate_client(self, request: Request, form: Mapping[str, str]) -> str:  # noqa: ARG002 - not there
        """Want id and secret as they are in the Basic header, which is how the document writes it."""
        found = request.basic_credentials(form_encoded=False)
        if found != (self.profile_values["client_id"], self.secrets["client_secret"]):
            raise OAuthError("invalid_client", "", 401)
        return found[0]

    def grant_client_credentials(self, client: str, form: Mapping[str, str]) -> AuthorizationGrant:
        """Grant a machine what it asks for, if it may have it."""
        asked = form.get("scope", "").split()
        if not asked:
            raise OAuthError("invalid_request", "")
        if not set(asked) <= set(SCOPES):
            raise OAuthError("invalid_scope", "", 403)
        return AuthorizationGrant(self.name, client, "1302", " ".join(asked))

    grant_handlers: ClassVar = {"client_credentials": grant_client_credentials}

    def generate_access_token(self, grant: AuthorizationGrant, lifetime: float) -> str:
        """Return a JWT with the claims of the sample."""
        more = {"scp": grant.scope, "scopes": ["user"], "userID": 1302, "userRegion": "SG"}
        return self.context.signing_keys.sign_hs256(
            self._common_claims(grant, lifetime) | {"jti": str(uuid4())} | more
        )

    def generate_refresh_token(self, grant: AuthorizationGrant) -> str:
        """Return a JWT too."""
        claims = self._common_claims(grant, REFRESH_TOKEN_LIFETIME_S)
        return self.context.signing_keys.sign_hs256(
            claims | {"jti": str(uuid4()), "scp": grant.scope}
        )

    def token_response_members(
        self,
        grant: AuthorizationGrant,
        access_token: str,
        refresh_token: str | None,
        lifetime: float,
    ) -> dict[str, object]:
        """Return the members of the sample; the ID token comes with the scope `openid`."""
        id_token = None
        if "openid" in grant.scope.split():
            person = {
                "email": "sandbox@example.com",
                "email_verified": True,
                "name": "Sandbox User",
                "first_name": "Sandbox",
                "last_name": "User",
                "country_code": "SG",
                "picture": f"{self.context.url}/api/v1/user/1302/picture/",
                "updated_at": int(self.context.now()),
            }
            id_token = self.context.signing_keys.sign_hs256(
                self._common_claims(grant, lifetime) | person
            )
        return {
            "scope": grant.scope,
            "token_type": "Bearer",
            "access_token": access_token,
            "expires_in": integer_if_whole(lifetime),
            "id_token": id_token,
            "refresh_token": refresh_token,
        }

    def unauthorized_response(self, why: str | None) -> Response:  # noqa: ARG002 - the document has one body for all
        """Return the documented body, whatever is wrong with the token."""
        return self.error_response(401)

    def error_response(
        self,
        status: int,
        code: str | None = None,
        text: str | None = None,  # noqa: ARG002 - the document has one body for all errors
    ) -> Response:
        """Return the one body that the document shows for every status."""
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
