"""The loopback redirect and its page in a real browser, with a certified server."""

import json
import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT
from time import monotonic, sleep
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conftest import Run, script
from tests.servers import oidc_provider as servers
from tests.servers.chromium import Chromium, Tab
from tests.servers.oidc_provider import OidcProvider
from tokencli.models import AuthorizationResponse, Secret
from tokencli.terminal.redirect_server import LoopbackListener

pytestmark = pytest.mark.long
PATIENCE_S = 60
PICTURES = os.environ.get("BROWSER_PICTURES")
"""Where to keep the pictures, for a look at them."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    """Run an oidc-provider that shows a page for each step."""
    servers.require()
    with OidcProvider(tmp_path_factory.mktemp("oidc-provider"), pages=True) as running:
        yield running


@pytest.fixture
def tab(chromium: Chromium) -> Iterator[Tab]:
    """Open a tab without cookies of earlier tests."""
    opened = chromium.open_tab()
    opened.send("Network.clearBrowserCookies")
    yield opened
    opened.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return the folder for pictures: that of $BROWSER_PICTURES, or one of the test."""
    folder = Path(PICTURES or tmp_path)
    folder.mkdir(exist_ok=True)
    return folder


@dataclass
class Login:
    """A running `tokencli login`, and the URL that it opened in the browser."""

    process: subprocess.Popen[str]
    url: str

    @property
    def port(self) -> int:
        """The port of the redirect URI."""
        return urlsplit(self.redirect_uri).port or 0

    @property
    def redirect_uri(self) -> str:
        """The redirect URI."""
        return parse_qs(urlsplit(self.url).query)["redirect_uri"][0]

    @property
    def is_waiting(self) -> bool:
        """Whether it still waits for the redirect."""
        return self.process.poll() is None

    def finish(self) -> str:
        """Wait for its end; return what it said."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        assert out == ""
        return err


@pytest.fixture
def login(
    server: OidcProvider, tmp_path: Path, write_config: Callable[[str], Path]
) -> Iterator[Login]:
    """Start `tokencli login`; its $BROWSER only notes the URL."""
    write_config(
        f'state_dir = "{tmp_path / "state"}"\n'
        + server.profile(
            "corp",
            method="none",
            grant="authorization_code",
            token_url=None,
            issuer=f'"{server.issuer}"',
            scope='"openid email"',
        )
    )
    with started_login(tmp_path) as running:
        yield running


@contextmanager
def started_login(folder: Path) -> Iterator[Login]:
    """Run `tokencli login corp` for the block."""
    noted, opener = folder / "url", folder / "opener"
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" > {noted}.new && mv {noted}.new {noted}\n')
    opener.chmod(0o755)
    process = subprocess.Popen(
        [script(), "login", "corp", "--wait", "2m"],
        env={**os.environ, "BROWSER": f"{opener} %s"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with process:
            end = monotonic() + PATIENCE_S
            while not noted.exists():
                assert process.poll() is None and monotonic() < end, "no URL was opened"
                sleep(0.02)
            yield Login(process, noted.read_text())
            process.kill()
    finally:
        process.kill()


def sign_in(tab: Tab, url: str) -> None:
    """Open the URL and press the button of each page."""
    tab.go_to(url)
    for step in ("login", "consent"):
        tab.wait_for_text(f"step {step}")
        tab.evaluate("document.getElementById('yes').click()")


def test_sign_in(tab: Tab, login: Login, tokencli: Run) -> None:
    """The page says that it is over, login succeeds, and the token is there."""
    sign_in(tab, login.url)
    tab.wait_for_text("You can close this page")
    assert tab.evaluate("document.title") and "Signed in" in tab.text
    assert "login succeeded" in login.finish()
    assert tokencli("get", "corp").code == 0


def test_decline(tab: Tab, login: Login) -> None:
    """The page refers to the terminal, where the reason is."""
    tab.go_to(login.url)
    tab.wait_for_text("step login")
    tab.evaluate("document.getElementById('no').click()")
    tab.wait_for_text("Not signed in")
    assert "the person said no" in login.finish()
    assert login.process.returncode == 5


def test_preconnects_delay_nothing(tab: Tab, login: Login) -> None:
    """Connections that the browser opens in advance, and others that stay idle, are no obstacle."""
    idle = [socket.create_connection(("127.0.0.1", login.port)) for _ in range(10)]
    try:
        sign_in(tab, login.url)  # the pages have <link rel="preconnect">
        tab.wait_for_text("Signed in")
        assert "login succeeded" in login.finish()
    finally:
        for each in idle:
            each.close()


def test_other_requests_change_nothing(tab: Tab, login: Login) -> None:
    """The favicon, the bare address and a redirect of another sign-in leave it waiting."""
    address = f"http://127.0.0.1:{login.port}"
    for path in ("/favicon.ico", "/", "/callback", "/callback?code=x&state=of-another"):
        tab.go_to(address + path)
        tab.wait_for_text("Nothing was changed")
        assert login.is_waiting
    sign_in(tab, login.url)
    tab.wait_for_text("Signed in")
    assert "login succeeded" in login.finish()


def test_page_asks_for_nothing_else(tab: Tab, login: Login) -> None:
    """The browser requests only the redirect URI: no icon, script, style or font."""
    sign_in(tab, login.url)
    tab.wait_for_text("Signed in")
    login.finish()
    sleep(0.5)
    ours = [url for url in tab.requests() if f":{login.port}/" in url]
    assert len(ours) == 1 and ours[0].startswith(login.redirect_uri)


def test_double_submit(tab: Tab, login: Login) -> None:
    """A button that is pressed twice leads to the same page, not to an error of the browser."""
    tab.go_to(login.url)
    tab.wait_for_text("step login")
    tab.evaluate("document.getElementById('yes').click()")
    tab.wait_for_text("step consent")
    tab.evaluate("let b = document.getElementById('yes'); b.click(); b.click()")
    tab.wait_for(lambda page: "step" not in page.text and page.text, "another page")
    assert "Signed in" in tab.text, tab.text
    assert "login succeeded" in login.finish()


def test_redirect_that_is_loaded_again(tab: Tab) -> None:
    """The browser may repeat the redirect: the user is told the same again, and it counts once."""
    response = AuthorizationResponse(Secret("canary-code-7f3a"))
    listener = LoopbackListener(None, lambda query: response if query == "code=c" else None)
    try:
        tab.go_to(f"{listener.redirect_uri}?code=c")
        tab.wait_for_text("Signed in")
        assert listener.wait_for_redirect(PATIENCE_S) is response
        tab.send("Page.reload")
        tab.wait_for(lambda page: len(page.requests()) == 2, "a second request")
        tab.wait_for_text("Signed in")
        assert listener.wait_for_redirect(0.05) is None
    finally:
        listener.close()


def test_localhost_in_the_redirect_uri(tab: Tab) -> None:
    """The browser reaches it, whichever of the two loopback addresses it chooses."""
    response = AuthorizationResponse(Secret("canary-code-7f3a"))
    listener = LoopbackListener(None, lambda _: response, host="localhost")
    try:
        tab.go_to(f"{listener.redirect_uri}?code=c")
        tab.wait_for_text("Signed in")
        assert listener.wait_for_redirect(PATIENCE_S) is response
    finally:
        listener.close()


def test_closed_tab(chromium: Chromium, login: Login) -> None:
    """Login waits on, and the same URL works in another tab; a tab closed at once is no failure."""
    first = chromium.open_tab(login.url)
    first.wait_for_text("step")
    first.close()
    assert login.is_waiting
    second = chromium.open_tab()
    second.send("Network.clearBrowserCookies")
    sign_in(second, login.url)
    second.wait_for(
        lambda tab: any(url.startswith(login.redirect_uri) for url in tab.requests()),
        "the redirect",
    )
    second.close()
    assert "login succeeded" in login.finish()


def test_back_button(tab: Tab, login: Login) -> None:
    """Back leads to the server's page, and forward to the page of the sign-in, which is over."""
    sign_in(tab, login.url)
    tab.wait_for_text("Signed in")
    assert "login succeeded" in login.finish()
    tab.evaluate("history.back()")
    tab.wait_for_text("step consent")
    tab.evaluate("history.forward()")
    tab.wait_for_text("Signed in")


