"""What the systems have in common, and the table of them."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from importlib import import_module
from typing import ClassVar

from tokencli.sandbox.context import SandboxContext
from tokencli.sandbox.http_messages import OAuthError, Request, Response, json_response
from tokencli.sandbox.keys import generate_opaque_token
from tokencli.sandbox.token_db import AuthorizationGrant, InvalidRefreshTokenError

SYSTEMS: Mapping[str, str] = {
    "groupid": "tokencli.sandbox.groupid:GroupId",
    "screening-eagle": "tokencli.sandbox.screening_eagle:ScreeningEagle",
    "socialid": "tokencli.sandbox.socialid:SocialId",
    "oauth2": "tokencli.sandbox.oauth2:OAuth2",
}

REFRESH_TOKEN = "refresh_token"
INVALID_TOKEN_REASONS = {
    "expired": "The access token expired",
    "revoked": "The access token was revoked",
    "unknown": "The access token is not one of this server's",
}


def load_system(name: str) -> "type[FakeSystem]":
    """Return the class of a system."""
    module, _, attribute = SYSTEMS[name].partition(":")
    found: type[FakeSystem] = getattr(import_module(module), attribute)
    return found


class FakeSystem(ABC):
    """One documented system: a token endpoint, and a resource that its tokens open."""

    name: ClassVar[str]
    path_prefixes: ClassVar[tuple[str, ...]]
    """Path prefixes that are this system's, so that it answers 404 there in its own words."""
    token_path: ClassVar[str]
    resource_path: ClassVar[str]
    jwks_path: ClassVar[str | None] = None
    access_token_lifetime_s: ClassVar[int]
    """Seconds that an access token lives, as documented."""
    profile_values: ClassVar[Mapping[str, str]]
    """What a profile says; `{url}` and `{address}` are the sandbox's own."""
    secrets: ClassVar[Mapping[str, str]]
    """Made-up secrets, by logical name."""
    grant_handlers: ClassVar[Mapping[str, Callable[..., AuthorizationGrant]]]
    """`grant_type` -> method that takes the client and the form, beside `refresh_token`."""

    def __init__(self, site: SandboxContext) -> None:
        self.context = site

    @abstractmethod
    def authenticate_client(self, request: Request, form: Mapping[str, str]) -> str:
        """Return the id of the client that authenticated itself; raise Refusal otherwise."""

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
        """Return the members of a token reply, in the documented order."""

    @abstractmethod
    def error_response(
        self, status: int, code: str | None = None, text: str | None = None
    ) -> Response:
        """Return a refusal in the documented shape."""

    def generate_refresh_token(self, grant: AuthorizationGrant) -> str:  # noqa: ARG002 - some put the grant into it
        """Return a new refresh token."""
        return generate_opaque_token()

    def malformed_token_response(self, members: Mapping[str, object]) -> str:
        """Return a reply with the slip of the documents' samples: a comma after the last member."""
        return json.dumps(members, indent=2)[:-2] + ",\n}"

    def invalid_refresh_token_error(self, reason: str) -> OAuthError:
        """Return the refusal of a refresh token that is no good."""
        return OAuthError("invalid_grant", reason)

    def unauthorized_response(self, why: str | None) -> Response:
        """Return the body that the resource answers 401 with; `why` is None without a token."""
        return json_response(
            401, {} if why is None else {"error": "invalid_token", "error_description": why}
        )

    def handle_token_request(self, request: Request) -> Response:
        """Answer at the token endpoint."""
        if request.method != "POST":
            return self.method_not_allowed_response("POST")
        try:
            form = request.parse_form()
            client = self.authenticate_client(request, form)
            asked = form.get("grant_type")
            if asked is None:
                raise OAuthError("invalid_request", "grant_type is missing")
            if asked == REFRESH_TOKEN:
                return self._refresh_tokens(client, form)
            if asked not in self.grant_handlers:
                raise OAuthError("unsupported_grant_type", "the grant type is not supported")
            return self._start_family(self.grant_handlers[asked](self, client, form))
        except OAuthError as refusal:
            return self.error_response(refusal.status, refusal.code, refusal.description)

    def handle_resource_request(self, request: Request) -> Response:
        """Answer at the protected resource (RFC 6750 section 3)."""
        if request.method != "GET":
            return self.method_not_allowed_response("GET")
        token = request.bearer_token()
        if token is None:  # RFC 6750 section 3.1: without a token there is no error code either
            return _add_headers(
                self.unauthorized_response(None),
                {"WWW-Authenticate": f'Bearer realm="{self.name}"'},
            )
        found = self.context.database.check_access_token(token, self.name)
        if not isinstance(found, AuthorizationGrant):
            challenge = (
                f'Bearer realm="{self.name}", error="invalid_token",'
                f' error_description="{INVALID_TOKEN_REASONS[found]}"'
            )
            return _add_headers(self.unauthorized_response(None), {"WWW-Authenticate": challenge})
        return json_response(
            200, {"subject": found.subject, "client": found.client_id, "scope": found.scope}
        )

    def method_not_allowed_response(self, right: str) -> Response:
        """Return 405 and say which method would be right."""
        return _add_headers(self.error_response(405), {"Allow": right})

    def supports_grant(self, grant_type: str) -> bool:
        """Tell whether the system has this grant."""
        return grant_type == REFRESH_TOKEN or grant_type in self.grant_handlers

    def _start_family(self, grant: AuthorizationGrant) -> Response:
        refresh_token = None
        if grant.refreshable and not self.context.faults.no_refresh_token:
            refresh_token = self.generate_refresh_token(grant)
            self.context.database.add_family(grant, refresh_token)
        return self._issue_tokens(grant, refresh_token, refresh_token)

    def _refresh_tokens(self, client: str, form: Mapping[str, str]) -> Response:
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
        return self._issue_tokens(grant, current, None if faults.no_refresh_token else current)

    def _issue_tokens(
        self, grant: AuthorizationGrant, family: str | None, refresh_token: str | None
    ) -> Response:
        faults = self.context.faults
        lifetime = self.access_token_lifetime_s if faults.lifetime is None else faults.lifetime
        access_token = self.generate_access_token(grant, lifetime)
        self.context.database.add_access_token(access_token, grant, lifetime, family)
        members = self.token_response_members(grant, access_token, refresh_token, lifetime)
        return Response(
            200,
            self._encode_token_response(
                {name: value for name, value in members.items() if value is not None}
            ),
            headers={"Cache-Control": "no-store", "Pragma": "no-cache"},
            token_issued=True,
        )

    def _encode_token_response(self, members: dict[str, object]) -> bytes:
        """Write the reply down, with what is to go wrong in it."""
        faults = self.context.faults
        if faults.no_token:
            del members["access_token"]
        if faults.expires_in == "":
            del members["expires_in"]
        if faults.broken_json:
            return self.malformed_token_response(members).encode()
        if not faults.expires_in:
            return json.dumps(members, indent=2).encode()
        place = generate_opaque_token()
        written = json.dumps(members | {"expires_in": place}, indent=2)
        return written.replace(f'"{place}"', faults.expires_in).encode()


def reason_phrase(status: int) -> str:
    """Return the standard words for an HTTP status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def integer_if_whole(seconds: float) -> int | float:
    """Return seconds as the integer that RFC 6749 section 4.2.2 wants, where they are one."""
    return int(seconds) if seconds == int(seconds) else seconds


def _add_headers(reply: Response, headers: Mapping[str, str]) -> Response:
    return replace(reply, headers={**reply.headers, **headers})
