"""From when to when a certificate is good, looked up after it was refused for its dates.

OpenSSL says only that a date is wrong. How wrong it is tells a person whose clock to look at, so the
handshake is done once more, without trust, and nothing is sent in it.
"""

import socket
import ssl

from tokencli.adapters.deadline import within
from tokencli.adapters.outgoing import Target
from tokencli.frozen import dataclass

LOOK_S = 3.0
"""Seconds that the look may take at most, within the exchange's own deadline."""


@dataclass(frozen=True, slots=True)
class Validity:
    """The span in which a certificate is good, in epoch seconds."""

    begins: float
    ends: float


def look(target: Target, seconds: float) -> Validity | None:
    """Return the validity of the server's certificate, or None where it can't be had in time."""
    seconds = min(seconds, LOOK_S)
    if seconds <= 0:
        return None
    try:
        return within(seconds, lambda: _handshake(target, seconds), lambda: None)
    except (OSError, ValueError):
        return None


def _handshake(target: Target, seconds: float) -> Validity:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((target.host, target.port), seconds) as plain,
        context.wrap_socket(plain, server_hostname=target.host) as wrapped,
    ):
        return _parsed(wrapped.getpeercert(binary_form=True) or b"")


def _parsed(certificate: bytes) -> Validity:
    from cryptography.x509 import load_der_x509_certificate

    found = load_der_x509_certificate(certificate)
    return Validity(found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp())
