"""What the registered header parameters and claims of a token mean, in a few words.

The names are from IANA's registries "JSON Web Token Claims" and "JSON Web Signature and Encryption
Header Parameters", and from introspection responses (RFC 7662). Private names are not explained,
because each issuer gives them its own meaning. No description quotes the token.
"""

from collections.abc import Callable, Mapping

HEADER_PARAMETERS = {
    # RFC 7515 section 4.1, RFC 7516 section 4.1
    "alg": "algorithm",
    "enc": "encryption of the content",
    "kid": "ID of the key",
    "typ": "type of the token",
    "cty": "type of the content",
    "jku": "URL of the issuer's keys",
    "jwk": "public key",
    "x5u": "URL of the certificate",
    "x5c": "certificate chain",
    "x5t": "SHA-1 hash of the certificate",
    "x5t#S256": "SHA-256 hash of the certificate",
    "crit": "parameters that a recipient must understand",
    "zip": "compression of the content",
    # RFC 7518 sections 4.6 to 4.8
    "epk": "ephemeral public key",
    "apu": "key agreement: about the sender",
    "apv": "key agreement: about the recipient",
    "iv": "initialization vector of the encrypted key",
    "tag": "authentication tag of the encrypted key",
    "p2s": "salt of the password",
    "p2c": "iterations of the password",
    # RFC 7797 section 3, RFC 7519 section 5.3
    "b64": "whether the payload is base64url",
    "iss": "issuer: who made the token",
    "sub": "subject: who the token is about",
    "aud": "audience: who the token is for",
}
CLAIMS = {
    # RFC 7519 section 4.1
    "iss": "issuer: who made the token",
    "sub": "subject: who the token is about",
    "aud": "audience: who the token is for",
    "exp": "expires",
    "nbf": "valid from",
    "iat": "issued",
    "jti": "ID of the token",
    # OpenID Connect Core sections 2, 3.1.3.6, 3.3.2.11 and 7.4; FAPI 1.0 part 2 section 5.1
    "azp": "authorized party: the client that the token was issued to",
    "nonce": "repeats a random value of the client's request",
    "auth_time": "user signed in",
    "acr": "how strongly the user was authenticated",
    "amr": "how the user was authenticated",
    "at_hash": "hash of the access token",
    "c_hash": "hash of the authorization code",
    "s_hash": "hash of the state",
    "sub_jwk": "public key of the subject",
    # OpenID Connect Core section 5.1
    "name": "full name",
    "given_name": "given name",
    "family_name": "family name",
    "middle_name": "middle name",
    "nickname": "nickname",
    "preferred_username": "user name, which may change",
    "profile": "URL of the user's profile page",
    "picture": "URL of the user's picture",
    "website": "URL of the user's website",
    "email": "email address",
    "email_verified": "whether the email address was verified",
    "gender": "gender",
    "birthdate": "date of birth",
    "zoneinfo": "time zone",
    "locale": "language and region",
    "phone_number": "phone number",
    "phone_number_verified": "whether the phone number was verified",
    "address": "postal address",
    "updated_at": "user's profile changed",
    # OpenID Connect Front-Channel Logout section 3
    "sid": "ID of the user's session at the issuer",
    # RFC 7800 section 3.1
    "cnf": "confirmation: only the holder of this key may use the token",
    # RFC 8417 section 2.2
    "events": "security events",
    "toe": "event happened",
    "txn": "ID of the transaction",
    # RFC 8693 section 4
    "act": "actor: who uses the token on the subject's behalf",
    "may_act": "who may act on the subject's behalf",
    "scope": "what the token may be used for",
    "client_id": "client that the token was issued to",
    # RFC 9068 section 2.2.3.1
    "roles": "roles of the subject",
    "groups": "groups of the subject",
    "entitlements": "entitlements of the subject",
    # RFC 9396 section 9.1
    "authorization_details": "what exactly the token authorizes",
    # RFC 9449 section 4.2
    "htm": "method of the request",
    "htu": "URL of the request",
    "ath": "hash of the access token",
    # RFC 8485 section 3, RFC 9701 section 5
    "vot": "vector of trust: how the user was identified",
    "vtm": "URL that explains the vector of trust",
    "token_introspection": "the server's answer about a token",
    # RFC 9901 section 4.2, SD-JWT VC, Token Status List
    "_sd": "hashes of the claims that are disclosed selectively",
    "_sd_alg": "algorithm of those hashes",
    "vct": "type of the credential",
    "status": "where to look up whether it was revoked",
    # OpenID Connect for Identity Assurance section 4
    "verified_claims": "claims about the user, with their evidence",
    # RFC 7662 section 2.2
    "active": "whether the token is valid",
    "username": "user name",
    "token_type": "type of the token",
}
TIMES = frozenset(("exp", "nbf", "iat", "auth_time", "updated_at", "toe"))
"""Claims that are NumericDates (RFC 7519 section 2); their descriptions are followed by the time."""

