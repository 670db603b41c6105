"""Social-ID NOW, as "POST /oauth/token" of its marketing API v2 documents it, one page per grant."""

from collections.abc import Mapping
from typing import ClassVar

from tokencli.sandbox.http_messages import OAuthError, Request, Response, json_response
from tokencli.sandbox.system import (
    FakeSystem,
    generate_opaque_token,
    integer_if_whole,
    reason_phrase,
)
from tokencli.sandbox.token_db import AuthorizationGrant

OAUTH1_NETWORKS = ("twitter",)
OAUTH2_NETWORKS = ("facebook", "gplus", "linkedin", "instagram")
OIDC_NETWORKS = ("apple",)
EMAIL_ADDRESS = "john_doe@domain.com"
USER_ID = "123"
# Status -> code and description; only 400 and 401 are documented.
DOCUMENTED_ERRORS: Mapping[int, tuple[str, str]] = {
    400: ("invalid_request", "A required parameter was not informed."),
    401: ("invalid_client", "The request authentication is invalid."),
    500: ("internal_server_error", "An unknown error happened."),
}


class SocialId(FakeSystem):
    """Basic authentication, opaque tokens, and exactly one of two ways to name the user."""

    name = "socialid"
    path_prefixes = ("/v2/",)
    token_path = "/v2/marketing/oauth/token"
    resource_path = "/v2/marketing/me"
    access_token_lifetime_s = 604800
    profile_values: ClassVar = {"base_url": "{url}", "client_id": "138", "username": "john_doe"}
    secrets: ClassVar = {
        "password": "made-up-password-of-john-doe",
        "client_secret": "made-up-secret-of-app-138",
    }

    def authenticate_client(self, request: Request, form: Mapping[str, str]) -> str:  # noqa: ARG002 - not in the form
        """Expect what `curl --user` sends."""
        credentials = request.basic_credentials(form_encoded=False)
        if credentials != (self.profile_values["client_id"], self.secrets["client_secret"]):
            raise OAuthError("invalid_client", "The client authentication is invalid.", 401)
        return credentials[0]

    def grant_password(self, client: str, form: Mapping[str, str]) -> AuthorizationGrant:
        """Authenticate a user by user name or by e-mail address, but not both."""
        if ("username" in form) == ("email_address" in form):
            raise OAuthError(
                "invalid_request", "Exactly one of username and email_address is required."
            )
        _require_parameter(form, "password")
        user = form.get("username", form.get("email_address", ""))
        if self.context.settings.check_password(user, form["password"]):
            return AuthorizationGrant(self.name, client, user, "")
        known = user in (self.profile_values["username"], EMAIL_ADDRESS)
        if not known or form["password"] != self.secrets["password"]:
            raise OAuthError("invalid_client", "User and password do not match.", 401)
        return AuthorizationGrant(self.name, client, USER_ID, "")

    def grant_client_credentials(self, client: str, form: Mapping[str, str]) -> AuthorizationGrant:  # noqa: ARG002 - no parameters
        """Issue a token for the app itself."""
        return AuthorizationGrant(self.name, client, client, "", refreshable=False)

    def grant_user_id(self, client: str, form: Mapping[str, str]) -> AuthorizationGrant:
        """Issue a token for a user, named by id."""
        _require_parameter(form, "user_id")
        if form["user_id"] != USER_ID:
            raise OAuthError("invalid_request", "The informed user_id is invalid.")
        return AuthorizationGrant(self.name, client, USER_ID, "")

    def grant_provider_credentials(
        self, client: str, form: Mapping[str, str]
    ) -> AuthorizationGrant:
        """Exchange a token of another network; the parameters depend on the network."""
        _require_parameter(form, "provider")
        network = form["provider"]
        if network not in (*OAUTH1_NETWORKS, *OAUTH2_NETWORKS, *OIDC_NETWORKS):
            raise OAuthError("invalid_request", "The informed provider is invalid.")
        _require_parameter(form, "id_token" if network in OIDC_NETWORKS else "access_token")
        if (network in OAUTH1_NETWORKS) != ("access_secret" in form) or (
            network not in OIDC_NETWORKS and "id_token" in form
        ):
            raise OAuthError(
                "invalid_request", "access_secret or id_token is missing or misplaced."
            )
        return AuthorizationGrant(self.name, client, USER_ID, "")

    grant_handlers: ClassVar = {
        "password": grant_password,
        "client_credentials": grant_client_credentials,
        "user_id": grant_user_id,
        "provider_credentials": grant_provider_credentials,
    }

    def invalid_refresh_token_error(self, reason: str) -> OAuthError:
        """Return a refusal with a documented code; `invalid_grant` is not one of them."""
        return OAuthError("invalid_request", f"The informed refresh_token is invalid: {reason}.")

    def generate_access_token(self, grant: AuthorizationGrant, lifetime: float) -> str:  # noqa: ARG002 - an opaque token
        """Return 64 hexadecimal digits."""
        return generate_opaque_token()

    def token_response_members(
        self,
        grant: AuthorizationGrant,  # noqa: ARG002 - the reply has no scope
        access_token: str,
        refresh_token: str | None,
        lifetime: float,
    ) -> dict[str, object]:
        """Return the members of the documented sample."""
        return {
            "access_token": access_token,
            "expires_in": integer_if_whole(lifetime),
            "token_type": "bearer",
            "refresh_token": refresh_token,
        }

    def error_response(
        self, status: int, code: str | None = None, text: str | None = None
    ) -> Response:
        """Return the documented members, code and description."""
        default_code, default_text = DOCUMENTED_ERRORS.get(
            status, (reason_phrase(status).lower().replace(" ", "_"), reason_phrase(status))
        )
        code, text = code or default_code, text or default_text
        return json_response(status, {"error": code, "error_description": text}, error=code)


def _require_parameter(form: Mapping[str, str], name: str) -> None:
    if name not in form:
        raise OAuthError("invalid_request", f"A required parameter was not informed: {name}.")
