"""Changing one key of a profile: nothing else of the file moves, however the file is written."""

import codecs
import json
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokencli.config import edit
from tokencli.config.load import load_config
from tokencli.errors import ConfigError

HEAD = 'provider = "oauth2"\ntoken_url = "https://a.example/t"\nclient_id = "x"\n'
INLINE = '{ provider = "oauth2", token_url = "https://a.example/t", client_id = "x" }'


def changed(text: str, put: dict[str, Any], *drop: str, raw: bytes | None = None) -> str:
    """Return the text after `profiles edit b` with these keys."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.toml")
        path.write_bytes(text.encode() if raw is None else raw)
        path.chmod(0o600)
        edit.update_profile(load_config(path, {}, must_exist=True), "b", put, list(drop))
        return path.read_bytes().decode()


SUB = f"""# c0
[profiles.b]
{HEAD}  # about params of b
  [profiles.b.params] # bb
  tenant = "z" # zz
  # keep me
  other = "o"
# end comment
"""
DOTTED = f"""[profiles.b]
{HEAD}params.tenant = "z" # zz
params.o = "q" # oo
# note on secret
client_secret = {{ env = "A" }} # secret comment
"""
TWO = f"""[profiles]
b = {INLINE} # inline b
# about c
c = {INLINE} # inline c
"""
PREFIXED = """[profiles]
b.provider = "oauth2" # bp
b.token_url = "https://a.example/t" # bt
b.client_id = "x" # bc
"""


@pytest.mark.parametrize(
    ("text", "put", "drop", "old", "new"),
    [
        (SUB, {"params.tenant": "9"}, (), '"z" # zz', '"9" # zz'),
        (SUB, {"params.new": "1"}, (), 'other = "o"\n', 'other = "o"\n  new = "1"\n'),
        (SUB, {}, ("params.tenant",), '  tenant = "z" # zz\n', ""),
        (SUB, {"scope": "s"}, (), 'client_id = "x"\n', 'client_id = "x"\nscope = "s"\n'),
        (DOTTED, {"params.tenant": "9"}, (), '"z" # zz', '"9" # zz'),
        (DOTTED, {"params.new": "1"}, (), "# oo\n", '# oo\nparams.new = "1"\n'),
        (DOTTED, {}, ("params.o",), 'params.o = "q" # oo\n', ""),
        (DOTTED, {"client_secret": {"file": "f"}}, (), '{ env = "A" }', '{ file = "f" }'),
        (TWO, {"client_id": "y"}, (), 'client_id = "x" } # inline b', 'client_id = "y" } # inline b'),
        (TWO, {}, ("client_id",), "", ""),
        (PREFIXED, {"client_id": "y"}, (), '"x" # bc', '"y" # bc'),
        (PREFIXED, {"scope": "s"}, (), "# bc\n", '# bc\nb.scope = "s"\n'),
        (PREFIXED, {"params.t": "1"}, (), "# bc\n", '# bc\nb.params = { t = "1" }\n'),
    ],
)  # fmt: skip
def test_only_the_named_key_changes(
    text: str, put: dict[str, Any], drop: tuple[str, ...], old: str, new: str
) -> None:
    """A value is changed in place, a key removed with its line, a new one added after the others."""
    if not old:  # what is needed can't be taken out
        with pytest.raises(ConfigError, match="would be invalid"):
            changed(text, put, *drop)
        return
    assert changed(text, put, *drop) == text.replace(old, new, 1)


def test_byte_order_mark_is_kept() -> None:
    """With the file's line endings."""
    text = f"# bom\n[profiles.b]\n{HEAD}".replace("\n", "\r\n")
    after = changed("", {"client_id": "s"}, raw=codecs.BOM_UTF8 + text.encode())
    assert after == "\ufeff" + text.replace('"x"', '"s"')


def test_profile_is_added_to_an_inline_table(tmp_path: Path) -> None:
    """If all profiles are in one inline table, a new one is added there."""
    path = tmp_path / "config.toml"
    path.write_text(f"profiles = {{ b = {INLINE} }} # all\n")
    path.chmod(0o600)
    config = load_config(path, {}, must_exist=True)
    keys = {"provider": "oauth2", "token_url": "https://c.example/t", "client_id": "y"}
    edit.add_profile(config, "c", keys)
    assert list(tomllib.loads(path.read_text())["profiles"]) == ["b", "c"]
    assert path.read_text().endswith("# all\n")


TEXTS = st.text("ab \"'#=[]{},.\\é", max_size=6).map(lambda text: f"v{text}v")
PARAMS = ("tenant", "a.b", "o o", "x")


