"""Failures of TLS in words: what is wrong with the certificate or the protocol, and what to do."""

import ssl
import time
from collections.abc import Callable, Mapping

from tokencli.fast_dataclass import dataclass
from tokencli.humanize import describe_clock_skew
from tokencli.net.certificate_dates import ValidityPeriod, fetch_validity_period
from tokencli.net.proxy import Proxy
from tokencli.net.request_guard import RequestTarget
from tokencli.net.tls_context import TrustConfig

NOT_YET_VALID_CODE, EXPIRED_CODE = 9, 10
CHECK_CLOCK_HINT = (
    "if this computer's clock is right ({clock}), the server's operators have to renew it; "
    "if not, {off}set the clock"
)
CA_FILE_HINT = (
    "if the server's CA is not a public one, save the CA's certificate as PEM and set "
    'ca_file = "/path/to/ca.pem" in the profile; checked against {trust}'
)
CLOCK_OFFSETS: Mapping[int, Callable[[ValidityPeriod, float], float]] = {
    NOT_YET_VALID_CODE: lambda found, now: now - found.not_before,
    EXPIRED_CODE: lambda found, now: now - found.not_after,
}
"""Verdict -> how far the clock has to be off for it to be wrong: seconds ahead, negative behind."""
HOST_NAME_HINT = (
    "check the host in token_url (tokencli profiles show); it has to be a name that the "
    "certificate carries"
)
SERVER_OPERATORS_HINT = "the server's operators have to mend this"


@dataclass(frozen=True, slots=True)
class TlsErrorTemplate:
    """One thing that may be wrong, and the next step."""

    message: str
    fix: str


UNKNOWN_CA = TlsErrorTemplate(
    "the certificate of {host} comes from a CA that is not trusted here", CA_FILE_HINT
)

CERTIFICATE_ERRORS: Mapping[int, TlsErrorTemplate] = {
    2: UNKNOWN_CA,
    NOT_YET_VALID_CODE: TlsErrorTemplate(
        "the certificate of {host} is not valid yet", CHECK_CLOCK_HINT
    ),
    EXPIRED_CODE: TlsErrorTemplate("the certificate of {host} has expired", CHECK_CLOCK_HINT),
    18: TlsErrorTemplate("{host} vouches for itself: its certificate is self-signed", CA_FILE_HINT),
    19: UNKNOWN_CA,
    20: UNKNOWN_CA,
    21: UNKNOWN_CA,
    23: TlsErrorTemplate("the certificate of {host} has been revoked", SERVER_OPERATORS_HINT),
    62: TlsErrorTemplate("the certificate that {host} shows is for another name", HOST_NAME_HINT),
    64: TlsErrorTemplate(
        "the certificate that {host} shows is not for this address", HOST_NAME_HINT
    ),
    66: TlsErrorTemplate("the key in the certificate of {host} is too weak", SERVER_OPERATORS_HINT),
    67: TlsErrorTemplate(
        "a CA key behind the certificate of {host} is too weak", SERVER_OPERATORS_HINT
    ),
    68: TlsErrorTemplate(
        "the certificate of {host} is signed by a method that is too weak", SERVER_OPERATORS_HINT
    ),
}
"""By OpenSSL's X509_V_ERR number."""

OLD_TLS_VERSION = TlsErrorTemplate(
    "{host} speaks only versions of TLS older than 1.2", SERVER_OPERATORS_HINT
)
NOT_TLS = TlsErrorTemplate(
    "{host} does not speak TLS on this port, probably plain HTTP",
    "check the port: the https port is another one (tokencli profiles show)",
)
CLIENT_CERTIFICATE_REQUIRED = TlsErrorTemplate(
    "{host} asks for a client certificate", "ask the server's operators for one, or another way in"
)
CLIENT_CERTIFICATE_REJECTED = TlsErrorTemplate(
    "{host} does not accept the client's certificate",
    "give one that the server's operators know as client_cert, with its whole chain: tokencli profiles"
    " edit",
)
CLIENT_CERTIFICATE_ALERTS = ("TLSV1_ALERT_UNKNOWN_CA", "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
            "SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_CERTIFICATE_REVOKED",
            "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", "TLSV1_ALERT_ACCESS_DENIED")  # fmt: skip
