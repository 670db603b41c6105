"""Editing the configuration: only the requested change is written, every other byte stays."""

import errno
import os
import stat
import tomllib
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.platforms.fakes import EVERYONE, READ, FakeWindows
from tokencli import platforms
from tokencli.config import edit, toml_edit
from tokencli.config.config_lock import hold_config_lock
from tokencli.config.load import Config, load_config
from tokencli.errors import ConfigError, StorageError, UsageError
from tokencli.platforms.windows import Windows
from tokencli.system import private_files

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


def test_setting_a_value_changes_only_its_line(path: Path) -> None:
    """The trailing comment and everything else stay."""
    edit.update_profile(config(path), "a", {"provider": "oauth2", "client_id": "z"}, [])
    assert path.read_text() == TEXT.replace('client_id = "x"', 'client_id = "z"')


def test_new_key_goes_after_the_last_key_of_its_table(path: Path) -> None:
    """And before comments that belong to the next table."""
    edit.update_profile(config(path), "b", {"scope": "read write"}, [])
    assert path.read_text() == TEXT.replace(
        'client_id = "y"\n', 'client_id = "y"\nscope = "read write"\n'
    )


def test_removing_a_key(path: Path) -> None:
    """A key is removed with its line, a table of its own as a whole."""
    edit.update_profile(config(path), "b", {}, ["client_secret"])
    expected = TEXT.replace('[profiles.b.client_secret]\nenv = "B_SECRET"   # from CI\n\n', "")
    assert path.read_text() == expected
    with pytest.raises(UsageError, match="doesn't set"):
        edit.update_profile(config(path), "b", {}, ["client_secret"])


def test_replacing_a_table(path: Path) -> None:
    """A secret reference written as a table is replaced by the new one."""
    edit.update_profile(config(path), "b", {"client_secret": {"file": "s"}}, [])
    assert tomllib.loads(path.read_text())["profiles"]["b"]["client_secret"] == {"file": "s"}
    assert "# Bob's\n[profiles.b]" in path.read_text()


def test_dotted_keys_reach_into_params(path: Path) -> None:
    """However params is written, its other keys stay."""
    edit.update_profile(config(path), "a", {"params.region": "eu"}, [])
    assert tomllib.loads(path.read_text())["profiles"]["a"]["params"] == {
        "tenant": "acme",
        "region": "eu",
    }
    edit.update_profile(config(path), "a", {}, ["params.tenant"])
    assert tomllib.loads(path.read_text())["profiles"]["a"]["params"] == {"region": "eu"}


def test_removing_the_only_key_of_a_source_removes_the_source(path: Path) -> None:
    """A secret whose source is empty would be invalid. An empty table of parameters is not."""
    edit.update_profile(config(path), "b", {}, ["client_secret.env"])
    assert "client_secret" not in tomllib.loads(path.read_text())["profiles"]["b"]
    edit.update_profile(config(path), "a", {}, ["params.tenant"])
    assert not tomllib.loads(path.read_text())["profiles"]["a"]["params"]


def test_removing_a_missing_key_suggests_the_nearest(path: Path) -> None:
    """The fix names a key that the profile has, also inside a table."""
    for key, likely in (("params.tennant", "params.tenant"), ("client-id", "client_id")):
        with pytest.raises(UsageError, match="doesn't set") as error:
            edit.update_profile(config(path), "a", {}, [key])
        assert error.value.fix == f"tokencli profiles edit a --unset {likely}"


def test_a_token_of_an_unknown_profile_is_refused(path: Path) -> None:
    """A reference to another profile must name one; the message has the nearest name."""
    text = TEXT.replace("profiles.b", "profiles.portal")
    path.write_text(text)
    keys = {"grant": "token_exchange", "subject_token": {"profile": "portl"}}
    with pytest.raises(ConfigError, match="did you mean portal"):
        edit.update_profile(config(path), "a", keys, [])
    assert path.read_text() == text


def test_removing_a_profile_keeps_other_comments(path: Path) -> None:
    """A profile is removed with its content; the comment above the next one stays."""
    edit.remove_profile(config(path), "a")
    assert (
        path.read_text()
        == TEXT[: TEXT.index("default_profile")] + "# at work\n\n" + TEXT[TEXT.index("# Bob's") :]
    )
    edit.remove_profile(config(path), "b")
    assert tomllib.loads(path.read_text()) == {}
    assert "# the rest" in path.read_text()


