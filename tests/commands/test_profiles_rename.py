"""`tokencli profiles rename` and `copy`: nothing that is stored is lost or left behind."""

import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Run, script
from tests.fakes import FakeTerminal
from tokencli.secret_sources.keyring_client import OsKeyring

Write = Callable[[str], Path]
TEXT = """# mine
default_profile = "portal"

# the company's portal
[profiles.portal]   # main
provider = "oauth2"
token_url = "https://id.example.com/token"
client_id = "batch"
# asked for by ops
scope = "a b"
store = "file"

[profiles.portal.params]
tenant = "acme"  # ours

[profiles.jobs]
provider = "oauth2"
grant = "token_exchange"
client_auth = "none"
client_id = "jobs"
token_url = "https://id.example.com/token"
subject_token = { profile = "portal" }  # exchanged
store = "file"
"""
ITEM = ("tokencli:portal:client_secret", "https://id.example.com:443")
CANARY = "canary-client-secret-91be"


def in_sandbox(tokencli: Run, *commands: str) -> list[str]:
    """Run shell commands in a sandbox, where `t` is the program, and return what each prints."""
    lines = "\n".join(f"{command}; echo @@" for command in commands)
    done = tokencli("sandbox", "--", "sh", "-ec", f't() {{ {script()} "$@"; }}\n{lines}')
    assert done.code == 0, done.err
    return [part.strip() for part in done.out.split("@@")]


def test_rename_changes_each_name_and_nothing_else(tokencli: Run, write_config: Write) -> None:
    """The default profile and other profiles' references follow; comments and order stay."""
    path = write_config(TEXT)
    done = tokencli("profiles", "rename", "portal", "work")
    assert done.code == 0, done.err
    assert path.read_text() == TEXT.replace('"portal"', '"work"').replace(".portal", ".work")
    assert "changed subject_token of profile jobs" in done.err


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (("portal", "jobs"), "profile 'jobs' already exists"),
        (("portal", "no name"), "'no name' can't be the name of a profile"),
        (("portl", "work"), "did you mean portal?"),
    ],
)
@pytest.mark.parametrize("command", ["rename", "copy"])
def test_refused_names(
    tokencli: Run, write_config: Write, command: str, args: tuple[str, str], reason: str
) -> None:
    """A name that is taken, invalid or unknown changes nothing."""
    path = write_config(TEXT)
    done = tokencli("profiles", command, *args)
    assert done.code in (2, 3)
    assert reason in done.err
    assert path.read_text() == TEXT


def test_a_renamed_profile_has_its_tokens(tokencli: Run) -> None:
    """The access token, the refresh token and a token for other scopes go along; no file is left."""
    first, narrow, _, same, also_narrow, _, left = in_sandbox(
        tokencli,
        "t get groupid",
        "t get oauth2 --scope read",
        "t profiles rename groupid work; t profiles rename oauth2 narrow",
        "t get work",
        "t get narrow --scope read",
        "t -v refresh work 2>/dev/null || t refresh work",
        "ls $(dirname $TOKENCLI_CONFIG)/state/tokens | wc -l",
    )[:7]
    assert (first, narrow) == (same, also_narrow)
    assert left == "2"


def test_tokens_of_earlier_settings_are_named(tokencli: Run) -> None:
    """A token that no profile could use any more is deleted, and the rename says so."""
    command = f"{script()} get oauth2; {script()} profiles edit oauth2 --set params.x=1; {script()} get oauth2; {script()} profiles rename oauth2 new"
    done = tokencli("sandbox", "--", "sh", "-ec", command)
    assert done.code == 0, done.err
    assert "moved with it: 1 token\n" in done.err
    assert "deleted 1 token of earlier settings of oauth2" in done.err


def test_a_rename_waits_for_a_running_request(tokencli: Run, tmp_path: Path) -> None:
    """A token that another process is getting goes along as well."""
    command = (
        f"cd {tmp_path}; {script()} get groupid >token & sleep 1; cd {tmp_path};"
        f" {script()} profiles rename groupid work; wait; {script()} get work | cmp - token"
    )
    done = tokencli("sandbox", "--slow", "2s", "--", "sh", "-ec", command)
    assert done.code == 0, done.err
    assert "moved with it: 1 token" in done.err


