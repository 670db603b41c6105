"""`tokencli profiles` with real processes, real files and a real terminal."""

import json
import os
import pty
import select
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Run, script
from tests.fakes import FakeTerminal
from tests.fast_path_world import records_root, world
from tokencli.app import App
from tokencli.secret_sources.keyring_client import OsKeyring
from tokencli.token_store.locked_store import profile_file_prefix

TEXT = """# mine
default_profile = "corp"

[profiles.corp]
provider = "oauth2"
token_url = "https://login.example.com/oauth2/token"
client_id = "batch"
client_secret = { env = "CORP_SECRET" }
store = "none"

[profiles.social]      # the team's
provider = "socialid"
client_id = "138"
email_address = "john_doe@domain.com"
password = { prompt = true }
store = "file"
"""
GROUPID = (
    "--provider",
    "groupid",
    "--host",
    "demomachine",
    "--client-id",
    "c",
    "--username",
    "jdoe",
)
Write = Callable[[str], Path]


def at_a_terminal(
    *args: str, answers: list[str], env: dict[str, str] | None = None
) -> tuple[int, str]:
    """Run the program in a new terminal without a line editor, and type each answer when its question is shown."""
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [script(), *args],
        env={**os.environ, "TERM": "dumb", **(env or {})},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen, waiting, limit = "", list(answers), time.monotonic() + 60
    while time.monotonic() < limit:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            data = os.read(terminal, 4096)
        except OSError:  # the other side is gone
            break
        seen += data.decode()
        if waiting and seen.rstrip(" ").endswith((":", "[y/N]", "[Y/n]")):
            os.write(terminal, f"{waiting.pop(0)}\n".encode())
    os.close(terminal)
    return process.wait(60), seen


def test_list(tokencli: Run, write_config: Write) -> None:
    """Name, provider, endpoint, grant, secret sources and token expiry, aligned."""
    write_config(TEXT)
    done = tokencli("profiles")
    assert done.code == 0
    heads, corp, social = done.out.splitlines()
    assert heads.split() == ["NAME", "PROVIDER", "ENDPOINT", "GRANT", "SECRETS", "TOKEN"]
    assert corp.split() == [
        "corp",
        "(default)",
        "oauth2",
        "login.example.com",
        "client_credentials",
        "env",
        "none",
    ]
    assert social.split()[:4] == ["social", "socialid", "api.socialidnow.com", "password"]


def test_list_does_not_warn_about_the_store(tokencli: Run, write_config: Write) -> None:
    """That tokens are not stored is only a warning when one is obtained."""
    write_config(TEXT.replace('store = "file"\n', ""))
    done = tokencli("profiles")
    assert (done.code, done.err) == (0, "")
    assert "none" in done.out.splitlines()[-1]


def test_list_as_json(tokencli: Run, write_config: Write) -> None:
    """--json is one object with stable keys."""
    write_config(TEXT)
    found = json.loads(tokencli("profiles", "--json").out)
    assert found["default_profile"] == "corp"
    corp, social = found["profiles"]
    assert corp["name"] == "corp" and corp["default"] is True
    assert corp["secrets"] == {"client_secret": {"kind": "env", "place": "env CORP_SECRET"}}
    assert corp["token"] == {
        "state": "none", "expires_at": None, "expires_at_epoch": None, "remaining_s": None, "clock_skew_s": None, "why": None,
    }  # fmt: skip
    assert social["endpoint"] == "api.socialidnow.com"


def test_list_includes_invalid_profiles(tokencli: Run, write_config: Write) -> None:
    """The whole list is printed, then every problem with its line; the exit code is 3."""
    write_config(TEXT.replace("client_id", "client_Id", 1))
    done = tokencli("profiles")
    assert done.code == 3
    assert "1 problem" in done.out and "socialid" in done.out
    assert "line 7: profiles.corp.client_Id" in done.err
    assert "did you mean client_id?" in done.err


def test_show_values_origins_and_secrets(tokencli: Run, write_config: Write) -> None:
    """Every setting with its line; for a secret its source and whether it is there, but not its value."""
    write_config(TEXT)
    done = tokencli("profiles", "show", env={"CORP_SECRET": "canary-client-secret-91be"})
    assert done.code == 0
    rows = [line.split() for line in done.out.splitlines()]
    assert ["token_url", "https://login.example.com/oauth2/token", "config.toml:6"] in rows
    assert ["client_secret", "env", "CORP_SECRET", "yes"] in rows
    assert "canary" not in done.out + done.err
    missing = json.loads(tokencli("profiles", "show", "corp", "--json").out)
    assert missing["secrets"]["client_secret"]["present"] is False


