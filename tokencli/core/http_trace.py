"""Tell what is sent and what comes back, masked by field and place rather than by value alone."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from tokencli.fast_dataclass import dataclass
from tokencli.models import Connection, HttpReply, HttpRequest, Profile, Secret
from tokencli.protocols import Transport
from tokencli.providers.redaction import MASK, mask_secrets, redact_fields, redact_name, redact_text
from tokencli.providers.reply_locator import ReplyDocument

MAX_BODY_CHARS = 4096
"""Characters of a body that are shown."""
MASKED_HEADERS = ("authorization", "proxy-authorization", "cookie", "set-cookie", "dpop")
"""Headers whose value is never shown."""
AUTH_SCHEMES = ("basic", "bearer", "dpop")
"""What may be shown of such a header beside what the request itself says."""
PUBLIC_HEADERS = (
    "accept",
    "content-type",
    "content-length",
    "date",
    "location",
    "server",
    "user-agent",
)
"""Headers whose value is no secret, but for what is masked in any text."""
_MASKED_FIELD = re.compile(r"""([\w.-]++)["']?+\s*+[:=>]\s*+["']?[^\s"'&<>]*?\*{3}""")


class TracingTransport:
    """A transport that tells of each exchange."""

    def __init__(self, inner: Transport, profile: Profile, tell: Callable[[str], None]) -> None:
        self._inner, self._profile, self._log = inner, profile, tell

    def send(self, request: HttpRequest, connection: Connection) -> HttpReply:
        """Send the request and return the reply, and tell of both."""
        shown = request.masked_copy or request
        hidden = _Masker(request.secrets, request.secrets, frozenset(_secret_field_names(shown)))
        self._log(f"> {request.method} {mask_secrets(_unquote_mask(shown.url), request.secrets)}")
        for name, value in request.headers.items():
            self._log(
                f"> {name}: {hidden.mask_header(name, value, shown.headers.get(name, value))}"
            )
        kind = request.headers.get("Content-Type", "")
        self._log_body(">", _unquote_mask(shown.body.decode("utf-8", "replace")), kind, hidden)
        reply = self._inner.send(request, connection)
        hidden = self._with_reply_tokens(hidden, reply)
        self._log(f"< HTTP {reply.status}")
        for name, value in reply.headers.items():
            self._log(f"< {hidden.mask_name(name)}: {hidden.mask_header(name, value, value)}")
        kind = reply.headers.get("content-type", "")
        self._log_body("<", reply.body.decode("utf-8", "replace"), kind, hidden)
        return reply

    def _with_reply_tokens(self, hidden: "_Masker", reply: HttpReply) -> "_Masker":
        """Hide what stands in the places where the provider keeps tokens, too."""
        provider, found = self._profile.provider, ReplyDocument(reply)
        calls = (provider.then, provider.refresh, provider.logout)
        wheres = [provider.reply, *(call.reply for call in calls if call and call.reply)]

        def at(places: tuple[str, ...]) -> Iterator[Secret]:
            values = (found.lookup(place) for place in places)
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
            exact_secrets=(*hidden.exact_secrets, *tokens),
        )

    def _log_body(self, sign: str, text: str, kind: str, hidden: "_Masker") -> None:
        for line in hidden.mask_body(text, kind)[:MAX_BODY_CHARS].splitlines():
            self._log(f"{sign} {line}")


@dataclass(frozen=True, slots=True)
class _Masker:
    """What is not shown of an exchange."""

    secrets: tuple[Secret, ...]
    """Masked wherever they stand, if they are long enough not to stand in ordinary words."""
    exact_secrets: tuple[Secret, ...]
    """Masked, however short, where nothing else stands beside them."""
    secret_fields: frozenset[str]
    """The names, in lower case, under which the request has secrets."""

    def mask_header(self, name: str, value: str, shown: str) -> str:
        """Return what is shown of a header's value, that may be masked already."""
        low = name.lower()
        if low in MASKED_HEADERS:
            scheme = value.partition(" ")[0]
            ours = shown != value and shown.startswith(f"{scheme} ")
            return f"{scheme} {MASK}" if ours or scheme.lower() in AUTH_SCHEMES else MASK
        if shown != value:
            return self.mask_text(shown)
        if low in self.secret_fields or self._is_secret(value):
            return MASK
        found = redact_text(f"{name}: {value}", self.secrets).partition(": ")[2]
        return found if low in PUBLIC_HEADERS or found == value else MASK

    def mask_name(self, name: str) -> str:
        """Return what is shown of a name that somebody else chose."""
        return MASK if self._is_secret(name) else redact_name(name, self.secrets)

    def mask_body(self, text: str, kind: str) -> str:
        """Return what is shown of a body."""
        if "json" in kind:
            try:
                return json.dumps(self.mask_json(json.loads(text)), ensure_ascii=False)
            except (ValueError, RecursionError):
                pass
        return (
            MASK
            if self._is_secret(text)
            else self.mask_text(redact_fields(text, self.secret_fields))
        )

    def mask_text(self, text: str) -> str:
        """Return what is shown of any text."""
        return redact_text(text, self.secrets)

    def mask_json(self, value: Any) -> Any:
        """Mask what a JSON document holds, member by member."""
        if isinstance(value, dict):
            return {
                self.mask_name(name): self._mask_member(name, one) for name, one in value.items()
            }
        if isinstance(value, list):
            return [self.mask_json(one) for one in value]
        if value is None or isinstance(value, bool):
            return value
        text = value if isinstance(value, str) else json.dumps(value)
        if self._is_secret(text):
            return MASK
        if isinstance(value, str):
            return self.mask_text(value)
        return value if mask_secrets(text, self.secrets) == text else MASK

    def _mask_member(self, name: str, value: Any) -> Any:
        if name.lower() in self.secret_fields and value is not None:
            return MASK
        if isinstance(value, str):
            line = redact_text(f"{name}={json.dumps(value)}", self.secrets)
            return MASK if line.endswith(f"={MASK}") else self.mask_json(value)
        return self.mask_json(value)

    def _is_secret(self, text: str) -> bool:
        return bool(text) and any(secret.reveal() == text for secret in self.exact_secrets)


def _unquote_mask(text: str) -> str:
    return text.replace(quote(MASK), MASK)


def _secret_field_names(shown: HttpRequest) -> Iterator[str]:
    """Yield the names under which a masked request has secrets, in lower case."""
    body, kind = shown.body.decode("utf-8", "replace"), shown.headers.get("Content-Type", "")
    pairs = [*shown.headers.items(), *parse_qsl(urlsplit(shown.url).query)]
    pairs += parse_qsl(body) if "form-urlencoded" in kind else _iter_strings(_parse_json(body))
    yield from (found[1].lower() for found in _MASKED_FIELD.finditer(body))
    yield from (name.lower() for name, value in pairs if MASK in value and name)


def _parse_json(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _iter_strings(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the texts of a JSON document, each with the name of the member that it is in."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for called, one in value.items():
            yield from _iter_strings(one, called)
    elif isinstance(value, list):
        for one in value:
            yield from _iter_strings(one, name)
