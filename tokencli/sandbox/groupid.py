"""GroupID, now Netwrix Directory Manager 11, as "Get Token" and "Common Errors" document its API."""

import json
from collections.abc import Callable, Mapping
from typing import ClassVar
from uuid import uuid4

from tokencli.sandbox.http_messages import OAuthError, Request, Response, json_response
from tokencli.sandbox.system import FakeSystem, integer_if_whole, reason_phrase
from tokencli.sandbox.token_db import AuthorizationGrant

DOCUMENTED_ERRORS: Mapping[int, tuple[str, str]] = {
    400: ("Bad request", "Wrong parameters"),
    401: ("Unauthorized", "Wrong or expired token"),
    404: ("Not found", "The URL is incorrect or object is not found"),
    405: ("Method not allowed", "Wrong HTTP verb is used in the request"),
    500: ("Internal server error", "An exception or error occurred in API"),
    501: ("Not implemented", "Required function is not implemented by API"),
    503: ("Service unavailable", "API service is not available"),
}
GRANTED_SCOPE = "directorymanager.api groupid_identity offline_access openid profile"


class GroupId(FakeSystem):
    """Credentials in the body, with `client_Id` spelled with a capital I."""

    name = "groupid"
    path_prefixes = ("/GroupIDSecurityService/", "/GroupIDDataService/")
    token_path = "/GroupIDSecurityService/connect/token"
    resource_path = "/GroupIDDataService/api/me"
    jwks_path = "/GroupIDSecurityService/.well-known/openid-configuration/jwks"
    metadata_path = "/GroupIDSecurityService/.well-known/openid-configuration"
    access_token_lifetime_s = 1200
    profile_values: ClassVar = {
        "host": "{address}",
        "username": "jdoe",
        "client_id": "7d1c0f52-made-up",
        "identity_store_id": "1",
    }
    secrets: ClassVar = {
        "password": "made-up-password-of-jdoe",
        "client_secret": "made-up-secret-of-the-api",
    }

    def routes(self) -> dict[str, tuple[str, Callable[[Request], Response]]]:
        """Return the routes, with the metadata that IdentityServer publishes."""
        url = self.context.url
        metadata = {
            "issuer": f"{url}/GroupIDSecurityService",
            "token_endpoint": url + self.token_path,
            "jwks_uri": f"{url}{self.jwks_path}",
        }
        answer = ("metadata", lambda _: json_response(200, metadata))
        return super().routes() | {self.metadata_path: answer}

    def authenticate_client(self, request: Request, form: Mapping[str, str]) -> str:
        """Accept client credentials in the body only, under their exact names."""
        if "authorization" in request.headers:
            raise OAuthError(
                "invalid_client", "Wrong parameters: send client_Id and client_secret in the body"
            )
        if "client_Id" not in form:
            near = next((name for name in form if name.lower() == "client_id"), None)
            hint = f" (got {near}; the name is spelled with a capital I)" if near else ""
            raise OAuthError("invalid_client", f"Wrong parameters: client_Id is missing{hint}")
        if (form["client_Id"], form.get("client_secret")) != (
            self.profile_values["client_id"],
            self.secrets["client_secret"],
        ):
            raise OAuthError("invalid_client", "Wrong parameters: client_Id or client_secret")
        return form["client_Id"]

    def grant_password(self, client: str, form: Mapping[str, str]) -> AuthorizationGrant:
        """Authenticate a user."""
        missing = [
            name for name in ("username", "password", "identity_store_id") if name not in form
        ]
        if missing:
            raise OAuthError("invalid_request", f"Wrong parameters: {', '.join(missing)} missing")
        if form["identity_store_id"] != self.profile_values["identity_store_id"]:
            raise OAuthError("invalid_grant", "Wrong parameters: identity_store_id")
        built_in = (self.profile_values["username"], self.secrets["password"])
        if (form["username"], form["password"]) != built_in and not (
            self.context.settings.check_password(form["username"], form["password"])
        ):
            raise OAuthError("invalid_grant", "Wrong parameters: username or password")
        return AuthorizationGrant(self.name, client, form["username"], GRANTED_SCOPE)

    # The 11.0 document writes `Password`, the 11.1 document `password`.
    grant_handlers: ClassVar = {"Password": grant_password, "password": grant_password}

    def generate_access_token(self, grant: AuthorizationGrant, lifetime: float) -> str:
        """Return a JWT like that of an OpenID Connect server."""
        now = int(self.context.now())
        claims = {
            "iss": f"{self.context.url}/GroupIDSecurityService",
            "aud": "directorymanager.api",
            "iat": now,
            "nbf": now,
            "exp": integer_if_whole(now + lifetime),
            "jti": uuid4().hex,
            "client_id": grant.client_id,
            "sub": grant.subject,
            "scope": grant.scope.split(),
        }
        return self.signing_keys.sign_es256(claims, "at+jwt")

    def token_response_members(
        self,
        grant: AuthorizationGrant,
        access_token: str,
        refresh_token: str | None,
        lifetime: float,
    ) -> dict[str, object]:
        """Return the five members of the documented sample."""
        return {
            "access_token": access_token,
            "refresh_token": refresh_token,
            "scope": grant.scope,
            "token_type": "Bearer",
            "expires_in": integer_if_whole(lifetime),
        }

    def malformed_token_response(self, members: Mapping[str, object]) -> str:
        """Return JSON like the documented sample: tokens unquoted and without a comma after them."""
        lines = []
        for name, value in members.items():
            if name.endswith("_token"):
                lines.append(f'    "{name}": {value} ')
            else:
                lines.append(f'    "{name}": {json.dumps(value)},')
        return "{\n" + "\n".join(lines).rstrip(",") + "\n}"

    def unauthorized_response(self) -> Response:
        """Return the one documented body, whatever is wrong with the token."""
        return self.error_response(401)

    def error_response(
        self, status: int, code: str | None = None, text: str | None = None
    ) -> Response:
        """Return OpenID Connect's JSON if there is an error code, else a line of "Common Errors"."""
        if code is not None:
            return json_response(status, {"error": code, "error_description": text}, error=code)
        title, description = DOCUMENTED_ERRORS.get(
            status, (reason_phrase(status), "no description")
        )
        return Response(status, f"{title}: {description}\n".encode(), "text/plain")
