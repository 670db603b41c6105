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
_FORM = re.compile(rf"\s*{_FIELD}(?:&{_FIELD})*\s*")
_NAME_IN_REST = re.compile(r"""["']([^"'\\]{1,100})["']\s*+:""")


def recover(reply: HttpReply, reason: str) -> ParsedBody:
    """Return the JSON object that has text around it or control characters in it, or the form.

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
    start = text.find("{")
    prefix = text[: max(start, 0)]
    if start < 0 or len(prefix) > MAX_PREFIX_LENGTH or re.search('["<]', prefix):
        raise UnreadableBodyError(reason)
    parsed = _recover_json(text, start, reason)
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
    for name in _NAME_IN_REST.findall(rest):
        certain.pop(name, None)
    return ParsedBody(found, certain, tuple(remarks) or ("its JSON has raw control characters",))


def scan_members(text: str, names: Iterable[str]) -> dict[str, object]:
    """Return the values of these names in damaged JSON, in XML or in HTML.

    A value is returned only if its name occurs once and the value is complete. A page with scripts may
    contain tokens that are none of ours, so nothing in it counts.
    """
    if "<script" in text.lower():
        return {}
    if "&quot;" in text:
        text = html.unescape(text)
    found: dict[str, object] = {}
    for name in (name for name in names if name in text):
        key = rf"""(?<![\w.\\-])(?:"{name}"|'{name}'|{name})\s*+[:=]\s*+"""
        tag = rf"<(?:[\w-]+:)?{name}(?:\s[^<>]*+)?>"
        if len(re.findall(f"{key}|{tag}", text)) != 1:
            continue
        match = re.search(
            rf"""{key}(?: ("(?:[^"\\\x00-\x1f]|\\.)*+") | '([^'"\\\x00-\x1f]*+)' | (-?\d+)(?!\s*\Z) )
                   (?= \s*+ (?: [,}}\]] | ["'][\w.-]+["']\s*+: | \Z ) )   # nothing is left of the value
              | {tag}\s*+(?:<!\[CDATA\[)?([^<>&\s\[\]]++)(?:\]\]>)?\s*</""",
            text,
            re.VERBOSE,
        )
        if match is None:
            continue
        quoted, plain, digits, element = match.groups()
        if quoted is None:
            found[name] = parse_integer(digits) if digits else plain or element
            continue
        try:
            found[name] = json.loads(quoted)
        except ValueError:
            continue
    return found
