"""Which system answers a path, and what goes wrong on purpose before or after it does."""

from dataclasses import replace

from tokencli.sandbox.site import Site
from tokencli.sandbox.state import Entry
from tokencli.sandbox.systems import SYSTEMS, System, load
from tokencli.sandbox.wire import Refusal, Reply, Request, as_json

PAGE = b"""<!doctype html>
<html><head><title>Welcome</title></head>
<body><h1>Welcome to the guest network</h1><p>Please accept the terms of use.</p></body></html>
"""


class Router:
    """Answer requests, and log each before its answer leaves."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.systems: dict[str, System] = {name: load(name)(site) for name in SYSTEMS}

    def reply(self, request: Request) -> Reply:
        """Answer one request."""
        system = self._system(request.path)
        if system is None:
            kind, reply = "other", _nothing()
        elif request.path == system.token_path:
            kind, reply = "token", self._token(system, request)
        elif request.path == system.resource_path:
            kind, reply = "resource", system.resource(request)
        elif request.path == system.keys_path:
            kind, reply = "keys", as_json(200, self.site.keys.jwks())
        else:
            kind, reply = "other", system.refused(404)
        asked = ""
        if system is not None and kind == "token" and request.method == "POST":
            asked = _grant_type(system, request)
        self._record(request, kind, system, asked, reply)
        return reply

    def _system(self, path: str) -> System | None:
        """Find whose path it is, or under whose roof it would be."""
        for system in self.systems.values():
            if path.startswith(system.roots):
                return system
        return None

    def _token(self, system: System, request: Request) -> Reply:
        """Answer at a token endpoint, with what is to go wrong there."""
        faults = self.site.faults
        if faults.fail is not None and self.site.due("fail", faults.fail[1]):
            return replace(system.refused(faults.fail[0]), delay=faults.slow)
        drop = None
        if faults.drop is not None and self.site.due("drop", faults.drop[1]):
            drop = faults.drop[0]
        if drop == "before":
            return Reply(0, b"", dropped=True)
        if faults.redirect is not None:
            status, target = faults.redirect
            return Reply(status, b"", headers={"Location": target})
        if faults.html:
            return Reply(200, PAGE, "text/html; charset=utf-8")
        reply = system.token(request)
        return replace(reply, delay=faults.slow, dropped=drop == "after")

    def _record(
        self, request: Request, kind: str, system: System | None, asked: str, reply: Reply
    ) -> None:
        self.site.state.record(
            Entry(
                at=self.site.state.now(),
                kind=kind,
                system=system.name if system is not None else "-",
                method=request.method,
                path=request.path,
                grant_type=asked,
                status=0 if reply.dropped else reply.status,
                error=reply.error,
                issued=reply.issued,
            )
        )


def _grant_type(system: System, request: Request) -> str:
    """Name the grant for the log; what isn't one could be a secret in the wrong place."""
    try:
        asked = request.form().get("grant_type", "?")
    except Refusal:
        return "?"
    return asked if system.known(asked) else "?"


def _nothing() -> Reply:
    return as_json(404, {"error": "not_found", "systems": list(SYSTEMS)}, error="not_found")
