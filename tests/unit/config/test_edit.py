"""Writing the configuration: what was asked changes, every other byte stays."""

import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokencli.config import edit, toml_edit
from tokencli.config.load import Config, load_config
from tokencli.errors import ConfigError, StorageError, UsageError

TEXT = """# my endpoints

default_profile = "a"   # the usual one

# at work
[profiles.a]
provider = "oauth2"  # plain
token_url = "https://a.example/t"
client_id = "x"
params = { tenant = "acme" }
# end of a

# Bob's
[profiles.b]
provider = "oauth2"
token_url = "https://b.example/t"
client_id = "y"

[profiles.b.client_secret]
env = "B_SECRET"   # from CI

# the rest
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a configuration file of that text."""
    path = tmp_path / "config.toml"
    path.write_bytes(TEXT.encode())
    path.chmod(0o600)
    return path


def config(path: Path) -> Config:
    """Read the file again."""
    return load_config(path, {}, must_exist=False)


def test_setting_a_value_changes_its_line_alone(path: Path) -> None:
    """The comment behind a value stays, and so does everything else."""
    edit.update_profile(config(path), "a", {"provider": "oauth2", "client_id": "z"}, [])
    assert path.read_text() == TEXT.replace('client_id = "x"', 'client_id = "z"')


def test_a_new_key_comes_after_the_others_of_its_table(path: Path) -> None:
    """A key is added behind the table's last, before comments that belong to what follows."""
    edit.update_profile(config(path), "b", {"scope": "read write"}, [])
    assert path.read_text() == TEXT.replace(
        'client_id = "y"\n', 'client_id = "y"\nscope = "read write"\n'
    )


def test_taking_out_a_key(path: Path) -> None:
    """A key goes with its line; a table that stands apart goes whole."""
    edit.update_profile(config(path), "b", {}, ["client_secret"])
    expected = TEXT.replace('[profiles.b.client_secret]\nenv = "B_SECRET"   # from CI\n\n', "")
    assert path.read_text() == expected
    with pytest.raises(UsageError, match="doesn't set"):
        edit.update_profile(config(path), "b", {}, ["client_secret"])


def test_changing_a_table_that_stands_apart(path: Path) -> None:
    """A reference written as a table is replaced by the new one."""
    edit.update_profile(config(path), "b", {"client_secret": {"file": "s"}}, [])
    assert tomllib.loads(path.read_text())["profiles"]["b"]["client_secret"] == {"file": "s"}
    assert "# Bob's\n[profiles.b]" in path.read_text()


def test_keys_inside_params(path: Path) -> None:
    """A dotted key reaches into a table, wherever that stands, and leaves its neighbours."""
    edit.update_profile(config(path), "a", {"params.region": "eu"}, [])
    assert tomllib.loads(path.read_text())["profiles"]["a"]["params"] == {
        "tenant": "acme",
        "region": "eu",
    }
    edit.update_profile(config(path), "a", {}, ["params.tenant"])
    assert tomllib.loads(path.read_text())["profiles"]["a"]["params"] == {"region": "eu"}


def test_removing_keeps_the_neighbours_comments(path: Path) -> None:
    """A profile goes with what is inside; the comment above the next one stays."""
    edit.remove_profile(config(path), "a")
    assert (
        path.read_text()
        == TEXT[: TEXT.index("default_profile")] + "# at work\n\n" + TEXT[TEXT.index("# Bob's") :]
    )
    edit.remove_profile(config(path), "b")
    assert tomllib.loads(path.read_text()) == {}
    assert "# the rest" in path.read_text()


def test_adding_appends(path: Path) -> None:
    """A new profile stands at the end; what was there is a prefix of what is there now."""
    edit.add_profile(config(path), "c", {"provider": "socialid", "client_id": "1", "username": "j"})
    assert path.read_text().startswith(TEXT)
    assert config(path).get_profile("c").values["username"] == "j"
    with pytest.raises(UsageError, match="already exists"):
        edit.add_profile(config(path), "c", {"provider": "socialid"})


def test_the_first_profile_makes_file_folder_and_default(tmp_path: Path) -> None:
    """Folder 0700, file 0600, and the first profile is the default."""
    path = tmp_path / "new" / "config.toml"
    edit.add_profile(config(path), "c", {"provider": "socialid", "client_id": "1", "username": "j"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert config(path).default_profile == "c"
    assert [one.name for one in path.parent.iterdir()] == ["config.toml"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment\n",
        "#:schema ./schema.json\n\n",
        '[profiles.z]\nprovider = "oauth2"',
        '# about z\n[profiles.z]\nprovider = "oauth2"\n',
        'profiles.z.provider = "oauth2"\n',
        '[profiles]\nz.provider = "oauth2"\n',
        '[profiles]\nz = { provider = "oauth2" }\n',
        '[profiles.z]\r\nprovider = "oauth2"\r\n',
    ],
)
def test_files_of_every_make_take_a_new_profile_and_default(tmp_path: Path, text: str) -> None:
    """However the file is written, adding and using keep its text and mean just that."""
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode())
    path.chmod(0o600)
    before = tomllib.loads(text)
    edit.add_profile(config(path), "c", {"provider": "socialid", "client_id": "1", "username": "j"})
    edit.set_default_profile(config(path), "c")
    after = tomllib.loads(path.read_bytes().decode())
    assert after["profiles"].keys() == {*before.get("profiles", {}), "c"}
    assert after["default_profile"] == "c"
    written = path.read_bytes().decode()
    assert all(line in written for line in text.splitlines())
    assert ("\r\n" in text) == ("\r\n" in written)
    assert written.count("\r\n") in (0, written.count("\n"))