"""What a server says of a certificate that it was shown: here that is the client's own."""

HANDSHAKE_ERRORS: Mapping[str, TlsErrorTemplate] = {
    "WRONG_VERSION_NUMBER": NOT_TLS,
    "HTTP_REQUEST": NOT_TLS,
    "RECORD_LAYER_FAILURE": NOT_TLS,
    "PACKET_LENGTH_TOO_LONG": NOT_TLS,
    "UNSUPPORTED_PROTOCOL": OLD_TLS_VERSION,
    "TLSV1_ALERT_PROTOCOL_VERSION": OLD_TLS_VERSION,
    "NO_PROTOCOLS_AVAILABLE": OLD_TLS_VERSION,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": TlsErrorTemplate(
        "{host} and this computer have no TLS version and cipher in common", SERVER_OPERATORS_HINT
    ),
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": CLIENT_CERTIFICATE_REQUIRED,
    "SSLV3_ALERT_BAD_CERTIFICATE": CLIENT_CERTIFICATE_REQUIRED,
    **dict.fromkeys(CLIENT_CERTIFICATE_ALERTS, CLIENT_CERTIFICATE_REJECTED),
    "TLSV1_UNRECOGNIZED_NAME": TlsErrorTemplate(
        "{host} is not a name that the server there knows", HOST_NAME_HINT
    ),
    "TLSV1_ALERT_UNRECOGNIZED_NAME": TlsErrorTemplate(
        "{host} is not a name that the server there knows", HOST_NAME_HINT
    ),
    "DH_KEY_TOO_SMALL": TlsErrorTemplate(
        "the keys that {host} offers are too weak", SERVER_OPERATORS_HINT
    ),
}
"""By OpenSSL's reason."""


def describe_certificate_error(
    error: ssl.SSLCertVerificationError,
    target: RequestTarget,
    trust: TrustConfig,
    proxy: Proxy | None,
    left: float,
) -> tuple[str, str]:
    """Say what is wrong with a certificate (sentence, next step), within `left` seconds."""
    other = TlsErrorTemplate("the certificate of {host} can't be trusted", CA_FILE_HINT)
    verdict = getattr(error, "verify_code", 0)
    flaw = CERTIFICATE_ERRORS.get(verdict, other)
    off = ""
    if verdict in CLOCK_OFFSETS and proxy is None:
        off = _describe_clock_offset(verdict, fetch_validity_period(target, left))
    fix = flaw.fix.format(
        trust=trust.description, clock=time.strftime("%Y-%m-%d %H:%M %z"), off=off
    )
    if proxy and flaw.fix is CA_FILE_HINT:
        fix += (
            f"; if the proxy {proxy.authority} inspects TLS, it is the proxy's CA that is missing"
        )
    return flaw.message.format(host=target.authority), fix


def _describe_clock_offset(verdict: int, found: ValidityPeriod | None) -> str:
    """Say how far the clock would have to be off for the certificate to be good after all."""
    off = 0.0 if found is None else CLOCK_OFFSETS[verdict](found, time.time())
    if (off > 0) is not (verdict == EXPIRED_CODE) or off == 0:
        return ""  # the wrong date is another certificate's in the chain, or not known
    return f"it is at least {describe_clock_skew(off)}: "


def describe_handshake_error(error: ssl.SSLError, target: RequestTarget) -> tuple[str, str]:
    """Say why the handshake failed (sentence, next step)."""
    reason = error.reason or "no reason given"
    other = TlsErrorTemplate(f"TLS with {{host}} failed ({reason})", SERVER_OPERATORS_HINT)
    flaw = HANDSHAKE_ERRORS.get(reason, other)
    return flaw.message.format(host=target.authority), flaw.fix
