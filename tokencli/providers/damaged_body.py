"""Read what is certain in a body that is neither JSON nor a form.

A server that has issued a token will not issue it again, and a refresh token that is lost costs the
user a sign-in. So damage counts only where it makes a value uncertain.
"""

import html
import json
import re
from collections.abc import Iterable
from math import nan
from urllib.parse import parse_qsl

from tokencli.models import HttpReply
from tokencli.providers.response_body import (
    MemberCollector,
    ParsedBody,
    UnreadableBodyError,
    decode_text,
    describe_repeated,
    parse_integer,
)

MAX_PREFIX_LENGTH = 200
"""The most characters before a JSON object, e.g. `)]}'` or `callback(`."""

_FIELD = r"""[A-Za-z_][\w.-]*=[^\s&<>"'{}]*"""
_FORM = re.compile(rf"\s*{_FIELD}(?:&{_FIELD})+\s*")
_NAME_OUTSIDE = re.compile(r"""(?<![\w.-])([\w.-]++)["']?+\s*+[:=>]""")
_NO_PROSE = re.compile(
    r"""[^A-Za-z]* | [^\w]*+ [\w$.]++ \s*+ \( [^()]* \)? [\s;]*
        | \s*+ (?:PHP\s)? (?:Warning|Notice|Deprecated|Strict\sStandards) \s*+ : .*""",
    re.VERBOSE | re.DOTALL,
)
"""What a server may put before its JSON: punctuation, a function call, or a warning of PHP."""
_COMMENT = re.compile(r"(?:^|[\s,{}\[\]])/[/*]")
_TAG = re.compile(r"<[^<>]*+>")


def recover(reply: HttpReply, reason: str) -> ParsedBody:
    """Return the JSON object that has text around it or control characters in it, or the form.

    A document that contains an example of a reply is none. So prose may stand before the JSON only if
    the reply is declared as JSON, and a web page counts only if it shows nothing else.

    Raises:
        UnreadableBodyError: with `reason`, if there is neither.
    """
    text, remark = decode_text(reply)
    remarks = (remark,) if remark else ()
    if _FORM.fullmatch(text):
        pairs = parse_qsl(text.strip(), keep_blank_values=True)
        certain = MemberCollector(drop_repeated=True)(pairs)
        verbatim = set(text.strip().split("&"))  # not if percent-encoded: perhaps it is none
        certain = {name: value for name, value in certain.items() if f"{name}={value}" in verbatim}
        remarks = (*remarks, "it is a form with another content type")
        return ParsedBody(dict(pairs), certain, remarks)
    shown = text
    is_page = text.lstrip()[:1] == "<"
    if is_page:
        shown = html.unescape(_TAG.sub("", text)).strip()
    start = shown.find("{")
    prefix = shown[: max(start, 0)]
    is_json = "json" in reply.headers.get("content-type", "").lower() and not is_page
    if (
        start < 0
        or len(prefix) > MAX_PREFIX_LENGTH
        or re.search('["<]', prefix)
        or not (is_json or _NO_PROSE.fullmatch(prefix))
        or (is_page and not shown.endswith("}"))
    ):
        raise UnreadableBodyError(reason)
    parsed = _recover_json(shown, start, reason)
    if is_page:
        certain = {
            name: v for name, v in parsed.certain.items() if isinstance(v, str) and v in text
        }
        parsed = ParsedBody(parsed.value, certain, (f"in {reason}",))
    return parsed._replace(remarks=(*remarks, *parsed.remarks))


def _recover_json(text: str, start: int, reason: str) -> ParsedBody:
    def decode(collect: MemberCollector) -> tuple[object, int]:
        decoder = json.JSONDecoder(
            strict=False,
            object_pairs_hook=collect,
            parse_constant=lambda _: nan,
            parse_int=parse_integer,
        )
        return decoder.raw_decode(text, start)

    collect = MemberCollector()
    try:
        found, end = decode(collect)
        certain, _ = decode(MemberCollector(drop_repeated=True))
    except (ValueError, RecursionError):
        found = certain = None
        end = start
    if not isinstance(found, dict) or not isinstance(certain, dict) or not found:
        raise UnreadableBodyError(reason)
    remarks = []
    rest = text[end:]
    if text[:start].strip():
        remarks.append("there is text before its JSON")
    if rest.strip():
        remarks.append("there is text after its JSON")
    if collect.repeated:
        remarks.append(f"it {describe_repeated(collect.repeated)}")
    for name in _NAME_OUTSIDE.findall(f"{text[:start]} {rest}"):
        certain.pop(name, None)
    return ParsedBody(found, certain, tuple(remarks) or ("its JSON has raw control characters",))


def scan_members(
    reply: HttpReply, names: Iterable[str], error_names: Iterable[str]
) -> dict[str, object]:
    """Return the values of these names on the outermost level of damaged JSON.

    A value is returned only if its name occurs once and the value is complete. There is none if an
    error code is uncertain, since the reply may be a refusal.
    """
    text, _ = decode_text(reply)
    if text.lstrip()[:1] != "{" or _COMMENT.search(text):
        return {}
    found: dict[str, object] = {}
    for name in (name for name in names if name in text):
        key = rf"""(?<![\w.\\-])(?:"{name}"|'{name}'|{name})\s*+[:=]\s*+"""
        occurrences = len(re.findall(key, text))
        match = re.search(
            rf"""{key}(?: ("(?:[^"\\\x00-\x1f]|\\.)*+") | '([^'"\\\x00-\x1f]*+)' | (-?\d+)(?!\s*\Z) | null )
                   (?= \s*+ (?: [,}}\]] | ["'][\w.-]+["']\s*+: | \Z ) )   # nothing is left of the value
              """,
            text,
            re.VERBOSE,
        )
        if occurrences != 1 or match is None or not _is_outermost(text[: match.start()]):
            if occurrences and name in error_names:
                return {}
            continue
        quoted, plain, digits = match.groups()
        if quoted is None:
            found[name] = parse_integer(digits) if digits else plain
            continue
        try:
            found[name] = json.loads(quoted)
        except ValueError:
            continue
    return found


def _is_outermost(before: str) -> bool:
    """Return whether damaged JSON is inside one object after this text, as far as can be told."""
    return before.count("{") - before.count("}") == 1 and before.count("[") == before.count("]")
