"""Explanations of TLS failures: what is wrong with the certificate or the protocol, and the fix."""

import socket
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tokencli.fast_dataclass import dataclass
from tokencli.humanize import humanize_duration
from tokencli.net.connection import Explanation, FailureContext
from tokencli.net.request_guard import RequestTarget
from tokencli.sanitize import sanitize_text
from tokencli.shell_words import user_shell
from tokencli.system.signals import stoppable
from tokencli.system.timeout import Wakeup, run_with_timeout

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

CERTIFICATES_TIMEOUT_S = 3.0
"""Seconds that looking up the server's certificates may take, within the exchange's own deadline."""


@dataclass(frozen=True, slots=True)
class TlsErrorTemplate:
    """One thing that may be wrong; the texts may contain `{host}`, `{trust}`, `{clock}` and `{edit}`."""

    message: str
    cause: str | None
    fix: str | None


NOT_YET_VALID_CODE, EXPIRED_CODE = 9, 10
_SELF_SIGNED_CODE = 18
_UNKNOWN_ISSUER_CODES = (20, 21)
_DER = 2
"""`_ssl.ENCODING_DER`, the same in all versions of Python."""
_DATE_CAUSE = (
    "the server's administrators must replace it, unless this computer's clock is wrong, which says"
    " {clock}"
)
_CA_CAUSE = "checked against {trust}; if the server's CA is private, the profile must name it"
_CA_FIX = "{edit} --set ca_file={ca}"
_HOST_NAME_CAUSE = "the profile must use a host name that the certificate contains"
_OPERATORS_CAUSE = "only the server's administrators can fix this"

UNKNOWN_CA = TlsErrorTemplate(
    "the certificate of {host} comes from a CA that is not trusted", _CA_CAUSE, _CA_FIX
)
CERTIFICATE_ERRORS: Mapping[int, TlsErrorTemplate] = {
    2: UNKNOWN_CA,
    NOT_YET_VALID_CODE: TlsErrorTemplate(
        "the certificate of {host} is not valid yet", _DATE_CAUSE, None
    ),
    EXPIRED_CODE: TlsErrorTemplate("the certificate of {host} has expired", _DATE_CAUSE, None),
    _SELF_SIGNED_CODE: TlsErrorTemplate(
        "the certificate of {host} is self-signed", _CA_CAUSE, _CA_FIX
    ),
    19: UNKNOWN_CA,
    20: UNKNOWN_CA,
    21: UNKNOWN_CA,
    23: TlsErrorTemplate("the certificate of {host} has been revoked", _OPERATORS_CAUSE, None),
    62: TlsErrorTemplate(
        "the certificate of {host} is for another host name", _HOST_NAME_CAUSE, "{edit}"
    ),
    64: TlsErrorTemplate(
        "the certificate of {host} is not for this address", _HOST_NAME_CAUSE, "{edit}"
    ),
    66: TlsErrorTemplate(
        "the key in the certificate of {host} is too weak", _OPERATORS_CAUSE, None
    ),
    67: TlsErrorTemplate(
        "the key of a CA in the certificate chain of {host} is too weak", _OPERATORS_CAUSE, None
    ),
    68: TlsErrorTemplate(
        "the certificate of {host} is signed with an algorithm that is too weak",
        _OPERATORS_CAUSE,
        None,
    ),
}
"""OpenSSL's X509_V_ERR number -> explanation."""
OLD_TLS_VERSION = TlsErrorTemplate(
    "{host} supports only TLS versions older than 1.2", _OPERATORS_CAUSE, None
)
NOT_TLS = TlsErrorTemplate(
    "{host} does not speak TLS on this port (it is probably plain HTTP)",
    "the port in the profile isn't the server's https port",
    "{edit}",
)
CLIENT_CERTIFICATE_REQUIRED = TlsErrorTemplate(
    "{host} requires a client certificate",
    None,
    "{edit} --set client_cert={cert} --set client_key={key}",
)
CLIENT_CERTIFICATE_REJECTED = TlsErrorTemplate(
    "{host} does not accept the client certificate",
    "the server doesn't know its CA, or client_cert doesn't contain the whole chain",
    "{edit} --set client_cert={cert} --set client_key={key}",
)
CLIENT_CERTIFICATE_ALERTS = ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_BAD_CERTIFICATE", "TLSV1_ALERT_UNKNOWN_CA", "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
            "SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_CERTIFICATE_REVOKED",
            "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", "TLSV1_ALERT_ACCESS_DENIED")  # fmt: skip
