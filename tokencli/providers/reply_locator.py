"""Find a value in a reply by its locator: a JMESPath, a header, a cookie, an XML path or the text.

Locators use JMESPath (https://jmespath.org) because people know it from the command lines of cloud
providers, it is specified, and it runs no code. Regular expressions and JMESPath expressions are
accepted only if their cost is bounded for any reply. XML is read with expat alone: a document type
declaration ends the reading, so there are no external or growing entities.
"""

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from tokencli.errors import ConfigError
from tokencli.models import HttpReply, Secret
from tokencli.provider_schema import Reply
from tokencli.providers import response_body

_SET_COOKIE_SEPARATOR = re.compile(r",\s*(?=[^;,=\s]+=)")
"""Separates joined Set-Cookie headers. The comma in a date is not followed by a name."""
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REGEX_SEPARATOR = " ~ "
_SINGLE_CHARACTER_OPS = (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN, op.CATEGORY)
_REPEAT_OPS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)

MAX_CHOICES = 3
"""Choices that a pattern may leave open. With n characters it costs at most n to this power."""
MAX_INPUT_LENGTHS = (16 * 1024, 16 * 1024, 2048, 512)
"""The most characters matched by a pattern with 0, 1, 2 or 3 choices."""
MAX_COPIES = 256
"""How often a JMESPath may copy a part of the reply, over all its lists and tables."""
MAX_PATH_LENGTH = 500
MAX_XML_DEPTH = 100


class ReplyDocument:
    """One reply, parsed only as far as locators need."""

    def __init__(self, reply: HttpReply) -> None:
        self.reply = reply

    @cached_property
    def parsed(self) -> response_body.ParsedBody:
        """The JSON or form in the body; raises UnreadableBodyError."""
        try:
            return response_body.parse_body(self.reply)
        except response_body.UnreadableBodyError as error:
            from tokencli.providers import damaged_body  # start-up cost: such replies are rare

            return damaged_body.recover(self.reply, str(error))

    @property
    def parsed_body(self) -> Any:
        """The body as JSON or form; raises UnreadableBodyError."""
        return self.parsed.value

    @cached_property
    def unreadable_reason(self) -> str | None:
        """What the body is instead of JSON or a form, or None if it is one."""
        try:
            self.parsed  # noqa: B018 - for its exception
        except response_body.UnreadableBodyError as error:
            return str(error)
        return None

    @cached_property
    def body_text(self) -> str:
        """The body as text, without surrounding white space."""
        return self.reply.body.decode("utf-8", "replace").lstrip("\ufeff").strip()

    @cached_property
    def xml_root(self) -> "XmlElement | None":
        """The body as XML, or None if it is not XML."""
        return parse_xml(self.reply.body)

    def first_match(self, locators: Iterable[str]) -> Any:
        """Return the value at the first locator that finds one, else None."""
        return next(
            (value for locator in locators if (value := self.lookup(locator)) is not None), None
        )

    def lookup(self, locator: str) -> Any:
        """Return the value at a locator, or None, also if the body can't be read."""
        place, tilde, pattern = locator.partition(_REGEX_SEPARATOR)
        value = self._lookup_place(place)
        if not tilde or value is None:
            return value
        text = value if isinstance(value, str) else str(value)
        match = re.search(pattern, text[: _get_max_input_length(pattern)])
        return match[1] if match and match[1] else None

    def read_token(self, locators: Iterable[str]) -> tuple[str | None, str | None]:
        """Return the token at the first locator that finds one; or None, and why if one is uncertain."""
        for locator in locators:
            text = _to_token_text(self.lookup(locator))
            if text is None:
                continue
            problem = self._find_uncertainty(locator, text)
            return (text, None) if problem is None else (None, problem)
        return None, None

    def _find_uncertainty(self, locator: str, text: str) -> str | None:
        """Return why a token may have been meant differently, as a clause, or None."""
        kind, colon, _ = locator.partition(":")
        if colon and kind in _PLACE_LOOKUPS:
            return (
                None if kind != "text" or self.reply.defect is None else "the reply is incomplete"
            )
        if self.parsed.certain is not self.parsed.value:
            certain = ReplyDocument(self.reply)
            certain.parsed = self.parsed._replace(value=self.parsed.certain)
            if _to_token_text(certain.lookup(locator)) != text:
                return f"its {locator[:MAX_PATH_LENGTH]} is ambiguous: {self.parsed.remarks[-1]}"
        if self.parsed.remarks and not (text.isascii() and text.isprintable()):
            return f"its {locator[:MAX_PATH_LENGTH]} is ambiguous: {self.parsed.remarks[0]}"
        return None

    def scan_for_tokens(self, where: Reply) -> None:
        """Read the plain members of `where` in a body that contains no token where one is expected."""
        from tokencli.providers import damaged_body  # start-up cost: such replies are rare

        locators = (*where.access_token, *where.refresh_token, *where.id_token, *where.token_type,
                    *where.expires_in, *where.expires_at, *where.scope)  # fmt: skip
        names = dict.fromkeys(name for name in locators if _PLAIN_KEY.fullmatch(name))
        found = damaged_body.scan_members(response_body.decode_text(self.reply)[0], names)
        reason = self.unreadable_reason or "JSON that is not an object"
        scanned = response_body.ParsedBody(found, found, (f"in {reason}",))
        document = ReplyDocument(self.reply)
        document.parsed = scanned
        if document.has_token(where):
            self.parsed = scanned
            self.unreadable_reason = None

    def has_token(self, where: Reply) -> bool:
        """Return whether there is an access token or a refresh token, certain or not."""
        return any(
            _to_token_text(self.lookup(locator)) is not None
            for locator in (*where.access_token, *where.refresh_token)
        )

    def find_tokens(self, where: Reply, *excluded: object) -> tuple[Secret, ...]:
        """Return the tokens in the reply, without `excluded` texts that are not tokens."""
        locators = (*where.access_token, *where.refresh_token, *where.id_token)
        values = (_to_token_text(self.lookup(locator)) for locator in locators)
        return tuple(
            Secret(value) for value in values if value is not None and value not in excluded
        )

    def _lookup_place(self, place: str) -> Any:
        kind, colon, name = place.partition(":")
        lookup = _PLACE_LOOKUPS.get(kind) if colon else None
        if lookup is not None:
            return lookup(self, name.strip())
        try:
            document = self.parsed_body
        except response_body.UnreadableBodyError:
            return None
        if _PLAIN_KEY.fullmatch(place):  # the usual case needs no library
            return document.get(place) if isinstance(document, dict) else None
        return _search_jmespath(place, document)

    def _lookup_header(self, name: str) -> str | None:
        return self.reply.headers.get(name.lower()) or None

    def _lookup_cookie(self, name: str) -> str | None:
        """Return one cookie's value. For `*`, return all of them as a Cookie header writes them."""
        parts = _SET_COOKIE_SEPARATOR.split(self.reply.headers.get("set-cookie", ""))
        pairs = [part.split(";")[0].strip() for part in parts]
        if name == "*":
            return "; ".join(pairs) or None
        return next((p.partition("=")[2] for p in pairs if p.partition("=")[0] == name), None)

    def _lookup_xml(self, path: str) -> str | None:
        return self.xml_root.find_text(path) if self.xml_root else None

    def _lookup_text(self, _: str) -> str | None:
        return self.body_text or None


