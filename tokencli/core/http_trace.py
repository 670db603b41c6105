"""Trace HTTP requests and replies, with secrets masked by field name and location as well as by value."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, unquote_plus, urlsplit

from tokencli.fast_dataclass import dataclass
from tokencli.models import Connection, HttpReply, HttpRequest, Profile, Secret
from tokencli.oauth.refusals import PLAIN_MEDIA_TYPE
from tokencli.oauth.token_response import PLAIN_TOKEN_TYPE
from tokencli.protocols import Transport
from tokencli.provider_schema import Reply
from tokencli.providers.redaction import MASK, mask_secrets, redact_fields, redact_name, redact_text
from tokencli.providers.reply_locator import ReplyDocument
from tokencli.providers.response_body import is_plain_name

MAX_BODY_CHARS = 4096
"""How many characters of a body are shown."""
MASKED_HEADERS = ("authorization", "proxy-authorization", "cookie", "set-cookie", "dpop")
"""Headers whose value is always masked."""
AUTH_SCHEMES = ("basic", "bearer", "dpop")
"""Schemes that may be shown in such a header, in addition to the request's own."""
PUBLIC_HEADERS = (
    "accept",
    "content-type",
    "content-length",
    "date",
    "location",
    "server",
    "user-agent",
)
"""Headers whose value is shown, after the masking that any text gets."""
VALUELESS_HEADERS = ("date", "content-length", "connection", "transfer-encoding")
"""Headers of a reply that can't contain a token."""
EXPECTED_MEMBERS = frozenset(
    ("issuer", "keys", "device_code", "request_uri", "active", "sub", "error")
)
"""The members by which the reply of an endpoint without tokens is recognized: metadata, a JWK set,
device authorization, a pushed request, introspection, UserInfo; `error` in any of them."""
_MASKED_FIELD = re.compile(r"""([\w.-]++)["']?+\s*+[:=>]\s*+["']?[^\s"'&<>]*?\*{3}""")


class TracingTransport:
    """A transport that logs each request and reply."""

    def __init__(self, inner: Transport, profile: Profile, log: Callable[[str], None]) -> None:
        self._inner, self._profile, self._log = inner, profile, log

    def send(self, request: HttpRequest, connection: Connection) -> HttpReply:
        """Send the request, log both, and return the reply."""
        shown = request.masked_copy or request
        masker = _Masker(
            request.secrets,
            request.secrets,
            frozenset(_secret_field_names(shown)),
            self._profile.values.get("client_id", ""),
        )
        self._log(f"> {request.method} {mask_secrets(_unquote_mask(shown.url), request.secrets)}")
        for name, value in request.headers.items():
            self._log(
                f"> {name}: {masker.mask_header(name, value, shown.headers.get(name, value))}"
            )
        content_type = request.headers.get("Content-Type", "")
        body = _unquote_mask(shown.body.decode("utf-8", "replace"))
        self._log_body(">", body, content_type, masker)
        reply = self._inner.send(request, connection)
        self._log_reply(ReplyDocument(reply), masker, expects_token=request.expects_token)
        return reply

    def _log_reply(
        self, document: ReplyDocument, masker: "_Masker", *, expects_token: bool
    ) -> None:
        """Log a reply. If it succeeded without what was expected, any value in it may be a secret."""
        reply, layouts = document.reply, self._list_layouts()
        masker = self._with_reply_tokens(masker, document, layouts)
        succeeded = reply.status < 400
        recognized = any(map(document.has_token, layouts)) or (
            not expects_token and _has_expected_member(document)
        )
        may_be_token = succeeded and not recognized
        self._log(f"< HTTP {reply.status}")
        for name, value in reply.headers.items():
            shown = masker.mask_header(name, value, value)
            if may_be_token and name.lower() not in VALUELESS_HEADERS:
                media_type = value.split(";")[0].strip() if name.lower() == "content-type" else ""
                shown = media_type if re.fullmatch(PLAIN_MEDIA_TYPE, media_type) else MASK
            self._log(f"< {masker.mask_name(name)}: {shown}")
        if reply.defect is not None:
            self._log(f"< {reply.defect.message}")
        content_type = reply.headers.get("content-type", "")
        text = reply.body.decode("utf-8", "replace")
        if may_be_token or (succeeded and (document.unreadable_reason or document.parsed.remarks)):
            text = _describe_shape(document) if text.strip() else ""
        self._log_body("<", text, content_type, masker)

    def _list_layouts(self) -> list[Reply]:
        provider = self._profile.provider
        calls = (provider.then, provider.refresh, provider.logout)
        return [provider.reply, *(call.reply for call in calls if call and call.reply)]

    def _with_reply_tokens(
        self, masker: "_Masker", document: ReplyDocument, layouts: list[Reply]
    ) -> "_Masker":
        """Return a masker that also masks the tokens and outputs of the reply."""

        def values_at(locations: tuple[str, ...]) -> Iterator[Secret]:
            values = (document.lookup(location) for location in locations)
            return (Secret(str(value)) for value in values if value is not None)

        tokens = [
            token
            for layout in layouts
            for locations in (layout.access_token, layout.refresh_token, layout.id_token)
            for token in values_at(locations)
        ]
        outputs = [
            output
            for layout in layouts
            for locations in layout.outputs.values()
            for output in values_at(locations)
        ]
        return replace(
            masker,
            secrets=(*masker.secrets, *tokens, *outputs),
            exact_secrets=(*masker.exact_secrets, *tokens),
        )

    def _log_body(self, direction: str, text: str, content_type: str, masker: "_Masker") -> None:
        for line in masker.mask_body(text, content_type)[:MAX_BODY_CHARS].splitlines():
            self._log(f"{direction} {line}")


