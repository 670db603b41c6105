"""What the proxy says if it can't listen."""

import errno
import os
import socket
from pathlib import Path

import pytest

from tokencli.errors import StorageError, UsageError
from tokencli.proxy.listeners import listen_on_loopback, listening_on_unix_socket


def test_no_port_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names no port, and no option that can't help."""

    def bind(*_: object) -> None:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    monkeypatch.setattr(socket.socket, "bind", bind)
    with pytest.raises(UsageError) as caught:
        listen_on_loopback(0)
    assert caught.value.message == "can't listen on a free port: address already in use"
    assert caught.value.fix is None


def test_socket_of_another_kind(tmp_path: Path) -> None:
    """A socket that can't be connected to is left alone, without a claim about who listens there."""
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(StorageError) as caught, listening_on_unix_socket(path):
            pass
    assert caught.value.message == f"can't use {path}: protocol wrong type for socket"
    assert path.is_socket()


def test_system_without_unix_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows, Python has none."""
    monkeypatch.delattr(socket, "AF_UNIX")
    path = tmp_path / "api.sock"
    with pytest.raises(UsageError, match="on Windows"), listening_on_unix_socket(path):
        pass
