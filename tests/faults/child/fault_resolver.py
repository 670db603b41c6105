"""A name lookup that answers as told, for this process: `slow`, `unknown`, `failing` or `loopback`."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

_real = socket.getaddrinfo
_never = Event()


def _slow(host: str, *args: Any, **kwargs: Any) -> Any:
    _never.wait(20)
    return _loopback(host, *args, **kwargs)


def _unknown(host: str, *_: Any, **__: Any) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def _failing(host: str, *_: Any, **__: Any) -> Any:
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


def _loopback(host: str, *args: Any, **kwargs: Any) -> Any:
    return _real("127.0.0.1", *args, **kwargs)


KINDS: dict[str, Callable[..., Any]] = {
    "slow": _slow,
    "unknown": _unknown,
    "failing": _failing,
    "loopback": _loopback,
}


def install(kind: str) -> None:
    """Let every lookup of a name under .example end as `kind` says, for good."""
    answer = KINDS[kind]

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        found = answer if name and name.endswith(".example") else _real
        return found(host, *args, **kwargs)

    socket.getaddrinfo = getaddrinfo


@contextmanager
def resolving(kind: str | None) -> Iterator[None]:
    """Do as `install` says inside the block; None changes nothing."""
    if kind is not None:
        install(kind)
    try:
        yield
    finally:
        socket.getaddrinfo = _real
