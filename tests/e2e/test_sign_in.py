"""Interactive sign-in with real processes, a certified server, and a scripted user."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import pytest

from tests.conftest import Run, script
from tests.servers.oidc_provider import OidcProvider
from tests.servers.person import Person
from tests.servers.record import ran
from tokencli.oauth.client_authentication import AUTH_METHODS

Write = Callable[[str], Path]
REPOSITORY = Path(__file__).parents[2]
OFFLINE = {"scope": '"openid offline_access email"', "params": '{ prompt = "consent" }'}
"""What brings a refresh token (OpenID Connect Core section 11)."""
PATIENCE_S = 60


@pytest.fixture
def browser(
    tmp_path: Path,
    oidc_provider: OidcProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Make $BROWSER a scripted user; the last page they see is in the file returned."""
    seen = tmp_path / "seen.txt"
    program = tmp_path / "person.py"
    program.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from pathlib import Path\n"
        "from tests.servers.person import Person\n"
        "print('canary-noise-of-a-browser')\n"
        f"where, page = Person({oidc_provider.ca_file!r}).follow(sys.argv[1])\n"
        f"Path({str(seen)!r}).write_text(page)\n"
    )
    monkeypatch.setenv("BROWSER", f"{sys.executable} {program} %s")
    return seen


@pytest.fixture
def write_config(write_config: Write, tmp_path: Path) -> Write:
    """Write a configuration whose tokens and locks belong to this test."""
    return lambda text: write_config(f'state_dir = "{tmp_path / "state"}"\n{text}')


@dataclass
class Terminal:
    """A program in its own terminal."""

    process: subprocess.Popen[bytes]
    terminal: int
    said: str = ""
    ended: bool = field(default=False)

    def until(self, pattern: str) -> re.Match[str]:
        """Read its output until `pattern` matches."""
        end = monotonic() + PATIENCE_S
        while not (found := re.search(pattern, self.said)):
            assert not self.ended, f"no {pattern!r} in {self.said!r}"
            self.hear(end - monotonic())
        return found

    def hear(self, seconds: float) -> None:
        ready, _, _ = select.select([self.terminal], [], [], max(seconds, 0))
        assert ready, f"nothing more after {self.said!r}"
        try:
            piece = os.read(self.terminal, 65536)
        except OSError:  # the other end is closed
            piece = b""
        self.ended = not piece
        self.said += piece.decode(errors="replace")

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode() + b"\n")

    def end(self) -> int:
        """Read to the end and return the exit code."""
        while not self.ended:
            self.hear(PATIENCE_S)
        return self.process.wait(PATIENCE_S)


@contextmanager
def run_in_terminal(
    *args: str,
    argv: Sequence[str] = (),
    stdout_too: bool = False,
    controlling: bool = False,
    cols: int = 80,
    **env: str,
) -> Iterator[Terminal]:
    """Run tokencli, or `argv`, in a terminal of 24 lines; its stdout is a pipe, unless `stdout_too`.

    The terminal is the controlling one of the process if it is `controlling`.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, cols, 0, 0))
    process = subprocess.Popen(
        argv or [script(), *args],
        stdin=theirs,
        stdout=theirs if stdout_too else subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm", **env},
        preexec_fn=(lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) if controlling else None,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        if process.stdout is not None:
            process.stdout.close()


def test_login_in_a_browser(
    tokencli: Run,
    write_config: Write,
    oidc_provider: OidcProvider,
    browser: Path,
) -> None:
    """login opens $BROWSER and reports the result; then get prints the token, refresh renews it."""
    write_config(
        oidc_provider.profile(
            "signin",
            method="none",
            grant="authorization_code",
            token_url=None,
            issuer=f'"{oidc_provider.issuer}"',
            **OFFLINE,
        )
    )
    login = tokencli("login", "signin")
    assert (login.code, login.out) == (0, ""), login.err
    assert "scope openid offline_access email" in login.err
    assert "with a refresh token" in login.err
    assert "You can close this page" in browser.read_text()
    first = tokencli("get", "signin")
    assert (first.code, len(first.out.split())) == (0, 1), first.err
    renewed = tokencli("refresh", "signin")
    assert renewed.code == 0, renewed.err
    assert renewed.out != first.out
    granted = [event["grant_type"] for event in oidc_provider.events()[-2:]]
    assert granted == ["authorization_code", "refresh_token"]
    ran("oidc-provider", "authorization_code", "none")
    ran("oidc-provider", "refresh_token", "none")


@pytest.mark.long
@pytest.mark.parametrize("method", [name for name in AUTH_METHODS if name != "none"])
def test_authorization_code_with_every_client_auth(
    tokencli: Run,
    write_config: Write,
    oidc_provider: OidcProvider,
    browser: Path,
    method: str,
) -> None:
    """A confidential client authenticates itself in the token request."""
    write_config(
        oidc_provider.profile(
            "signin",
            method=method,
            grant="authorization_code",
            token_url=None,
            issuer=f'"{oidc_provider.issuer}"',
            scope='"openid"',
        )
    )
    login = tokencli("login", "signin")
    assert login.code == 0, login.err
    ran("oidc-provider", "authorization_code", method)


def test_get_needs_interactive_to_sign_in(
    tokencli: Run,
    write_config: Write,
    oidc_provider: OidcProvider,
    browser: Path,
) -> None:
    """Without --interactive or the profile's `interactive`, get fails and opens nothing."""
    words = oidc_provider.profile(
        "signin",
        method="client_secret_basic",
        grant="authorization_code",
        authorization_url=f'"{oidc_provider.url("authorization")}"',
        scope='"openid"',
    )
    write_config(words)
    refused = tokencli("get", "signin")
    assert (refused.code, refused.out) == (4, "")
    assert "tokencli login signin" in refused.err
    assert not browser.exists()

    told = tokencli("get", "signin", "--interactive")
    assert (told.code, len(told.out.split())) == (0, 1), told.err
    assert "canary-noise" not in told.out
    assert tokencli("get", "signin").out == told.out
    assert tokencli("logout", "signin").code == 0
    write_config(words + "interactive = true\n")
    assert tokencli("get", "signin").code == 0


