"""The table of faults: every row is parsed and explained, and rejects invalid values."""

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


def test_every_row_has_a_field_and_a_test() -> None:
    """Table, dataclass and the valid values above have the same faults."""
    assert set(FAULT_OPTIONS) == {field.name for field in fields(Faults)} == set(GOOD)


@pytest.mark.parametrize("name", FAULT_OPTIONS)
def test_every_row_has_help(name: str) -> None:
    """Help is a sentence, and an option with a value has a metavar."""
    row = FAULT_OPTIONS[name]
    assert row.help.endswith(".")
    assert (row.parse is None) == (row.metavar is None)
    assert option_name(name) == "--" + name.replace("_", "-")


@pytest.mark.parametrize(("name", "given", "wanted"), [(n, *row) for n in GOOD for row in GOOD[n]])
def test_valid_values(name: str, given: object, wanted: object) -> None:
    """Command-line text and Python values mean the same."""
    assert getattr(parse_faults({name: given}), name) == wanted


@pytest.mark.parametrize(("name", "given"), [(n, text) for n in BAD for text in BAD[n]])
def test_invalid_values_are_usage_errors(name: str, given: str) -> None:
    """The error names the option."""
    with pytest.raises(UsageError, match=option_name(name)):
        parse_faults({name: given})


def test_unknown_fault_is_a_usage_error() -> None:
    """A misspelled name isn't ignored."""
    with pytest.raises(UsageError, match="lifetimes"):
        parse_faults({"lifetimes": 3})


def test_no_faults_by_default() -> None:
    """None and False mean that the option wasn't given."""
    assert parse_faults(dict.fromkeys(FAULT_OPTIONS, None) | {"html": False}) == Faults()