def test_secrets_in_the_keyring_go_along(
    tokencli: Run, keyring_env: dict[str, str], write_config: Write
) -> None:
    """The secret is found under the new name, and the old entry is gone."""
    ring = OsKeyring(os.environ, FakeTerminal())
    write_config(TEXT)
    ring.set_item(*ITEM, CANARY)
    done = tokencli("profiles", "rename", "portal", "work")
    assert done.code == 0, done.err
    assert "moved with it: client_secret" in done.err
    assert ring.get_item(*ITEM) is None
    assert ring.get_item("tokencli:work:client_secret", ITEM[1]) == CANARY
    shown = json.loads(tokencli("profiles", "show", "work", "--json").out)
    assert shown["secrets"]["client_secret"]["present"] is True


def test_a_failed_rename_leaves_everything(
    tokencli: Run, keyring_env: dict[str, str], write_config: Write
) -> None:
    """If the file can't be written, the secret stays under the old name only."""
    ring = OsKeyring(os.environ, FakeTerminal())
    path = write_config(TEXT)
    ring.set_item(*ITEM, CANARY)
    path.write_text(TEXT + "[profiles.work.x]\n")
    done = tokencli("profiles", "rename", "portal", "work")
    assert done.code != 0
    assert ring.get_item(*ITEM) == CANARY
    assert ring.get_item("tokencli:work:client_secret", ITEM[1]) is None


def test_an_unreadable_keyring_stops_a_rename(
    tokencli: Run, locked_keyring_env: dict[str, str], write_config: Write
) -> None:
    """What can't be moved isn't orphaned: the profile keeps its name."""
    path = write_config(TEXT)
    done = tokencli("profiles", "rename", "portal", "work")
    assert done.code != 0
    assert path.read_text() == TEXT


def test_copy_with_other_values(tokencli: Run, write_config: Write) -> None:
    """The copy has the comments inside the profile and the given values; the original stays."""
    path = write_config(TEXT)
    done = tokencli("profiles", "copy", "portal", "test", "--client-id", "t", "--unset", "scope",
                    "--set", "params.region=eu")  # fmt: skip
    assert done.code == 0, done.err
    text = path.read_text()
    assert text.startswith(TEXT)
    copied = tomllib.loads(text)["profiles"]["test"]
    original = tomllib.loads(TEXT)["profiles"]["portal"]
    del original["scope"]
    assert copied == original | {"client_id": "t", "params": {"tenant": "acme", "region": "eu"}}
    assert text.count("# ours") == 2
    assert "next: tokencli login test" in done.err


def test_a_copy_names_the_original_if_a_key_is_not_set(tokencli: Run, write_config: Write) -> None:
    """The copy doesn't exist yet, so no command with its name would help."""
    path = write_config(TEXT)
    for key, hint in (("scop", "; did you mean scope?"), ("nothing.like", "")):
        done = tokencli("profiles", "copy", "portal", "test", "--unset", key)
        assert f"profile 'portal' doesn't set {key}{hint}\n" in done.err
        assert done.err.endswith("fix: tokencli profiles show portal\n")
    assert path.read_text() == TEXT


def test_copying_secrets(tokencli: Run, keyring_env: dict[str, str], write_config: Write) -> None:
    """With --secrets they are copied, unless the copy names another server; then login asks for them."""
    ring = OsKeyring(os.environ, FakeTerminal())
    write_config(TEXT)
    ring.set_item(*ITEM, CANARY)
    other = ["--token-url", "https://other.example.com/token", "--secrets"]
    for name, options, needs_login in (
        ("plain", [], True),
        ("same", ["--secrets"], False),
        ("other", other, True),
    ):
        done = tokencli("profiles", "copy", "portal", name, *options)
        assert done.code == 0, done.err
        assert (f"next: tokencli login {name}\n" in done.err) is needs_login
    stored = {
        name: bool(ring.find_first_item(f"tokencli:{name}:client_secret"))
        for name in ("portal", "plain", "same", "other")
    }
    assert stored == {"portal": True, "plain": False, "same": True, "other": False}
