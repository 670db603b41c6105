"""Requirement 14: untrusted text is made harmless before any terminal sees it."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokencli.sanitize import sanitize_text

DANGEROUS = {
    *map(chr, [*range(0x20), *range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F, 0x2028, 0x2029]),
    *map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200B, 0x200C, 0x200D, 0xFEFF]),
    *map(chr, range(0xD800, 0xE000)),
    *map(chr, range(0xE0000, 0xE0080)),
}
ANY_TEXT = st.text(st.characters(codec=None, categories=None) | st.sampled_from(sorted(DANGEROUS)))


@pytest.mark.requirement(14)
def test_every_code_point_is_printable_or_escaped() -> None:
    """Of all 1,114,112 code points, only visible ones and the space are kept.

    Control, format, surrogate, private, unassigned and separator characters are escaped.
    """
    hidden = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert not any(character.isprintable() for character in DANGEROUS)
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        shown = sanitize_text(character)
        if character in "\r\n\t":
            assert shown == " "
        elif unicodedata.category(character) in hidden:
            assert shown == (f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}")
        else:
            assert shown.isprintable(), ascii(character)


@pytest.mark.requirement(14)
@given(ANY_TEXT, st.integers(0, 300))
def test_any_text_becomes_one_printable_line(text: str, limit: int) -> None:
    """The result is printable, on one line and within the limit."""
    shown = sanitize_text(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit


@pytest.mark.requirement(14)
@given(ANY_TEXT)
def test_multiline_keeps_only_newlines_and_tabs(text: str) -> None:
    """With multiline, newline and tab are the only controls that stay."""
    shown = sanitize_text(text, multiline=True)
    assert shown.replace("\n", "").replace("\t", "").isprintable()


@pytest.mark.requirement(14)
@given(ANY_TEXT)
def test_no_text_is_a_ci_workflow_command(text: str) -> None:
    """A workflow command needs `::` at a line's start, or `##[` and `##vso[` anywhere."""
    for attack in (
        text,
        f"::{text}",
        f"\n  ::set-env name=x::{text}",
        f"{text}##[x]",
        f"##vso[{text}",
    ):
        shown = sanitize_text(attack)
        assert not shown.lstrip().startswith("::")
        assert "##" not in shown


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=200))
def test_ordinary_text_is_unchanged(text: str) -> None:
    """Letters, digits, punctuation and symbols of any script."""
    if "##" not in text and not text.startswith("::"):
        assert sanitize_text(text) == text


def test_escapes_are_visible() -> None:
    """Escapes are visible, line breaks become spaces, and a cut is marked."""
    assert sanitize_text("a\x1b]52;c;eA==\x07b") == "a\\u001b]52;c;eA==\\u0007b"
    assert sanitize_text("one\r\ntwo\nthree\rfour") == "one two three four"
    assert sanitize_text("invoice\u202efdp.exe") == "invoice\\u202efdp.exe"
    assert sanitize_text("\U000e0041") == "\\U000e0041"
    assert sanitize_text("na\u00a0: ça va") == "na : ça va"
    assert sanitize_text("x" * 3000) == "x" * 2047 + "…"
    assert sanitize_text("[/] [link=x] :smile: {x} %s") == "[/] [link=x] :smile: {x} %s"
    assert sanitize_text("::1 is the loopback") == "\\u003a:1 is the loopback"


def test_cost_is_bounded_by_the_limit() -> None:
    """Only what can be shown is processed."""
    assert len(sanitize_text("\x1b" * 10_000_000)) == 2048
