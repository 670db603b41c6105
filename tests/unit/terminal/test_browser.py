"""The browser is opened only with URLs, without a shell, and can't write to our stdout."""

import subprocess
import sys
from pathlib import Path

import pytest

from tokencli import platforms
from tokencli.errors import ConfigError
from tokencli.platforms.linux import Linux
from tokencli.terminal.browser import SystemBrowser

GOOD = (
    "https://id.example.com/authorize?client_id=a&state=b%2Fc",
    "https://id.example.com:8443/a;b=c,d/(e)~f?g=h'i#j",
    "http://127.0.0.1:8080/authorize",
    "http://[::1]:8080/authorize",
    "https://[2001:db8::1]/authorize",
)
BAD = (
    "-flag",
    "--new-window=https://id.example.com/",
    "%action--x",
    "https://id.example.com/%action--x",
    "https://id.example.com/%zz",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "smb://evil.example/share",
    "data:text/html,x",
    "ftp://id.example.com/",
    "http://id.example.com/",
    "http://localhost/",
    "http://169.254.169.254/authorize",
    "https://",
    "https:///path",
    "https:id.example.com",
    "//id.example.com/",
    "https://user@id.example.com/",
    "https://user:password@id.example.com/",
    "https://id.example.com/\r\nHost: evil",
    "https://id.example.com/a b",
    "https://id.example.com/\x1b[2J",
    "https://id.example.com/\u202egro.elpmaxe",
    'https://id.example.com/"&calc.exe&"',
    "https://id.example.com/`id`",
    "https://id.example.com/|id",
    "https://id.example.com/<x>",
    "https://id.example.com\\@evil.example/",
    "https://id.example.com:port/",
    " https://id.example.com/",
    "",
)


@pytest.fixture
def opened(tmp_path: Path) -> Path:
    """Return the file to which the fake browser writes its arguments."""
    return tmp_path / "opened"


@pytest.fixture
def browser(tmp_path: Path, opened: Path) -> SystemBrowser:
    """Return a browser whose $BROWSER records its arguments and prints something."""
    program = tmp_path / "browser.py"
    program.write_text(
        "import pathlib, sys\n"
        "print('canary-noise', flush=True)\n"
        f"pathlib.Path({str(opened)!r}).write_text(repr(sys.argv[1:]))\n"
    )
    return SystemBrowser({"BROWSER": f"{sys.executable} {program} %s", "PATH": "/usr/bin:/bin"})


@pytest.mark.requirement(21)
@pytest.mark.parametrize("url", GOOD)
def test_a_url_is_passed_as_one_argument(browser: SystemBrowser, opened: Path, url: str) -> None:
    """https with a host, or http to a loopback address, is opened unchanged."""
    assert browser.open_url(url) is True
    assert opened.read_text() == repr([url])


@pytest.mark.requirement(21)
@pytest.mark.parametrize("url", BAD)
def test_other_urls_are_not_opened(browser: SystemBrowser, opened: Path, url: str) -> None:
    """Options, placeholders, other schemes, user names and control characters are refused."""
    with pytest.raises(ConfigError):
        browser.open_url(url)
    assert not opened.exists()


def test_browser_output_goes_to_stderr(tmp_path: Path) -> None:
    """stdout is for the token, so nothing of a child process may be written to it."""
    code = (
        "from tokencli.terminal.browser import SystemBrowser\n"
        "print(SystemBrowser({'BROWSER': 'echo canary-noise %s', 'PATH': '/usr/bin:/bin'})"
        ".open_url('https://id.example.com/'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "True\n"
    assert "canary-noise https://id.example.com/" in done.stderr


def test_a_browser_that_cant_start_returns_false() -> None:
    """So the URL is shown instead."""
    environ = {"BROWSER": "/nonexistent/browser %s", "PATH": "/nonexistent"}
    assert SystemBrowser(environ).open_url("https://id.example.com/") is False


@pytest.mark.requirement(21)
@pytest.mark.parametrize(
    ("environ", "usable"),
    [
        ({}, False),
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}, False),
        ({"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22", "DISPLAY": "localhost:10"}, True),
        ({"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22", "BROWSER": "forward %s"}, True),
        ({"BROWSER": "firefox"}, True),
        ({"BROWSER": ""}, False),
    ],
)
def test_is_available_only_with_a_screen(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], usable: bool
) -> None:
    """There must be a screen or $BROWSER; over SSH without either nothing is opened."""
    monkeypatch.setattr(platforms, "PLATFORM", Linux())
    assert SystemBrowser(environ).is_available is usable
    assert SystemBrowser(environ, forbidden=True).is_available is False
