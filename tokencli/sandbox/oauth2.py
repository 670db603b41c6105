"""A standard token endpoint: RFC 6749, with RFC 9068 access tokens."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar
from urllib.parse import quote_plus
from uuid import uuid4

from tokencli.sandbox.http_messages import OAuthError, Request, Response, json_response
from tokencli.sandbox.system import FakeSystem, integer_if_whole, reason_phrase
from tokencli.sandbox.token_db import AuthorizationGrant

PUBLIC_CLIENT_ID = "public"
USERNAME, PASSWORD = "alice", "made-up-password-of-alice"
SCOPES = ("read", "write", "openid", "profile", "email", "offline_access")
DEFAULT_ERROR_CODES: Mapping[int, str] = {
    401: "invalid_client",
    403: "unauthorized_client",
    503: "temporarily_unavailable",
}


class OAuth2(FakeSystem):
    """RFC 6749 for two confidential clients and a public one."""

    name = "oauth2"
    path_prefixes = ("/oauth2/",)
    token_path = "/oauth2/token"
    resource_path = "/oauth2/resource"
    jwks_path = "/oauth2/keys"
    access_token_lifetime_s = 3600
    profile_values: ClassVar = {
        "token_url": "{url}/oauth2/token",
        "grant": "client_credentials",
        "client_id": "batch",
        "scope": "read write",
    }
    secrets: ClassVar = {"client_secret": "made-up-secret-of-batch"}
    # The second client's id and secret survive Basic only if form-encoded first (section 2.3.1).
    client_secrets: ClassVar = {
        profile_values["client_id"]: secrets["client_secret"],
        "odd client:1": "100% made up: a+b & c=d / £ €",
    }

    def authenticate_client(self, request: Request, form: Mapping[str, str]) -> str:
        """Accept exactly one method of client authentication (section 2.3)."""
        basic = request.basic_credentials(form_encoded=True)
        if basic is not None:
            client_id, secret = basic
            if "client_secret" in form or form.get("client_id", client_id) != client_id:
                raise OAuthError("invalid_request", "more than one client authentication method")
        else:
            client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if not client_id:
            raise OAuthError("invalid_client", "no client authentication", 401)
        if client_id == PUBLIC_CLIENT_ID and not secret and basic is None:
            return client_id
        if self.client_secrets.get(client_id) != secret:
            encoded = quote_plus(client_id) != client_id or quote_plus(secret) != secret
            hint = (
                "; Basic requires both to be form-encoded first"
                if basic is not None and encoded
                else ""
            )
            raise OAuthError("invalid_client", f"wrong client id or secret{hint}", 401)
        return client_id

    def grant_client_credentials(self, client: str, form: Mapping[str, str]) -> AuthorizationGrant:
        """Grant a confidential client its own token (section 4.4); no refresh token (4.4.3)."""
        if client == PUBLIC_CLIENT_ID:
            raise OAuthError("unauthorized_client", "this grant is not available to public clients")
        return AuthorizationGrant(
            self.name, client, client, _validated_scope(form), refreshable=False
        )

    def grant_password(self, client: str, form: Mapping[str, str]) -> AuthorizationGrant:
        """Authenticate a user (section 4.3)."""
        if "username" not in form or "password" not in form:
            raise OAuthError("invalid_request", "username or password is missing")
        if (form["username"], form["password"]) != (USERNAME, PASSWORD):
            raise OAuthError("invalid_grant", "wrong user name or password")
        return AuthorizationGrant(self.name, client, form["username"], _validated_scope(form))

    grant_handlers: ClassVar = {
        "client_credentials": grant_client_credentials,
        "password": grant_password,
    }

    def generate_access_token(self, grant: AuthorizationGrant, lifetime: float) -> str:
        """Return a JWT with the claims of RFC 9068 section 2.2."""
        now = int(self.context.now())
        claims = {
            "iss": f"{self.context.url}/oauth2",
            "aud": f"{self.context.url}{self.resource_path}",
            "iat": now,
            "exp": integer_if_whole(now + lifetime),
            "jti": uuid4().hex,
            "client_id": grant.client_id,
            "sub": grant.subject,
            "scope": grant.scope,
        }
        return self.context.signing_keys.sign_es256(claims, "at+jwt")

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
            "token_type": "Bearer",
            "expires_in": integer_if_whole(lifetime),
            "refresh_token": refresh_token,
            "scope": grant.scope,
        }

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


def _validated_scope(form: Mapping[str, str]) -> str:
    scopes = form.get("scope", "read").split()
    if not set(scopes) <= set(SCOPES):
        raise OAuthError("invalid_scope", f"supported scopes: {' '.join(SCOPES)}")
    return " ".join(scopes)