def test_back_button_before_the_end(tab: Tab, login: Login) -> None:
    """Going back to the first page and on again doesn't end the wait."""
    tab.go_to(login.url)
    tab.wait_for_text("step login")
    tab.evaluate("document.getElementById('yes').click()")
    tab.wait_for_text("step consent")
    tab.evaluate("history.back()")
    tab.wait_for_text("step login")
    assert login.is_waiting
    sign_in_again = urlsplit(login.url)
    tab.go_to(sign_in_again.geturl())
    tab.wait_for_text("step consent")
    tab.evaluate("document.getElementById('yes').click()")
    tab.wait_for_text("Signed in")
    assert "login succeeded" in login.finish()


def luminance(color: str) -> float:
    """Return the relative luminance of a computed color (WCAG 2.2)."""
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", color)[:3])
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (red, green, blue)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


COLORS = """
(() => {
  document.documentElement.style.backgroundColor = 'Canvas';
  const style = (name) => getComputedStyle(document.querySelector(name));
  return JSON.stringify({background: style('html').backgroundColor,
    texts: [...document.querySelectorAll('h1, p, label, button, code')].map(
      (each) => [getComputedStyle(each).color, each.tagName === 'BUTTON' ?
        getComputedStyle(each).backgroundColor : style('html').backgroundColor]),
    font: style('p').fontFamily});
})()
"""


