"""`tokencli inspect` as a process: stdout, stderr and exit code."""

import json
import os
import pty
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Run, script
from tests.unit.jwt.samples import ACCESS, EXPIRED_AT, IDENTITY, REFRESH, token
from tokencli.sandbox.server import Sandbox

HISTORY = "the token is now in your shell's history; next time use: tokencli inspect -"
NEVER = 4102444800
"""An expiry in the far future: 2100-01-01."""


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox and use its configuration."""
    with Sandbox() as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        yield running


@pytest.mark.parametrize("sample", [ACCESS, IDENTITY, REFRESH], ids=["access", "id", "refresh"])
def test_documented_tokens_on_stdin(tokencli: Run, sample: str) -> None:
    """Screening Eagle's samples are explained; they have expired, so the exit code is 9."""
    done = tokencli("inspect", "-", stdin=f"Authorization: Bearer {sample}\r\n")
    assert done.code == 9
    assert done.out.startswith("NOT VERIFIED: the signature was not checked")
    assert '"iss": ' in done.out and "Screening Eagle ID" in done.out
    assert "state     expired " in done.out and " ago, at 2024-0" in done.out
    assert done.err.startswith("tokencli: error: the token expired ")
    assert HISTORY not in done.err


@pytest.mark.requirement(28)
def test_token_argument_warns_about_the_history(tokencli: Run) -> None:
    """The token is decoded, and stderr says once what to do instead."""
    done = tokencli("inspect", token({"exp": NEVER, "sub": "me"}))
    assert done.code == 0
    assert '"sub": "me"' in done.out
    assert done.err == f"tokencli: {HISTORY}\n"
    assert tokencli("inspect", "-q", token({"exp": NEVER})).err == ""


def test_json_output(tokencli: Run) -> None:
    """Keys are stable; the error is a separate object on stderr."""
    done = tokencli("inspect", "-", "--json", stdin=ACCESS)
    assert done.code == 9
    found = json.loads(done.out)
    assert done.out.isascii() and done.out.count("\n") == 1
    assert (found["verified"], found["kind"], found["expired"]) == (False, "jwt", True)
    assert found["expires_at"] == "2024-05-23T12:10:18Z"
    assert found["expires_at_epoch"] == EXPIRED_AT
    assert found["times"]["iat"] == {"utc": "2024-05-16T12:10:18Z", "epoch": EXPIRED_AT - 604800}
    assert found["profile"] is None
    assert json.loads(done.err)["error"]["code"] == "token_invalid"


def test_inspects_the_stored_token(tokencli: Run, sandbox: Sandbox) -> None:
    """Nothing is sent: without a token there is a fix, with one it is explained."""
    done = tokencli("inspect", "groupid")
    assert (done.code, done.out) == (4, "")
    assert "tokencli: fix: tokencli get groupid\n" in done.err
    assert tokencli("get", "groupid").code == 0
    for args in ((), ("groupid",), ("--profile", "groupid")):
        done = tokencli("inspect", *args)
        assert done.code == 0
        assert "\nprofile   groupid\n" in done.out
        assert "of 20 minutes used" in done.out
        assert done.err == ""


def test_opaque_stored_token_uses_its_reply(tokencli: Run, sandbox: Sandbox) -> None:
    """If the token itself says nothing, the times of the server's reply are shown."""
    assert tokencli("get", "socialid").code == 0
    found = json.loads(tokencli("inspect", "socialid", "--json").out)
    assert found["profile"] == "socialid"
    assert found["state"] == "valid"
    assert found["expires_in"] > 0


@pytest.mark.parametrize(
    ("args", "stdin", "code", "word"),
    [
        (("-",), "", 9, "the token is empty"),
        (("-",), "Bearer  \n", 9, "the token is empty"),
        (("",), None, 9, "the token is empty"),
        (("-",), "a" * 70_000, 9, "longer than 64 KiB"),
        (("-", "--profile", "p"), "abc", 2, "not both"),
        (("nosuch",), None, 3, "nosuch"),
        (("a.b.c",), None, 3, "a.b.c"),
        ((), None, 3, "x, y"),
    ],
)
def test_invalid_arguments(
    tokencli: Run,
    write_config: Callable[[str], Path],
    args: tuple[str, ...],
    stdin: str | None,
    code: int,
    word: str,
) -> None:
    """An error with its cause and fix on stderr, the documented exit code, nothing on stdout."""
    write_config("".join(f'[profiles.{name}]\nprovider = "groupid"\n' for name in "xy"))
    done = tokencli("inspect", *args, stdin=stdin)
    assert (done.code, done.out) == (code, "")
    assert word in done.err
    assert 1 <= done.err.count("\n") <= 3
    assert HISTORY not in done.err


