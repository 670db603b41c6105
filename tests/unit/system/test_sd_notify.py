"""The protocol of sd_notify(3), with a socket that receives as a service manager does."""

import os
import socket
from pathlib import Path
from time import sleep

import pytest

from tokencli.system.sd_notify import ServiceManager, remove_service_variables


@pytest.mark.parametrize("address", ["{directory}/notify", "@tokencli-unit-{pid}"])
def test_messages_arrive(tmp_path: Path, address: str) -> None:
    """Assignments are lines of one datagram, to a path or an abstract address."""
    address = address.format(directory=tmp_path, pid=os.getpid())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address.replace("@", "\0"))
        manager = ServiceManager({"NOTIFY_SOCKET": address})
        assert manager.notify("READY=1", "STATUS=ünit")
        assert receiver.recv(1024).decode() == "READY=1\nSTATUS=ünit"
        assert manager.notify_reloading()
        first, second = receiver.recv(1024).decode().split("\n")
        assert first == "RELOADING=1"
        assert second.removeprefix("MONOTONIC_USEC=").isdecimal()


def test_without_a_service_manager_nothing_is_sent() -> None:
    """No NOTIFY_SOCKET is no failure; one that nobody reads is."""
    assert ServiceManager({}).notify("READY=1")
    assert not ServiceManager({"NOTIFY_SOCKET": "/nonexistent/notify"}).notify("READY=1")


def test_watchdog_stops_for_a_service_that_hangs(tmp_path: Path) -> None:
    """WATCHDOG=1 is sent at half of the interval, until no progress was made in time."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address)
        receiver.settimeout(10)
        manager = ServiceManager({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "40000"})
        manager.expect_progress(0.3)
        manager.start_watchdog()
        assert {receiver.recv(64) for _ in range(5)} == {b"WATCHDOG=1"}
        sleep(0.5)
        receiver.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                receiver.recv(64)
        sleep(0.2)
        with pytest.raises(BlockingIOError):
            receiver.recv(64)
        manager.expect_progress(10)
        receiver.settimeout(10)
        assert receiver.recv(64) == b"WATCHDOG=1"
        manager.stop_watchdog()


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "-1"},
        {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": ""},
    ],
)
def test_no_watchdog(tmp_path: Path, environ: dict[str, str]) -> None:
    """Nothing is sent if the watchdog is off, malformed or for another process."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address)
        receiver.settimeout(0.1)
        manager = ServiceManager({"NOTIFY_SOCKET": address, **environ})
        manager.expect_progress(10)
        manager.start_watchdog()
        with pytest.raises(TimeoutError):
            receiver.recv(64)
        manager.stop_watchdog()


def test_variables_are_for_this_process_only() -> None:
    """A program that the service starts can't speak in its name."""
    environ = {"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/h"}
    remove_service_variables(environ)
    assert environ == {"HOME": "/h"}