def test_pushed_authorization_request(
    tokencli: Run,
    write_config: Write,
    oidc_provider: OidcProvider,
    browser: Path,
) -> None:
    """RFC 9126: with par = true the URL has a reference only; without it, the server refuses."""
    words = oidc_provider.profile(
        "signin",
        method="none",
        grant="authorization_code",
        client_id='"par"',
        token_url=None,
        issuer=f'"{oidc_provider.issuer}"',
        scope='"openid"',
    )
    write_config(words + "par = true\n")
    login = tokencli("login", "signin")
    assert login.code == 0, login.err
    assert "request_uri=urn" in login.err
    assert "code_challenge" not in login.err
    write_config(words)
    assert tokencli("logout", "signin").code == 0
    refused = tokencli("login", "signin")
    assert refused.code == 5
    assert "Pushed Authorization Request" in refused.err


def test_denied_consent(
    tokencli: Run,
    write_config: Write,
    oidc_provider: OidcProvider,
    tmp_path: Path,
) -> None:
    """The error arrives in the redirect and ends the wait: exit code 5, nothing stored."""
    write_config(_public(oidc_provider, "authorization_code"))
    with run_in_terminal("login", "signin", "--no-browser", BROWSER="false") as login:
        address = login.until(r"(https://\S+)\r?\n")[1]
        Person(oidc_provider.ca_file, denies=True).follow(address)
        assert login.end() == 5
        assert "access_denied" in login.said
        assert "the person said no" in login.said
    assert tokencli("get", "signin").code == 4


def test_redirect_pasted_over_ssh(
    tokencli: Run,
    write_config: Write,
    oidc_provider: OidcProvider,
) -> None:
    """The remote browser ends at a URL it can't open; pasting that URL completes the login."""
    write_config(_public(oidc_provider, "authorization_code"))
    with run_in_terminal("login", "signin", SSH_CONNECTION="192.0.2.1 1 192.0.2.2 22") as login:
        address = login.until(r"(https://\S+)\r?\n")[1]
        login.until("paste its whole address here")
        login.until("waiting for you to sign in.* of 5 min")
        login.type(f"http://127.0.0.1/callback?code={'c' * 6000}&state=wrong")
        login.until("not the redirect address of this sign-in")
        login.type(Person(oidc_provider.ca_file).authorize(address))
        assert login.end() == 0, login.said
        assert "login succeeded" in login.said
    assert tokencli("get", "signin").code == 0


