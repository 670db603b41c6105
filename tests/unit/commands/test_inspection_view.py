"""The text output of `inspect`: equal to the golden files, and harmless for any token."""

import json
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.commands.test_tables import terminal
from tests.unit.jwt.samples import ACCESS, EXPIRED_AT, IDENTITY, REFRESH, part, token
from tokencli.commands.inspection_view import inspection_to_dict, render_inspection
from tokencli.core.inspect import inspect_token
from tokencli.formats.json import dump_json_line
from tokencli.jwt.decode import MAX_TOKEN_LENGTH
from tokencli.models import Secret, TokenSet

GOLDEN = Path(__file__).parents[2] / "golden"
NOW = EXPIRED_AT + 2 * 366 * 86400.0
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(categories=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(categories=None)), inner),
    max_leaves=8,
)  # fmt: skip
HUGE = st.sampled_from([10**400, -(10**400), 10**4000, 1e308, -1e308])
NAMES = st.text() | st.sampled_from(
    ["alg", "kid", "crit", "jwk", "iss", "sub", "aud", "scope", "scp", "scopes",
     "iat", "nbf", "exp", "auth_time", "updated_at"]
)  # fmt: skip
SAMPLES = {
    "access": (ACCESS, NOW, None),
    "identity": (IDENTITY, NOW, None),
    "refresh": (REFRESH, NOW, None),
    "half": (ACCESS, EXPIRED_AT - 302_400.0, None),
    "opaque": (
        "0123-opaque",
        NOW,
        TokenSet(Secret("x"), "Bearer", NOW - 60, NOW + 540, scope="a b"),
    ),
    "jwe": (f"{part({'alg': 'dir', 'enc': 'A256GCM'})}..aXY.Y2lwaGVy.dGFn", NOW, None),
    "sd-jwt": (
        f"{token({'iss': 'me', 'exp': NOW + 60})}~{part(['salt', 'name', 'Jo'])}~",
        NOW,
        None,
    ),
    "unsigned": (token({"exp": NOW * 1000}, {"alg": "none"}, ""), NOW, None),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_output_matches_golden_file(name: str) -> None:
    """A change of the output shows as a change of tests/golden."""
    text, now, kept = SAMPLES[name]
    found = render_inspection(
        inspect_token(text, now=now, stored=kept), now, profile="corp" if kept else None
    )
    assert found == (GOLDEN / f"inspect-{name}.txt").read_text(encoding="utf-8")


@pytest.mark.requirement(28)
@pytest.mark.parametrize("name", SAMPLES)
def test_unverified_tokens_are_labelled_first(name: str) -> None:
    """Claims can't be mistaken for facts, in text or in JSON."""
    text, now, kept = SAMPLES[name]
    found = inspect_token(text, now=now, stored=kept)
    assert render_inspection(found, now).startswith("NOT VERIFIED: the signature was not checked")
    assert inspection_to_dict(found, now)["verified"] is False


@pytest.mark.requirement(14)
@given(JSON, JSON)
def test_no_claim_controls_a_terminal(header: object, claims: object) -> None:
    """Whatever a header or claims contain, each line is printable and starts with a fixed word."""
    text = f"{part({'alg': 'x'} if not isinstance(header, dict) else header)}.{part(claims)}.x"
    found = inspect_token(text, now=NOW)
    for row in render_inspection(found, NOW).removesuffix("\n").split("\n"):
        assert row.isprintable()
        assert not row.lstrip().startswith("::")
        assert "##[" not in row and "##vso[" not in row
    written = dump_json_line(inspection_to_dict(found, NOW))
    assert written.isascii() and written.removesuffix("\n").isprintable()
    assert json.loads(written)["kind"] == "jwt"


@pytest.mark.requirement(28)
@given(st.dictionaries(NAMES, JSON | HUGE), st.dictionaries(NAMES, JSON | HUGE))
def test_any_header_and_claims_are_explained(
    header: dict[str, object], claims: dict[str, object]
) -> None:
    """With any value as a time, an audience or a scope there is output, and JSON without NaN."""
    text = f"{part(header)}.{part(claims)}.c2ln"
    assume(len(text) <= MAX_TOKEN_LENGTH)  # a dozen of the longest numbers are more
    found = inspect_token(text, now=NOW)
    assert render_inspection(found, NOW)
    written = json.loads(dump_json_line(inspection_to_dict(found, NOW)), parse_constant=pytest.fail)
    assert written["claims"] == claims and written["header"] == header


def test_json_keys_are_the_same_for_every_token() -> None:
    """A script doesn't have to check whether a key exists."""
    keys = [
        list(inspection_to_dict(inspect_token(t, now=n, stored=k), n))
        for t, n, k in SAMPLES.values()
    ]
    assert all(each == keys[0] for each in keys)


def test_who_and_for_whom_come_first() -> None:
    """Issuer, audience, subject and client are above everything else, each once and only if stated."""
    claims = {"exp": NOW + 60, "azp": "app", "sub": "jo", "aud": ["a", "b"], "iss": "https://i"}
    found = render_inspection(inspect_token(token(claims), now=NOW), NOW, profile="corp")
    assert found.splitlines()[2:8] == [
        "profile   corp",
        "issuer    https://i",
        "audience  a, b",
        "subject   jo",
        "client    app",
        "kind      JWT (not encrypted)",
    ]
    opaque = render_inspection(inspect_token("0123-opaque", now=NOW), NOW)
    assert "issuer" not in opaque and "audience" not in opaque


def test_descriptions_stay_whole_in_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What doesn't fit beside a value is on the next line, indented; in a pipe it never is."""
    text = token({"iss": "https://a.example.com/tenant/of/some/length", "own": 1})
    issuer = '  "iss": "https://a.example.com/tenant/of/some/length"'
    description = "issuer: who made the token"
    plain = render_inspection(inspect_token(text, now=NOW), NOW).splitlines()
    whole = f"{issuer}  {description}"
    assert whole in plain
    with terminal(monkeypatch, COLUMNS=str(len(whole)), NO_COLOR="1"):
        wide = render_inspection(inspect_token(text, now=NOW), NOW).splitlines()
    with terminal(monkeypatch, COLUMNS=str(len(whole) - 1), NO_COLOR="1"):
        narrow = render_inspection(inspect_token(text, now=NOW), NOW).splitlines()
    assert whole in wide
    at = narrow.index(issuer)
    assert narrow[at + 1 : at + 3] == [f"      {description}", '  "own": 1']