def test_add_with_options(tokencli: Run, tmp_path: Path) -> None:
    """A first profile is written without questions, and stderr says what to type next."""
    done = tokencli("profiles", "add", "g", *GROUPID, "--identity-store-id", "1", "--no-input",
                    "--password-env", "PW", "--set", "timeout=5s")  # fmt: skip
    assert (done.code, done.out) == (0, "")
    assert "next: tokencli login g" in done.err
    path = tmp_path / "home/.config/tokencli/config.toml"
    assert tomllib.loads(path.read_text()) == {
        "default_profile": "g",
        "profiles": {
            "g": {
                "provider": "groupid", "host": "demomachine", "client_id": "c", "username": "jdoe",
                "identity_store_id": "1", "timeout": "5s", "password": {"env": "PW"},
            }
        },
    }  # fmt: skip


def test_add_lists_all_missing_settings(tokencli: Run) -> None:
    """One error names the options that set them; exit code 2."""
    done = tokencli("profiles", "add", "g", "--provider", "groupid", "--no-input")
    assert (done.code, done.out) == (2, "")
    for option in ("--host", "--client-id", "--username", "--identity-store-id"):
        assert option in done.err
    assert tokencli("profiles", "add", "g", "--no-input").code == 2
    assert "did you mean" not in tokencli("profiles", "add", "g", "--provider", "groupid").out


def test_add_rejects_secrets_on_the_command_line(tokencli: Run) -> None:
    """No option has a secret as its value, and --set rejects one without repeating it."""
    done = tokencli("profiles", "add", "g", *GROUPID, "--set", "password=canary-password-7f3a")
    assert done.code == 2
    assert "tokencli login" in done.err
    assert "canary" not in done.err


@pytest.mark.promise("profiles add, edit and remove; login and logout", "Linux")
def test_use_edit_and_remove_keep_other_lines(tokencli: Run, write_config: Write) -> None:
    """Each command changes only its lines; comments and order stay."""
    path = write_config(TEXT)
    assert tokencli("profiles", "use", "social").code == 0
    assert path.read_text() == TEXT.replace('"corp"\n', '"social"\n', 1)
    assert tokencli("profiles", "edit", "corp", "--set", "scope=a b", "--unset", "store").code == 0
    changed = 'client_secret = { env = "CORP_SECRET" }\nscope = "a b"\n'
    assert changed in path.read_text()
    assert "# the team's" in path.read_text()
    removed = tokencli("profiles", "remove", "social", "--yes")
    assert removed.code == 0, removed.err
    assert tomllib.loads(path.read_text()).keys() == {"profiles"}
    assert path.read_text().startswith("# mine\n")
    assert "keyring" not in removed.err  # there is none here


