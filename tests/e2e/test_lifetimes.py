"""Lifetimes that are no number: a token that does not expire, and a server that repeats itself."""

import json
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.faults import behaviours as b
from tests.faults.authority import ca_file
from tests.faults.server import running

CONFIG = """state_dir = "{folder}/state"
[providers.own]
title = "Own"
endpoints.token = "{{token_url}}"
grants.client_credentials = {{}}
{rule}

[profiles.p]
provider = "own"
token_url = "{url}"
client_id = "c"
client_secret = {{ env = "CANARY" }}
ca_file = "{ca}"
store = "file"
"""
TOKEN = b'{"access_token": "canary-1", "token_type": "Bearer"%s}'


def configure(url: str, folder: Path, rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a configuration whose provider has that rule."""
    path = folder / "config.toml"
    path.write_text(CONFIG.format(url=url, ca=ca_file(), folder=folder, rule=rule))
    path.chmod(0o600)
    monkeypatch.setenv("TOKENCLI_CONFIG", str(path))
    monkeypatch.setenv("CANARY", "canary-secret")


def test_a_token_that_never_expires_has_no_expiry_anywhere(
    tokencli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ttl = "never"` is no expiry in `get`, `profiles`, `inspect` and `export`, not ten years."""
    with running(b.says(b.message("200 OK", TOKEN % b""))) as server:
        configure(
            f"https://127.0.0.1:{server.port}/t", tmp_path, 'reply.ttl = "never"', monkeypatch
        )
        printed = json.loads(tokencli("get", "p", "--json").out)
        assert (printed["expires_at"], printed["expires_in"]) == (None, None)
        assert "does not expire" in tokencli("profiles").out
        assert "token: does not expire" in tokencli("profiles", "show", "p").out
        status = json.loads(tokencli("profiles", "show", "p", "--json").out)["token"]
        assert (status["state"], status["expires_at"], status["remaining_s"]) == (
            "fresh", None, None
        )  # fmt: skip
        inspected = tokencli("inspect", "p")
        assert inspected.code == 0 and "does not expire" in inspected.out
        assert "years" not in inspected.out
        assert json.loads(tokencli("inspect", "p", "--json").out)["state"] == "valid"
        exported = tokencli("export", "p", "--all-vars")
        assert exported.code == 0 and "EXPIRES_AT=''" in exported.out
        assert tokencli("get", "p").out == "canary-1\n"
        assert "does not expire" in tokencli("login", "p").err


def test_a_refresh_that_brings_the_same_token_says_so(
    tokencli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `sticky` the server is asked; with it, the stored token is used, and that is said."""
    with running(b.says(b.message("200 OK", TOKEN % b', "expires_in": 1200'))) as server:
        url = f"https://127.0.0.1:{server.port}/t"
        configure(url, tmp_path, "", monkeypatch)
        assert tokencli("get", "p").code == 0
        assert "the same token again" in tokencli("refresh", "p").err
    configure(url, tmp_path, "issuing.sticky = 60", monkeypatch)
    for command in (["refresh", "p"], ["get", "p", "--min-ttl", "19m"]):
        done = tokencli(*command)  # the server is gone
        assert (done.code, done.out) == (0, "canary-1\n"), done.err
        assert ("would return the same token" in done.err) is (command[0] == "refresh")