def check_looks(tab: Tab, folder: Path, name: str) -> None:
    """Check contrast, font and width in both color schemes, and save a picture of each."""
    for scheme in ("light", "dark"):
        tab.use_color_scheme(scheme)
        found = json.loads(tab.evaluate(COLORS))
        assert (luminance(found["background"]) > 0.5) == (scheme == "light"), found
        for text, background in found["texts"]:
            lights = sorted((luminance(text), luminance(background)))
            assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5, (scheme, found)  # WCAG's AA
        assert "sans-serif" in found["font"]
        for width in (320, 1280):
            tab.send(
                "Emulation.setDeviceMetricsOverride",
                width=width,
                height=480,
                deviceScaleFactor=1,
                mobile=width < 800,
            )
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
        tab.screenshot(folder / f"{name}-{scheme}.png")


def test_page_in_light_and_dark(tab: Tab, login: Login, pictures: Path) -> None:
    """The page follows the user's color scheme, is easy to read and fits into a small window."""
    sign_in(tab, login.url)
    tab.wait_for_text("Signed in")
    login.finish()
    check_looks(tab, pictures, "signed-in")


def test_page_of_the_sandbox(tab: Tab, tokencli: Run, tmp_path: Path, pictures: Path) -> None:
    """The sandbox's page looks the same way, and its buttons finish the sign-in of a browser."""
    noted, opener = tmp_path / "url", tmp_path / "opener"
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" > {noted}.new && mv {noted}.new {noted}\n')
    opener.chmod(0o755)
    process = subprocess.Popen(
        [script(), "sandbox", "--", "tokencli", "login", "corp", "--wait", "2m"],
        env={**os.environ, "BROWSER": f"{opener} %s"},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            tab.wait_for(lambda _: noted.exists(), "the URL")
            tab.go_to(noted.read_text())
            tab.wait_for_text("Sign in as alice")
            check_looks(tab, pictures, "sandbox")
            tab.evaluate("document.querySelector('button[name=user]').click()")
            tab.wait_for_text("Signed in")
            _, err = process.communicate(timeout=PATIENCE_S)
        finally:
            process.terminate()
    assert "login succeeded" in err


def test_cancelled_login(tab: Tab, login: Login) -> None:
    """After Ctrl-C, the browser finds no server where a code could be left."""
    tab.go_to(login.url)
    tab.wait_for_text("step login")
    login.process.send_signal(SIGINT)
    login.finish()
    assert login.process.returncode == 130
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", login.port))
