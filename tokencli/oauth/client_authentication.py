"""Client authentication: one function per method, applied to the finished logical request.

Exactly one method is used for a request (RFC 6749 section 2.3).
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from tokencli.errors import ConfigError, CredentialsError
from tokencli.fast_dataclass import dataclass
from tokencli.models import AuthAdditions, ClientCertificate, Profile, Secret

if TYPE_CHECKING:
    from tokencli.jwt import sign

ASSERTION_LIFETIME_S = 120
"""Seconds that an assertion of ours is good for: it is used at once, by clocks that differ a little."""
CLIENT_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""RFC 7523 section 2.2."""


@dataclass(frozen=True, slots=True)
class AuthInputs:
    """What a method may draw on."""

    secrets: Mapping[str, Secret] = field(default_factory=dict)
    """The secrets of `SECRETS` that the profile has, by logical name."""
    now: float = 0.0
    """Epoch seconds."""
    certificate: bytes = b""
    """The PEM file of the signing key's certificate, where the profile names one."""


def client_secret_basic(profile: Profile, given: AuthInputs) -> AuthAdditions:
    """Send id and secret by HTTP Basic, each form-encoded first (RFC 6749 section 2.3.1).

    `basic_encoding = "raw"` leaves the encoding out, for servers that don't undo it.
    """
    parts = (profile.values.get("client_id", ""), given.secrets["client_secret"].reveal())
    if profile.basic_encoding == "rfc6749":
        parts = (quote_plus(parts[0]), quote_plus(parts[1]))
    elif ":" in parts[0]:
        raise ConfigError(
            f"the client_id of profile {profile.name!r} contains a colon, which raw Basic can't carry",
            fix=f'set basic_encoding = "rfc6749" with tokencli profiles edit {profile.name}',
        )
    pair = b64encode(":".join(parts).encode()).decode()
    return AuthAdditions(
        headers={"Authorization": Secret(f"Basic {pair}")},
        encoded_secrets=(given.secrets["client_secret"], Secret(pair)),
    )


def client_secret_post(profile: Profile, given: AuthInputs) -> AuthAdditions:
    """Send id and secret in the body (RFC 6749 section 2.3.1)."""
    found: dict[str, str | Secret] = {"client_id": profile.values.get("client_id", "")}
    if secret := given.secrets.get("client_secret"):
        found["client_secret"] = secret
    return AuthAdditions(params=found)


def client_secret_jwt(profile: Profile, given: AuthInputs) -> AuthAdditions:
    """Send an assertion that the client secret signs (OpenID Connect Core section 9)."""
    from tokencli.jwt import sign

    alg = profile.signing.alg or sign.HMAC_ALGORITHMS[0]
    if alg not in sign.HMAC_ALGORITHMS:
        raise _cannot_sign_error(
            profile, f"a client secret signs by {', '.join(sign.HMAC_ALGORITHMS)}, not by {alg!r}"
        )
    claims = client_assertion_claims(profile, given.now)
    header = _jws_header(profile, alg)
    try:
        signed = sign.sign_with_secret(given.secrets["client_secret"], header, claims)
    except sign.UnusableKeyError as error:
        raise _unusable_key_error(profile, "client_secret", error) from None
    return _client_assertion_params(profile, signed)


def private_key_jwt(profile: Profile, given: AuthInputs) -> AuthAdditions:
    """Send an assertion that the client's private key signs (RFC 7523 section 2.2)."""
    return _client_assertion_params(
        profile, sign_assertion(profile, given, client_assertion_claims(profile, given.now))
    )


def tls_client_auth(profile: Profile, given: AuthInputs) -> AuthAdditions:
    """Name the client, and let its certificate speak in the TLS handshake (RFC 8705 section 2)."""
    return AuthAdditions(
        params={"client_id": profile.values.get("client_id", "")},
        certificate=tls_client_certificate(profile, given.secrets.get("key_passphrase")),
    )


def public_client(profile: Profile, given: AuthInputs) -> AuthAdditions:  # noqa: ARG001 - one signature for all
    """Name a public client by its id alone (RFC 6749 section 3.2.1)."""
    client_id = profile.values.get("client_id")
    return AuthAdditions(params={"client_id": client_id} if client_id else {})


AUTH_METHODS: dict[str, Callable[[Profile, AuthInputs], AuthAdditions]] = {
    "client_secret_basic": client_secret_basic,
    "client_secret_post": client_secret_post,
    "client_secret_jwt": client_secret_jwt,
    "private_key_jwt": private_key_jwt,
    "tls_client_auth": tls_client_auth,
    "none": public_client,
}

