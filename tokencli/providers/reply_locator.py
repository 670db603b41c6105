"""Find a value in a reply by its place: a JMESPath, a header, a cookie, an XML element, the text.

JMESPath and its library (https://jmespath.org) rather than a dialect of one's own: people know it
from their cloud's command line, it is specified, and it runs no code.
"""

import re
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tokencli.errors import ConfigError
from tokencli.models import HttpReply
from tokencli.providers import response_body

if TYPE_CHECKING:
    from tokencli.providers import xml_reply

_SET_COOKIE_SEPARATOR = re.compile(r",\s*(?=[^;,=\s]+=)")
"""Between two Set-Cookie headers that were joined; the comma of a date is followed by no name."""
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REGEX_SEPARATOR = " ~ "


class ReplyDocument:
    """One reply, parsed as far as somebody asks."""

    def __init__(self, reply: HttpReply) -> None:
        self.reply = reply

    @cached_property
    def parsed_body(self) -> Any:
        """The body as JSON or form; raises body.Unreadable."""
        return response_body.parse_body(self.reply)

    @cached_property
    def unreadable_reason(self) -> str | None:
        """What the body is instead of JSON or a form, None where it is one."""
        try:
            self.parsed_body  # noqa: B018 - for its exception
        except response_body.UnreadableBodyError as error:
            return str(error)
        return None

    @cached_property
    def body_text(self) -> str:
        """The body as text, without space around it."""
        return self.reply.body.decode("utf-8", "replace").lstrip("\ufeff").strip()

    @cached_property
    def xml_root(self) -> "xml_reply.XmlElement | None":
        """The body as XML, None where it is none."""
        from tokencli.providers import xml_reply  # few replies are XML

        return xml_reply.parse_xml(self.reply.body)

    def first_match(self, places: Iterable[str]) -> Any:
        """Return what is at the first place that holds something, else None."""
        return next((found for place in places if (found := self.lookup(place)) is not None), None)

    def lookup(self, place: str) -> Any:
        """Return what is at a place, or None; a body that can't be read holds nothing."""
        where, tilde, pattern = place.partition(_REGEX_SEPARATOR)
        found = self._lookup_raw(where)
        if not tilde or found is None:
            return found
        text = found if isinstance(found, str) else str(found)
        from tokencli.providers.pattern_limits import get_max_input_length

        match = re.search(pattern, text[: get_max_input_length(pattern)])
        return match[1] if match and match[1] else None

    def _lookup_raw(self, where: str) -> Any:
        kind, colon, name = where.partition(":")
        if colon and kind in ("header", "cookie", "xml", "text"):
            return getattr(self, f"_lookup_{kind}")(name.strip())
        try:
            document = self.parsed_body
        except response_body.UnreadableBodyError:
            return None
        if _PLAIN_KEY.fullmatch(where):  # the usual case needs no library
            return document.get(where) if isinstance(document, dict) else None
        return _search_jmespath(where, document)

    def _lookup_header(self, name: str) -> str | None:
        return self.reply.headers.get(name.lower()) or None

    def _lookup_cookie(self, name: str) -> str | None:
        """Return one cookie's value; of `*`, all of them as a Cookie header has them."""
        parts = _SET_COOKIE_SEPARATOR.split(self.reply.headers.get("set-cookie", ""))
        pairs = [part.split(";")[0].strip() for part in parts]
        if name == "*":
            return "; ".join(pairs) or None
        return next((p.partition("=")[2] for p in pairs if p.partition("=")[0] == name), None)

    def _lookup_xml(self, path: str) -> str | None:
        return self.xml_root.find_text(path) if self.xml_root else None

    def _lookup_text(self, _: str) -> str | None:
        return self.body_text or None


def check_locator(place: str) -> None:
    """Raise ConfigError unless `place` is one that can be looked at, safely and soon."""
    from tokencli.providers.pattern_limits import check_jmespath, check_regex

    where, tilde, pattern = place.partition(_REGEX_SEPARATOR)
    kind, colon, name = where.partition(":")
    if colon and kind in ("header", "cookie", "xml"):
        if not name.strip():
            raise ConfigError(f"{kind}: names nothing", fix=f"such as {kind}:Name")
    elif where.strip() != "text:":
        check_jmespath(where, _compile_jmespath(where).parsed)
    if tilde:
        check_regex(pattern)


def _search_jmespath(expression: str, document: Any) -> Any:
    from jmespath.exceptions import JMESPathError

    try:
        return _compile_jmespath(expression).search(document)
    except (JMESPathError, RecursionError):  # such as a function given what it can't take
        return None


def _compile_jmespath(expression: str) -> Any:
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        return jmespath.compile(expression)
    except (JMESPathError, ValueError, RecursionError):
        raise ConfigError(
            f"{expression[:80]!r} is no place in a reply",
            fix="""write data.token, items[0].token, '"a-b"' (JMESPath), header:NAME, cookie:NAME,"""
            " xml:a/b or text:",
        ) from None
