"""A curl command line is read as the shell would read it that it was copied for."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokencli.errors import ConfigError
from tokencli.importers.curl import parse_curl, split_command

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(st.lists(TEXT, max_size=4))
def test_quoted_words_come_back(told: list[str]) -> None:
    """What quotes for a POSIX shell is undone, whatever the words hold."""
    assert split_command(f"curl {shlex.join(told)}") == ["curl", *told]


@given(st.text("ab\\'\"^$\n \r%", max_size=30))
def test_any_text_has_words_or_is_refused(text: str) -> None:
    """Nonsense is cut somehow, or ends in ValueError; never in anything else."""
    try:
        assert all(isinstance(word, str) for word in split_command(text))
    except ValueError as error:
        assert "quotation mark" in str(error)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (r"""curl -d $'{"a":"it\'s"}'""", '{"a":"it\'s"}'),
        (r"curl -d $'a\u0021\x41\101\n\\'", "a!AA\n\\"),
        (r"curl -d $'\ud83d\ude00'", "\U0001f600"),
        (r"curl -d $'\U110000x\cAy'", "xy"),
        ("curl -d 'a'\"b\"c\\ d", "abc d"),
        ('curl -d "a\\"b\\$c\\d"', 'a"b$c\\d'),
        ('curl \\\n  -d "x" \\\r\n', "x"),
        ("curl ^\n -d 'x'", "x"),
        ("curl -d ''", ""),
        (r'curl -d ^"^{^\^"a^\^":^\^"it' + r"'s^\^\^\^" + r'"^\^"^}^"', '{"a":"it\'s\\""}'),
        ('curl ^"-d^" ^\n  ^"a^%^41^"', "a%41"),
        ('curl ^"-d^" ^\r\n  ^"a^\r\n\r\nb^"', "a\nb"),
        ('curl ^"-d^" ^"c:^\\^\\^"', "c:\\"),
        ('curl ^"-d^" ^"^"', ""),
    ],
)
def test_each_shells_quotation_marks_are_understood(line: str, told: str) -> None:
    r"""Those of bash with `$'…'`, as browsers write it, and those of Windows' cmd with `^"`."""
    assert split_command(line) == ["curl", "-d", told]


@pytest.mark.parametrize("line", ["curl 'a", 'curl "a', "curl $'a\\'", 'curl ^"a'])
def test_a_quotation_mark_that_is_not_closed_is_said(line: str) -> None:
    """In each of them."""
    with pytest.raises(ConfigError, match="unclosed"):
        parse_curl(line)


def test_a_header_in_ansi_quotes_keeps_its_name() -> None:
    """The dollar sign before the quotation mark is none of its letters."""
    seen = parse_curl(r"curl https://x.example/t -H $'X-A: b\u0021'")
    assert seen.headers == (("X-A", "b!"),)
