"""Find a value in a reply by its locator: a JMESPath, or another place of the table `PLACES`.

Locators use JMESPath (https://jmespath.org) because people know it from the command lines of cloud
providers, it is specified, and it runs no code. Its cost and that of regular expressions are bounded for
any reply (`bounded_jmespath`, `linear_pattern`). XML is read with expat alone: a document type
declaration ends the reading, so there are no external or growing entities.
"""

import json
import re
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from tokencli.errors import ConfigError
from tokencli.models import HttpReply, Secret
from tokencli.provider_schema import Errors, Reply
from tokencli.providers import response_body

if TYPE_CHECKING:
    from tokencli.providers.bounded_jmespath import BoundedSearch

_SET_COOKIE_SEPARATOR = r",\s*(?=[^;,=\s]+=)"
"""Separates joined Set-Cookie headers. The comma in a date is not followed by a name."""
_PLAIN_KEY = r"[A-Za-z_][A-Za-z0-9_]*"
_REGEX_SEPARATOR = " ~ "
MAX_PATTERN_STEPS = 200_000
"""Steps of all regular expressions on one reply: about a tenth of a second."""
MAX_SHOWN_LENGTH = 500
"""Characters of a locator in a message."""
MAX_XML_DEPTH = 100


class ReplyDocument:
    """One reply, parsed only as far as locators need."""

    def __init__(self, reply: HttpReply) -> None:
        self.reply = reply
        self._pattern_steps_left = MAX_PATTERN_STEPS
        self._matches: dict[tuple[str, str], str | None] = {}
        self._expressions: BoundedSearch | None = None

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
        return self._search_pattern(pattern, value if isinstance(value, str) else json.dumps(value))

    def _search_pattern(self, pattern: str, text: str) -> str | None:
        """Return the group of a regular expression. All patterns of a reply share one budget."""
        from tokencli.providers.linear_pattern import compile_pattern  # start-up: few need it

        if (pattern, text) not in self._matches:
            found, steps = compile_pattern(pattern).search(text, self._pattern_steps_left)
            self._pattern_steps_left -= steps
            self._matches[pattern, text] = found
        return self._matches[pattern, text]

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
        if colon and kind in PLACES:
            may_be_cut_off = PLACES[kind].is_rest_of_body and self.reply.defect is not None
            return "the reply is incomplete" if may_be_cut_off else None
        if self.parsed.certain is not self.parsed.value:
            certain = ReplyDocument(self.reply)
            certain.parsed = self.parsed._replace(value=self.parsed.certain)
            if _to_token_text(certain.lookup(locator)) != text:
                return f"its {locator[:MAX_SHOWN_LENGTH]} is ambiguous: {self.parsed.remarks[-1]}"
        if self.parsed.remarks and not (text.isascii() and text.isprintable()):
            return f"its {locator[:MAX_SHOWN_LENGTH]} is ambiguous: {self.parsed.remarks[0]}"
        return None

    def scan_for_tokens(self, where: Reply, errors: Errors) -> None:
        """Read the plain members of `where` in a body that contains no token where one is expected."""
        from tokencli.providers import damaged_body  # start-up cost: such replies are rare

        reason = self.unreadable_reason or "JSON that is not an object"
        if self.unreadable_reason is None:
            value, certain, remarks = self.parsed
            if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
                return
            scanned = response_body.ParsedBody(value[0], certain[0], (*remarks, f"in {reason}"))
        else:
            locators = (*where.access_token, *where.refresh_token, *where.id_token, *where.token_type,
                        *where.expires_in, *where.expires_at, *where.scope, *errors.code,
                        *errors.description)  # fmt: skip
            names = dict.fromkeys(name for name in locators if re.fullmatch(_PLAIN_KEY, name))
            found = (
                damaged_body.scan_members(self.reply, names, errors.code)
                if self.xml_root is None
                else self._scan_xml(self.xml_root, names)
            )
            scanned = response_body.ParsedBody(found, found, (f"in {reason}",))
        document = ReplyDocument(self.reply)
        document.parsed = scanned
        if document.has_token(where):
            self.parsed = scanned
            self.unreadable_reason = None

    def _scan_xml(self, root: "XmlElement", names: Iterable[str]) -> dict[str, Any]:
        """Return the texts of the root's children that have these names, each name once."""
        found: dict[str, Any] = {}
        for name in names:
            elements = [child for child in root.children if child.name == name]
            if len(elements) == 1 and elements[0].text.strip() in self.body_text:
                found[name] = elements[0].text.strip()
        return found

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
        if colon and kind in PLACES:
            return PLACES[kind].lookup(self, name.strip())
        try:
            document = self.parsed_body
        except response_body.UnreadableBodyError:
            return None
        if re.fullmatch(_PLAIN_KEY, place):  # the usual case needs no library
            return document.get(place) if isinstance(document, dict) else None
        if self._expressions is None:
            from tokencli.providers.bounded_jmespath import BoundedSearch  # start-up: few need it

            self._expressions = BoundedSearch(len(self.reply.body))
        return self._expressions.search(place, document)

    def _lookup_header(self, name: str) -> str | None:
        return self.reply.headers.get(name.lower()) or None

    def _lookup_cookie(self, name: str) -> str | None:
        """Return one cookie's value. For `*`, return all of them as a Cookie header writes them."""
        parts = re.split(_SET_COOKIE_SEPARATOR, self.reply.headers.get("set-cookie", ""))
        pairs = [part.split(";")[0].strip() for part in parts]
        if name == "*":
            return "; ".join(pairs) or None
        return next((p.partition("=")[2] for p in pairs if p.partition("=")[0] == name), None)

    def _lookup_xml(self, path: str) -> str | None:
        return self.xml_root.find_text(path) if self.xml_root else None

    def _lookup_text(self, _: str) -> str | None:
        return self.body_text or None


class Place(NamedTuple):
    """A place in a reply other than its JSON or form."""

    example: str
    """A locator of it. If it ends with the colon, nothing may follow."""
    lookup: Callable[[ReplyDocument, str], str | None]
    is_rest_of_body: bool = False
    """Whether the value extends to the end of the body, so that an incomplete reply may cut it off."""


PLACES: dict[str, Place] = {
    "header": Place("header:NAME", ReplyDocument._lookup_header),
    "cookie": Place("cookie:NAME", ReplyDocument._lookup_cookie),
    "xml": Place("xml:a/b", ReplyDocument._lookup_xml),
    "text": Place("text:", ReplyDocument._lookup_text, is_rest_of_body=True),
}
"""Prefix of a locator -> its place. A locator without a prefix is a JMESPath."""


def _to_token_text(value: Any) -> str | None:
    """Return a token as text. Some servers send a number."""
    if isinstance(value, int) and value is not True and value > 0:
        return str(value)
    return value if isinstance(value, str) and value else None


def check_locator(locator: str) -> None:
    """Raise ConfigError unless the locator is valid and its cost is bounded."""
    place, tilde, pattern = locator.partition(_REGEX_SEPARATOR)
    kind, colon, name = place.partition(":")
    example = PLACES[kind].example if colon and kind in PLACES else ""
    if example and not example.endswith(":"):
        if not name.strip():
            raise ConfigError(f"{kind}: is not followed by a name", fix=f"write {example}")
    elif not example or name.strip():
        from tokencli.providers.bounded_jmespath import compile_expression  # start-up

        compile_expression(place, tuple(place.example for place in PLACES.values()))
    if tilde:
        from tokencli.providers.linear_pattern import compile_pattern  # start-up

        compile_pattern(pattern)


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
