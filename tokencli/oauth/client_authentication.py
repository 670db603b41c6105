"""Client authentication: one function and one row per method.

Exactly one method is used for a request (RFC 6749 section 2.3).
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from tokencli.errors import ConfigError, CredentialsError
from tokencli.fast_dataclass import dataclass
from tokencli.models import BACKDATE_S, AuthAdditions, ClientCertificate, Profile, Secret

if TYPE_CHECKING:
    from tokencli.jwt import sign

ASSERTION_LIFETIME_S = 120
"""Validity of a signed assertion in seconds: it is used at once, but clocks differ a little."""
CLIENT_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""RFC 7523 section 2.2."""


@dataclass(frozen=True, slots=True)
class AuthInputs:
    """The secrets and files that client authentication uses."""

    secrets: Mapping[str, Secret] = field(default_factory=dict)
    """Logical name -> secret, of those in `METHOD_SECRETS` that the profile has."""
    now: float = 0.0
    """Epoch seconds."""
    certificate: bytes = b""
    """The PEM file of the signing key's certificate; empty if the profile has none."""


def client_secret_basic(profile: Profile, inputs: AuthInputs) -> AuthAdditions:
    """Send ID and secret by HTTP Basic authentication, both form-encoded (RFC 6749 section 2.3.1).

    `basic_encoding = "raw"` omits the encoding, for servers that don't decode it.
    """
    parts = (profile.values.get("client_id", ""), inputs.secrets["client_secret"].reveal())
    if profile.basic_encoding == "rfc6749":
        parts = (quote_plus(parts[0]), quote_plus(parts[1]))
    elif ":" in parts[0]:
        raise ConfigError(
            f"the client_id of profile {profile.name!r} contains a colon, which raw HTTP Basic"
            " authentication can't send",
            cause='only basic_encoding = "rfc6749" encodes colons',
            fix=f"tokencli profiles edit {profile.name} --set basic_encoding=rfc6749",
        )
    pair = b64encode(":".join(parts).encode()).decode()
    return AuthAdditions(
        headers={"Authorization": Secret(f"Basic {pair}")},
        encoded_secrets=(inputs.secrets["client_secret"], Secret(pair)),
    )


def client_secret_post(profile: Profile, inputs: AuthInputs) -> AuthAdditions:
    """Send ID and secret in the body (RFC 6749 section 2.3.1)."""
    params: dict[str, str | Secret] = {"client_id": profile.values.get("client_id", "")}
    if secret := inputs.secrets.get("client_secret"):
        params["client_secret"] = secret
    return AuthAdditions(params=params)


def client_secret_jwt(profile: Profile, inputs: AuthInputs) -> AuthAdditions:
    """Send an assertion signed with the client secret (OpenID Connect Core section 9)."""
    from tokencli.jwt import sign  # start-up cost: only methods that sign need it

    alg = profile.signing.alg or sign.HMAC_ALGORITHMS[0]
    if alg not in sign.HMAC_ALGORITHMS:
        raise _cannot_sign_error(
            profile,
            f"a client secret works with {', '.join(sign.HMAC_ALGORITHMS)}, not with {alg!r}",
        )
    claims = client_assertion_claims(profile, inputs.now)
    header = _jws_header(profile, alg)
    try:
        signed = sign.sign_with_secret(inputs.secrets["client_secret"], header, claims)
    except sign.UnusableKeyError as error:
        raise _unusable_key_error(profile, "client_secret", error) from None
    return _client_assertion_params(profile, signed)


def private_key_jwt(profile: Profile, inputs: AuthInputs) -> AuthAdditions:
    """Send an assertion signed with the client's private key (RFC 7523 section 2.2)."""
    return _client_assertion_params(
        profile, sign_assertion(profile, inputs, client_assertion_claims(profile, inputs.now))
    )


def tls_client_auth(profile: Profile, inputs: AuthInputs) -> AuthAdditions:
    """Send the ID, and authenticate by certificate in the TLS handshake (RFC 8705 section 2)."""
    return AuthAdditions(
        params={"client_id": profile.values.get("client_id", "")},
        certificate=tls_client_certificate(profile, inputs.secrets.get("key_passphrase")),
    )


def public_client(profile: Profile, inputs: AuthInputs) -> AuthAdditions:  # noqa: ARG001 - one signature for all
    """Send only the ID, for a public client (RFC 6749 section 3.2.1)."""
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
"""Method -> function that applies it."""

