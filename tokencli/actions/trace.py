"""Tell what is sent and what comes back, masked by field and place rather than by value alone."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from tokencli.frozen import dataclass
from tokencli.model import Connection, Profile, Secret, WireReply, WireRequest
from tokencli.ports import Transport
from tokencli.providers.places import Document
from tokencli.providers.redact import MASK, hide, redact, redact_fields, redact_name

LONGEST = 4096
"""Characters of a body that are shown."""
NEVER = ("authorization", "proxy-authorization", "cookie", "set-cookie", "dpop")
"""Headers whose value is never shown."""
SCHEMES = ("basic", "bearer", "dpop")
"""What may be shown of such a header beside what the request itself says."""
PLAIN = ("accept", "content-type", "content-length", "date", "location", "server", "user-agent")
"""Headers whose value is no secret, but for what is masked in any text."""
_FIELD = re.compile(r"""([\w.-]++)["']?+\s*+[:=>]\s*+["']?[^\s"'&<>]*?\*{3}""")


class Traced:
    """A transport that tells of each exchange."""

    def __init__(self, inner: Transport, profile: Profile, tell: Callable[[str], None]) -> None:
        self._inner, self._profile, self._tell = inner, profile, tell

    def send(self, request: WireRequest, connection: Connection) -> WireReply:
        """Send the request and return the reply, and tell of both."""
        shown = request.masked or request
        hidden = _Hidden(request.secrets, request.secrets, frozenset(_fields(shown)))
        self._tell(f"> {request.method} {hide(_plain(shown.url), request.secrets)}")
        for name, value in request.headers.items():
            self._tell(f"> {name}: {hidden.header(name, value, shown.headers.get(name, value))}")
        kind = request.headers.get("Content-Type", "")
        self._tell_body(">", _plain(shown.body.decode("utf-8", "replace")), kind, hidden)
        reply = self._inner.send(request, connection)
        hidden = self._with_tokens(hidden, reply)
        self._tell(f"< HTTP {reply.status}")
        for name, value in reply.headers.items():
            self._tell(f"< {hidden.name(name)}: {hidden.header(name, value, value)}")
        kind = reply.headers.get("content-type", "")
        self._tell_body("<", reply.body.decode("utf-8", "replace"), kind, hidden)
        return reply

    def _with_tokens(self, hidden: "_Hidden", reply: WireReply) -> "_Hidden":
        """Hide what stands in the places where the provider keeps tokens, too."""
        provider, found = self._profile.provider, Document(reply)
        calls = (provider.then, provider.refresh, provider.logout)
        wheres = [provider.reply, *(call.reply for call in calls if call and call.reply)]

        def at(places: tuple[str, ...]) -> Iterator[Secret]:
            values = (found.at(place) for place in places)
            return (Secret(str(value)) for value in values if value is not None)

        tokens = [
            token
            for where in wheres
            for places in (where.access_token, where.refresh_token, where.id_token)
            for token in at(places)
        ]
        outputs = [o for where in wheres for places in where.outputs.values() for o in at(places)]
        return replace(
            hidden,
            secrets=(*hidden.secrets, *tokens, *outputs),
            whole=(*hidden.whole, *tokens),
        )

    def _tell_body(self, sign: str, text: str, kind: str, hidden: "_Hidden") -> None:
        for line in hidden.body(text, kind)[:LONGEST].splitlines():
            self._tell(f"{sign} {line}")


@dataclass(frozen=True, slots=True)
class _Hidden:
    """What is not shown of an exchange."""

    secrets: tuple[Secret, ...]
    """Masked wherever they stand, if they are long enough not to stand in ordinary words."""
    whole: tuple[Secret, ...]
    """Masked, however short, where nothing else stands beside them."""
    fields: frozenset[str]
    """The names, in lower case, under which the request has secrets."""

    def header(self, name: str, value: str, shown: str) -> str:
        """Return what is shown of a header's value, that may be masked already."""
        low = name.lower()
        if low in NEVER:
            scheme = value.partition(" ")[0]
            ours = shown != value and shown.startswith(f"{scheme} ")
            return f"{scheme} {MASK}" if ours or scheme.lower() in SCHEMES else MASK
        if shown != value:
            return self.text(shown)
        if low in self.fields or self._is(value):
            return MASK
        found = redact(f"{name}: {value}", self.secrets).partition(": ")[2]
        return found if low in PLAIN or found == value else MASK

    def name(self, name: str) -> str:
        """Return what is shown of a name that somebody else chose."""
        return MASK if self._is(name) else redact_name(name, self.secrets)

    def body(self, text: str, kind: str) -> str:
        """Return what is shown of a body."""
        if "json" in kind:
            try:
                return json.dumps(self.tree(json.loads(text)), ensure_ascii=False)
            except (ValueError, RecursionError):
                pass
        return MASK if self._is(text) else self.text(redact_fields(text, self.fields))

    def text(self, text: str) -> str:
        """Return what is shown of any text."""
        return redact(text, self.secrets)

    def tree(self, value: Any) -> Any:
        """Mask what a JSON document holds, member by member."""
        if isinstance(value, dict):
            return {self.name(name): self._member(name, one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.tree(one) for one in value]
        if value is None or isinstance(value, bool):
            return value
        text = value if isinstance(value, str) else json.dumps(value)
        if self._is(text):
            return MASK
        if isinstance(value, str):
            return self.text(value)
        return value if hide(text, self.secrets) == text else MASK

    def _member(self, name: str, value: Any) -> Any:
        if name.lower() in self.fields and value is not None:
            return MASK
        if isinstance(value, str):
            line = redact(f"{name}={json.dumps(value)}", self.secrets)
            return MASK if line.endswith(f"={MASK}") else self.tree(value)
        return self.tree(value)

    def _is(self, text: str) -> bool:
        return bool(text) and any(secret.reveal() == text for secret in self.whole)


def _plain(text: str) -> str:
    return text.replace(quote(MASK), MASK)


def _fields(shown: WireRequest) -> Iterator[str]:
    """Yield the names under which a masked request has secrets, in lower case."""
    body, kind = shown.body.decode("utf-8", "replace"), shown.headers.get("Content-Type", "")
    pairs = [*shown.headers.items(), *parse_qsl(urlsplit(shown.url).query)]
    pairs += parse_qsl(body) if "form-urlencoded" in kind else _leaves(_parsed(body))
    yield from (found[1].lower() for found in _FIELD.finditer(body))
    yield from (name.lower() for name, value in pairs if MASK in value and name)


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the texts of a JSON document, each with the name of the member that it is in."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for called, one in value.items():
            yield from _leaves(one, called)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one, name)