"""Alerts with which a server rejects the client's certificate, or that there is none."""
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
        "{host} and this computer have no TLS version and cipher in common", _OPERATORS_CAUSE, None
    ),
    **dict.fromkeys(CLIENT_CERTIFICATE_ALERTS, CLIENT_CERTIFICATE_REQUIRED),
    "TLSV1_UNRECOGNIZED_NAME": UNKNOWN_HOST_NAME,
    "TLSV1_ALERT_UNRECOGNIZED_NAME": UNKNOWN_HOST_NAME,
    "DH_KEY_TOO_SMALL": TlsErrorTemplate(
        "the keys that {host} offers are too weak", _OPERATORS_CAUSE, None
    ),
}
"""OpenSSL's reason -> explanation."""


def explain_certificate_error(
    error: ssl.SSLCertVerificationError, at: FailureContext
) -> Explanation:
    """Say what is wrong with the server's certificate, within the time that is left."""
    code = getattr(error, "verify_code", 0)
    other = TlsErrorTemplate("the certificate of {host} can't be trusted", _CA_CAUSE, _CA_FIX)
    template = CERTIFICATE_ERRORS.get(code, other)
    explanation = _fill_template(template, at)
    cause, untrusted_issuer = explanation.cause, None
    if template.fix == _CA_FIX:
        certificates = []
        if at.proxy is None and code != _SELF_SIGNED_CODE:  # that certificate is its own CA's
            certificates = fetch_peer_certificates(at.target, at.remaining_s)
        untrusted_issuer = _describe_issuer(certificates[-1]) if certificates else ""
        if code in _UNKNOWN_ISSUER_CODES:
            cause = f"{cause}{_describe_missing_issuer(at, certificates)}"
        if at.proxy is not None:
            cause = (
                f"{cause}; if the proxy {at.proxy.authority} inspects TLS, it is the proxy's CA that"
                " is missing"
            )
    if code in (NOT_YET_VALID_CODE, EXPIRED_CODE) and at.proxy is None:
        cause = f"{cause}{_describe_clock_offset(code, at)}"
    return explanation._replace(cause=cause, untrusted_issuer=untrusted_issuer)


def _describe_issuer(certificate: "Certificate") -> str:
    return sanitize_text(certificate.issuer.rfc4514_string(), 100)


def explain_handshake_error(error: ssl.SSLError, at: FailureContext) -> Explanation:
    """Say why the TLS handshake failed."""
    reason = error.reason or "no reason given"
    other = TlsErrorTemplate(f"TLS with {{host}} failed ({reason})", _OPERATORS_CAUSE, None)
    template = HANDSHAKE_ERRORS.get(reason, other)
    # Before TLS 1.3 no alert of its own says that a client certificate is missing. What else would
    # be refused, such as the cipher, is refused before the server sends its certificate.
    about_client = template is CLIENT_CERTIFICATE_REQUIRED or (
        reason == "SSLV3_ALERT_HANDSHAKE_FAILURE"
        and at.proxy is None
        and bool(fetch_peer_certificates(at.target, at.remaining_s))
    )
    if about_client:
        sent = at.has_client_certificate
        template = CLIENT_CERTIFICATE_REJECTED if sent else CLIENT_CERTIFICATE_REQUIRED
    return _fill_template(template, at)


