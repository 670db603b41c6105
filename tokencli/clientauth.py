"""Client authentication: one function per method, applied to the finished logical request.

Exactly one method is used for a request (RFC 6749 section 2.3).
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from tokencli.errors import ConfigError, CredentialsError
from tokencli.frozen import dataclass
from tokencli.model import ClientCertificate, Profile, Secret

if TYPE_CHECKING:
    from tokencli.jwt import sign

ASSERTION_LIFE_S = 120
"""Seconds that an assertion of ours is good for: it is used at once, by clocks that differ a little."""
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""RFC 7523 section 2.2."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What a method adds to a request."""

    params: Mapping[str, str | Secret] = field(default_factory=dict)
    headers: Mapping[str, Secret] = field(default_factory=dict)
    certificate: ClientCertificate | None = None
    inside: tuple[Secret, ...] = ()
    """The secrets that stand in those headers in another spelling."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a method may draw on."""

    secrets: Mapping[str, Secret] = field(default_factory=dict)
    """The secrets of `SECRETS` that the profile has, by logical name."""
    now: float = 0.0
    """Epoch seconds."""
    certificate: bytes = b""
    """The PEM file of the signing key's certificate, where the profile names one."""


def client_secret_basic(profile: Profile, given: Given) -> Applied:
    """Send id and secret by HTTP Basic, each form-encoded first (RFC 6749 section 2.3.1).

    `basic_encoding = "raw"` leaves the encoding out, for servers that don't undo it.
    """
    parts = (profile.values.get("client_id", ""), given.secrets["client_secret"].reveal())
    if profile.basic_encoding == "rfc6749":
        parts = (quote_plus(parts[0]), quote_plus(parts[1]))
    elif ":" in parts[0]:
        raise ConfigError(
            f"the client_id of profile {profile.name!r} contains a colon, which raw Basic can't carry",
            hint=f'set basic_encoding = "rfc6749" with tokencli profiles edit {profile.name}',
        )
    pair = b64encode(":".join(parts).encode()).decode()
    return Applied(
        headers={"Authorization": Secret(f"Basic {pair}")},
        inside=(given.secrets["client_secret"], Secret(pair)),
    )


def client_secret_post(profile: Profile, given: Given) -> Applied:
    """Send id and secret in the body (RFC 6749 section 2.3.1)."""
    found: dict[str, str | Secret] = {"client_id": profile.values.get("client_id", "")}
    if secret := given.secrets.get("client_secret"):
        found["client_secret"] = secret
    return Applied(params=found)


def client_secret_jwt(profile: Profile, given: Given) -> Applied:
    """Send an assertion that the client secret signs (OpenID Connect Core section 9)."""
    from tokencli.jwt import sign

    alg = profile.signing.alg or sign.SHARED[0]
    if alg not in sign.SHARED:
        raise _unfit(profile, f"a client secret signs by {', '.join(sign.SHARED)}, not by {alg!r}")
    claims = client_claims(profile, given.now)
    header = _header(profile, alg)
    try:
        signed = sign.with_secret(given.secrets["client_secret"], header, claims)
    except sign.BadKey as error:
        raise _useless(profile, "client_secret", error) from None
    return _asserted(profile, signed)


def private_key_jwt(profile: Profile, given: Given) -> Applied:
    """Send an assertion that the client's private key signs (RFC 7523 section 2.2)."""
    return _asserted(profile, assertion(profile, given, client_claims(profile, given.now)))


def tls_client_auth(profile: Profile, given: Given) -> Applied:
    """Name the client, and let its certificate speak in the TLS handshake (RFC 8705 section 2)."""
    return Applied(
        params={"client_id": profile.values.get("client_id", "")},
        certificate=certificate(profile, given.secrets.get("key_passphrase")),
    )


def none(profile: Profile, given: Given) -> Applied:  # noqa: ARG001 - one signature for all
    """Name a public client by its id alone (RFC 6749 section 3.2.1)."""
    client_id = profile.values.get("client_id")
    return Applied(params={"client_id": client_id} if client_id else {})


METHODS: dict[str, Callable[[Profile, Given], Applied]] = {
    "client_secret_basic": client_secret_basic,
    "client_secret_post": client_secret_post,
    "client_secret_jwt": client_secret_jwt,
    "private_key_jwt": private_key_jwt,
    "tls_client_auth": tls_client_auth,
    "none": none,
}

