"""What the systems have in common, and the table of them."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from importlib import import_module
from typing import ClassVar

from tokencli.sandbox.keys import opaque
from tokencli.sandbox.site import Site
from tokencli.sandbox.state import Grant, Spent
from tokencli.sandbox.wire import Refusal, Reply, Request, as_json

SYSTEMS: Mapping[str, str] = {
    "groupid": "tokencli.sandbox.groupid:GroupId",
    "screening-eagle": "tokencli.sandbox.screening_eagle:ScreeningEagle",
    "socialid": "tokencli.sandbox.socialid:SocialId",
    "oauth2": "tokencli.sandbox.oauth2:OAuth2",
}

REFRESH = "refresh_token"
WHY_NOT = {
    "expired": "The access token expired",
    "revoked": "The access token was revoked",
    "unknown": "The access token is not one of this server's",
}


def load(name: str) -> "type[System]":
    """Return the class of a system."""
    module, _, attribute = SYSTEMS[name].partition(":")
    found: type[System] = getattr(import_module(module), attribute)
    return found


class System(ABC):
    """One documented system: a token endpoint, and a resource that its tokens open."""

    name: ClassVar[str]
    roots: ClassVar[tuple[str, ...]]
    """Path prefixes that are this system's, so that it answers 404 there in its own words."""
    token_path: ClassVar[str]
    resource_path: ClassVar[str]
    keys_path: ClassVar[str | None] = None
    lifetime: ClassVar[int]
    """Seconds that an access token lives, as documented."""
    values: ClassVar[Mapping[str, str]]
    """What a profile says; `{url}` and `{address}` are the sandbox's own."""
    secrets: ClassVar[Mapping[str, str]]
    """Made-up secrets, by logical name."""
    grants: ClassVar[Mapping[str, Callable[..., Grant]]]
    """`grant_type` -> method that takes the client and the form, beside `refresh_token`."""

    def __init__(self, site: Site) -> None:
        self.site = site

    @abstractmethod
    def client(self, request: Request, form: Mapping[str, str]) -> str:
        """Return the id of the client that authenticated itself; raise Refusal otherwise."""

    @abstractmethod
    def access_token(self, grant: Grant, lifetime: float) -> str:
        """Return a new access token."""

    @abstractmethod
    def members(
        self, grant: Grant, access_token: str, refresh_token: str | None, lifetime: float
    ) -> dict[str, object]:
        """Return the members of a token reply, in the documented order."""

    @abstractmethod
    def refused(self, status: int, code: str | None = None, text: str | None = None) -> Reply:
        """Return a refusal in the documented shape."""

    def refresh_token(self, grant: Grant) -> str:  # noqa: ARG002 - some put the grant into it
        """Return a new refresh token."""
        return opaque()

    def broken(self, members: Mapping[str, object]) -> str:
        """Return a reply with the slip of the documents' samples: a comma after the last member."""
        return json.dumps(members, indent=2)[:-2] + ",\n}"

    def dead(self, reason: str) -> Refusal:
        """Return the refusal of a refresh token that is no good."""
        return Refusal("invalid_grant", reason)

    def unauthorized(self, why: str | None) -> Reply:
        """Return the body that the resource answers 401 with; `why` is None without a token."""
        return as_json(
            401, {} if why is None else {"error": "invalid_token", "error_description": why}
        )

    def token(self, request: Request) -> Reply:
        """Answer at the token endpoint."""
        if request.method != "POST":
            return self.wrong_verb("POST")
        try:
            form = request.form()
            client = self.client(request, form)
            asked = form.get("grant_type")
            if asked is None:
                raise Refusal("invalid_request", "grant_type is missing")
            if asked == REFRESH:
                return self._refresh(client, form)
            if asked not in self.grants:
                raise Refusal("unsupported_grant_type", "the grant type is not supported")
            return self._start(self.grants[asked](self, client, form))
        except Refusal as refusal:
            return self.refused(refusal.status, refusal.code, refusal.text)

    def resource(self, request: Request) -> Reply:
        """Answer at the protected resource (RFC 6750 section 3)."""
        if request.method != "GET":
            return self.wrong_verb("GET")
        token = request.bearer()
        if token is None:  # RFC 6750 section 3.1: without a token there is no error code either
            return _with(
                self.unauthorized(None), {"WWW-Authenticate": f'Bearer realm="{self.name}"'}
            )
        found = self.site.state.check(token, self.name)
        if not isinstance(found, Grant):
            challenge = (
                f'Bearer realm="{self.name}", error="invalid_token",'
                f' error_description="{WHY_NOT[found]}"'
            )
            return _with(self.unauthorized(None), {"WWW-Authenticate": challenge})
        return as_json(
            200, {"subject": found.subject, "client": found.client_id, "scope": found.scope}
        )

    def wrong_verb(self, right: str) -> Reply:
        """Return 405 and say which method would be right."""
        return _with(self.refused(405), {"Allow": right})

    def known(self, grant_type: str) -> bool:
        """Tell whether the system has this grant."""
        return grant_type == REFRESH or grant_type in self.grants

    def _start(self, grant: Grant) -> Reply:
        refresh_token = None
        if grant.refreshable and not self.site.faults.no_refresh_token:
            refresh_token = self.refresh_token(grant)
            self.site.state.start(grant, refresh_token)
        return self._issue(grant, refresh_token, refresh_token)

    def _refresh(self, client: str, form: Mapping[str, str]) -> Reply:
        faults = self.site.faults
        if REFRESH not in form:
            raise Refusal("invalid_request", "refresh_token is missing")
        try:
            grant, current = self.site.state.rotate(
                form[REFRESH],
                self.refresh_token,
                system=self.name,
                client_id=client,
                grace=faults.grace,
                keep=faults.no_refresh_token,
            )
        except Spent as reason:
            raise self.dead(str(reason)) from reason
        return self._issue(grant, current, None if faults.no_refresh_token else current)

    def _issue(self, grant: Grant, family: str | None, refresh_token: str | None) -> Reply:
        faults = self.site.faults
        lifetime = self.lifetime if faults.lifetime is None else faults.lifetime
        access_token = self.access_token(grant, lifetime)
        self.site.state.keep(access_token, grant, lifetime, family)
        members = self.members(grant, access_token, refresh_token, lifetime)
        return Reply(
            200,
            self._written({name: value for name, value in members.items() if value is not None}),
            headers={"Cache-Control": "no-store", "Pragma": "no-cache"},
            issued=True,
        )

    def _written(self, members: dict[str, object]) -> bytes:
        """Write the reply down, with what is to go wrong in it."""
        faults = self.site.faults
        if faults.no_token:
            del members["access_token"]
        if faults.expires_in == "":
            del members["expires_in"]
        if faults.broken_json:
            return self.broken(members).encode()
        if not faults.expires_in:
            return json.dumps(members, indent=2).encode()
        place = opaque()
        written = json.dumps(members | {"expires_in": place}, indent=2)
        return written.replace(f'"{place}"', faults.expires_in).encode()


def phrase(status: int) -> str:
    """Return the standard words for an HTTP status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def whole(seconds: float) -> int | float:
    """Return seconds as the integer that RFC 6749 section 4.2.2 wants, where they are one."""
    return int(seconds) if seconds == int(seconds) else seconds


def _with(reply: Reply, headers: Mapping[str, str]) -> Reply:
    return replace(reply, headers={**reply.headers, **headers})