def test_device_code(
    tokencli: Run,
    write_config: Write,
    oidc_provider: OidcProvider,
) -> None:
    """RFC 8628: URL, code and QR code are shown; the token arrives after the code was entered."""
    write_config(_public(oidc_provider, "device_code"))
    with run_in_terminal("login", "signin", TERM="xterm-256color", LC_ALL="C.UTF-8") as login:
        place = login.until(r"open this URL on any device: (https://\S+)\r")[1]
        code = login.until(r"type this code there: (\S+)\r")[1]
        login.until("[█▀▄]{20}")
        login.until("waiting for you to sign in")
        Person(oidc_provider.ca_file).approve_device(place, code)
        assert login.end() == 0, login.said
        assert "with a refresh token" in login.said
    assert tokencli("get", "signin").code == 0
    ran("oidc-provider", "device_code", "none")


@pytest.mark.long
@pytest.mark.parametrize("method", [name for name in AUTH_METHODS if name != "none"])
def test_device_code_with_every_client_auth(
    tokencli: Run,
    write_config: Write,
    oidc_provider: OidcProvider,
    method: str,
) -> None:
    """A confidential client authenticates itself in every request."""
    write_config(
        oidc_provider.profile(
            "signin",
            method=method,
            grant="device_code",
            token_url=None,
            issuer=f'"{oidc_provider.issuer}"',
            scope='"openid"',
        )
    )
    with run_in_terminal("login", "signin") as login:
        place = login.until(r"open this URL on any device: (https://\S+)\r")[1]
        code = login.until(r"type this code there: (\S+)\r")[1]
        Person(oidc_provider.ca_file).approve_device(place, code)
        assert login.end() == 0, login.said
    ran("oidc-provider", "device_code", method)


def test_denied_device_code(
    tokencli: Run,
    write_config: Write,
    oidc_provider: OidcProvider,
) -> None:
    """Any error other than pending and slow_down ends the wait: exit code 5."""
    write_config(_public(oidc_provider, "device_code"))
    with run_in_terminal("login", "signin") as login:
        place = login.until(r"open this URL on any device: (https://\S+)\r")[1]
        code = login.until(r"type this code there: (\S+)\r")[1]
        with suppress(AssertionError):  # the server shows its form again and again
            Person(oidc_provider.ca_file, denies=True).approve_device(place, code)
        assert login.end() == 5, login.said
        assert "access_denied" in login.said


def test_one_login_at_a_time(
    tokencli: Run,
    write_config: Write,
    oidc_provider: OidcProvider,
) -> None:
    """During a login others fail at once; after Ctrl-C nothing blocks them."""
    write_config(_public(oidc_provider, "authorization_code"))
    with run_in_terminal("login", "signin", "--no-browser") as login:
        port = login.until(r"redirect_uri=http%3A%2F%2F127\.0\.0\.1%3A(\d+)")[1]
        for command in (("login", "signin", "--wait", "5m"), ("get", "signin")):
            other = tokencli(*command)
            assert other.code == 4
            assert f"is in progress (process {login.process.pid})" in other.err
        login.until("paste its")
        os.write(login.terminal, b"\x03")
        login.process.send_signal(2)
        assert login.end() == 130
        assert "tokencli: interrupted" in login.said
        assert "Traceback" not in login.said
    after = tokencli("get", "signin")
    assert (after.code, "in progress" in after.err) == (4, False)
    import socket

    with socket.create_server(("127.0.0.1", int(port))):
        """The port is free again."""


def test_login_without_terminal_and_browser(
    tokencli: Run,
    write_config: Write,
    oidc_provider: OidcProvider,
) -> None:
    """It fails at once and says what would work."""
    for grant in ("authorization_code", "device_code"):
        write_config(_public(oidc_provider, grant))
        for options in ((), ("--no-input",)):
            done = tokencli("login", "signin", *options)
            assert (done.code, done.out) == (4, "")
            assert "neither a browser nor a terminal" in done.err
        assert tokencli("get", "signin", "--interactive").code == 4


def test_issuer_mismatch(
    tokencli: Run,
    write_config: Write,
    oidc_provider: OidcProvider,
) -> None:
    """An extra trailing slash makes another issuer: exit code 7, after one request for metadata."""
    before = len(oidc_provider.events())
    write_config(
        oidc_provider.profile(
            "signin",
            method="client_secret_basic",
            grant="client_credentials",
            token_url=None,
            issuer=f'"{oidc_provider.issuer}/"',
        )
    )
    done = tokencli("get", "signin")
    assert (done.code, done.out) == (7, "")
    assert "another issuer" in done.err
    assert len(oidc_provider.events()) == before


def _public(server: OidcProvider, grant: str) -> str:
    """Return a profile of the public client that has only the issuer."""
    return server.profile(
        "signin", method="none", grant=grant, token_url=None, issuer=f'"{server.issuer}"', **OFFLINE
    )