REQUIRED_INPUTS: dict[str, tuple[str, ...]] = {
    "client_secret_basic": ("client_id", "client_secret"),
    "client_secret_post": ("client_id", "client_secret"),
    "client_secret_jwt": ("client_id", "client_secret"),
    "private_key_jwt": ("client_id", "private_key"),
    "tls_client_auth": ("client_id", "client_cert", "client_key"),
    "none": ("client_id",),
}

METHOD_SECRETS: dict[str, tuple[str, ...]] = {
    "client_secret_basic": ("client_secret",),
    "client_secret_post": ("client_secret",),
    "client_secret_jwt": ("client_secret",),
    "private_key_jwt": ("private_key", "key_passphrase"),
    "tls_client_auth": ("key_passphrase",),
    "none": (),
}
"""The secrets that a method draws on; those that it does not need only where the profile has them."""


def required_inputs(method: str) -> tuple[str, ...]:
    """Return the logical names that a profile must give for this method."""
    return REQUIRED_INPUTS[method]


def tls_client_certificate(profile: Profile, passphrase: Secret | None) -> ClientCertificate | None:
    """Return what the client shows in TLS handshakes, by whatever method it says who it is."""
    if profile.client_cert is None:
        return None
    return ClientCertificate(*profile.client_cert, passphrase)


def assertion_audience(profile: Profile) -> str:
    """Return the `aud` of the profile's assertions: whom they are addressed to.

    The issuer's name where the profile knows it, for nobody else can take it for theirs; else the
    token endpoint (RFC 7523 section 3). `assertion_audience` says otherwise.
    """
    wanted = profile.signing.audience or ("issuer" if profile.issuer else "token_endpoint")
    if wanted == "token_endpoint":
        return profile.token_url
    if wanted == "issuer":
        if profile.issuer is None:
            raise _cannot_sign_error(
                profile, 'assertion_audience is "issuer", and the profile names no issuer'
            )
        return profile.issuer
    return wanted


def client_assertion_claims(profile: Profile, now: float) -> dict[str, Any]:
    """Return what a client says of itself: it is issuer and subject alike (RFC 7523 section 3)."""
    client_id = profile.values.get("client_id", "")
    return assertion_claims(profile, now, issuer=client_id, subject=client_id)


def assertion_claims(profile: Profile, now: float, *, issuer: str, subject: str) -> dict[str, Any]:
    """Return the claims of an assertion that is used at once and only once."""
    from tokencli.jwt import sign

    return {
        "iss": issuer,
        "sub": subject,
        "aud": assertion_audience(profile),
        "jti": sign.generate_jti(),
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now) + ASSERTION_LIFETIME_S,
    }


def sign_assertion(profile: Profile, given: AuthInputs, content: Mapping[str, Any]) -> str:
    """Return the claims signed with the profile's private key.

    Raises:
        CredentialsError: the key can't be used, for whatever reason.
    """
    from tokencli.jwt import sign

    try:
        key = sign.load_private_key(
            given.secrets["private_key"], given.secrets.get("key_passphrase")
        )
        header = _jws_header(profile, key.select_algorithm(profile.signing.alg), key.kid)
        if given.certificate:
            header |= sign.certificate_thumbprints(given.certificate)
    except sign.UnusableKeyError as error:
        raise _unusable_key_error(profile, "private_key", error) from None
    return key.sign_jwt(header, content)


def _jws_header(profile: Profile, alg: str, kid: str | None = None) -> dict[str, Any]:
    name = profile.signing.key_id or kid
    return {"alg": alg, "typ": "JWT", **({"kid": name} if name else {})}


def _client_assertion_params(profile: Profile, signed: str) -> AuthAdditions:
    return AuthAdditions(
        params={
            "client_id": profile.values.get("client_id", ""),
            "client_assertion_type": CLIENT_ASSERTION_TYPE,
            "client_assertion": Secret(signed),
        }
    )


def _unusable_key_error(
    profile: Profile, name: str, why: "sign.UnusableKeyError"
) -> CredentialsError:
    ref = profile.secrets.get(name)
    where = f" (from {ref.describe_source()})" if ref else ""
    return CredentialsError(
        f"the {name.replace('_', ' ')} of profile {profile.name!r}{where} can't be used: {why}",
        fix=f"tokencli profiles show {profile.name}",
    )


def _cannot_sign_error(profile: Profile, why: str) -> ConfigError:
    return ConfigError(
        f"profile {profile.name!r} can't sign: {why}", fix=f"tokencli profiles edit {profile.name}"
    )