def test_using_another_profile(path: Path) -> None:
    """Only the name changes."""
    edit.set_default_profile(config(path), "b")
    assert path.read_text() == TEXT.replace('default_profile = "a"', 'default_profile = "b"')


def test_what_would_not_load_is_not_written(path: Path) -> None:
    """A change that would break the file leaves it as it is, and says what would be wrong."""
    with pytest.raises(ConfigError, match="would not load") as error:
        edit.update_profile(config(path), "a", {"token_url": "http://a.example/t"}, [])
    assert [problem.where for problem in error.value.problems] == ["profiles.a.token_url"]
    assert error.value.fix is not None
    with pytest.raises(ConfigError):
        edit.add_profile(config(path), "c/d", {"provider": "oauth2"})
    assert path.read_text() == TEXT


def test_an_old_problem_elsewhere_does_not_stop_a_change(path: Path) -> None:
    """A file that was broken before in another profile can still be mended step by step."""
    path.write_text(TEXT + '[profiles.bad]\nprovider = "nothing"\n')
    edit.update_profile(config(path), "a", {"client_id": "z"}, [])
    edit.remove_profile(config(path), "bad")
    assert config(path).find_problems() == ()


def test_the_mode_stays(path: Path) -> None:
    """A file that others may read can be read by them afterwards, too."""
    path.chmod(0o644)
    edit.set_default_profile(config(path), "b")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_symlink_stays_one(path: Path, tmp_path: Path) -> None:
    """Behind a link the target is written, and no other name appears beside it."""
    (tmp_path / "dots").mkdir()
    target = path.rename(tmp_path / "dots" / "tokencli.toml")
    path.symlink_to(target)
    edit.set_default_profile(config(path), "b")
    assert path.is_symlink()
    assert 'default_profile = "b"' in target.read_text()
    assert [one.name for one in target.parent.iterdir()] == ["tokencli.toml"]


def test_a_change_by_somebody_else_is_not_overwritten(path: Path) -> None:
    """Who read the file before another wrote it does not write over that."""
    old = config(path)
    edit.set_default_profile(config(path), "b")
    with pytest.raises(StorageError, match="in the meantime"):
        edit.update_profile(old, "a", {"client_id": "z"}, [])
    assert 'client_id = "x"' in path.read_text()


def test_a_folder_that_takes_nothing_is_a_storage_error(tmp_path: Path) -> None:
    """Where nothing can be written, the error says so and nothing is left."""
    (tmp_path / "file").write_text("")
    with pytest.raises((StorageError, ConfigError)):
        edit.add_profile(config(tmp_path / "file" / "config.toml"), "c", {"provider": "oauth2"})


def test_rewriting_checks_the_whole_file(path: Path) -> None:
    """What comes back from an editor is written once it has no problem at all."""
    with pytest.raises(ConfigError, match="1 problem") as error:
        edit.replace_config_text(path, TEXT, TEXT.replace("token_url", "token_ulr", 1))
    assert error.value.problems[0].line == 8
    with pytest.raises(ConfigError, match="not valid TOML"):
        edit.replace_config_text(path, TEXT, TEXT + "[")
    edit.replace_config_text(path, TEXT, TEXT + "# more\n")
    assert path.read_text().endswith("# more\n")


NAMES = st.text("ab-_.", min_size=1, max_size=3)
LEAF = st.one_of(
    st.text(max_size=6), st.integers(0, 9), st.booleans(), st.lists(st.text(max_size=3), max_size=2)
)
TABLES = st.dictionaries(
    NAMES, st.one_of(LEAF, st.dictionaries(NAMES, LEAF, max_size=2)), max_size=3
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(NAMES, TABLES, min_size=1, max_size=4), NAMES, LEAF, st.data())
def test_surgery_does_just_what_was_asked(
    tables: dict[str, dict[str, object]], key: str, value: object, data: st.DataObject
) -> None:
    """On any file of tables: putting, dropping and appending change the meaning in that one place."""
    import tomlkit

    text = tomlkit.dumps({"profiles": tables})
    name = data.draw(st.sampled_from(sorted(tables)))
    if data.draw(st.booleans()):
        text = text.replace("\n[", "\n# a comment\n[").replace("\n", "\r\n")
    put = tomllib.loads(toml_edit.set_key(text, ("profiles", name, key), value))
    assert put == {"profiles": {**tables, name: {**tables[name], key: value}}}
    dropped = tomllib.loads(toml_edit.delete_key(text, ("profiles", name)))
    rest = {other: table for other, table in tables.items() if other != name}
    assert dropped.get("profiles", {}) == rest
    appended = tomllib.loads(toml_edit.append_table(text, ("other", "x.y"), tables[name]))
    assert appended == {"profiles": tables, "other": {"x.y": tables[name]}}
