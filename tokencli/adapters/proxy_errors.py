"""Failures on this side of a proxy's CONNECT: the server has not been reached yet."""

import http.client
import re
import socket
import ssl
from collections.abc import Callable
from typing import Any

from urllib3.exceptions import HTTPError

from tokencli.adapters.connection import ReplyTooLarge
from tokencli.adapters.failure import Circumstances, Row
from tokencli.errors import DeadlineError

_CONNECT_STATUS = re.compile(r"Tunnel connection failed: (\d{3})\b")
"""http.client's words for any answer to CONNECT but 200."""


def _refused(error: OSError, at: Circumstances) -> tuple[str, str]:
    assert at.proxy is not None
    found = _CONNECT_STATUS.match(str(error))
    status = found[1] if found else ""
    if status == "407":
        return (
            f"the proxy {at.proxy.shown} asks for a user name and password, or for other ones "
            "(HTTP 407)",
            f"put them into {at.proxy.origin} as http://USER:PASSWORD@{at.proxy.shown}, special "
            "characters percent-encoded",
        )
    return _unusable(f"it refused to connect to {at.target.shown} (HTTP {status})")(error, at)


def _unusable(why: str) -> Callable[[BaseException, Circumstances], tuple[str, str]]:
    def say(_: BaseException, at: Circumstances) -> tuple[str, str]:
        assert at.proxy is not None
        return (
            f"the proxy {at.proxy.shown}, from {at.proxy.origin}, could not be used: {why}",
            f"check {at.proxy.origin}; to go without a proxy, add {at.target.host} to NO_PROXY or "
            'set proxy = "none" in the profile',
        )

    return say


def _is_answer(error: Any) -> bool:
    return _CONNECT_STATUS.match(str(error)) is not None


TABLE: tuple[Row, ...] = (
    Row(OSError, _refused, when=_is_answer),
    Row(socket.gaierror, _unusable("its name can't be looked up")),
    Row(ConnectionRefusedError, _unusable("it refused the connection"), passing=True),
    Row(TimeoutError, _unusable("it did not answer in time"), DeadlineError, passing=True),
    Row(ssl.SSLError, _unusable("TLS to the proxy itself failed")),
    Row(ConnectionError, _unusable("it closed the connection"), passing=True),
    Row(http.client.HTTPException, _unusable("it does not answer as an HTTP proxy does")),
    Row(ReplyTooLarge, _unusable("it does not answer as an HTTP proxy does")),
    Row(OSError, _unusable("there is no way to it from here")),
    Row(HTTPError, _unusable("the connection to it failed")),
)