def test_file(tokencli: Run, tmp_path: Path, write_config: Callable[[str], Path]) -> None:
    """A file is read, whatever its name; a profile of the same name comes first."""
    write_config('[profiles.corp]\nprovider = "groupid"\n')
    long_folder = tmp_path / ("d" * 100)
    long_folder.mkdir()
    for path in (tmp_path / "token.txt", long_folder / "name with spaces"):
        path.write_bytes(f"ACCESS_TOKEN={token({'exp': NEVER, 'sub': 'me'})}\r\n".encode("utf-16"))
        done = tokencli("inspect", str(path))
        assert (done.code, done.err) == (0, "")
        assert '"sub": "me"' in done.out
        assert "byte order mark of UTF-16" in done.out and "assigned to ACCESS_TOKEN" in done.out
    (tmp_path / "corp").write_text(ACCESS)
    assert tokencli("inspect", "corp", cwd=tmp_path).code == 3
    (tmp_path / "mine").write_text(ACCESS)
    assert tokencli("inspect", "mine", cwd=tmp_path).code == 9


@pytest.mark.parametrize(("name", "says"), [("nosuch/x", "doesn't exist"), ("", "Is a directory")])
def test_unreadable_file(tokencli: Run, tmp_path: Path, name: str, says: str) -> None:
    """What looks like a path is not taken for a profile or a token."""
    done = tokencli("inspect", f"{tmp_path}/{name}")
    assert (done.code, done.out) == (2, "")
    assert "can't read the file" in done.err and says in done.err