REQUIRED_INPUTS: dict[str, tuple[str, ...]] = {
    "client_secret_basic": ("client_id", "client_secret"),
    "client_secret_post": ("client_id", "client_secret"),
    "client_secret_jwt": ("client_id", "client_secret"),
    "private_key_jwt": ("client_id", "private_key"),
    "tls_client_auth": ("client_id", "client_cert", "client_key"),
    "none": ("client_id",),
}
"""Method -> logical names of the values and secrets that a profile must have."""

METHOD_SECRETS: dict[str, tuple[str, ...]] = {
    "client_secret_basic": ("client_secret",),
    "client_secret_post": ("client_secret",),
    "client_secret_jwt": ("client_secret",),
    "private_key_jwt": ("private_key", "key_passphrase"),
    "tls_client_auth": ("key_passphrase",),
    "none": (),
}
"""Method -> the secrets that it uses; those that it doesn't require only if the profile has them."""


def required_inputs(method: str) -> tuple[str, ...]:
    """Return the logical names of what a profile must have for this method."""
    return REQUIRED_INPUTS[method]


def tls_client_certificate(profile: Profile, passphrase: Secret | None) -> ClientCertificate | None:
    """Return the profile's TLS client certificate, which is used with every method."""
    if profile.client_cert is None:
        return None
    return ClientCertificate(*profile.client_cert, passphrase)


def assertion_audience(profile: Profile) -> str:
    """Return the `aud` of the profile's assertions.

    By default it is the issuer, which no other server accepts as its own name, or else the token
    endpoint (RFC 7523 section 3). The profile's `assertion_audience` overrides it.
    """
    audience = profile.signing.audience or ("issuer" if profile.issuer else "token_endpoint")
    if audience == "token_endpoint":
        return profile.token_url
    if audience == "issuer":
        if profile.issuer is None:
            raise _cannot_sign_error(
                profile, 'assertion_audience is "issuer", but the profile has no issuer'
            )
        return profile.issuer
    return audience


def client_assertion_claims(profile: Profile, now: float) -> dict[str, Any]:
    """Return the claims of a client's assertion: it is both issuer and subject (RFC 7523 section 3)."""
    client_id = profile.values.get("client_id", "")
    return assertion_claims(profile, now, issuer=client_id, subject=client_id)


def assertion_claims(profile: Profile, now: float, *, issuer: str, subject: str) -> dict[str, Any]:
    """Return the claims of an assertion for immediate, single use."""
    from tokencli.jwt import sign  # start-up cost: only methods that sign need it

    issued_at = int(now) - BACKDATE_S
    return {
        "iss": issuer,
        "sub": subject,
        "aud": assertion_audience(profile),
        "jti": sign.generate_jti(),
        "iat": issued_at,
        "nbf": issued_at,
        "exp": issued_at + ASSERTION_LIFETIME_S,
    }


def sign_assertion(profile: Profile, inputs: AuthInputs, claims: Mapping[str, Any]) -> str:
    """Return the claims signed with the profile's private key.

    Raises:
        CredentialsError: the key can't be used.
    """
    from tokencli.jwt import sign  # start-up cost: only methods that sign need it

    try:
        key = sign.load_private_key(
            inputs.secrets["private_key"], inputs.secrets.get("key_passphrase")
        )
        header = _jws_header(profile, key.select_algorithm(profile.signing.alg), key.kid)
        if inputs.certificate:
            header |= sign.certificate_thumbprints(inputs.certificate)
    except sign.UnusableKeyError as error:
        raise _unusable_key_error(profile, "private_key", error) from None
    return key.sign_jwt(header, claims)


def _jws_header(profile: Profile, alg: str, kid: str | None = None) -> dict[str, Any]:
    key_id = profile.signing.key_id or kid
    return {"alg": alg, "typ": "JWT", **({"kid": key_id} if key_id else {})}


def _client_assertion_params(profile: Profile, signed: str) -> AuthAdditions:
    return AuthAdditions(
        params={
            "client_id": profile.values.get("client_id", ""),
            "client_assertion_type": CLIENT_ASSERTION_TYPE,
            "client_assertion": Secret(signed),
        }
    )


def _unusable_key_error(
    profile: Profile, name: str, error: "sign.UnusableKeyError"
) -> CredentialsError:
    ref = profile.secrets.get(name)
    source = f" (from {ref.describe_source()})" if ref else ""
    return CredentialsError(
        f"can't use the {name.replace('_', ' ')} of profile {profile.name!r}{source}: {error}",
        fix=f"tokencli profiles show {profile.name}",
    )


def _cannot_sign_error(profile: Profile, problem: str) -> ConfigError:
    return ConfigError(
        f"can't sign an assertion for profile {profile.name!r}: {problem}",
        fix=f"tokencli profiles edit {profile.name}",
    )