@dataclass
class Writer:
    """Writes statements with comments that are all different, as `draw` says."""

    chance: Random
    lines: list[str] = field(default_factory=list)
    comments: int = 0

    def comment(self) -> str:
        self.comments += 1
        return f"# c{self.comments} [x] = \"'"

    def above(self) -> None:
        self.lines += self.chance.choice(([], [""], [self.comment()]))

    def line(self, text: str) -> None:
        self.above()
        indent = self.chance.choice(("", "  "))
        behind = self.chance.choice(("", f" {self.comment()}", self.comment()))
        self.lines.append(f"{indent}{text}{behind}")

    def key(self, name: str) -> str:
        bare = name.replace("_", "").isalnum() and self.chance.random() < 0.5
        return name if bare else json.dumps(name)

    def inline(self, table: dict[str, Any]) -> str:
        inner = ", ".join(f"{self.key(k)} = {self.value(v)}" for k, v in table.items())
        return self.chance.choice((f"{{ {inner} }}", f"{{{inner}}}"))

    def value(self, value: Any) -> str:
        return self.inline(value) if isinstance(value, dict) else json.dumps(value)

    def keys(self, prefix: str, table: dict[str, Any]) -> None:
        """Write keys under a dotted prefix; a table among them inline or dotted."""
        for name, value in table.items():
            if isinstance(value, dict) and value and self.chance.random() < 0.5:
                self.keys(f"{prefix}{self.key(name)}.", value)
            else:
                self.line(f"{prefix}{self.key(name)} = {self.value(value)}")


def written(profiles: dict[str, dict[str, Any]], chance: Random) -> str:
    """Write profiles, each in a way of its own."""
    writer = Writer(chance)
    styles = {name: chance.choice(("table", "inline", "dotted")) for name in profiles}
    if set(styles.values()) != {"table"}:
        writer.line("[profiles]")
    for name in sorted(profiles, key=lambda name: styles[name] == "table"):
        table = dict(profiles[name])
        apart = "params" in table and styles[name] == "table" and chance.random() < 0.5
        params = table.pop("params") if apart else {}
        if styles[name] == "table":
            writer.line(f"[profiles.{writer.key(name)}]")
            writer.keys("", table)
        elif styles[name] == "dotted":
            writer.keys(f"{writer.key(name)}.", table)
        else:
            writer.line(f"{writer.key(name)} = {writer.inline(table)}")
        if apart:
            writer.line(f"[ profiles . {writer.key(name)}.params ]")
            writer.keys("", params)
    writer.above()
    end = chance.choice(("\n", "\r\n"))
    return end.join(writer.lines) + chance.choice(("", end))


PROFILES = st.fixed_dictionaries(
    {"client_id": TEXTS},
    optional={
        "audience": TEXTS,
        "params": st.dictionaries(st.sampled_from(PARAMS), TEXTS, min_size=1, max_size=3),
    },
)


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({"a": PROFILES, "b": PROFILES, "c": PROFILES}), TEXTS, st.randoms())
def test_any_layout_keeps_everything_else(
    tables: dict[str, dict[str, Any]], value: str, chance: Random
) -> None:
    """However a file is written, the data change as asked, every comment stays, and at most one line
    differs, is new or is gone."""
    start = {"provider": "oauth2", "token_url": "https://a.example/t"}
    profiles = {name: {**start, **table} for name, table in tables.items()}
    text = written(profiles, chance)
    assert tomllib.loads(text) == {"profiles": profiles}
    mine = profiles["b"]
    params = mine.get("params", {})
    droppable = [f"params.{name}" for name in params] + (["audience"] if "audience" in mine else [])
    key = chance.choice((*(f"params.{name}" for name in PARAMS), "client_id", "audience"))
    drop = chance.choice(droppable) if droppable and chance.random() < 0.5 else None
    after = changed(text, {}, drop) if drop else changed(text, {key: value})

    top, _, inner = (drop or key).partition(".")
    place = mine.setdefault(top, {}) if inner else mine
    if drop:
        del place[inner or top]
    else:
        place[inner or top] = value
    now = tomllib.loads(after)["profiles"]
    for table in (mine, now["b"]):
        if table.get("params") == {}:
            del table["params"]
    assert now == profiles

    old_lines = [line for line in text.splitlines() if line.strip()]
    new_lines = [line for line in after.splitlines() if line.strip()]
    while old_lines and new_lines and old_lines[0] == new_lines[0]:
        del old_lines[0], new_lines[0]
    while old_lines and new_lines and old_lines[-1] == new_lines[-1]:
        del old_lines[-1], new_lines[-1]
    assert len(old_lines) <= 1 and len(new_lines) <= 1
    if old_lines and new_lines:
        assert old_lines[0].partition("# c")[2] == new_lines[0].partition("# c")[2]
    else:
        assert bool(new_lines) != bool(drop) or not (old_lines or new_lines)
    assert ("\r\n" in text) == ("\r\n" in after) or "\n" not in text
