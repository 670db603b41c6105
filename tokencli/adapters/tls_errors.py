"""Failures of TLS in words: what is wrong with the certificate or the protocol, and what to do."""

import ssl
import time
from collections.abc import Callable, Mapping

from tokencli.adapters.outgoing import Target
from tokencli.adapters.proxy import Proxy
from tokencli.adapters.trust import Trust
from tokencli.adapters.validity import Validity, look
from tokencli.frozen import dataclass
from tokencli.providers.skew import apart

EARLY, EXPIRED = 9, 10
CLOCK = (
    "if this computer's clock is right ({clock}), the server's operators have to renew it; "
    "if not, {off}set the clock"
)
ANCHOR = (
    "if the server's CA is not a public one, save the CA's certificate as PEM and set "
    'ca_file = "/path/to/ca.pem" in the profile; checked against {trust}'
)
DATES: Mapping[int, Callable[[Validity, float], float]] = {
    EARLY: lambda found, now: now - found.begins,
    EXPIRED: lambda found, now: now - found.ends,
}
"""Verdict -> how far the clock has to be off for it to be wrong: seconds ahead, negative behind."""
NAME = (
    "check the host in token_url (tokencli profiles show); it has to be a name that the "
    "certificate carries"
)
OPERATORS = "the server's operators have to mend this"


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that may be wrong, and the next step."""

    what: str
    hint: str


UNKNOWN_CA = Flaw("the certificate of {host} comes from a CA that is not trusted here", ANCHOR)

CERTIFICATE: Mapping[int, Flaw] = {
    2: UNKNOWN_CA,
    EARLY: Flaw("the certificate of {host} is not valid yet", CLOCK),
    EXPIRED: Flaw("the certificate of {host} has expired", CLOCK),
    18: Flaw("{host} vouches for itself: its certificate is self-signed", ANCHOR),
    19: UNKNOWN_CA,
    20: UNKNOWN_CA,
    21: UNKNOWN_CA,
    23: Flaw("the certificate of {host} has been revoked", OPERATORS),
    62: Flaw("the certificate that {host} shows is for another name", NAME),
    64: Flaw("the certificate that {host} shows is not for this address", NAME),
    66: Flaw("the key in the certificate of {host} is too weak", OPERATORS),
    67: Flaw("a CA key behind the certificate of {host} is too weak", OPERATORS),
    68: Flaw("the certificate of {host} is signed by a method that is too weak", OPERATORS),
}
"""By OpenSSL's X509_V_ERR number."""

OLD = Flaw("{host} speaks only versions of TLS older than 1.2", OPERATORS)
CLEAR = Flaw(
    "{host} does not speak TLS on this port, probably plain HTTP",
    "check the port: the https port is another one (tokencli profiles show)",
)
WANTS_CERTIFICATE = Flaw(
    "{host} asks for a client certificate", "ask the server's operators for one, or another way in"
)
NOT_TRUSTED = Flaw(
    "{host} does not accept the client's certificate",
    "give one that the server's operators know as client_cert, with its whole chain: tokencli profiles"
    " edit",
)
REFUSALS = ("TLSV1_ALERT_UNKNOWN_CA", "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
            "SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_CERTIFICATE_REVOKED",
            "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", "TLSV1_ALERT_ACCESS_DENIED")  # fmt: skip
"""What a server says of a certificate that it was shown: here that is the client's own."""

PROTOCOL: Mapping[str, Flaw] = {
    "WRONG_VERSION_NUMBER": CLEAR,
    "HTTP_REQUEST": CLEAR,
    "RECORD_LAYER_FAILURE": CLEAR,
    "PACKET_LENGTH_TOO_LONG": CLEAR,
    "UNSUPPORTED_PROTOCOL": OLD,
    "TLSV1_ALERT_PROTOCOL_VERSION": OLD,
    "NO_PROTOCOLS_AVAILABLE": OLD,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": Flaw(
        "{host} and this computer have no TLS version and cipher in common", OPERATORS
    ),
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": WANTS_CERTIFICATE,
    "SSLV3_ALERT_BAD_CERTIFICATE": WANTS_CERTIFICATE,
    **dict.fromkeys(REFUSALS, NOT_TRUSTED),
    "TLSV1_UNRECOGNIZED_NAME": Flaw("{host} is not a name that the server there knows", NAME),
    "TLSV1_ALERT_UNRECOGNIZED_NAME": Flaw("{host} is not a name that the server there knows", NAME),
    "DH_KEY_TOO_SMALL": Flaw("the keys that {host} offers are too weak", OPERATORS),
}
"""By OpenSSL's reason."""


def certificate(
    error: ssl.SSLCertVerificationError,
    target: Target,
    trust: Trust,
    proxy: Proxy | None,
    left: float,
) -> tuple[str, str]:
    """Say what is wrong with a certificate (sentence, next step), within `left` seconds."""
    other = Flaw("the certificate of {host} can't be trusted", ANCHOR)
    verdict = getattr(error, "verify_code", 0)
    flaw = CERTIFICATE.get(verdict, other)
    off = ""
    if verdict in DATES and proxy is None:
        off = _off(verdict, look(target, left))
    hint = flaw.hint.format(trust=trust.shown, clock=time.strftime("%Y-%m-%d %H:%M %z"), off=off)
    if proxy and flaw.hint is ANCHOR:
        hint += f"; if the proxy {proxy.shown} inspects TLS, it is the proxy's CA that is missing"
    return flaw.what.format(host=target.shown), hint


def _off(verdict: int, found: Validity | None) -> str:
    """Say how far the clock would have to be off for the certificate to be good after all."""
    off = 0.0 if found is None else DATES[verdict](found, time.time())
    if (off > 0) is not (verdict == EXPIRED) or off == 0:
        return ""  # the wrong date is another certificate's in the chain, or not known
    return f"it is at least {apart(off)}: "


def protocol(error: ssl.SSLError, target: Target) -> tuple[str, str]:
    """Say why the handshake failed (sentence, next step)."""
    reason = error.reason or "no reason given"
    other = Flaw(f"TLS with {{host}} failed ({reason})", OPERATORS)
    flaw = PROTOCOL.get(reason, other)
    return flaw.what.format(host=target.shown), flaw.hint
