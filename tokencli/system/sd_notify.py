"""Tell the service manager how a service is doing, as sd_notify(3) describes.

The manual page guarantees the protocol for programs without libsystemd. The libraries for it are no
help: sdnotify has had no release since 2017, and systemd-python and cysystemd need a C compiler.
"""

import os
import socket
from collections.abc import Mapping, MutableMapping
from threading import Event, Thread
from time import monotonic, monotonic_ns

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""What the service manager sets. They are of no use to the programs that the service starts."""


class ServiceManager:
    """The service manager that started this process; without one, nothing is sent."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._watchdog_interval = _read_watchdog_interval(environ) if self._address else None
        self._progress_due = 0.0
        self._stopped = Event()

    def notify(self, *assignments: str) -> bool:
        """Send assignments such as `READY=1` in one message; return False if that failed."""
        if not self._address or not hasattr(socket, "AF_UNIX"):
            return not self._address
        address = self._address
        if address.startswith("@"):  # abstract: unix(7)
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(1.0)
                sender.sendto("\n".join(assignments).encode(), address)
        except OSError:
            return False
        return True

    def notify_reloading(self) -> bool:
        """Say that the configuration is read again; `READY=1` says that it was."""
        return self.notify("RELOADING=1", f"MONOTONIC_USEC={monotonic_ns() // 1000}")

    def start_watchdog(self) -> None:
        """Let a thread send `WATCHDOG=1` as often as the service manager asked for, if it did.

        It is sent only as long as `expect_progress` says, so that a service that hangs is restarted.
        """
        if self._watchdog_interval is not None:
            Thread(target=self._send_watchdog, args=(self._watchdog_interval,), daemon=True).start()

    def expect_progress(self, seconds: float) -> None:
        """Note that the main thread will call this again within so many seconds, unless it hangs."""
        self._progress_due = monotonic() + seconds

    def stop_watchdog(self) -> None:
        """End the thread."""
        self._stopped.set()

    def _send_watchdog(self, interval: float) -> None:
        while not self._stopped.is_set():
            if monotonic() < self._progress_due:
                self.notify("WATCHDOG=1")
            self._stopped.wait(interval)


def remove_service_variables(environ: MutableMapping[str, str]) -> None:
    """Remove what is meant for this process only, before another program is started."""
    for name in VARIABLES:
        environ.pop(name, None)


def _read_watchdog_interval(environ: Mapping[str, str]) -> float | None:
    """Return half of the time that the watchdog allows, in seconds; None if it isn't for us."""
    limit, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID")
    if pid is not None and pid != str(os.getpid()):
        return None
    return int(limit) / 2e6 if limit.isdecimal() and int(limit) > 0 else None
