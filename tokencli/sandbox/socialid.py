"""Social-ID NOW: "POST /oauth/token" of its marketing API, v2, one page for each grant."""

from collections.abc import Mapping
from typing import ClassVar

from tokencli.sandbox.keys import opaque
from tokencli.sandbox.state import Grant
from tokencli.sandbox.systems import System, phrase, whole
from tokencli.sandbox.wire import Refusal, Reply, Request, as_json

OAUTH1 = ("twitter",)
OAUTH2 = ("facebook", "gplus", "linkedin", "instagram")
OIDC = ("apple",)
EMAIL_ADDRESS = "john_doe@domain.com"
USER_ID = "123"
# Status -> code and description; the document's table of codes covers 400 and 401.
ERRORS: Mapping[int, tuple[str, str]] = {
    400: ("invalid_request", "A required parameter was not informed."),
    401: ("invalid_client", "The request authentication is invalid."),
    500: ("internal_server_error", "An unknown error happened."),
}


class SocialId(System):
    """Speak as Social-ID NOW does: Basic, opaque tokens, exactly one of two ways to name the user."""

    name = "socialid"
    roots = ("/v2/",)
    token_path = "/v2/marketing/oauth/token"  # noqa: S105 - a path
    resource_path = "/v2/marketing/me"
    lifetime = 604800
    values: ClassVar = {"base_url": "{url}", "client_id": "138", "username": "john_doe"}
    secrets: ClassVar = {
        "password": "made-up-password-of-john-doe",
        "client_secret": "made-up-secret-of-app-138",
    }

    def client(self, request: Request, form: Mapping[str, str]) -> str:  # noqa: ARG002 - not there
        """Want what `curl --user` sends."""
        found = request.basic(form_encoded=False)
        if found != (self.values["client_id"], self.secrets["client_secret"]):
            raise Refusal("invalid_client", "The client authentication is invalid.", 401)
        return found[0]

    def password(self, client: str, form: Mapping[str, str]) -> Grant:
        """Sign a user in by user name or by e-mail address, never by both."""
        if ("username" in form) == ("email_address" in form):
            raise Refusal(
                "invalid_request", "Exactly one of username and email_address is required."
            )
        _require(form, "password")
        user = form.get("username", form.get("email_address"))
        right = user in (self.values["username"], EMAIL_ADDRESS)
        if not right or form["password"] != self.secrets["password"]:
            raise Refusal("invalid_client", "User and password do not match.", 401)
        return Grant(self.name, client, USER_ID, "")

    def client_credentials(self, client: str, form: Mapping[str, str]) -> Grant:  # noqa: ARG002 - needs none
        """Grant the app itself a token."""
        return Grant(self.name, client, client, "", refreshable=False)

    def user_id(self, client: str, form: Mapping[str, str]) -> Grant:
        """Grant the app a token of a user whose id it knows."""
        _require(form, "user_id")
        if form["user_id"] != USER_ID:
            raise Refusal("invalid_request", "The informed user_id is invalid.")
        return Grant(self.name, client, USER_ID, "")

    def provider_credentials(self, client: str, form: Mapping[str, str]) -> Grant:
        """Exchange a token of another network; which parameters it takes depends on the network."""
        _require(form, "provider")
        network = form["provider"]
        if network not in (*OAUTH1, *OAUTH2, *OIDC):
            raise Refusal("invalid_request", "The informed provider is invalid.")
        _require(form, "id_token" if network in OIDC else "access_token")
        if (network in OAUTH1) != ("access_secret" in form) or (
            network not in OIDC and "id_token" in form
        ):
            raise Refusal("invalid_request", "access_secret or id_token is missing or misplaced.")
        return Grant(self.name, client, USER_ID, "")

    grants: ClassVar = {
        "password": password,
        "client_credentials": client_credentials,
        "user_id": user_id,
        "provider_credentials": provider_credentials,
    }

    def dead(self, reason: str) -> Refusal:
        """Refuse with a code of the documented table, which has no `invalid_grant`."""
        return Refusal("invalid_request", f"The informed refresh_token is invalid: {reason}.")

    def access_token(self, grant: Grant, lifetime: float) -> str:  # noqa: ARG002 - an opaque token
        """Return 64 hexadecimal digits."""
        return opaque()

    def members(
        self,
        grant: Grant,  # noqa: ARG002 - the reply has no scope
        access_token: str,
        refresh_token: str | None,
        lifetime: float,
    ) -> dict[str, object]:
        """Return the members of the sample."""
        return {
            "access_token": access_token,
            "expires_in": whole(lifetime),
            "token_type": "bearer",
            "refresh_token": refresh_token,
        }

    def refused(self, status: int, code: str | None = None, text: str | None = None) -> Reply:
        """Return code and description."""
        usual = ERRORS.get(status, (phrase(status).lower().replace(" ", "_"), phrase(status)))
        code, text = code or usual[0], text or usual[1]
        return as_json(status, {"error": code, "error_description": text}, error=code)


def _require(form: Mapping[str, str], name: str) -> None:
    if name not in form:
        raise Refusal("invalid_request", f"A required parameter was not informed: {name}.")
