"""A headless Chromium, driven by its DevTools protocol over a pipe.

`with Chromium(folder) as browser:` starts one; the fixture `chromium` starts one for a module. The
pipe needs no library: Chromium reads messages from descriptor 3 and writes to 4, each ended by NUL.
"""

import json
import os
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import monotonic
from types import TracebackType
from typing import Any, Self

import pytest

from tests.conftest import IN_CI

INSTALL = "apt-get install -y --no-install-recommends chromium"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 60
OPTIONS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # which root can't have
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-proxy-server",
    "--ignore-certificate-errors",  # the servers' CA is made for each run
    "--window-size=800,600",
)


def find_program() -> str | None:
    """Return the path of the installed browser."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def summary() -> str | None:
    """Return one line about the tests that are left out and how to install what they need, or None."""
    if find_program() is not None:
        return None
    return f"left out: the tests with a real browser, for want of chromium; to have them: {INSTALL}"


def require() -> str:
    """Return the browser's path; skip the test if it is not installed, or in CI fail it."""
    program = find_program()
    if program is None:
        (pytest.fail if IN_CI else pytest.skip)(summary() or "")
    return program


class Chromium:
    """One browser process with a profile of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        command = 'exec "$@" 3<&"$TO_BROWSER" 4>&"$FROM_BROWSER"'
        options = (*OPTIONS, f"--user-data-dir={self._folder}", "about:blank")
        self._process = subprocess.Popen(
            ["bash", "-c", command, "bash", require(), *options],
            env={
                **os.environ,
                "TO_BROWSER": str(to_browser),
                "FROM_BROWSER": str(from_browser),
                "HOME": str(self._folder),
            },
            pass_fds=(to_browser, from_browser),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._replies: dict[int, Queue[dict[str, Any]]] = {}
        self.events: list[dict[str, Any]] = []
        self._next_id = 0
        Thread(target=self._receive, daemon=True).start()
        self.send("Browser.getVersion")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._write)  # Chromium ends with its pipe
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)

    def send(self, method: str, session: str | None = None, **params: object) -> dict[str, Any]:
        """Send a command and return its result."""
        self._next_id += 1
        number = self._next_id
        reply: Queue[dict[str, Any]] = Queue()
        self._replies[number] = reply
        message: dict[str, object] = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        try:
            found = reply.get(timeout=PATIENCE_S)
        except Empty:
            raise AssertionError(f"no reply to {method}") from None
        assert "error" not in found, f"{method}: {found['error']}"
        result: dict[str, Any] = found["result"]
        return result

    def open_tab(self, url: str = "about:blank") -> "Tab":
        """Open a new tab."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, target, session)
        for domain in ("Page", "Network", "Runtime"):
            tab.send(f"{domain}.enable")
        if url != "about:blank":
            tab.go_to(url)
        return tab

    def _receive(self) -> None:
        waiting = b""
        while chunk := os.read(self._read, 1 << 20):
            *complete, waiting = (waiting + chunk).split(b"\0")
            for text in complete:
                message = json.loads(text)
                if "id" in message:
                    self._replies.pop(message["id"]).put(message)
                else:
                    self.events.append(message)


@dataclass(frozen=True)
class Tab:
    """One tab."""

    browser: Chromium
    target: str
    session: str

    def send(self, method: str, **params: object) -> dict[str, Any]:
        """Send a command to this tab."""
        return self.browser.send(method, self.session, **params)

    def go_to(self, url: str) -> None:
        """Start to load a page."""
        self.send("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    @property
    def url(self) -> str:
        """Return the address of the page."""
        return str(self.evaluate("location.href"))

    @property
    def text(self) -> str:
        """Return what a reader sees."""
        return str(self.evaluate("document.body ? document.body.innerText : ''"))

    def wait_for(self, condition: Callable[["Tab"], object], what: str) -> None:
        """Wait until a condition holds."""
        end = monotonic() + PATIENCE_S
        pause = Queue[None]()
        while monotonic() < end:
            try:
                if condition(self):
                    return
            except AssertionError:  # the page is being replaced
                pass
            try:
                pause.get(timeout=0.05)
            except Empty:
                continue
        raise AssertionError(f"waited for {what}; there is {self.url}: {self.text!r}")

    def wait_for_text(self, text: str) -> None:
        """Wait until the page shows a text."""
        self.wait_for(lambda tab: text in tab.text, f"the text {text!r}")

    def use_color_scheme(self, scheme: str) -> None:
        """Prefer `light` or `dark`, as a user's system does."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.send("Emulation.setEmulatedMedia", features=features)

    def requests(self) -> list[str]:
        """Return the URLs that the tab has requested."""
        return [
            event["params"]["request"]["url"]
            for event in self.browser.events
            if event["method"] == "Network.requestWillBeSent"
            and event.get("sessionId") == self.session
        ]

    def screenshot(self, path: Path) -> None:
        """Save a picture of the page."""
        path.write_bytes(b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        """Close the tab."""
        self.browser.send("Target.closeTarget", targetId=self.target)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Run one browser for the tests of a module."""
    require()
    with Chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser
