"""The sockets that the proxy listens on: loopback addresses, or a private Unix socket."""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tokencli import platforms
from tokencli.errors import StorageError, UsageError
from tokencli.shell_words import user_shell
from tokencli.system.private_files import build_storage_error, foreign_owner_error

BACKLOG = 1024
PORT_ATTEMPTS = 10
"""How many free ports are tried until one is free on both addresses."""
MAX_SOCKET_PATH = 100
"""Bytes of a Unix socket's path that every system supports, with a little to spare."""


def listen_on_loopback(port: int) -> list[socket.socket]:
    """Return a socket on 127.0.0.1 and, if this computer has it, one on ::1, with the same port.

    Port 0 is a free one.

    Raises:
        UsageError: the port is in use, or may not be used.
    """
    for attempt in range(PORT_ATTEMPTS):
        try:
            first = _listen(socket.AF_INET, "127.0.0.1", port)
        except OSError as error:
            raise _port_error(port, error) from None
        try:
            return [first, _listen(socket.AF_INET6, "::1", first.getsockname()[1])]
        except OSError as error:
            if error.errno != errno.EADDRINUSE:  # there is no IPv6
                return [first]
            first.close()
            if port or attempt == PORT_ATTEMPTS - 1:
                raise _port_error(port, error) from None
    raise AssertionError("the loop returns or raises")


@contextmanager
def listening_on_unix_socket(path: Path) -> Iterator[socket.socket]:
    """Yield a Unix socket at `path` that only this user can connect to; remove it afterwards.

    A socket that no process listens on any more is replaced.

    Raises:
        UsageError: another process listens there, the path is too long, or this is Windows.
        StorageError: something else is there, or the directory can't be used.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise UsageError("--socket is not supported on Windows", fix="use --port instead")
    path = path.absolute()
    draft = path.with_name(f".{os.urandom(4).hex()}")
    if len(os.fsencode(path)) > MAX_SOCKET_PATH or len(os.fsencode(draft)) > MAX_SOCKET_PATH:
        raise UsageError(f"the path of the socket is longer than {MAX_SOCKET_PATH} bytes: {path}")
    _require_replaceable(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        try:
            listener.bind(str(draft))
            draft.chmod(0o600)
            listener.listen(BACKLOG)  # only now, with its mode set, are connections accepted
            inode = draft.lstat().st_ino
            draft.replace(path)
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            raise build_storage_error(error, path) from None
        try:
            yield listener
        finally:
            with suppress(OSError):
                if path.lstat().st_ino == inode:
                    path.unlink()
    finally:
        listener.close()


def _listen(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        platforms.current().prepare_listener(listener)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _port_error(port: int, error: OSError) -> UsageError:
    reason = (error.strerror or "unknown error").lower()
    if port and error.errno == errno.EADDRINUSE:
        return UsageError(
            f"port {port} is in use",
            cause="another program listens there",
            fix="leave out --port, and a free one is picked",
        )
    return UsageError(f"can't listen on {f'port {port}' if port else 'a free port'}: {reason}")


def _require_replaceable(path: Path) -> None:
    """Raise unless there is nothing at `path`, or our own socket without a listener."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise build_storage_error(error, path) from None
    if not stat.S_ISSOCK(status.st_mode):
        move = user_shell().move_file(str(path), f"{path}.old")
        raise StorageError(
            f"{path} exists and is not a socket", fix=move if stat.S_ISREG(status.st_mode) else None
        )
    if status.st_uid != os.geteuid():
        raise foreign_owner_error(path, f"uid {status.st_uid}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except (BlockingIOError, TimeoutError):
            pass  # its queue of connections is full
        except OSError as error:
            raise build_storage_error(error, path) from None
    raise UsageError(f"another process listens on {path}")
