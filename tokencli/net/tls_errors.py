"""Explanations of TLS failures: what is wrong with the certificate or the protocol, and the fix."""

import socket
import ssl
import time
from collections.abc import Callable, Mapping

from tokencli.fast_dataclass import dataclass
from tokencli.humanize import describe_clock_skew
from tokencli.net.connection import Explanation, FailureContext
from tokencli.net.request_guard import RequestTarget
from tokencli.system.timeout import run_with_timeout

VALIDITY_TIMEOUT_S = 3.0
"""Seconds that looking up a certificate's dates may take, within the exchange's own deadline."""


@dataclass(frozen=True, slots=True)
class TlsErrorTemplate:
    """One thing that may be wrong; the texts may contain `{host}`, `{trust}`, `{clock}` and `{edit}`."""

    message: str
    cause: str | None
    fix: str


NOT_YET_VALID_CODE, EXPIRED_CODE = 9, 10
_CHECK_CLOCK_CAUSE = "this computer's clock says {clock}"
_CHECK_CLOCK_FIX = (
    "correct the clock if it is wrong, or ask the server's administrators for a valid certificate"
)
_CA_CAUSE = "checked against {trust}; if the server's CA is private, the profile must name it"
_CA_FIX = "{edit} --set ca_file=/path/to/ca.pem"
_HOST_NAME_CAUSE = "the profile must use a host name that the certificate contains"
_OPERATORS_FIX = "ask the server's administrators to fix this"

UNKNOWN_CA = TlsErrorTemplate(
    "the certificate of {host} comes from a CA that is not trusted", _CA_CAUSE, _CA_FIX
)
CERTIFICATE_ERRORS: Mapping[int, TlsErrorTemplate] = {
    2: UNKNOWN_CA,
    NOT_YET_VALID_CODE: TlsErrorTemplate(
        "the certificate of {host} is not valid yet", _CHECK_CLOCK_CAUSE, _CHECK_CLOCK_FIX
    ),
    EXPIRED_CODE: TlsErrorTemplate(
        "the certificate of {host} has expired", _CHECK_CLOCK_CAUSE, _CHECK_CLOCK_FIX
    ),
    18: TlsErrorTemplate("the certificate of {host} is self-signed", _CA_CAUSE, _CA_FIX),
    19: UNKNOWN_CA,
    20: UNKNOWN_CA,
    21: UNKNOWN_CA,
    23: TlsErrorTemplate("the certificate of {host} has been revoked", None, _OPERATORS_FIX),
    62: TlsErrorTemplate(
        "the certificate of {host} is for another host name", _HOST_NAME_CAUSE, "{edit}"
    ),
    64: TlsErrorTemplate(
        "the certificate of {host} is not for this address", _HOST_NAME_CAUSE, "{edit}"
    ),
    66: TlsErrorTemplate("the key in the certificate of {host} is too weak", None, _OPERATORS_FIX),
    67: TlsErrorTemplate(
        "the key of a CA in the certificate chain of {host} is too weak", None, _OPERATORS_FIX
    ),
    68: TlsErrorTemplate(
        "the certificate of {host} is signed with an algorithm that is too weak",
        None,
        _OPERATORS_FIX,
    ),
}
"""OpenSSL's X509_V_ERR number -> explanation."""
_CLOCK_OFFSETS: Mapping[int, Callable[["ValidityPeriod", float], float]] = {
    NOT_YET_VALID_CODE: lambda period, now: now - period.not_before,
    EXPIRED_CODE: lambda period, now: now - period.not_after,
}
"""Error number -> seconds by which a wrong clock must be ahead (negative: behind) to explain it."""

OLD_TLS_VERSION = TlsErrorTemplate(
    "{host} supports only TLS versions older than 1.2", None, _OPERATORS_FIX
)
NOT_TLS = TlsErrorTemplate(
    "{host} does not speak TLS on this port (it is probably plain HTTP)",
    "the port in the profile isn't the server's https port",
    "{edit}",
)
CLIENT_CERTIFICATE_REQUIRED = TlsErrorTemplate(
    "{host} requires a client certificate",
    None,
    "{edit} --set client_cert=/path/to/cert.pem --set client_key=/path/to/key.pem",
)
CLIENT_CERTIFICATE_REJECTED = TlsErrorTemplate(
    "{host} does not accept the client certificate",
    "the server doesn't know its CA, or client_cert doesn't contain the whole chain",
    "{edit} --set client_cert=/path/to/cert.pem --set client_key=/path/to/key.pem",
)
CLIENT_CERTIFICATE_ALERTS = ("TLSV1_ALERT_UNKNOWN_CA", "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
            "SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_CERTIFICATE_REVOKED",
            "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", "TLSV1_ALERT_ACCESS_DENIED")  # fmt: skip
