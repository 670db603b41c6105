"""What an exception of aiohttp is about, as the exception of the standard library that says so."""

import http.client
from typing import Literal

import aiohttp

_NO_HTTP_VERSION = "Expected HTTP/"
"""What aiohttp says of a reply that doesn't begin as one of HTTP."""


def find_flaw_of_reply(error: BaseException) -> str | None:
    """Return what is wrong with the head of an HTTP reply, without quoting it; None if that isn't it."""
    if not isinstance(error, aiohttp.ClientResponseError) or _NO_HTTP_VERSION in error.message:
        return None
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return None
    return error.message.partition(":")[0].strip() or None


def find_plain_failure(
    error: BaseException,
) -> tuple[Literal["connect", "proxy", "tls", "wait", "read"], BaseException]:
    """Return how far an exchange had come, and the exception to explain."""
    match error:
        case aiohttp.ClientHttpProxyError():
            return "proxy", OSError(f"Tunnel connection failed: {error.status}")
        case aiohttp.ClientConnectorCertificateError():
            return "tls", error.certificate_error
        case aiohttp.ClientProxyConnectionError():
            return "proxy", error.os_error
        case aiohttp.ClientConnectorSSLError():
            return "tls", error.os_error
        case aiohttp.ClientConnectorError():
            return "connect", error.os_error
        case TimeoutError():  # only connecting is limited
            return "connect", TimeoutError()
        case aiohttp.ClientPayloadError():
            return "read", ConnectionResetError()
        case aiohttp.ClientResponseError():
            return "wait", http.client.BadStatusLine("")
        case aiohttp.ClientConnectionError() | ConnectionError():
            return "wait", ConnectionResetError()
    return "wait", error
