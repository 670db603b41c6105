"""The page that `tokencli inspect` prints for a person.

Every line starts with words of ours, an indented quotation mark or a dash, never with a token's.
"""

import json
from collections.abc import Iterator, Mapping

from tokencli.actions.checks import UNCHECKED, Checks
from tokencli.actions.inspect import Inspection
from tokencli.cli.view import bar, paint
from tokencli.jwt.times import words
from tokencli.printable import printable

KINDS = {
    "jwt": "JWT, a token that anybody can read",
    "sd-jwt": "SD-JWT, a token that discloses claims one by one",
    "jwe": "JWE, an encrypted token that only its recipient can read",
    "opaque": "opaque, a token that only its server can read",
}
STYLES = {"valid": "green", "expired": "red", "not_yet_valid": "red", "unknown": "yellow"}
WIDEST_NAME = 24


def page(
    found: Inspection, now: float, *, profile: str | None = None, checks: Checks = UNCHECKED
) -> str:
    """Return the page, ready for stdout."""
    return "".join(f"{line}\n" for line in _lines(found, now, profile, checks))


def _lines(found: Inspection, now: float, profile: str | None, checks: Checks) -> Iterator[str]:
    yield _headline(checks)
    yield ""
    if profile is not None:
        yield _row("profile", profile)
    yield _row("kind", KINDS[found.kind])
    yield f"{'state':<10}{paint(found.verdict(now), STYLES[found.state])}"
    if found.used is not None:
        whole = f" of {words(found.lifetime)}" if found.lifetime is not None else ""
        yield f"{'life':<10}{bar(found.used)} {int(found.used * 100)} %{whole} used up"
    if found.scopes:
        yield _row("scopes", ", ".join(found.scopes))
    times = {moment.name: moment.said(now) for moment in found.times}
    yield from _members("header", found.header, {})
    yield from _members("claims", found.claims, times)
    if found.disclosures:
        yield "disclosures (not checked against the claims)"
        yield from (f"  {_value(each)}" for each in found.disclosures)
    yield from _members("introspection (by the server)", checks.introspection or {}, {})
    yield from _members("userinfo (by the server)", checks.userinfo or {}, {})
    if found.remarks:
        yield "remarks"
        yield from (f"  - {printable(remark)}" for remark in found.remarks)


def _headline(checks: Checks) -> str:
    proven = checks.verified
    if proven is not None:
        key = f" with its key {printable(_value(proven.kid))}" if proven.kid else ""
        whom = ", ".join(map(_value, proven.audience))
        return paint(
            f"VERIFIED: signed by the issuer{key} ({proven.alg}), for {whom}", "bold green"
        )
    if checks.not_verified is not None:
        return paint(f"NOT VERIFIED: {printable(checks.not_verified)}", "bold red")
    return paint("NOT VERIFIED: the signature was not checked; this is what the token says", "bold")


def _row(label: str, text: str) -> str:
    return f"{label:<10}{printable(text)}"


def _members(title: str, members: Mapping[str, object], notes: Mapping[str, str]) -> Iterator[str]:
    """Yield an object a member a line, aligned, each note in the same column as the others."""
    if not members:
        return
    yield title
    named = [(f"{_value(name)}:", name, _value(value)) for name, value in members.items()]
    wide = min(WIDEST_NAME, max(len(quoted) for quoted, _, _ in named))
    for quoted, name, value in named:
        note = f"  {notes[name]}" if name in notes else ""
        yield f"  {quoted:<{wide}} {value}{note}"


def _value(value: object) -> str:
    return printable(json.dumps(value, ensure_ascii=False))