@dataclass(frozen=True, slots=True)
class _Masker:
    """Masks the secrets of one request and its reply."""

    secrets: tuple[Secret, ...]
    """Masked anywhere in a text, if they are too long to occur in ordinary words."""
    exact_secrets: tuple[Secret, ...]
    """Masked even if short, if they are the whole value."""
    secret_fields: frozenset[str]
    """Lower-case names of the fields in which the request has secrets."""
    client_id: str = ""
    """The client ID, which is shown: it is public, but may look like a token."""

    def mask_header(self, name: str, value: str, shown: str) -> str:
        """Mask a header's value. `shown` is the same value in the request's masked copy."""
        lower_name = name.lower()
        if lower_name in MASKED_HEADERS:
            scheme = value.partition(" ")[0]
            is_own_scheme = shown != value and shown.startswith(f"{scheme} ")
            return f"{scheme} {MASK}" if is_own_scheme or scheme.lower() in AUTH_SCHEMES else MASK
        if shown != value:
            return self.mask_text(shown)
        if lower_name in self.secret_fields or self._is_secret(value):
            return MASK
        redacted = redact_text(f"{name}: {value}", self.secrets).partition(": ")[2]
        return redacted if lower_name in PUBLIC_HEADERS or redacted == value else MASK

    def mask_name(self, name: str) -> str:
        """Mask a header or member name that the server chose."""
        return MASK if self._is_secret(name) else redact_name(name, self.secrets)

    def mask_body(self, text: str, content_type: str) -> str:
        """Mask a body."""
        if "json" in content_type:
            try:
                return json.dumps(self.mask_json(json.loads(text)), ensure_ascii=False)
            except (ValueError, RecursionError):
                pass
        if "form-urlencoded" in content_type and not self._is_secret(text):
            return "&".join(map(self._mask_form_field, text.split("&")))
        return (
            MASK
            if self._is_secret(text)
            else self.mask_text(redact_fields(text, self.secret_fields))
        )

    def mask_text(self, text: str) -> str:
        """Mask any text."""
        return redact_text(text, self.secrets)

    def mask_json(self, value: Any) -> Any:
        """Mask a JSON document, member by member."""
        if isinstance(value, dict):
            return {
                self.mask_name(name): self._mask_member(name, member)
                for name, member in value.items()
            }
        if isinstance(value, list):
            return [self.mask_json(item) for item in value]
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
        if isinstance(value, str) and self._is_client_id(value):
            return value
        if name.lower() == "token_type" and isinstance(value, str) and not self._is_secret(value):
            return value if re.fullmatch(PLAIN_TOKEN_TYPE, value) else MASK
        if isinstance(value, str):
            line = redact_text(f"{name}={json.dumps(value)}", self.secrets)
            return MASK if line.endswith(f"={MASK}") else self.mask_json(value)
        return self.mask_json(value)

    def _mask_form_field(self, field: str) -> str:
        name, equals, value = field.partition("=")
        plain_name, plain_value = unquote_plus(name), unquote_plus(value)
        if not equals:
            return self.mask_text(field)
        if plain_name.lower() in self.secret_fields or self._is_secret(plain_value):
            return f"{self.mask_name(name)}={MASK}"
        if self._is_client_id(plain_value):
            return f"{self.mask_name(name)}={value}"
        # Separated from its name, so that both together don't look like a token.
        redacted = self.mask_text(f"{plain_name}: {value}").rpartition(": ")[2]
        return f"{self.mask_name(name)}={redacted}"

    def _is_client_id(self, text: str) -> bool:
        return bool(text) and text == self.client_id and not self._is_secret(text)

    def _is_secret(self, text: str) -> bool:
        return bool(text) and any(secret.reveal() == text for secret in self.exact_secrets)


def _has_expected_member(document: ReplyDocument) -> bool:
    return (
        document.unreadable_reason is None
        and isinstance(document.parsed_body, dict)
        and not EXPECTED_MEMBERS.isdisjoint(document.parsed_body)
    )


def _describe_shape(document: ReplyDocument) -> str:
    """Return the names of the members without their values, or the length of what isn't JSON."""

    def mask_values(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name if is_plain_name(name) else MASK: mask_values(member)
                for name, member in value.items()
            }
        if isinstance(value, list):
            return [mask_values(item) for item in value]
        return value if value is None or isinstance(value, bool) else MASK

    if document.unreadable_reason is None and isinstance(document.parsed_body, dict | list):
        with suppress(RecursionError):
            return json.dumps(mask_values(document.parsed_body))
    return f"({len(document.reply.body)} bytes, not shown because any of them may be a token)"


def _unquote_mask(text: str) -> str:
    return text.replace(quote(MASK), MASK)


def _secret_field_names(shown: HttpRequest) -> Iterator[str]:
    """Yield the lower-case names of the fields in which a masked request has secrets."""
    body, content_type = (
        shown.body.decode("utf-8", "replace"),
        shown.headers.get("Content-Type", ""),
    )
    pairs = [*shown.headers.items(), *parse_qsl(urlsplit(shown.url).query)]
    pairs += (
        parse_qsl(body) if "form-urlencoded" in content_type else _iter_strings(_parse_json(body))
    )
    yield from (match[1].lower() for match in _MASKED_FIELD.finditer(body))
    yield from (name.lower() for name, value in pairs if MASK in value and name)


def _parse_json(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _iter_strings(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the strings of a JSON document, each with the name of its member."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for member_name, member in value.items():
            yield from _iter_strings(member, member_name)
    elif isinstance(value, list):
        for item in value:
            yield from _iter_strings(item, name)