def _fill_template(template: TlsErrorTemplate, at: FailureContext) -> Explanation:
    values = {
        "host": at.target.authority,
        "trust": at.trust.description,
        "clock": time.strftime("%Y-%m-%d %H:%M %z"),
        "edit": at.connection.edit_command(),
        **{name: user_shell().example_path(f"{name}.pem") for name in ("ca", "cert", "key")},
    }
    return Explanation(
        template.message.format(**values),
        template.cause.format(**values) if template.cause else None,
        template.fix.format(**values) if template.fix else None,
    )


def _describe_missing_issuer(at: FailureContext, certificates: Sequence["Certificate"]) -> str:
    """Say that the server may leave out an intermediate certificate, if it sent only its own.

    If neither the user names a CA nor the certificate says where its issuer's is (RFC 5280 section
    4.2.2.1), the issuer is probably a private root CA.
    """
    from cryptography.x509 import AuthorityInformationAccess, ExtensionNotFound

    if len(certificates) != 1 or certificates[0].issuer == certificates[0].subject:
        return ""
    if not at.trust.ca_paths:
        try:
            certificates[0].extensions.get_extension_for_class(AuthorityInformationAccess)
        except (ExtensionNotFound, ValueError):
            return ""
    return (
        ". The server didn't send the certificate of its issuer,"
        f" {_describe_issuer(certificates[0])}. If that is an intermediate CA,"
        " the server's administrators should add its certificate; until then, ca_file can contain it"
    )


def _describe_clock_offset(code: int, at: FailureContext) -> str:
    """Say by how much the clock must be wrong if the certificate is valid after all.

    OpenSSL says only that a date is wrong, so the dates are looked up in a second handshake.
    """
    certificates = fetch_peer_certificates(at.target, at.remaining_s)
    if not certificates:
        return ""
    now = time.time()
    if code == EXPIRED_CODE:
        offset = now - certificates[0].not_valid_after_utc.timestamp()
    else:
        offset = now - certificates[0].not_valid_before_utc.timestamp()
    if (offset > 0) is not (code == EXPIRED_CODE) or offset == 0:
        return ""  # the date that is wrong is that of another certificate in the chain
    span = humanize_duration(offset)  # rounded down, as it is the least
    direction = "ahead" if offset > 0 else "behind"
    return f"; if the certificate is valid, the clock is at least {span} {direction}"


def fetch_peer_certificates(target: RequestTarget, seconds: float) -> list["Certificate"]:
    """Return the certificates that the server sends, its own first; empty if there are none in time.

    The connection doesn't verify the server, and sends nothing after the handshake, which need not
    succeed.
    """
    seconds = min(seconds, CERTIFICATES_TIMEOUT_S)
    if seconds <= 0:
        return []
    wakeup = Wakeup()

    def stop(_keep_reply: bool) -> float:
        wakeup.set()
        return 0.0

    try:
        with stoppable(stop):
            return run_with_timeout(
                lambda: _fetch_peer_certificates(target, seconds), seconds, wakeup=wakeup
            )
    except (OSError, ValueError):
        return []


def _fetch_peer_certificates(target: RequestTarget, seconds: float) -> list["Certificate"]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((target.host, target.port), seconds) as plain,
        context.wrap_socket(
            plain, server_hostname=target.host, do_handshake_on_connect=False
        ) as wrapped,
    ):
        with suppress(ssl.SSLError):
            wrapped.do_handshake()
        # The public method exists only since Python 3.13, and only after a complete handshake.
        chain = wrapped._sslobj.get_unverified_chain()  # type: ignore[attr-defined]
        return parse_chain(chain or ())


def parse_chain(chain: Iterable[Any]) -> list["Certificate"]:
    """Return the certificates of an `SSLSocket`, which are of a class of the module `_ssl`."""
    from cryptography.x509 import load_der_x509_certificate

    return [load_der_x509_certificate(each.public_bytes(_DER)) for each in chain]