_PLACE_LOOKUPS: dict[str, Callable[[ReplyDocument, str], str | None]] = {
    "header": ReplyDocument._lookup_header,
    "cookie": ReplyDocument._lookup_cookie,
    "xml": ReplyDocument._lookup_xml,
    "text": ReplyDocument._lookup_text,
}
"""Prefix of a locator -> how it is looked up. A locator without a prefix is a JMESPath."""


def _to_token_text(value: Any) -> str | None:
    """Return a token as text. Some servers send a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def check_locator(locator: str) -> None:
    """Raise ConfigError unless the locator is valid and its cost is bounded."""
    place, tilde, pattern = locator.partition(_REGEX_SEPARATOR)
    kind, colon, name = place.partition(":")
    if colon and kind in _PLACE_LOOKUPS and kind != "text":
        if not name.strip():
            raise ConfigError(f"{kind}: is not followed by a name", fix=f"write {kind}:NAME")
    elif place.strip() != "text:":
        _check_jmespath(place, _compile_jmespath(place).parsed)
    if tilde:
        _check_regex(pattern)


def _search_jmespath(expression: str, document: Any) -> Any:
    from jmespath.exceptions import JMESPathError

    try:
        return _compile_jmespath(expression).search(document)
    except (JMESPathError, RecursionError):  # e.g. a function applied to the wrong type
        return None


def _compile_jmespath(expression: str) -> Any:
    import jmespath  # costs start-up time, and most locators are plain keys
    from jmespath.exceptions import JMESPathError

    try:
        return jmespath.compile(expression)
    except (JMESPathError, ValueError, RecursionError):
        raise ConfigError(
            f"{expression[:80]!r} is not a valid locator",
            fix="""write data.token, items[0].token or '"a-b"' (JMESPath), header:NAME, cookie:NAME,"""
            " xml:a/b or text:",
        ) from None


def _check_jmespath(expression: str, parsed: Any) -> None:
    """Raise ConfigError if a compiled JMESPath could multiply its input."""
    if len(expression) > MAX_PATH_LENGTH or _count_copies(parsed, 0) > MAX_COPIES:
        raise ConfigError(
            f"the locator {expression[:80]!r} could make a result far larger than the reply",
            fix="select one value, without building lists or tables",
        )


def _count_copies(node: Any, depth: int) -> int:
    """Return how often a node copies its input, at most."""
    if depth > MAX_PATH_LENGTH or not isinstance(node, dict):
        return 1
    children = [child for child in node.get("children", ()) if isinstance(child, dict)]
    product = 1
    for child in children:
        product = min(product * _count_copies(child, depth + 1), MAX_COPIES + 1)
    is_multi_select = node.get("type") in ("multi_select_list", "multi_select_dict")
    return min(product * (len(children) if is_multi_select else 1) or 1, MAX_COPIES + 1)


def _check_regex(pattern: str) -> None:
    """Raise ConfigError unless the pattern has one group and can't take long.

    Only single characters may be repeated. Repeats of a variable number and alternatives together
    are few. There is no lookahead, lookbehind or backreference.
    """
    try:
        groups = re.compile(pattern).groups
        choices = _count_pattern_choices(pattern)
    except (re.error, OverflowError, RecursionError):
        raise ConfigError(f"{pattern[:80]!r} is not a regular expression") from None
    if groups != 1:
        raise ConfigError(
            f"the regular expression {pattern[:80]!r} has {groups} groups instead of one",
            fix="put ( ) around the part to take, and (?: ) around other groups",
        )
    if choices > MAX_CHOICES:
        raise ConfigError(
            f"the regular expression {pattern[:80]!r} could take too long",
            fix=f"use at most {MAX_CHOICES} of * + ? {{m,n}} |, repeat no group, and don't look"
            " ahead or back",
        )


def _get_max_input_length(pattern: str) -> int:
    """Return how many characters an accepted pattern may be matched against."""
    return MAX_INPUT_LENGTHS[min(_count_pattern_choices(pattern), MAX_CHOICES)]


def _count_pattern_choices(pattern: str) -> int:
    """Count the choices that a pattern leaves open. A forbidden element counts as too many."""

    def count(tree: Any) -> int:
        choices = 0
        for kind, argument in tree:
            if kind in _REPEAT_OPS:
                least, most, inner = argument
                if len(inner) != 1 or inner[0][0] not in _SINGLE_CHARACTER_OPS:
                    return MAX_CHOICES + 1
                choices += least != most
            elif kind is op.BRANCH:
                choices += 1 + sum(map(count, argument[1]))
            elif kind is op.SUBPATTERN:
                choices += count(argument[-1])
            elif kind not in (*_SINGLE_CHARACTER_OPS, op.AT):
                return MAX_CHOICES + 1
        return choices

    return count(_parser.parse(pattern))


class UnsupportedXmlError(Exception):
    """The document has a document type declaration or is nested too deeply."""


class XmlElement:
    """One element by its local name: attributes, text and children."""

    __slots__ = ("attributes", "children", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str] | None = None) -> None:
        self.name = name
        self.attributes = attributes or {}
        self.text = ""
        self.children: list[XmlElement] = []

    def find_text(self, path: str) -> str | None:
        """Return the text at `/root/child/…` or of the attribute `…/@name`, or None."""
        steps = [step for step in path.split("/") if step]
        last = steps[-1] if steps else ""
        attribute = steps.pop()[1:] if last.startswith("@") else None
        if not steps or steps[0] != self.name:
            return None
        element = self
        for step in steps[1:]:
            child = next((child for child in element.children if child.name == step), None)
            if child is None:
                return None
            element = child
        return (element.attributes.get(attribute) if attribute else element.text.strip()) or None


def parse_xml(data: bytes) -> XmlElement | None:
    """Return the root element of `data`, or None if it is not XML that is accepted here."""
    document = XmlElement("")
    open_elements = [document]
    pieces: list[list[str]] = [[]]  # appending to the text itself would copy it each time

    def start_element(name: str, attributes: dict[str, str]) -> None:
        element = XmlElement(
            get_local_name(name), {get_local_name(key): value for key, value in attributes.items()}
        )
        open_elements[-1].children.append(element)
        open_elements.append(element)
        pieces.append([])

    def end_element(_: str) -> None:
        open_elements.pop().text = "".join(pieces.pop())

    def add_text(piece: str) -> None:
        pieces[-1].append(piece)

    if not read_xml_events(data, start_element, end_element, add_text):
        return None
    return document.children[0] if document.children else None


def read_xml_events(
    data: bytes,
    start_element: Callable[[str, dict[str, str]], None],
    end_element: Callable[[str], None],
    add_text: Callable[[str], None],
) -> bool:
    """Call the handlers for each part of an XML document; return whether it was accepted."""
    from xml.parsers import expat  # costs start-up time, and few replies are XML

    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_XML_DEPTH:
            raise UnsupportedXmlError
        start_element(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        end_element(name)

    def refuse(*_: object) -> None:
        raise UnsupportedXmlError

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = add_text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, UnsupportedXmlError, ValueError):
        return False
    return True


def get_local_name(name: str) -> str:
    """Return an XML name without its namespace prefix."""
    return name.rpartition(":")[2]
