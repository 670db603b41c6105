"""From when to when a certificate is good, looked up after it was refused for its dates.

OpenSSL says only that a date is wrong. How wrong it is tells a person whose clock to look at, so the
handshake is done once more, without trust, and nothing is sent in it.
"""

import socket
import ssl

from tokencli.fast_dataclass import dataclass
from tokencli.net.request_guard import RequestTarget
from tokencli.system.deadline import run_with_deadline

FETCH_TIMEOUT_S = 3.0
"""Seconds that the look may take at most, within the exchange's own deadline."""


@dataclass(frozen=True, slots=True)
class ValidityPeriod:
    """The span in which a certificate is good, in epoch seconds."""

    not_before: float
    not_after: float


def fetch_validity_period(target: RequestTarget, seconds: float) -> ValidityPeriod | None:
    """Return the validity of the server's certificate, or None where it can't be had in time."""
    seconds = min(seconds, FETCH_TIMEOUT_S)
    if seconds <= 0:
        return None
    try:
        return run_with_deadline(seconds, lambda: _fetch_over_tls(target, seconds), lambda: None)
    except (OSError, ValueError):
        return None


def _fetch_over_tls(target: RequestTarget, seconds: float) -> ValidityPeriod:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((target.host, target.port), seconds) as plain,
        context.wrap_socket(plain, server_hostname=target.host) as wrapped,
    ):
        return _parse_validity_period(wrapped.getpeercert(binary_form=True) or b"")


def _parse_validity_period(certificate: bytes) -> ValidityPeriod:
    from cryptography.x509 import load_der_x509_certificate

    found = load_der_x509_certificate(certificate)
    return ValidityPeriod(
        found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()
    )
