"""Route requests to systems, inject faults, and log each request."""

from dataclasses import replace

from tokencli.sandbox.http_messages import OAuthError, Request, Response, json_response
from tokencli.sandbox.system import SYSTEMS, FakeSystem, SandboxContext, load_system
from tokencli.sandbox.token_db import RequestLogEntry

CAPTIVE_PORTAL_PAGE = b"""<!doctype html>
<html><head><title>Welcome</title></head>
<body><h1>Welcome to the guest network</h1><p>Please accept the terms of use.</p></body></html>
"""


class Router:
    """Answer requests, and log each one before its response is sent."""

    def __init__(self, context: SandboxContext) -> None:
        self.context = context
        self.systems: dict[str, FakeSystem] = {name: load_system(name)(context) for name in SYSTEMS}

    def handle_request(self, request: Request) -> Response:
        """Answer one request."""
        system = self._find_system(request.path)
        if system is None:
            kind, response = "other", _not_found_response()
        elif request.path == system.token_path:
            kind, response = "token", self._handle_token_request(system, request)
        elif request.path == system.resource_path:
            kind, response = "resource", system.handle_resource_request(request)
        elif request.path == system.jwks_path:
            kind, response = "keys", json_response(200, self.context.signing_keys.public_jwks())
        else:
            kind, response = "other", system.error_response(404)
        grant_type = ""
        if system is not None and kind == "token" and request.method == "POST":
            grant_type = _loggable_grant_type(system, request)
        self._record_request(request, kind, system, grant_type, response)
        return response

    def _find_system(self, path: str) -> FakeSystem | None:
        """Return the system whose path prefix matches, if any."""
        for system in self.systems.values():
            if path.startswith(system.path_prefixes):
                return system
        return None

    def _handle_token_request(self, system: FakeSystem, request: Request) -> Response:
        """Answer a token request, with the faults injected."""
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
        response = system.handle_token_request(request)
        return replace(response, delay_s=faults.slow, drop_connection=drop == "after")

    def _record_request(
        self,
        request: Request,
        kind: str,
        system: FakeSystem | None,
        grant_type: str,
        response: Response,
    ) -> None:
        self.context.database.record_request(
            RequestLogEntry(
                at=self.context.database.now(),
                kind=kind,
                system=system.name if system is not None else "-",
                method=request.method,
                path=request.path,
                grant_type=grant_type,
                status=0 if response.drop_connection else response.status,
                error=response.error_code,
                issued=response.token_issued,
            )
        )


def _loggable_grant_type(system: FakeSystem, request: Request) -> str:
    """Return the grant type for the log: `?` if unknown, since it could be a misplaced secret."""
    try:
        grant_type = request.parse_form().get("grant_type", "?")
    except OAuthError:
        return "?"
    return grant_type if system.supports_grant(grant_type) else "?"


def _not_found_response() -> Response:
    return json_response(404, {"error": "not_found", "systems": list(SYSTEMS)}, error="not_found")
