"""Find a value in a reply by its place: a JMESPath, a header, a cookie, an XML element, the text.

JMESPath and its library (https://jmespath.org) rather than a dialect of one's own: people know it
from their cloud's command line, it is specified, and it runs no code.
"""

import re
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tokencli.errors import ConfigError
from tokencli.model import WireReply
from tokencli.providers import body

if TYPE_CHECKING:
    from tokencli.providers import markup

_NEXT_COOKIE = re.compile(r",\s*(?=[^;,=\s]+=)")
"""Between two Set-Cookie headers that were joined; the comma of a date is followed by no name."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPLIT = " ~ "


class Document:
    """One reply, parsed as far as somebody asks."""

    def __init__(self, reply: WireReply) -> None:
        self.reply = reply

    @cached_property
    def parsed(self) -> Any:
        """The body as JSON or form; raises body.Unreadable."""
        return body.parse(self.reply)

    @cached_property
    def unreadable(self) -> str | None:
        """What the body is instead of JSON or a form, None where it is one."""
        try:
            self.parsed  # noqa: B018 - for its exception
        except body.Unreadable as error:
            return str(error)
        return None

    @cached_property
    def text(self) -> str:
        """The body as text, without space around it."""
        return self.reply.body.decode("utf-8", "replace").lstrip("\ufeff").strip()

    @cached_property
    def tree(self) -> "markup.Element | None":
        """The body as XML, None where it is none."""
        from tokencli.providers import markup  # few replies are XML

        return markup.parse(self.reply.body)

    def first(self, places: Iterable[str]) -> Any:
        """Return what is at the first place that holds something, else None."""
        return next((found for place in places if (found := self.at(place)) is not None), None)

    def at(self, place: str) -> Any:
        """Return what is at a place, or None; a body that can't be read holds nothing."""
        where, tilde, pattern = place.partition(_SPLIT)
        found = self._raw(where)
        if not tilde or found is None:
            return found
        text = found if isinstance(found, str) else str(found)
        from tokencli.providers.patterns import longest

        match = re.search(pattern, text[: longest(pattern)])
        return match[1] if match and match[1] else None

    def _raw(self, where: str) -> Any:
        kind, colon, name = where.partition(":")
        if colon and kind in ("header", "cookie", "xml", "text"):
            return getattr(self, f"_{kind}")(name.strip())
        try:
            document = self.parsed
        except body.Unreadable:
            return None
        if _NAME.fullmatch(where):  # the usual case needs no library
            return document.get(where) if isinstance(document, dict) else None
        return _search(where, document)

    def _header(self, name: str) -> str | None:
        return self.reply.headers.get(name.lower()) or None

    def _cookie(self, name: str) -> str | None:
        """Return one cookie's value; of `*`, all of them as a Cookie header has them."""
        parts = _NEXT_COOKIE.split(self.reply.headers.get("set-cookie", ""))
        pairs = [part.split(";")[0].strip() for part in parts]
        if name == "*":
            return "; ".join(pairs) or None
        return next((p.partition("=")[2] for p in pairs if p.partition("=")[0] == name), None)

    def _xml(self, path: str) -> str | None:
        return self.tree.find(path) if self.tree else None

    def _text(self, _: str) -> str | None:
        return self.text or None


def check(place: str) -> None:
    """Raise ConfigError unless `place` is one that can be looked at, safely and soon."""
    from tokencli.providers.patterns import check_path, check_pattern

    where, tilde, pattern = place.partition(_SPLIT)
    kind, colon, name = where.partition(":")
    if colon and kind in ("header", "cookie", "xml"):
        if not name.strip():
            raise ConfigError(f"{kind}: names nothing", hint=f"such as {kind}:Name")
    elif where.strip() != "text:":
        check_path(where, _compiled(where).parsed)
    if tilde:
        check_pattern(pattern)


def _search(expression: str, document: Any) -> Any:
    from jmespath.exceptions import JMESPathError

    try:
        return _compiled(expression).search(document)
    except (JMESPathError, RecursionError):  # such as a function given what it can't take
        return None


def _compiled(expression: str) -> Any:
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        return jmespath.compile(expression)
    except (JMESPathError, ValueError, RecursionError):
        raise ConfigError(
            f"{expression[:80]!r} is no place in a reply",
            hint="""write data.token, items[0].token, '"a-b"' (JMESPath), header:NAME, cookie:NAME,"""
            " xml:a/b or text:",
        ) from None