@pytest.mark.parametrize("command", [("edit", "g"), ("copy", "g", "h")])
def test_the_options_mean_what_they_mean_for_add(
    tokencli: Run,
    write_config: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    """A URL is taken apart, a provider is found by a part of its title, a CA file in the working directory."""
    path = write_config(
        '[profiles.g]\nprovider = "groupid"\nhost = "old.example"\nusername = "u"\n'
        'client_id = "c"\nidentity_store_id = "1"\n'
    )
    here = tmp_path / "here"
    here.mkdir()
    (here / "ca.pem").write_text("")
    monkeypatch.chdir(here)
    url = "https://demomachine:4443/GroupIDSecurityService/"
    done = tokencli("profiles", *command, "--provider", "GROUPID", "--host", url,
                    "--ca-file", "ca.pem", "--unset", "username", "--unset", "username",
                    "--username", "v")  # fmt: skip
    assert done.code == 0, done.err
    changed = tomllib.loads(path.read_text())["profiles"][command[-1]]
    assert (changed["provider"], changed["host"]) == ("groupid", "demomachine:4443")
    assert (changed["ca_file"], changed["username"]) == (str(here / "ca.pem"), "v")
    (tmp_path / "beside.pem").write_text("")
    assert tokencli("profiles", "edit", "g", "--ca-file", "beside.pem").code == 0
    assert tomllib.loads(path.read_text())["profiles"]["g"]["ca_file"] == "beside.pem"


def test_edit_has_the_options_of_add(tokencli: Run, write_config: Write) -> None:
    """Whatever `add` can set, `edit` can change by the same option."""
    added, edited = (tokencli("profiles", command, "--help").out for command in ("add", "edit"))
    options = {word.strip(",") for word in added.split() if word.startswith("--")}
    options -= {"--from", "--yes"}  # set nothing themselves
    assert options <= set(edited.split()), options - set(edited.split())
    path = write_config(TEXT)
    changes = ["--provider", "oauth2", "--client-id", "new", "--client-secret-env", "NEW_SECRET",
               "--scope", "a b", "--store", "file", "--set", "params.tenant=acme"]  # fmt: skip
    result = tokencli("profiles", "edit", "corp", *changes)
    assert result.code == 0, result.err
    profile = tomllib.loads(path.read_text())["profiles"]["corp"]
    assert profile == {
        "provider": "oauth2",
        "token_url": "https://login.example.com/oauth2/token",
        "client_id": "new",
        "client_secret": {"env": "NEW_SECRET"},
        "store": "file",
        "scope": "a b",
        "params": {"tenant": "acme"},
    }


def test_short_names_of_subcommands(tokencli: Run, write_config: Write) -> None:
    """`list`, `ls` and `rm` do what the commands with the usual names do."""
    path = write_config(TEXT)
    listed = tokencli("profiles").out
    assert tokencli("profiles", "list").out == tokencli("profiles", "ls").out == listed
    assert tokencli("providers", "ls").out == tokencli("providers", "list").out
    assert tokencli("profiles", "rm", "corp", "--yes").code == 0
    assert "corp" not in path.read_text()


def test_remove_needs_confirmation(tokencli: Run, write_config: Write) -> None:
    """Without a terminal --yes is required; in one, no is the default."""
    path = write_config(TEXT)
    assert tokencli("profiles", "remove", "corp").code == 2
    code, _ = at_a_terminal("profiles", "remove", "corp", answers=[""])
    assert code == 0
    assert path.read_text() == TEXT
    code, seen = at_a_terminal("profiles", "remove", "corp", answers=["y"])
    assert code == 0, seen
    assert "corp" not in path.read_text()


def test_remove_an_invalid_profile(tokencli: Run, write_config: Write, tmp_path: Path) -> None:
    """It is removed with its tokens; its secrets are unknown."""
    state = tmp_path / "state"
    text = f'state_dir = "{state}"\n' + TEXT.replace("oauth2", "oauth3")
    kept = state / "tokens" / f"{profile_file_prefix('corp')}{'ab' * 32}.json"
    for folder in (state, kept.parent):
        folder.mkdir(mode=0o700)
    kept.write_text("{}")
    path = write_config(text)
    refused = tokencli("profiles", "remove", "corp", "--yes", "--secrets")
    assert (refused.code, path.read_text()) == (3, text)
    done = tokencli("profiles", "remove", "corp", "--yes")
    assert done.code == 0, done.err
    assert f"removed profile corp from {path}\n" in done.err
    assert "deleted 1 token\n" in done.err
    assert "keyring" not in done.err
    assert not kept.exists()
    assert "corp" not in path.read_text()


def test_remove_an_invalid_name(tokencli: Run, write_config: Write, tmp_path: Path) -> None:
    """The profile is removed, and its name is not used as a path."""
    path = write_config(TEXT + '[profiles."../../../precious"]\nprovider = "oauth2"\n')
    done = tokencli("profiles", "remove", "../../../precious", "--yes")
    assert done.code == 0, done.err
    assert path.read_text() == TEXT


def test_remove_with_an_unknown_keyring_content(
    tokencli: Run, locked_keyring_env: dict[str, str], write_config: Write
) -> None:
    """If the keyring doesn't answer or the profile is invalid, the note says that it may hold secrets."""
    way = "to delete it: secret-tool clear service tokencli:social:client_secret\n"
    write_config(TEXT)
    locked = tokencli("profiles", "remove", "social", "--yes")
    assert f"the OS keyring may still hold its client_secret; {way}" in locked.err
    write_config(TEXT.replace("oauth2", "oauth3"))
    broken = tokencli("profiles", "remove", "corp", "--yes")
    assert (
        "the OS keyring may still hold its secrets; to delete one: secret-tool clear" in broken.err
    )


def test_remove_asks_about_secrets(
    tokencli: Run, keyring_env: dict[str, str], write_config: Write
) -> None:
    """It asks in a terminal; --yes keeps them and says how to delete them; --secrets deletes them."""
    ring = OsKeyring(os.environ, FakeTerminal())
    item = ("tokencli:social:client_secret", "https://api.socialidnow.com:443")
    way = f"secret-tool clear service {item[0]}\n"
    path = write_config(TEXT)
    for answers, flags, stays in (
        (["y", "n"], (), True), (["y", "y"], (), False), (None, ("--yes",), True),
        (None, ("--yes", "--secrets"), False),
    ):  # fmt: skip
        path.write_text(TEXT)
        ring.set_item(*item, "canary-client-secret-91be")
        if answers is None:
            done = tokencli("profiles", "remove", "social", *flags)
            code, seen = done.code, done.err
        else:
            code, seen = at_a_terminal("profiles", "remove", "social", answers=answers)
            assert "Also delete its secrets from the OS keyring (client_secret)? [y/N]" in seen
            seen = seen.replace("\r\n", "\n")
        assert code == 0, seen
        assert (ring.get_item(*item) is not None) == stays == (way in seen)
        assert "hold its password" not in seen
        assert ("still holds its client_secret" in seen) == stays
        assert f"removed profile social from {path}\n" in seen


def test_remove_without_stored_secrets(
    tokencli: Run, keyring_env: dict[str, str], write_config: Write
) -> None:
    """If the keyring holds nothing of the profile, nothing is said about it."""
    write_config(TEXT)
    assert "OS keyring" not in tokencli("profiles", "remove", "social", "--yes").err


OF_RACE = (
    "--provider",
    "oauth2",
    "--no-input",
    "--token-url",
    "https://a.example/t",
    "--client-id",
    "b",
)


@pytest.mark.parametrize("there", [True, False])
def test_concurrent_changes_are_all_kept(write_config: Write, tmp_path: Path, there: bool) -> None:
    """Every change that was reported as written is in the file, also behind a symbolic link and for a
    new file."""
    path = write_config(TEXT if there else "")
    target = path.rename(tmp_path / "target.toml")
    path.symlink_to(target)
    if not there:
        target.unlink()
    commands = [["add", f"p{number}", *OF_RACE] for number in range(6)]
    if there:
        commands += [["edit", "corp", "--set", "scope=s"], ["remove", "social", "--yes"]]
    running = [
        subprocess.Popen([script(), "profiles", *command], stderr=subprocess.PIPE, text=True)
        for command in commands
    ]
    for process in running:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    written = tomllib.loads(path.read_text())["profiles"]
    assert set(written) == {f"p{number}" for number in range(6)} | ({"corp"} if there else set())
    assert not there or written["corp"]["scope"] == "s"
    assert path.is_symlink()
    assert not [one.name for one in tmp_path.iterdir() if one.name.startswith(".")]


def test_concurrent_adds_of_the_same_name(write_config: Write) -> None:
    """One process adds the profile, the others are told that it exists."""
    path = write_config(TEXT)
    running = [
        subprocess.Popen([script(), "profiles", "add", "p", *OF_RACE], stderr=subprocess.DEVNULL)
        for _ in range(4)
    ]
    assert sorted(process.wait(60) for process in running) == [0, 2, 2, 2]
    assert path.read_text().count("[profiles.p]") == 1


def test_open_editor_does_not_lock_the_file(write_config: Write, tmp_path: Path) -> None:
    """Others can change the file meanwhile, and saving in the editor does not undo that."""
    path = write_config(TEXT)
    others = f"__import__('os').system({script() + ' profiles use social'!r})"
    program = f"text + '# mine' * ({others} == 0)"
    code, seen = at_a_terminal(
        "profiles", "edit", answers=[], env={"EDITOR": editor(tmp_path, program), "VISUAL": ""}
    )
    assert code == 8, seen
    assert "in the meantime" in seen
    assert path.read_text() == TEXT.replace('"corp"\n', '"social"\n', 1)


def test_remove_deletes_fast_path_records() -> None:
    """Records of the profile in the runtime directory are deleted, under whatever path its
    configuration was given."""
    with world() as place:
        place.make()
        link = place.root / "link.toml"
        link.symlink_to(place.config)
        app = App(environ={**place.environ, "TOKENCLI_CONFIG": str(link)})
        app.list_profile_names()
        app.get_profile("p")
        kept = records_root(place.run)
        assert sum(one.name == ".profile.p" for one in kept.rglob("*")) == 2
        done = subprocess.run(
            [script(), "profiles", "remove", "p", "--yes"],
            env=place.environ, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert not [one for one in kept.rglob("*") if one.is_file()]


def editor(tmp_path: Path, program: str) -> str:
    """Write an editor that applies a line of Python to `text`, and return its command."""
    path = tmp_path / "editor.py"
    path.write_text(
        "import sys, pathlib\n"
        "path = pathlib.Path(sys.argv[1]); text = path.read_text()\n"
        f"path.write_text({program})\n"
    )
    return f"{sys.executable} {path}"


def test_edit_in_an_editor_until_valid(write_config: Write, tmp_path: Path) -> None:
    """The result is validated; a mistake is shown with its line, and editing continues."""
    path = write_config(TEXT)
    slip = "text.replace('scpe', 'scope') if 'scpe' in text else text.replace('store = \"none\"', 'scpe = \"a\"')"
    code, seen = at_a_terminal(
        "profiles", "edit", answers=["y"], env={"EDITOR": editor(tmp_path, slip), "VISUAL": ""}
    )
    assert code == 0, seen
    assert "line 9: profiles.corp.scpe" in seen
    assert path.read_text() == TEXT.replace('store = "none"', 'scope = "a"')


def test_edit_opens_invalid_toml(write_config: Write, tmp_path: Path) -> None:
    """The editor opens even a file that can't be parsed."""
    path = write_config("[\n" + TEXT)
    code, seen = at_a_terminal(
        "profiles", "edit", answers=[], env={"VISUAL": editor(tmp_path, "text[2:]")}
    )
    assert code == 0, seen
    assert path.read_text() == TEXT


def test_test_does_not_print_the_token(tokencli: Run) -> None:
    """Every profile of the sandbox passes, and stdout holds no token."""
    for profile in ("groupid", "screening-eagle", "socialid", "oauth2"):
        done = tokencli("sandbox", "--", script(), "profiles", "test", profile)
        assert done.code == 0, done.err
        assert done.out.startswith(f"{profile}: test succeeded")
        assert max(map(len, done.out.split())) < 40


def test_list_shows_the_expiry_of_a_token(tokencli: Run) -> None:
    """After `get` the list shows how long the token is valid, in words and as JSON."""
    command = f"{script()} get >&2 && {script()} profiles && {script()} profiles --json"
    done = tokencli("sandbox", "--", "sh", "-c", command)
    assert done.code == 0, done.err
    *table, listed = done.out.splitlines()
    assert "expires in 19 minutes" in table[1] or "expires in 20 minutes" in table[1]
    token = json.loads(listed)["profiles"][0]["token"]
    assert token["state"] == "fresh"
    assert 0 < token["remaining_s"] <= 1200
    assert token["expires_at"].endswith("Z")


def test_schema_is_json(tokencli: Run) -> None:
    """`profiles schema` prints one JSON document and nothing else."""
    done = tokencli("profiles", "schema")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["$defs"]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("profiles", "show", "nobody"), 3),
        (("profiles", "use", "nobody"), 3),
        (("profiles", "remove", "nobody", "--yes"), 3),
        (("profiles", "edit", "corp", "--set", "nothing=1"), 2),
        (("profiles", "edit", "corp", "--unset", "scope"), 2),
        (("profiles", "edit", "corp"), 2),
        (("profiles", "add", "corp", "--provider", "oauth2"), 2),
        (("profiles", "add", "x", "--provider", "oauth3"), 3),
        (("profiles", "--json", "show"), 2),
        (("profiles", "nothing"), 2),
        (("profiles", "test", "corp"), 4),
    ],
)
def test_exit_codes_of_failures(
    tokencli: Run, write_config: Write, args: tuple[str, ...], code: int
) -> None:
    """Each failure is one or two lines on stderr with its code; stdout stays empty, the file as it was."""
    path = write_config(TEXT)
    done = tokencli(*args)
    assert (done.code, done.out) == (code, ""), done.err
    assert "Traceback" not in done.err
    assert 1 <= len(done.err.splitlines()) <= 3
    assert path.read_text() == TEXT


@pytest.mark.long
def test_list_ten_thousand_profiles(tokencli: Run, write_config: Write) -> None:
    """The list is complete, although no keyring answers."""
    entry = '[profiles.p{0}]\nprovider = "oauth2"\ntoken_url = "https://h.example/{0}"\nclient_id = "x"\n'
    write_config("".join(entry.format(number) for number in range(10_000)))
    done = tokencli("profiles", "--json")
    assert done.code == 0
    assert len(json.loads(done.out)["profiles"]) == 10_000
    assert len(done.err.splitlines()) <= 2
