"""YAML and JSON of others: read as data, and only as much of it as is sane."""

import sys

import pytest

from tokencli.errors import ConfigError
from tokencli.importers.document import MAX_DEPTH, parse_document

BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} {{k{n}: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a: 1\nb: [x, 2.5, true, ~]", {"a": 1, "b": ["x", 2.5, True, None]}),
        ("200: ok\nno: yes\n~: x", {"200": "ok", "no": "yes", "~": "x"}),
        ("when: 2020-99-99\nzip: 007\nhex: 0x10\nt: 12:30:45", {"when": "2020-99-99", "zip": "007", "hex": "0x10", "t": "12:30:45"}),
        ("a: '1'\nb: \"true\"\nc: |\n  x\n", {"a": "1", "b": "true", "c": "x\n"}),
        ("x: !!python/object/apply:os.system [\"true\"]", {"x": ["true"]}),
        ("x: !!int nonsense", {"x": "nonsense"}),
        ("b: &b {x: 1, y: 2}\na: {<<: *b, y: 3}", {"b": {"x": 1, "y": 2}, "a": {"y": 3, "x": 1}}),
        ("a: 1\n---\nb: 2", {"a": 1}),
        ("{a: b}", {"a": "b"}),
        ("", None),
    ],
)  # fmt: skip
def test_yaml_is_data(text: str, tree: object) -> None:
    """Keys are text, a date is text, a tag makes nothing, and only plain words mean something."""
    assert parse_document(text) == tree


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        MERGES,
        "a: &a [*a]",
        "a: *nothing",
        "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2),
        "[" * 100_000,
        '{"a":' * 100_000,
        "- " * 5000 + "x",
        "a: b: c",
        "\x00",
        "a: '",
        "%TAG",
        "\ud800: x",
    ],
    ids=range(13),
)
def test_what_is_no_sane_document_is_refused(text: str) -> None:
    """Bombs, cycles, depth and damage end in our own error, which quotes nothing."""
    with pytest.raises(ConfigError) as caught:
        parse_document(text)
    assert len(caught.value.message) < 200


def test_a_large_document_without_tricks_is_read() -> None:
    """The limits are far above what an API's description needs."""
    text = "base: &b {a: 1, b: 2, c: 3}\n" + "".join(f"k{n}: *b\n" for n in range(2000))
    assert len(parse_document(text)) == 2001


def test_yaml_is_read_without_the_fast_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML was built without libyaml its own reader does the same."""
    import yaml

    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert parse_document("a: &x [1]\nb: *x") == {"a": [1], "b": [1]}
    with pytest.raises(ConfigError):
        parse_document(BOMB)


def test_json_needs_no_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is imported for a file that is YAML, and for no other."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert parse_document('{"a": [1]}') == {"a": [1]}
