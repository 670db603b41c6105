"""Commands under Wine: profiles, sign-in by stdin, encodings and cmd.exe."""

import json
import re
from pathlib import Path

import pytest

from tests.conftest import lines
from tests.windows.wine import Windows
from tokencli.sandbox.groupid import GroupId
from tokencli.sandbox.server import Sandbox


@pytest.mark.promise("profiles add, edit and remove; login and logout", "Wine")
def test_a_profile_from_add_to_remove(windows: Windows, sandbox: Sandbox) -> None:
    """A profile is added, changed, signed in with secrets on stdin (with a BOM), used and removed."""
    env = {"TOKENCLI_CONFIG": windows.path(windows.work / "own.toml")}
    address = sandbox.url.removeprefix("https://")
    add = windows.tokencli(
        *("profiles", "add", "own", "--provider", "groupid", "--host", address, "--username"),
        *("jdoe", "--client-id", "wrong", "--identity-store-id", "1", "--no-input"),
        *("--ca-file", windows.path(Path(sandbox.ca_file))),
        env=env,
    )
    assert add.code == 0, add
    edit = ("profiles", "edit", "own", "--client-id", GroupId.profile_values["client_id"])
    done = windows.tokencli(*edit, env=env)
    assert done.code == 0, done
    secrets = "\ufeff{password}\r\n{client_secret}\r\n".format(**GroupId.secrets).encode()
    login = windows.tokencli("login", "own", "--stdin", env=env, stdin=secrets)
    assert login.code == 0, login
    token = windows.tokencli("get", "own", env=env)
    assert token.code == 0, token
    assert windows.tokencli("logout", "own", "--secrets", env=env).code == 0
    without = windows.tokencli("get", "own", "--no-input", env=env)
    assert (without.code != 0, without.out) == (True, ""), without
    assert windows.tokencli("profiles", "remove", "own", "--yes", env=env).code == 0
    listed = windows.tokencli("profiles", "--json", env=env)
    assert json.loads(listed.out)["profiles"] == [], listed


@pytest.mark.promise("output to pipes: UTF-8, or what PYTHONIOENCODING names", "Wine")
def test_pipes_are_utf8_or_as_asked(windows: Windows) -> None:
    """Help that has letters outside ASCII arrives whole as UTF-8, and as code page 1252."""
    command = ("tokencli", "help", "platforms")
    utf8 = windows.run_raw(*command)
    assert utf8.returncode == 0, utf8
    assert "…" in utf8.stdout.decode("utf-8")
    ansi = windows.run_raw(*command, env={"PYTHONIOENCODING": "cp1252"})
    assert ansi.stdout.decode("cp1252").splitlines() == utf8.stdout.decode("utf-8").splitlines()


@pytest.mark.promise("configuration with CRLF and a byte order mark", "Wine")
def test_configuration_with_crlf_and_bom(windows: Windows, sandbox: Sandbox) -> None:
    """A file that Notepad wrote is read, changed and read again."""
    env = windows.configure(sandbox, "file")
    config = windows.work / "config.toml"
    config.write_bytes(b"\xef\xbb\xbf" + config.read_bytes().replace(b"\n", b"\r\n"))
    first = windows.tokencli("get", "groupid", env=env)
    assert first.code == 0, first
    edit = windows.tokencli("profiles", "edit", "groupid", "--set", "scope=a b", env=env)
    assert edit.code == 0, edit
    data = config.read_bytes()
    assert b"\r\r" not in data
    assert not re.search(rb"[^\r]\n", data)
    assert windows.tokencli("get", "groupid", env=env).code == 0


@pytest.mark.promise("cmd.exe: a batch file of `export --shell cmd` sets the variable", "Wine")
def test_cmd_runs_export(windows: Windows, sandbox: Sandbox) -> None:
    """What `export` prints sets the token in cmd.exe; Wine's `for /f` can't run a `set`."""
    env = windows.configure(sandbox, "file")
    program = windows.path(windows.python / "Scripts" / "tokencli.exe")
    batch = (
        "@echo off",
        f"{program} export groupid --shell cmd > exported.bat",
        "call exported.bat",
        f"{program} get groupid",
        "set",
    )
    (windows.work / "test.bat").write_text("\r\n".join((*batch, "")), "ascii", newline="")
    done = windows.run("cmd", "/c", "test.bat", env=env)
    token = lines(done.out)[0]
    assert token.count(".") == 2, done
    assert any(line.partition("=")[2] == token for line in lines(done.out)[1:]), done