def test_adding_a_profile_appends(path: Path) -> None:
    """The old text is a prefix of the new one."""
    edit.add_profile(config(path), "c", {"provider": "socialid", "client_id": "1", "username": "j"})
    assert path.read_text().startswith(TEXT)
    assert config(path).get_profile("c").values["username"] == "j"
    with pytest.raises(UsageError, match="already exists"):
        edit.add_profile(config(path), "c", {"provider": "socialid"})


def test_first_profile_creates_file_directory_and_default(tmp_path: Path) -> None:
    """Directory 0700, file 0600, and the first profile is the default."""
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
def test_adding_and_selecting_in_any_layout(tmp_path: Path, text: str) -> None:
    """However the file is written, its text stays and only that changes."""
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


def test_setting_the_default_profile(path: Path) -> None:
    """Only the name changes."""
    edit.set_default_profile(config(path), "b")
    assert path.read_text() == TEXT.replace('default_profile = "a"', 'default_profile = "b"')


def test_change_that_would_not_load_is_not_written(path: Path) -> None:
    """The file stays as it is, and the error lists the problems."""
    with pytest.raises(ConfigError, match="would be invalid") as error:
        edit.update_profile(config(path), "a", {"token_url": "http://a.example/t"}, [])
    assert [problem.where for problem in error.value.problems] == ["profiles.a.token_url"]
    assert all(problem.right for problem in error.value.problems)
    with pytest.raises(ConfigError):
        edit.add_profile(config(path), "c/d", {"provider": "oauth2"})
    assert path.read_text() == TEXT


def test_missing_ca_file_is_not_written(path: Path) -> None:
    """A profile that names it would fail at once; a relative path is relative to the file."""
    with pytest.raises(ConfigError, match=r"/nowhere/ca\.pem does not exist") as error:
        edit.update_profile(config(path), "a", {"ca_file": "/nowhere/ca.pem"}, [])
    assert error.value.fix == "ls -l /nowhere/ca.pem"
    keys = {"provider": "oauth2", "token_url": "https://x.example/t", "client_id": "c"}
    with pytest.raises(ConfigError, match="does not exist"):
        edit.add_profile(config(path), "n", {**keys, "ca_file": "ca.pem"})
    assert path.read_text() == TEXT
    (path.parent / "ca.pem").touch()
    edit.update_profile(config(path), "a", {"ca_file": "ca.pem"}, [])
    assert 'ca_file = "ca.pem"' in path.read_text()


def test_existing_problem_does_not_prevent_a_change(path: Path) -> None:
    """A file with a problem in another profile can be fixed step by step."""
    path.write_text(TEXT + '[profiles.bad]\nprovider = "nothing"\n')
    edit.update_profile(config(path), "a", {"client_id": "z"}, [])
    edit.remove_profile(config(path), "bad")
    assert config(path).find_problems() == ()


