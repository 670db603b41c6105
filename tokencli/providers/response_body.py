"""Parse the body of a reply, or say why it can't be parsed."""

import codecs
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from email.message import Message
from math import isfinite, nan
from typing import Any, NamedTuple, NoReturn
from urllib.parse import parse_qsl

from tokencli.jwt.decode import MAX_JSON_DEPTH, is_deeper_than
from tokencli.models import HttpReply

MAX_DIGITS = 400
"""A number with more digits counts as infinite. int() itself refuses 4300 digits."""

MAX_REPEATED_NAMED = 5
"""The most repeated members that a message names."""
FORM_MEDIA_TYPE = "application/x-www-form-urlencoded"
MAX_JSON_NESTING = 2
"""How often JSON may be encoded as a JSON string."""
MAX_NAME_DIGITS = 3
MAX_NAME_LENGTH = 40

_PRINTABLE_ASCII = bytes(range(0x20, 0x7F))


class UnreadableBodyError(Exception):
    """The body is not an object. The message says what it is instead, and quotes no value of it."""


class ParsedBody(NamedTuple):
    """The JSON or the form in a body, and what is wrong with it."""

    value: Any
    """What was sent. Of a member that is repeated, the last counts."""
    certain: Any
    """The same without the members that are repeated, or that can be read in two ways."""
    remarks: tuple[str, ...] = ()
    """What is wrong, as clauses. If there are any, only printable ASCII is certain to be right."""


def parse_object(reply: HttpReply) -> Mapping[str, Any]:
    """Return the members of the reply's JSON object, parsed strictly because no token is at stake.

    Raises:
        UnreadableBodyError: the body is anything else, has a member twice, or is nested too deeply.
        TokencliError: the reply's defect, if the body can't be read because of it.
    """
    try:
        found, repeated = parse_text(decode_text(reply)[0], _get_media_type(reply), strict=True)
        if not isinstance(found, dict):
            raise UnreadableBodyError("JSON that is not an object")
        if repeated:
            raise UnreadableBodyError(f"an object that {describe_repeated(repeated)}")
        if is_deeper_than(found, MAX_JSON_DEPTH):
            raise UnreadableBodyError(f"JSON that is nested deeper than {MAX_JSON_DEPTH} levels")
    except UnreadableBodyError:
        if reply.defect is not None:
            raise reply.defect from None
        raise
    return found


def parse_body(reply: HttpReply) -> ParsedBody:
    """Return the JSON or the form fields of the body, lenient if strictness could lose a token.

    Raises:
        UnreadableBodyError: the body is HTML, text, empty, or damaged JSON.
    """
    text, remark = decode_text(reply)
    media_type, remarks = _get_media_type(reply), (remark,) if remark else ()
    found, repeated = parse_text(text, media_type)
    for _ in range(MAX_JSON_NESTING):
        if isinstance(found, str) and found.lstrip()[:1] in ("{", '"'):
            text, media_type = found, ""
            found, repeated = parse_text(text, media_type)
            remarks = (*remarks, "its JSON is encoded twice")
    if isinstance(found, dict) and media_type == FORM_MEDIA_TYPE and reply.defect is not None:
        found = dict(list(found.items())[:-1])  # the last value may be cut
    if not repeated:
        return ParsedBody(found, found, remarks)
    certain, _ = parse_text(text, media_type, drop_repeated=True)
    return ParsedBody(found, certain, (*remarks, f"it {describe_repeated(repeated)}"))


def describe_repeated(names: Mapping[str, None]) -> str:
    """Return a clause that names the members that an object has twice."""
    shown = [repr(name) if is_plain_name(name) else "***" for name in sorted(names)]
    return f"gives {', '.join(shown[:MAX_REPEATED_NAMED])} twice"


def list_names(names: Iterable[str]) -> str:
    """Return these names of members in alphabetical order, with `***` for those that aren't shown."""
    return ", ".join(sorted({name if is_plain_name(name) else "***" for name in names}))


def is_plain_name(name: str) -> bool:
    """Return whether the name of a member may be shown; any other may be a secret sent as a name."""
    return (
        len(name) <= MAX_NAME_LENGTH
        and name.isascii()
        and name[:1] not in "0123456789"
        and all(char.isalnum() or char in "_@$.:-" for char in name)
        and sum(map(str.isdigit, name)) <= MAX_NAME_DIGITS
    )


