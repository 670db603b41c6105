"""Failures on this side of a proxy's CONNECT: the server has not been reached yet."""

import http.client
import re
import socket
import ssl
from collections.abc import Callable
from typing import Any

from urllib3.exceptions import HTTPError

from tokencli.errors import DeadlineError
from tokencli.net.connection import ReplyTooLargeError
from tokencli.net.failure_context import ErrorRule, FailureContext

_CONNECT_STATUS_RE = re.compile(r"Tunnel connection failed: (\d{3})\b")
"""http.client's words for any answer to CONNECT but 200."""


def _describe_connect_refusal(error: OSError, at: FailureContext) -> tuple[str, str]:
    assert at.proxy is not None
    found = _CONNECT_STATUS_RE.match(str(error))
    status = found[1] if found else ""
    if status == "407":
        return (
            f"the proxy {at.proxy.authority} asks for a user name and password, or for other ones "
            "(HTTP 407)",
            f"put them into {at.proxy.configured_by} as http://USER:PASSWORD@{at.proxy.authority}, special "
            "characters percent-encoded",
        )
    return _describe_proxy_failure(
        f"it refused to connect to {at.target.authority} (HTTP {status})"
    )(error, at)


def _describe_proxy_failure(why: str) -> Callable[[BaseException, FailureContext], tuple[str, str]]:
    def say(_: BaseException, at: FailureContext) -> tuple[str, str]:
        assert at.proxy is not None
        return (
            f"the proxy {at.proxy.authority}, from {at.proxy.configured_by}, could not be used: {why}",
            f"check {at.proxy.configured_by}; to go without a proxy, add {at.target.host} to NO_PROXY or "
            'set proxy = "none" in the profile',
        )

    return say


def _is_connect_response(error: Any) -> bool:
    return _CONNECT_STATUS_RE.match(str(error)) is not None


PROXY_ERROR_RULES: tuple[ErrorRule, ...] = (
    ErrorRule(OSError, _describe_connect_refusal, matches=_is_connect_response),
    ErrorRule(socket.gaierror, _describe_proxy_failure("its name can't be looked up")),
    ErrorRule(
        ConnectionRefusedError, _describe_proxy_failure("it refused the connection"), transient=True
    ),
    ErrorRule(
        TimeoutError,
        _describe_proxy_failure("it did not answer in time"),
        DeadlineError,
        transient=True,
    ),
    ErrorRule(ssl.SSLError, _describe_proxy_failure("TLS to the proxy itself failed")),
    ErrorRule(ConnectionError, _describe_proxy_failure("it closed the connection"), transient=True),
    ErrorRule(
        http.client.HTTPException,
        _describe_proxy_failure("it does not answer as an HTTP proxy does"),
    ),
    ErrorRule(
        ReplyTooLargeError, _describe_proxy_failure("it does not answer as an HTTP proxy does")
    ),
    ErrorRule(OSError, _describe_proxy_failure("there is no way to it from here")),
    ErrorRule(HTTPError, _describe_proxy_failure("the connection to it failed")),
)