def test_mode_is_kept(path: Path) -> None:
    """A file that others may read stays readable for them."""
    path.chmod(0o644)
    edit.set_default_profile(config(path), "b")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_private_file_stays_private_on_windows(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There a new file would get the directory's access list; modes say nothing."""
    fake = FakeWindows()
    monkeypatch.setattr(platforms, "PLATFORM", Windows(fake))
    edit.set_default_profile(config(path), "b")
    fake.grant(path, (EVERYONE, READ))
    edit.set_default_profile(config(path), "a")
    drafts = [each for name, each in fake.created.items() if ".draft" in name]
    assert [each is not None for each in drafts] == [True, False]


def test_symlink_is_kept(path: Path, tmp_path: Path) -> None:
    """The target is replaced, and no other file appears next to it."""
    (tmp_path / "dots").mkdir()
    target = path.rename(tmp_path / "dots" / "tokencli.toml")
    path.symlink_to(target)
    edit.set_default_profile(config(path), "b")
    assert path.is_symlink()
    assert 'default_profile = "b"' in target.read_text()
    assert [one.name for one in target.parent.iterdir()] == ["tokencli.toml"]


def test_concurrent_change_is_not_overwritten(path: Path) -> None:
    """A change since the file was read is detected."""
    old = config(path)
    edit.set_default_profile(config(path), "b")
    with pytest.raises(StorageError, match="in the meantime"):
        edit.update_profile(old, "a", {"client_id": "z"}, [])
    assert 'client_id = "x"' in path.read_text()


def test_unwritable_directory_is_an_error(tmp_path: Path) -> None:
    """The error says so, and nothing is left behind."""
    (tmp_path / "file").write_text("")
    with pytest.raises((StorageError, ConfigError)):
        edit.add_profile(config(tmp_path / "file" / "config.toml"), "c", {"provider": "oauth2"})


def test_replacing_the_text_validates_the_whole_file(path: Path) -> None:
    """Text from an editor is written only without any problem."""
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
def test_edits_change_only_what_was_asked(
    tables: dict[str, dict[str, object]], key: str, value: object, data: st.DataObject
) -> None:
    """In any file of tables, setting, deleting and appending change the data in that place only."""
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


@pytest.mark.parametrize(
    "text",
    [
        "[profiles.a]\nx = 1 # c\n[profiles.a.params]\ny = 2\n",
        '  [ profiles . "a" ]  # c ]\nx = 1\n[profiles.ab]\nx = 1\n',
        'profiles.a.x = 1\nprofiles."a".params.y = 2 # c\n[other]\na = 1\n',
        "[profiles]\na.x = 1\n  a . params = { y = 2 }  # c\nb.a = 1\n",
        "[profiles]\na = { x = 1, params = { a = 2 } } # c\nb = { a = 1 }\n",
        "profiles = { z = { a = 1 }, a = { x = 1 }, b = { a = 1 } } # c\n",
        '[profiles.a]\nx = """\n[profiles.a]\n"""\n[[profiles.a.list]]\ny = 1\n[[profiles.a.list]]\n',
    ],
)
@pytest.mark.parametrize("name", ["new", "n.w"])
def test_renaming_a_table_in_any_spelling(text: str, name: str) -> None:
    """Headers, dotted keys and inline tables are renamed at their place, and comments stay."""
    before = tomllib.loads(text)["profiles"]
    renamed = toml_edit.rename_key(text, ("profiles", "a"), name)
    after = tomllib.loads(renamed)["profiles"]
    assert after == {name if key == "a" else key: value for key, value in before.items()}
    assert list(after) == [name if key == "a" else key for key in before]
    assert renamed.count("# c") == text.count("# c")
    assert renamed.count("\n") == text.count("\n")


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_copying_a_profile_copies_its_comments(path: Path, ending: str) -> None:
    """The copy is at the end, in the file's line endings, and the rest is unchanged."""
    text = TEXT.replace("\n", ending)
    path.write_bytes(text.encode())
    edit.copy_profile(config(path), "b", "c", {"scope": "read"}, [])
    written = path.read_bytes().decode()
    assert written.startswith(text)
    assert written[len(text) :] == (
        '\n[profiles.c]\nprovider = "oauth2"\ntoken_url = "https://b.example/t"\n'
        'client_id = "y"\nscope = "read"\n'
        '\n[profiles.c.client_secret]\nenv = "B_SECRET"   # from CI\n'
    ).replace("\n", ending)


def test_a_profile_without_keys_can_be_changed_and_copied(path: Path) -> None:
    """Its table is empty, but there."""
    path.write_text("[profiles.x]\n")
    keys = {"provider": "oauth2", "token_url": "https://x.example/t", "client_id": "c"}
    edit.copy_profile(config(path), "x", "y", keys, [])
    edit.update_profile(config(path), "x", keys, [])
    assert tomllib.loads(path.read_text())["profiles"] == {"x": keys, "y": keys}


def test_read_only_file_system(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cause is about the configuration, also if the lock can't be created, and not about a store."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    loaded = config(path)
    with monkeypatch.context() as patch:
        patch.setattr(private_files, "_reserve_space", refuse)
        with pytest.raises(StorageError, match="read-only") as caught:
            edit.set_default_profile(loaded, "b")
        assert "TOKENCLI_CONFIG" in str(caught.value.cause)
    assert path.read_text() == TEXT
    monkeypatch.setattr(os, "mkdir", refuse)
    root = path.parent / "state"
    with (
        pytest.raises(StorageError, match="read-only") as caught,
        hold_config_lock(lambda *_, **__: nullcontext(), root),
    ):
        pass
    assert "XDG_STATE_HOME" in str(caught.value.cause)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: edit.update_profile(config, "x", {"scope": "a"}, []),
        lambda config: edit.copy_profile(config, "x", "y", {}, []),
        lambda config: edit.stage_rename(config, "x", "y"),
    ],
    ids=["edit", "copy", "rename"],
)
def test_a_profile_that_is_no_table_is_named_as_the_problem(
    path: Path, change: Callable[[Config], object]
) -> None:
    """A value in a profile's place has no keys to change; the error has its line."""
    path.write_text("[profiles]\nx = 5\n")
    with pytest.raises(ConfigError) as caught:
        change(Config(path, path.read_text(), {}))
    assert [problem.line for problem in caught.value.problems] == [2]
