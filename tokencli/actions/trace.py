"""Tell what is sent and what comes back, masked by field and place rather than by value alone."""

import json
from collections.abc import Callable
from typing import Any

from tokencli.model import Connection, Profile, Secret, WireReply, WireRequest
from tokencli.ports import Transport
from tokencli.providers.places import Document
from tokencli.providers.redact import MASK, hide, redact

LONGEST = 4096
"""Characters of a body that are shown."""
NEVER = ("authorization", "proxy-authorization", "cookie", "set-cookie", "dpop")
"""Headers whose value is never shown."""
PLAIN = ("accept", "content-type", "content-length", "date", "location", "server", "user-agent")
"""Headers whose value is no secret, but for what is masked in any text."""


class Traced:
    """A transport that tells of each exchange."""

    def __init__(self, inner: Transport, profile: Profile, tell: Callable[[str], None]) -> None:
        self._inner, self._profile, self._tell = inner, profile, tell

    def send(self, request: WireRequest, connection: Connection) -> WireReply:
        """Send the request and return the reply, and tell of both."""
        secrets = list(request.secrets)
        self._tell(f"> {request.method} {hide(request.url, secrets)}")
        for name, value in request.headers.items():
            self._tell(f"> {name}: {_header(name, value, secrets)}")
        self._body(">", request.body, request.headers.get("Content-Type", ""), secrets)
        reply = self._inner.send(request, connection)
        secrets += self._tokens(reply)
        self._tell(f"< HTTP {reply.status}")
        for name, value in reply.headers.items():
            self._tell(f"< {name}: {_header(name, value, secrets)}")
        self._body("<", reply.body, reply.headers.get("content-type", ""), secrets)
        return reply

    def _tokens(self, reply: WireReply) -> list[Secret]:
        """Return what stands in the places where the provider keeps tokens, so that it is masked."""
        provider, found = self._profile.provider, Document(reply)
        calls = (provider.then, provider.refresh, provider.logout)
        wheres = [provider.reply, *(call.reply for call in calls if call and call.reply)]
        places = [
            place
            for where in wheres
            for kept in (where.access_token, where.refresh_token, where.id_token,
                         *where.outputs.values())
            for place in kept
        ]  # fmt: skip
        return [Secret(str(value)) for place in places if (value := found.at(place)) is not None]

    def _body(self, sign: str, body: bytes, kind: str, secrets: list[Secret]) -> None:
        if not body:
            return
        text = body.decode("utf-8", "replace")[: 4 * LONGEST]
        if "json" in kind:
            try:
                text = json.dumps(_masked(json.loads(text), secrets), ensure_ascii=False)
            except (ValueError, RecursionError):
                text = redact(text, secrets)
        else:
            text = redact(text, secrets)
        for line in text[:LONGEST].splitlines():
            self._tell(f"{sign} {line}")


def _header(name: str, value: str, secrets: list[Secret]) -> str:
    if name.lower() in NEVER:
        scheme, space, _ = value.partition(" ")
        return f"{scheme} {MASK}" if space and name.lower().endswith("authorization") else MASK
    found = redact(f"{name}: {value}", secrets).partition(": ")[2]
    return found if name.lower() in PLAIN or found == value else MASK


def _masked(value: Any, secrets: list[Secret]) -> Any:
    """Mask what a JSON document holds, member by member."""
    if isinstance(value, dict):
        return {name: _member(name, one, secrets) for name, one in value.items()}
    if isinstance(value, list):
        return [_masked(one, secrets) for one in value]
    return redact(value, secrets) if isinstance(value, str) else value


def _member(name: str, value: Any, secrets: list[Secret]) -> Any:
    if isinstance(value, str):
        line = redact(f"{name}={json.dumps(value)}", secrets)
        return MASK if line.endswith(f"={MASK}") else _masked(value, secrets)
    return _masked(value, secrets)