"""Alerts in which a server rejects the certificate it was shown, i.e. the client's."""
UNKNOWN_HOST_NAME = TlsErrorTemplate(
    "the server at {host} does not recognize that host name", _HOST_NAME_CAUSE, "{edit}"
)
HANDSHAKE_ERRORS: Mapping[str, TlsErrorTemplate] = {
    "WRONG_VERSION_NUMBER": NOT_TLS,
    "HTTP_REQUEST": NOT_TLS,
    "RECORD_LAYER_FAILURE": NOT_TLS,
    "PACKET_LENGTH_TOO_LONG": NOT_TLS,
    "UNSUPPORTED_PROTOCOL": OLD_TLS_VERSION,
    "TLSV1_ALERT_PROTOCOL_VERSION": OLD_TLS_VERSION,
    "NO_PROTOCOLS_AVAILABLE": OLD_TLS_VERSION,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": TlsErrorTemplate(
        "{host} and this computer have no TLS version and cipher in common", None, _OPERATORS_FIX
    ),
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": CLIENT_CERTIFICATE_REQUIRED,
    "SSLV3_ALERT_BAD_CERTIFICATE": CLIENT_CERTIFICATE_REQUIRED,
    **dict.fromkeys(CLIENT_CERTIFICATE_ALERTS, CLIENT_CERTIFICATE_REJECTED),
    "TLSV1_UNRECOGNIZED_NAME": UNKNOWN_HOST_NAME,
    "TLSV1_ALERT_UNRECOGNIZED_NAME": UNKNOWN_HOST_NAME,
    "DH_KEY_TOO_SMALL": TlsErrorTemplate(
        "the keys that {host} offers are too weak", None, _OPERATORS_FIX
    ),
}
"""OpenSSL's reason -> explanation."""


def explain_certificate_error(
    error: ssl.SSLCertVerificationError, at: FailureContext
) -> Explanation:
    """Say what is wrong with the server's certificate, within the time that is left."""
    code = getattr(error, "verify_code", 0)
    other = TlsErrorTemplate("the certificate of {host} can't be trusted", _CA_CAUSE, _CA_FIX)
    explanation = _fill_template(CERTIFICATE_ERRORS.get(code, other), at)
    cause = explanation.cause
    if code in _CLOCK_OFFSETS and at.proxy is None:
        cause = f"{cause}{_describe_clock_offset(code, at)}"
    elif at.proxy is not None and (explanation.fix or "").endswith("ca.pem"):
        cause = (
            f"{cause}; if the proxy {at.proxy.authority} inspects TLS, it is the proxy's CA that is"
            " missing"
        )
    return explanation._replace(cause=cause)


def explain_handshake_error(error: ssl.SSLError, at: FailureContext) -> Explanation:
    """Say why the TLS handshake failed."""
    reason = error.reason or "no reason given"
    other = TlsErrorTemplate(f"TLS with {{host}} failed ({reason})", None, _OPERATORS_FIX)
    return _fill_template(HANDSHAKE_ERRORS.get(reason, other), at)


def _fill_template(template: TlsErrorTemplate, at: FailureContext) -> Explanation:
    values = {
        "host": at.target.authority,
        "trust": at.trust.description,
        "clock": time.strftime("%Y-%m-%d %H:%M %z"),
        "edit": at.connection.edit_command(),
    }
    return Explanation(
        template.message.format(**values),
        template.cause.format(**values) if template.cause else None,
        template.fix.format(**values),
    )


def _describe_clock_offset(code: int, at: FailureContext) -> str:
    """Say by how much the clock must be wrong if the certificate is valid after all.

    OpenSSL says only that a date is wrong, so the dates are looked up in a second handshake.
    """
    period = fetch_validity_period(at.target, at.remaining_s)
    offset = 0.0 if period is None else _CLOCK_OFFSETS[code](period, time.time())
    if (offset > 0) is not (code == EXPIRED_CODE) or offset == 0:
        return ""  # unknown, or the date that is wrong is that of another certificate in the chain
    return f"; if the certificate is valid, the clock is at least {describe_clock_skew(offset)}"


@dataclass(frozen=True, slots=True)
class ValidityPeriod:
    """When a certificate is valid, in epoch seconds."""

    not_before: float
    not_after: float


def fetch_validity_period(target: RequestTarget, seconds: float) -> ValidityPeriod | None:
    """Return the validity of the server's certificate, or None if it can't be had in time.

    The connection doesn't verify the server, and sends nothing after the handshake.
    """
    seconds = min(seconds, VALIDITY_TIMEOUT_S)
    if seconds <= 0:
        return None
    try:
        return run_with_timeout(lambda: _fetch_validity_period(target, seconds), seconds)
    except (OSError, ValueError):
        return None


def _fetch_validity_period(target: RequestTarget, seconds: float) -> ValidityPeriod:
    from cryptography.x509 import load_der_x509_certificate

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((target.host, target.port), seconds) as plain,
        context.wrap_socket(plain, server_hostname=target.host) as wrapped,
    ):
        certificate = load_der_x509_certificate(wrapped.getpeercert(binary_form=True) or b"")
    return ValidityPeriod(
        certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    )