NEEDS: dict[str, tuple[str, ...]] = {
    "client_secret_basic": ("client_id", "client_secret"),
    "client_secret_post": ("client_id", "client_secret"),
    "client_secret_jwt": ("client_id", "client_secret"),
    "private_key_jwt": ("client_id", "private_key"),
    "tls_client_auth": ("client_id", "client_cert", "client_key"),
    "none": ("client_id",),
}

SECRETS: dict[str, tuple[str, ...]] = {
    "client_secret_basic": ("client_secret",),
    "client_secret_post": ("client_secret",),
    "client_secret_jwt": ("client_secret",),
    "private_key_jwt": ("private_key", "key_passphrase"),
    "tls_client_auth": ("key_passphrase",),
    "none": (),
}
"""The secrets that a method draws on; those that it does not need only where the profile has them."""


def needs(method: str) -> tuple[str, ...]:
    """Return the logical names that a profile must give for this method."""
    return NEEDS[method]


def certificate(profile: Profile, passphrase: Secret | None) -> ClientCertificate | None:
    """Return what the client shows in TLS handshakes, by whatever method it says who it is."""
    if profile.client_cert is None:
        return None
    return ClientCertificate(*profile.client_cert, passphrase)


def audience(profile: Profile) -> str:
    """Return the `aud` of the profile's assertions: whom they are addressed to.

    The issuer's name where the profile knows it, for nobody else can take it for theirs; else the
    token endpoint (RFC 7523 section 3). `assertion_audience` says otherwise.
    """
    wanted = profile.signing.audience or ("issuer" if profile.issuer else "token_endpoint")
    if wanted == "token_endpoint":
        return profile.token_url
    if wanted == "issuer":
        if profile.issuer is None:
            raise _unfit(profile, 'assertion_audience is "issuer", and the profile names no issuer')
        return profile.issuer
    return wanted


def client_claims(profile: Profile, now: float) -> dict[str, Any]:
    """Return what a client says of itself: it is issuer and subject alike (RFC 7523 section 3)."""
    client_id = profile.values.get("client_id", "")
    return claims(profile, now, issuer=client_id, subject=client_id)


def claims(profile: Profile, now: float, *, issuer: str, subject: str) -> dict[str, Any]:
    """Return the claims of an assertion that is used at once and only once."""
    from tokencli.jwt import sign

    return {
        "iss": issuer,
        "sub": subject,
        "aud": audience(profile),
        "jti": sign.unique(),
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now) + ASSERTION_LIFE_S,
    }


def assertion(profile: Profile, given: Given, content: Mapping[str, Any]) -> str:
    """Return the claims signed with the profile's private key.

    Raises:
        CredentialsError: the key can't be used, for whatever reason.
    """
    from tokencli.jwt import sign

    try:
        key = sign.private_key(given.secrets["private_key"], given.secrets.get("key_passphrase"))
        header = _header(profile, key.algorithm(profile.signing.alg), key.kid)
        if given.certificate:
            header |= sign.thumbprints(given.certificate)
    except sign.BadKey as error:
        raise _useless(profile, "private_key", error) from None
    return key.sign(header, content)


def _header(profile: Profile, alg: str, kid: str | None = None) -> dict[str, Any]:
    name = profile.signing.key_id or kid
    return {"alg": alg, "typ": "JWT", **({"kid": name} if name else {})}


def _asserted(profile: Profile, signed: str) -> Applied:
    return Applied(
        params={
            "client_id": profile.values.get("client_id", ""),
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": Secret(signed),
        }
    )


def _useless(profile: Profile, name: str, why: "sign.BadKey") -> CredentialsError:
    ref = profile.secrets.get(name)
    where = f" (from {ref.describe()})" if ref else ""
    return CredentialsError(
        f"the {name.replace('_', ' ')} of profile {profile.name!r}{where} can't be used: {why}",
        hint=f"tokencli profiles show {profile.name}",
    )


def _unfit(profile: Profile, why: str) -> ConfigError:
    return ConfigError(
        f"profile {profile.name!r} can't sign: {why}", hint=f"tokencli profiles edit {profile.name}"
    )
