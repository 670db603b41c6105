"""A running `tokencli keep`, and the service manager that it talks to."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest

from tests.conftest import script

PATIENCE_S = 30.0


class Keeper:
    """A running `tokencli keep`."""

    def __init__(self, *args: str, env: dict[str, str] | None = None) -> None:
        self.text = ""
        """What it has printed on stderr."""
        self.process = subprocess.Popen(
            [script(), "keep", *args],
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.reader = Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stderr:
            for line in stderr:
                self.text += line

    def wait_for_end(self) -> int:
        """Return its exit code as soon as it has ended."""
        code = self.process.wait(PATIENCE_S)
        self.reader.join()
        return code

    def wait_for(self, text: str, count: int = 1) -> None:
        """Wait until it has printed the text so many times."""
        wait_until(lambda: self.text.count(text) >= count, lambda: f"{text!r} in:\n{self.text}")

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code, which must come within two seconds."""
        self.process.send_signal(number)
        code = self.process.wait(2)
        self.reader.join(PATIENCE_S)
        assert self.process.stdout is not None
        assert self.process.stdout.read() == "", "stdout is for nothing"
        self.process.stdout.close()
        return code


def wait_until(condition: Callable[[], object], describe: Callable[[], str] = str) -> None:
    """Wait for a condition, or fail with its description."""
    end = monotonic() + PATIENCE_S
    while not condition():
        assert monotonic() < end, describe()
        sleep(0.02)


@pytest.fixture
def keep() -> Iterator[Callable[..., Keeper]]:
    """Start keepers, and end those that a test leaves running."""
    started: list[Keeper] = []

    def start(*args: str, env: dict[str, str] | None = None) -> Keeper:
        keeper = Keeper(*args, env=env)
        started.append(keeper)
        return keeper

    yield start
    for keeper in started:
        if keeper.process.poll() is None:
            keeper.process.kill()
            keeper.process.wait()
        assert keeper.process.stdout is not None
        keeper.process.stdout.close()


class Manager:
    """A service manager's socket, as sd_notify(3) describes it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(PATIENCE_S)
        self.received: list[str] = []

    def receive_until(self, start: str) -> str:
        """Return the first message from now on with a line that begins so."""
        while True:
            message = self.socket.recv(8192).decode()
            self.received.append(message)
            if any(line.startswith(start) for line in message.splitlines()):
                return message


@contextmanager
def managing(address: str) -> Iterator[Manager]:
    """Listen as a service manager does."""
    manager = Manager(address)
    with manager.socket:
        yield manager


def first_token(path: Path) -> str:
    """Return the content of the file as soon as it exists."""
    wait_until(path.exists, lambda: f"{path} is missing")
    return path.read_text()