ALGORITHMS = {
    # RFC 7518 section 3.1, RFC 8037, RFC 8812, RFC 9864
    "none": "not signed",
    **{f"HS{size}": f"HMAC with SHA-{size}" for size in (256, 384, 512)},
    **{f"RS{size}": f"RSA with SHA-{size}" for size in (256, 384, 512)},
    **{f"PS{size}": f"RSA-PSS with SHA-{size}" for size in (256, 384, 512)},
    "ES256": "ECDSA with P-256 and SHA-256",
    "ES384": "ECDSA with P-384 and SHA-384",
    "ES512": "ECDSA with P-521 and SHA-512",
    "ES256K": "ECDSA with secp256k1 and SHA-256",
    "EdDSA": "Edwards-curve signature",
    "Ed25519": "Edwards-curve signature with Ed25519",
    "Ed448": "Edwards-curve signature with Ed448",
    # RFC 7518 section 4.1
    "dir": "the shared key encrypts the content directly",
    "RSA-OAEP": "RSA-OAEP encrypts the key",
    "RSA-OAEP-256": "RSA-OAEP with SHA-256 encrypts the key",
    "ECDH-ES": "elliptic-curve key agreement",
}
TYPES = {
    "jwt": "JSON Web Token",
    "at+jwt": "access token (RFC 9068)",
    "dpop+jwt": "DPoP proof (RFC 9449)",
    "logout+jwt": "logout token (OpenID Connect Back-Channel Logout)",
    "secevent+jwt": "security event token (RFC 8417)",
    "token-introspection+jwt": "introspection response (RFC 9701)",
    "oauth-authz-req+jwt": "authorization request (RFC 9101)",
    "kb+jwt": "key binding of an SD-JWT (RFC 9901)",
    "dc+sd-jwt": "verifiable credential",
    "vc+sd-jwt": "verifiable credential",
}
"""Media type without `application/`, in lower case -> what the token is."""
METHODS = {
    "face": "face",
    "fpt": "fingerprint",
    "geo": "location",
    "hwk": "hardware key",
    "iris": "iris",
    "kba": "security questions",
    "mca": "several channels",
    "mfa": "several factors",
    "otp": "one-time password",
    "pin": "PIN",
    "pop": "proof of possession of a key",
    "pwd": "password",
    "rba": "risk",
    "retina": "retina",
    "sc": "smart card",
    "sms": "text message",
    "swk": "software key",
    "tel": "phone call",
    "user": "user presence",
    "vbm": "voice",
    "wia": "Windows sign-in",
}
"""Authentication method of `amr` -> its name (RFC 8176 section 2)."""
CONFIRMATIONS = {
    "jkt": "confirmation: bound to a DPoP key (RFC 9449)",
    "x5t#S256": "confirmation: bound to a client certificate (RFC 8705)",
}
"""Member of `cnf` -> what it means."""


def describe_header_parameter(name: str, value: object) -> str | None:
    """Return what a registered header parameter means; None for a private one."""
    return _describe(HEADER_PARAMETERS, name, value)


def describe_claim(name: str, value: object) -> str | None:
    """Return what a registered claim means; None for a private one."""
    return _describe(CLAIMS, name, value)


def _describe(descriptions: Mapping[str, str], name: str, value: object) -> str | None:
    description = descriptions.get(name)
    explain = _VALUE_EXPLAINERS.get(name)
    if description is None or explain is None:
        return description
    return explain(description, value)


def _explain_algorithm(description: str, value: object) -> str:
    meaning = ALGORITHMS.get(value) if isinstance(value, str) else None
    return f"{description}: {meaning}" if meaning else description


def _explain_type(description: str, value: object) -> str:
    if not isinstance(value, str):
        return description
    return TYPES.get(value.lower().removeprefix("application/"), description)


def _explain_methods(description: str, value: object) -> str:
    values = value if isinstance(value, list) else [value]
    known = [METHODS[each] for each in values if isinstance(each, str) and each in METHODS]
    return f"{description}: {', '.join(dict.fromkeys(known))}" if known else description


def _explain_confirmation(description: str, value: object) -> str:
    members = value if isinstance(value, dict) else {}
    return next((text for name, text in CONFIRMATIONS.items() if name in members), description)


_VALUE_EXPLAINERS: dict[str, Callable[[str, object], str]] = {
    "alg": _explain_algorithm,
    "typ": _explain_type,
    "amr": _explain_methods,
    "cnf": _explain_confirmation,
}
"""Name -> a function that adds what its value means to the description."""
