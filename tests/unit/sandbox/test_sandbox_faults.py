"""The table of faults: every row is read, explained, and refuses nonsense in a sentence."""

from dataclasses import fields

import pytest

from tokencli.errors import UsageError
from tokencli.sandbox.faults import FAULT_OPTIONS, Faults, option_name, parse_faults

GOOD = {
    "lifetime": [("20s", 20.0), ("1h30m", 5400.0), (3, 3.0), ("0", 0.0)],
    "fail": [("503", (503, None)), ("400:2", (400, 2))],
    "slow": [("0.5", 0.5)],
    "clock_skew": [("90s", 90.0), ("-1h", -3600.0), ("+5m", 300.0), (-30, -30.0)],
    "grace": [("30s", 30.0)],
    "no_refresh_token": [(True, True)],
    "html": [(True, True)],
    "broken_json": [(True, True)],
    "no_token": [(True, True)],
    "expires_in": [("null", "null"), ('"3600"', '"3600"'), ("", "")],
    "redirect": [("307:https://other.example/x", (307, "https://other.example/x"))],
    "drop": [("before", ("before", None)), ("after:1", ("after", 1))],
}
BAD = {
    "lifetime": ["", "soon", "-1", "1e9", "nan"],
    "fail": ["", "200", "600", "503:", "503:x", "503:-1", "²03"],
    "slow": ["-1s"],
    "clock_skew": ["--1", "later"],
    "grace": ["x"],
    "redirect": ["", "307", "200:https://other.example", "307:https://other.example\r\nX: y"],
    "drop": ["", "during", "before:x"],
}


def test_every_row_has_a_place_and_a_test() -> None:
    """Table, dataclass and the good values above name the same faults."""
    assert set(FAULT_OPTIONS) == {field.name for field in fields(Faults)} == set(GOOD)


@pytest.mark.parametrize("name", FAULT_OPTIONS)
def test_every_row_explains_itself(name: str) -> None:
    """Help is a sentence, and an option that takes a value says what it looks like."""
    row = FAULT_OPTIONS[name]
    assert row.help.endswith(".")
    assert (row.parse is None) == (row.metavar is None)
    assert option_name(name) == "--" + name.replace("_", "-")


@pytest.mark.parametrize(("name", "given", "wanted"), [(n, *row) for n in GOOD for row in GOOD[n]])
def test_good_values_are_read(name: str, given: object, wanted: object) -> None:
    """Text of the command line and plain Python values mean the same."""
    assert getattr(parse_faults({name: given}), name) == wanted


@pytest.mark.parametrize(("name", "given"), [(n, text) for n in BAD for text in BAD[n]])
def test_bad_values_are_usage_errors(name: str, given: str) -> None:
    """Nonsense names its option."""
    with pytest.raises(UsageError, match=option_name(name)):
        parse_faults({name: given})


def test_an_unknown_fault_is_a_usage_error() -> None:
    """A slip in a name isn't ignored."""
    with pytest.raises(UsageError, match="lifetimes"):
        parse_faults({"lifetimes": 3})


def test_what_is_not_asked_for_does_not_go_wrong() -> None:
    """None and False are an option that wasn't given."""
    assert parse_faults(dict.fromkeys(FAULT_OPTIONS, None) | {"html": False}) == Faults()