def parse_text(
    text: str, media_type: str, *, strict: bool = False, drop_repeated: bool = False
) -> tuple[Any, Mapping[str, None]]:
    """Return the JSON or the form fields in `text`, and the names of members that are repeated.

    With `strict`, NaN and infinite numbers are refused, and only repeated members at the top level
    count.
    """
    if not text.strip():
        raise UnreadableBodyError("an empty body")
    collect = MemberCollector(drop_repeated=drop_repeated)
    if media_type == FORM_MEDIA_TYPE and text.lstrip()[:1] != "{":
        return collect(parse_qsl(text, keep_blank_values=True)), collect.repeated
    if text.lstrip()[:1] == "<":
        raise UnreadableBodyError("an HTML or XML page")
    try:
        found = json.loads(
            text,
            object_pairs_hook=collect,
            parse_constant=_reject_constant if strict else lambda _: nan,
            parse_int=_reject_infinite(parse_integer) if strict else parse_integer,
            parse_float=_reject_infinite(float) if strict else float,
        )
    except json.JSONDecodeError as error:
        place = f": {error.msg.removesuffix(' at')} at line {error.lineno}"
    except (ValueError, RecursionError):
        place = ""
    else:
        return found, collect.repeated_last if strict else collect.repeated
    # Outside of the handler, since the exception contains the whole body.
    raise UnreadableBodyError(f"text that is not valid JSON{place}")


class MemberCollector:
    """Builds objects from their pairs, and notes which members are repeated."""

    def __init__(self, *, drop_repeated: bool = False) -> None:
        self._drop_repeated = drop_repeated
        self.repeated: dict[str, None] = {}
        """Names in any object."""
        self.repeated_last: dict[str, None] = {}
        """Names in the last object, which is the outermost."""

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Return the object with these pairs."""
        found = dict(pairs)
        self.repeated_last = {}
        if len(found) != len(pairs):
            times = Counter(name for name, _ in pairs)
            self.repeated_last = {name: None for name, count in times.items() if count > 1}
            self.repeated |= self.repeated_last
            if self._drop_repeated:
                return {name: value for name, value in pairs if times[name] == 1}
        return found


def parse_integer(digits: str) -> int | float:
    """Return the number, which is infinite if it has very many digits."""
    return (
        int(digits) if len(digits) <= MAX_DIGITS else float("-inf" if digits[0] == "-" else "inf")
    )


def _get_media_type(reply: HttpReply) -> str:
    return reply.headers.get("content-type", "").split(";")[0].strip().lower()


def decode_text(reply: HttpReply) -> tuple[str, str | None]:
    """Return the body as text, and a remark if its encoding isn't UTF-8 or isn't as declared.

    The text is UTF-8 if it can be; otherwise UTF-16 or UTF-32 if it looks like that (RFC 4627 section
    3), the declared charset if that is like ASCII, or Latin-1. So ASCII is always right.
    """
    body, remark = reply.body, None
    if b"\0" in body and b"\0" not in body.strip(b"\0"):
        body, remark = body.strip(b"\0"), "there are NUL bytes around it"
    encoding = json.detect_encoding(body)
    declared = get_charset(reply)
    text = _try_decode(body, encoding)
    if text is None:
        text = _try_decode(body, declared or "latin-1") or body.decode("latin-1")
        remark = "its text is not UTF-8"
    elif not encoding.startswith("utf-8"):
        remark = "its text is not UTF-8"
    elif declared not in (None, "utf-8") and not body.isascii():
        remark = f"its text is UTF-8, not {declared}"
    return text.lstrip("\ufeff"), remark


def _try_decode(body: bytes, encoding: str) -> str | None:
    try:
        return body.decode(encoding)
    except UnicodeError:
        return None


def get_charset(reply: HttpReply) -> str | None:
    """Return the charset that the reply declares, if it is known and contains ASCII."""
    header = Message()
    header["content-type"] = reply.headers.get("content-type", "")
    try:
        name = codecs.lookup(str(header.get_param("charset", ""))).name
        text = _PRINTABLE_ASCII.decode(name, "replace")  # which some codecs of Python can't do
        return name if text == _PRINTABLE_ASCII.decode() else None
    except (LookupError, ValueError):
        return None


def _reject_constant(word: str) -> NoReturn:
    raise UnreadableBodyError(f"text that is not valid JSON ({word} is not a number)")


def _reject_infinite(read: Callable[[str], int | float]) -> Callable[[str], int | float]:
    """Return a number parser that refuses infinite numbers."""

    def number(digits: str) -> int | float:
        value = read(digits)
        if isinstance(value, float) and not isfinite(value):
            raise UnreadableBodyError("JSON with a number that is too large")
        return value

    return number
