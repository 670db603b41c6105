"""What an exception of aiohttp is about, as the exception of the standard library that says so."""

import http.client
from typing import Literal

import aiohttp


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
