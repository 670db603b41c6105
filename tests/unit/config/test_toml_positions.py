"""Lines of keys in TOML files."""

import tomllib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tokencli.config import toml_positions
from tokencli.config.toml_positions import find_line, iter_statements, map_key_lines

TEXT = '''# a comment

default_profile = "a"  # [not.a.table]
[profiles.a]
host = "x"
scopes = [
  "one",   # a comment with ]
  "two",
]
note = """
[profiles.z]
key = 1
"""
password = { env = "X" }
"quoted.key" = 1
deep.inner.key = 2

[ profiles . "b c" ]
host = 'y'
[[list]]
n = 1
'''


def test_lines_of_statements() -> None:
    """Headers, dotted, quoted and inline keys, multi-line arrays and strings: each on its first line."""
    found = map_key_lines(TEXT)
    assert found[("default_profile",)] == 3
    assert found[("profiles", "a")] == 4
    assert found[("profiles", "a", "scopes")] == 6
    assert found[("profiles", "a", "note")] == 10
    assert found[("profiles", "a", "password", "env")] == 14
    assert found[("profiles", "a", "quoted.key")] == 15
    assert found[("profiles", "a", "deep", "inner", "key")] == 16
    assert found[("profiles", "b c")] == 18
    assert found[("profiles", "b c", "host")] == 19
    assert ("profiles", "z") not in found


def test_missing_key_has_the_line_of_its_table() -> None:
    """A key that is not written has the line of the innermost table around it."""
    found = map_key_lines(TEXT)
    assert find_line(found, ("profiles", "a", "client_id")) == 4
    assert find_line(found, ("nothing",)) is None


def test_lines_inside_values() -> None:
    """Multi-line arrays, tables inside them, and arrays of tables; items by index."""
    text = """a = { x = 1, rows = [
  "one", # ] and }
  { "q.r".s = '''
]''', t = 2 },
  [
    3],
], z = 4 }
[[list]]
n = 1
[[list]]
n = 2
[list.sub]
m = 3
[[list.deep]]
k = 4
"""
    found = map_key_lines(text)
    assert found[("a", "rows", "0")] == 2
    assert found[("a", "rows", "1", "q.r", "s")] == 3
    assert found[("a", "rows", "1", "t")] == 4
    assert found[("a", "rows", "2", "0")] == 6
    assert found[("a", "z")] == 7
    assert found[("list", "1", "n")] == 11
    assert found[("list", "1", "sub", "m")] == 13
    assert found[("list", "1", "deep", "0", "k")] == 15


def test_crlf() -> None:
    """A file with CRLF has the same lines as with LF."""
    assert map_key_lines(TEXT.replace("\n", "\r\n")) == map_key_lines(TEXT)


def test_unicode_line_separators_are_not_lines() -> None:
    """Only line feeds end a line of TOML; U+2028 and U+0085 in a value do not."""
    assert map_key_lines('a = "\u2028\u0085"\nb = 1\n')[("b",)] == 2


KEYS = st.text("abc.-\"' é", min_size=1, max_size=4)


@given(
    st.dictionaries(
        KEYS, st.dictionaries(KEYS, st.text("ab\n\"'#[]={}", max_size=8), max_size=3), max_size=4
    )
)
def test_every_key_has_its_line(data: dict[str, dict[str, str]]) -> None:
    """Whatever the names and texts, each written key has the right line."""
    import tomlkit

    text = tomlkit.dumps(data)
    assert tomllib.loads(text) == data
    found = map_key_lines(text)
    for table, keys in data.items():
        for key in keys:
            line = text.split("\n")[found[(table, key)] - 1]
            assert "=" in line
    assert sum(not one.is_header for one in iter_statements(text)) == sum(map(len, data.values()))


LINES = (
    'a = "x"', 'b.c = "x"', '  d="x" # c', 'e = "x # y"', '"f" = "x"', "'g h' = 'x'", 'h = ""',
    'i = """', 'x"""', "j = \'\'\'", "y\'\'\'", "[t]", "[ u . v ]", '["t".w]', "[[x]]", "[y]#c",
    'k = { b = "x" }', 'l = { b.c = "x" }', 'm = {b="x",c=1}', "n = [", "1,", "2]", "o = true",
    "p=1", "q=-1", "r=1.5", "s = 1_0", "t0 = 0", 'u = "\\n"', "v = 1979-05-27", "# c", "", "  ",
    "w = {}", 'x1 = [{ b = "x" }]', "y1 = 'x'\t# \"", 'z = "é"', 'aa= "x"\r', "[bb]\r", "cc = { d = 1 }",
)  # fmt: skip


@given(
    lines=st.lists(st.sampled_from(LINES), max_size=8, unique=True), end=st.sampled_from(("", "\n"))
)
def test_usual_lines_are_read_as_tomllib_reads_them(lines: list[str], end: str) -> None:
    """Most lines are matched by a pattern; the statements are those that tomllib finds without it."""
    text = "\n".join(lines) + end
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assume(False)
    found = list(iter_statements(text))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(toml_positions, "_parse_usual_line", lambda _: None)
        assert list(iter_statements(text)) == found
