"""Screening Eagle ID: "Generate Auth Access Token"."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import uuid4

from tokencli.sandbox.state import Grant
from tokencli.sandbox.systems import System, whole
from tokencli.sandbox.wire import Refusal, Reply, Request, as_json

SCOPES = ("openid", "email", "profile", "inspect", "offline")
REFRESH_LIFETIME_S = 180 * 86400


class ScreeningEagle(System):
    """Speak as Screening Eagle ID does: Basic, a mandatory scope, JWTs throughout, camelCase errors."""

    name = "screening-eagle"
    roots = ("/api/",)
    token_path = "/api/id/v1/auth/token"  # noqa: S105 - a path
    resource_path = "/api/inspect/v1/me"
    lifetime = 604800
    values: ClassVar = {
        "base_url": "{url}",
        "client_id": "integration-sandbox",
        "scope": "openid email profile inspect",
    }
    secrets: ClassVar = {"client_secret": "made-up-secret-of-the-integration"}

    def client(self, request: Request, form: Mapping[str, str]) -> str:  # noqa: ARG002 - not there
        """Want id and secret as they are in the Basic header, which is how the document writes it."""
        found = request.basic(form_encoded=False)
        if found != (self.values["client_id"], self.secrets["client_secret"]):
            raise Refusal("invalid_client", "", 401)
        return found[0]

    def client_credentials(self, client: str, form: Mapping[str, str]) -> Grant:
        """Grant a machine what it asks for, if it may have it."""
        asked = form.get("scope", "").split()
        if not asked:
            raise Refusal("invalid_request", "")
        if not set(asked) <= set(SCOPES):
            raise Refusal("invalid_scope", "", 403)
        return Grant(self.name, client, "1302", " ".join(asked))

    grants: ClassVar = {"client_credentials": client_credentials}

    def access_token(self, grant: Grant, lifetime: float) -> str:
        """Return a JWT with the claims of the sample."""
        more = {"scp": grant.scope, "scopes": ["user"], "userID": 1302, "userRegion": "SG"}
        return self.site.keys.hs256(self._claims(grant, lifetime) | {"jti": str(uuid4())} | more)

    def refresh_token(self, grant: Grant) -> str:
        """Return a JWT too."""
        claims = self._claims(grant, REFRESH_LIFETIME_S)
        return self.site.keys.hs256(claims | {"jti": str(uuid4()), "scp": grant.scope})

    def members(
        self, grant: Grant, access_token: str, refresh_token: str | None, lifetime: float
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
                "picture": f"{self.site.url}/api/v1/user/1302/picture/",
                "updated_at": int(self.site.now()),
            }
            id_token = self.site.keys.hs256(self._claims(grant, lifetime) | person)
        return {
            "scope": grant.scope,
            "token_type": "Bearer",
            "access_token": access_token,
            "expires_in": whole(lifetime),
            "id_token": id_token,
            "refresh_token": refresh_token,
        }

    def unauthorized(self, why: str | None) -> Reply:  # noqa: ARG002 - the document has one body for all
        """Return the documented body, whatever is wrong with the token."""
        return self.refused(401)

    def refused(self, status: int, code: str | None = None, text: str | None = None) -> Reply:  # noqa: ARG002 - the document has one body for all
        """Return the one body that the document shows for every status."""
        body = {"error": "Forbidden", "errorDescription": "permission denied"}
        return as_json(status, body, error=code)

    def _claims(self, grant: Grant, lifetime: float) -> dict[str, object]:
        now = int(self.site.now())
        return {
            "aud": grant.client_id,
            "exp": whole(now + lifetime),
            "iat": now,
            "iss": "Screening Eagle ID",
            "sub": grant.subject,
        }
