"""`tokencli inspect diff` and `--watch` as processes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.unit.jwt.samples import token
from tokencli.sandbox.server import Sandbox

NOW = 1_800_000_000
CANARY = "canary-9d2e"


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox and use its configuration."""
    with Sandbox() as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        yield running


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Write two tokens, and return the paths."""
    one = token({"iss": "me", "iat": NOW, "exp": NOW + 3600, "roles": ["a", "b"], "scope": "r w"})
    two = token({"iss": "me", "iat": NOW, "exp": NOW + 300, "roles": ["b", "c"], "scope": "w r"})
    for name, text in (("one", one), ("two", two)):
        (tmp_path / name).write_text(text)
    return str(tmp_path / "one"), str(tmp_path / "two")


def test_two_files(tokencli: Run, files: tuple[str, str]) -> None:
    """Differences are listed with - and +, and the exit code is 0 all the same."""
    done = tokencli("inspect", "diff", *files)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[2:] == [
        "issued    at the same time",
        "lifetime changed: 55 minutes shorter",
        '  - "1 hour"',
        '  + "5 minutes"',
        'claims: "roles" changed',
        '  - "a"',
        '  + "c"',
    ]
    same = tokencli("inspect", "diff", files[0], files[0])
    assert (same.code, "It is the same token." in same.out) == (0, True)


def test_secrets_are_hidden(tokencli: Run, tmp_path: Path) -> None:
    """By name or shape, also inside objects and in a claim that only one token has."""
    one = {"password": CANARY + "1", "ext": {"dsn": f"pg://u:{CANARY}@h/x"}, "apps": []}
    two = {"password": CANARY + "2", "ext": {}, "apps": [{"client_secret": CANARY, "id": "a7"}]}
    for name, claims in (("one", one), ("two", two)):
        (tmp_path / name).write_text(token({"iss": "me", **claims}))
    for options in ([], ["--json"]):
        done = tokencli("inspect", "diff", str(tmp_path / "one"), str(tmp_path / "two"), *options)
        assert done.code == 0
        assert CANARY not in done.out + done.err
        assert all(name in done.out for name in ("password", "ext.dsn", "client_secret", "a7"))


def test_json(tokencli: Run, files: tuple[str, str]) -> None:
    """A script reads whether they differ, and how."""
    found = json.loads(tokencli("inspect", "diff", *files, "--json").out)
    assert (found["same_token"], found["different"]) == (False, True)
    assert [change["name"] for change in found["changes"]] == ["lifetime", "roles"]
    assert found["changes"][1] == {
        "part": "claims",
        "name": "roles",
        "change": "changed",
        "removed": ["a"],
        "added": ["c"],
        "detail": None,
    }
    assert (found["a"]["issued_at"], found["b"]["lifetime"]) == ("2027-01-15T08:00:00Z", 300)


def test_stored_token_and_stdin(tokencli: Run, sandbox: Sandbox) -> None:
    """A profile and stdin; the same token is recognized."""
    text = tokencli("get", "oauth2").out
    done = tokencli("inspect", "diff", "oauth2", "-", stdin=text)
    assert done.out.startswith("--- oauth2, stored (issued 20")
    assert "It is the same token." in done.out


def test_two_tokens_as_arguments(tokencli: Run) -> None:
    """Neither is repeated, and a note says how to keep them out of the history."""
    tokens = [token({"sub": CANARY, "exp": NOW + each}) for each in (1, 2)]
    done = tokencli("inspect", "diff", *tokens)
    assert done.code == 0
    assert not any(text in done.out + done.err for text in tokens)
    assert "history" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("a", "b"),
        ("diff", "-", "-"),
        ("diff", "a", "b", "c"),
        ("diff", "a", "b", "--verify"),
        ("diff", "a", "--id-token"),
        ("-", "--watch", "--json"),
    ],
)
def test_wrong_command_lines(tokencli: Run, arguments: tuple[str, ...]) -> None:
    """Usage errors, which repeat no argument: it may be a token."""
    done = tokencli("inspect", *arguments, stdin="")
    assert (done.code, done.out) == (2, "")
    secret = tokencli("inspect", token({"sub": CANARY}), token({"sub": CANARY}))
    assert secret.code == 2 and "eyJ" not in secret.err


def test_profile_named_diff(tokencli: Run, sandbox: Sandbox) -> None:
    """Without other words, `diff` is a profile, as it was before the subcommand existed."""
    tokencli("profiles", "rename", "oauth2", "diff")
    tokencli("get", "diff")
    done = tokencli("inspect", "diff")
    assert (done.code, "profile   diff" in done.out) == (0, True)


def test_the_token_before(tokencli: Run, sandbox: Sandbox) -> None:
    """What the event log knows of it is compared: here the scope that another setting requested."""
    tokencli("get", "oauth2")
    tokencli("profiles", "edit", "oauth2", "--set", "scope=read")
    tokencli("get", "oauth2")
    done = tokencli("inspect", "diff", "oauth2")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0].startswith("--- oauth2, the token before (issued 20")
    assert "scope removed" in done.out.splitlines()
    assert '  - "write"' in done.out
    found = json.loads(tokencli("inspect", "diff", "oauth2", "--json").out)
    assert (found["different"], found["same_token"]) == (True, False)


def test_no_earlier_token(tokencli: Run, sandbox: Sandbox) -> None:
    """The event log can't know a token before the first one."""
    tokencli("get", "oauth2")
    done = tokencli("inspect", "diff", "oauth2")
    assert (done.code, done.out) == (4, "")
    assert "the event log has no earlier token of profile 'oauth2'" in done.err


def test_watch_needs_a_terminal(tokencli: Run, sandbox: Sandbox) -> None:
    """In a pipe, a command that works is named."""
    tokencli("get", "oauth2")
    done = tokencli("inspect", "oauth2", "--watch")
    assert (done.code, done.out) == (2, "")
    assert "fix: tokencli inspect oauth2\n" in done.err