def test_stdin_without_argument(tokencli: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """A token on stdin is read from a pipe or a file; without one the default profile is meant."""
    assert tokencli("get", "groupid").code == 0
    done = tokencli("inspect", stdin=token({"exp": NEVER, "sub": "piped"}))
    assert (done.code, done.err) == (0, "")
    assert '"sub": "piped"' in done.out
    for nothing in (None, ""):
        assert "\nprofile   groupid\n" in tokencli("inspect", stdin=nothing).out
    named = tokencli("inspect", "groupid", stdin=token({"exp": NEVER, "sub": "piped"}))
    assert "\nprofile   groupid\n" in named.out
    path = tmp_path / "token"
    path.write_text(token({"exp": NEVER, "sub": "redirected"}))
    with path.open() as file:
        out = subprocess.run([script(), "inspect"], stdin=file, capture_output=True, check=True)
    assert b'"sub": "redirected"' in out.stdout


def test_text_that_was_read_by_default_is_called_so(tokencli: Run) -> None:
    """Without an argument, e.g. in `cat script | sh`, what was on stdin may not have been meant."""
    done = tokencli("inspect", stdin="echo the rest\necho of a script\n")
    assert done.code == 9
    assert "cause: stdin was read, because no profile, file or token was given" in done.err
    assert "cause:" not in tokencli("inspect", "-", stdin="echo the rest\n").err


def test_silent_stdin_is_not_waited_for_forever(tokencli: Run, sandbox: Sandbox) -> None:
    """An open pipe that brings nothing is given up after a note, for the default profile."""
    assert tokencli("get", "groupid").code == 0
    reading, writing = os.pipe()
    try:
        done = subprocess.run(
            [script(), "inspect"], stdin=reading, capture_output=True, text=True, check=True
        )
    finally:
        os.close(reading)
        os.close(writing)
    assert "waiting up to 10 seconds for a token, because stdin is an open pipe" in done.stderr
    assert "warning: nothing arrived on stdin" in done.stderr
    assert "\nprofile   groupid\n" in done.stdout


@pytest.mark.parametrize(("text", "says"), [
    (f"{ACCESS[:80]}...", "truncated"),
    (f"{ACCESS}\n{IDENTITY}\n", "2 tokens"),
    (ACCESS.rsplit(".", 1)[0], "has 2 parts instead of 3: was it cut off?"),
    (ACCESS[:60], "was it cut off?"),
    (f"{ACCESS.split('.')[0]}.e30.x.y.z", "its header has no enc"),
    (ACCESS.replace(".eyJ", ".ey!"), "its payload can't be read"),
    ("<saml:Assertion>", "SAML assertion"),
    ("two words", "spaces"),
])  # fmt: skip
def test_no_token(tokencli: Run, text: str, says: str) -> None:
    """Exit code 9, and the exact trouble on stderr, whether or not anything could be decoded."""
    done = tokencli("inspect", "-", stdin=text)
    assert done.code == 9
    assert done.err.startswith("tokencli: error: ") and says in done.err
    assert "fix: " not in done.err


def test_token_needs_no_configuration(tokencli: Run, write_config: Callable[[str], Path]) -> None:
    """A broken file doesn't keep anyone from inspecting a token."""
    write_config("this is no TOML")
    assert tokencli("inspect", "-", stdin=token({"exp": NEVER})).code == 0
    assert tokencli("inspect", token({"exp": NEVER})).code == 0


@pytest.mark.requirement(14)
def test_claims_do_not_control_a_terminal_or_ci(tokencli: Run) -> None:
    """Escape sequences, bidirectional marks and workflow commands are printed as visible text."""
    claims = {
        "exp": NEVER,
        "\x1b]0;x\x07": "\u202e\x9b31m\x7f",
        "n": "a\n::set-env name=X::y\r##[z]",
    }
    for args in ((), ("--json",)):
        done = tokencli("inspect", "-", *args, stdin=token(claims))
        assert done.code == 0
        assert all(line.isprintable() for line in done.out.split("\n"))
        assert not any(line.lstrip().startswith("::") for line in done.out.split("\n"))
        assert "##[" not in done.out


@pytest.mark.requirement(13)
@pytest.mark.parametrize(
    "environ",
    [
        {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "COLUMNS": "20"},
        {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
        {"TERM": "dumb", "NO_COLOR": "1"},
    ],
)
def test_output_is_the_same_in_every_environment(tokencli: Run, environ: dict[str, str]) -> None:
    """In a pipe there is no colour, no wrapping, and no word that depends on the locale."""
    text = token({"exp": EXPIRED_AT, "n": "x" * 300})
    assert tokencli("inspect", "-", stdin=text, env=environ).out == (
        tokencli("inspect", "-", stdin=text).out
    )


@pytest.mark.requirement(13)
def test_characters_outside_the_encoding_are_escaped(tokencli: Run) -> None:
    """A claim in any script is printed under any encoding."""
    text = token({"exp": NEVER, "name": "Ünïcode 漢字"})
    done = tokencli("inspect", "-", stdin=text, env={"PYTHONIOENCODING": "ascii"})
    assert done.code == 0
    assert "\\xdcn\\xefcode \\u6f22\\u5b57" in done.out


@pytest.mark.requirement(28)
def test_keys_named_by_a_token_are_not_fetched(tokencli: Run) -> None:
    """jku and x5u point at a listener that is never called."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/keys"
        text = token(
            {"exp": NEVER}, {"alg": "RS256", "jku": url, "x5u": url, "jwk": {"kty": "oct"}}
        )
        done = tokencli("inspect", "-", stdin=text)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert done.code == 0
    assert (
        "the header brings its own key (jwk, jku, x5u), which is neither used nor fetched"
        in done.out
    )


def test_stdin_from_a_terminal_explains_pasting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`inspect -` at a terminal waits for a token and says so, in colour and with a real bar."""
    monkeypatch.setenv("TERM", "xterm")
    pid, screen = pty.fork()
    if pid == 0:
        os.execv(script(), ["tokencli", "inspect", "-"])
    seen = b""
    while b"Ctrl-D" not in seen:
        seen += os.read(screen, 4096)
    os.write(screen, ACCESS.encode() + b"\n\x04")
    while True:
        try:
            piece = os.read(screen, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(screen)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert b"\x1b[31mexpired" in seen
    assert "█".encode() in seen


def test_a_token_that_is_not_stored_by_design(tokencli: Run, sandbox: Sandbox) -> None:
    """With store = "none", the fix gets a token and inspects it, as `get` alone would not help."""
    environ = {"TOKENCLI_PROFILE": "oauth2"}
    tokencli("profiles", "edit", "oauth2", "--set", "store=none")
    done = tokencli("inspect", env=environ)
    assert done.code == 4
    assert 'store = "none"' in done.err
    assert "fix: tokencli get oauth2 | tokencli inspect\n" in done.err
    done = tokencli("inspect", "--id-token", env=environ)
    assert (done.code, "fix:" in done.err) == (4, False)  # `get` prints no ID token
