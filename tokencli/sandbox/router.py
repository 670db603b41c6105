"""Which system answers a path, and what goes wrong on purpose before or after it does."""

from dataclasses import replace

from tokencli.sandbox.context import SandboxContext
from tokencli.sandbox.http_messages import OAuthError, Request, Response, json_response
from tokencli.sandbox.system import SYSTEMS, FakeSystem, load_system
from tokencli.sandbox.token_db import RequestLogEntry

CAPTIVE_PORTAL_PAGE = b"""<!doctype html>
<html><head><title>Welcome</title></head>
<body><h1>Welcome to the guest network</h1><p>Please accept the terms of use.</p></body></html>
"""


class Router:
    """Answer requests, and log each before its answer leaves."""

    def __init__(self, site: SandboxContext) -> None:
        self.context = site
        self.systems: dict[str, FakeSystem] = {name: load_system(name)(site) for name in SYSTEMS}

    def handle_request(self, request: Request) -> Response:
        """Answer one request."""
        system = self._find_system(request.path)
        if system is None:
            kind, reply = "other", _not_found_response()
        elif request.path == system.token_path:
            kind, reply = "token", self._handle_token_request(system, request)
        elif request.path == system.resource_path:
            kind, reply = "resource", system.handle_resource_request(request)
        elif request.path == system.jwks_path:
            kind, reply = "keys", json_response(200, self.context.signing_keys.public_jwks())
        else:
            kind, reply = "other", system.error_response(404)
        asked = ""
        if system is not None and kind == "token" and request.method == "POST":
            asked = _loggable_grant_type(system, request)
        self._record_request(request, kind, system, asked, reply)
        return reply

    def _find_system(self, path: str) -> FakeSystem | None:
        """Find whose path it is, or under whose roof it would be."""
        for system in self.systems.values():
            if path.startswith(system.path_prefixes):
                return system
        return None

    def _handle_token_request(self, system: FakeSystem, request: Request) -> Response:
        """Answer at a token endpoint, with what is to go wrong there."""
        faults = self.context.faults
        if faults.fail is not None and self.context.fault_applies("fail", faults.fail[1]):
            return replace(system.error_response(faults.fail[0]), delay_s=faults.slow)
        drop = None
        if faults.drop is not None and self.context.fault_applies("drop", faults.drop[1]):
            drop = faults.drop[0]
        if drop == "before":
            return Response(0, b"", drop_connection=True)
        if faults.redirect is not None:
            status, target = faults.redirect
            return Response(status, b"", headers={"Location": target})
        if faults.html:
            return Response(200, CAPTIVE_PORTAL_PAGE, "text/html; charset=utf-8")
        reply = system.handle_token_request(request)
        return replace(reply, delay_s=faults.slow, drop_connection=drop == "after")

    def _record_request(
        self, request: Request, kind: str, system: FakeSystem | None, asked: str, reply: Response
    ) -> None:
        self.context.database.record_request(
            RequestLogEntry(
                at=self.context.database.now(),
                kind=kind,
                system=system.name if system is not None else "-",
                method=request.method,
                path=request.path,
                grant_type=asked,
                status=0 if reply.drop_connection else reply.status,
                error=reply.error_code,
                issued=reply.token_issued,
            )
        )


def _loggable_grant_type(system: FakeSystem, request: Request) -> str:
    """Name the grant for the log; what isn't one could be a secret in the wrong place."""
    try:
        asked = request.parse_form().get("grant_type", "?")
    except OAuthError:
        return "?"
    return asked if system.supports_grant(asked) else "?"


def _not_found_response() -> Response:
    return json_response(404, {"error": "not_found", "systems": list(SYSTEMS)}, error="not_found")
