"""Sign the JWTs that a provider's templates name."""

from collections.abc import Mapping
from typing import Any

from tokencli.errors import CredentialsError
from tokencli.jwt import sign as jws
from tokencli.models import Profile, Secret
from tokencli.provider_schema import Signed
from tokencli.providers import template


def sign_jwt(
    profile: Profile, signed: Signed, values: Mapping[str, str | Secret], now: float
) -> Secret | None:
    """Return the JWT with these values in it, None where the profile has no such key.

    `values` hold the key, its passphrase where it has one, and what header and claims name.

    Raises:
        CredentialsError: the key can't be used, or not for the algorithm.
        ConfigError: a value does not fit its place.
    """
    key = values.get(signed.key)
    if not isinstance(key, Secret):
        return None
    plain = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in values.items()
    }
    header: dict[str, Any] = template.fill_tree(signed.header, plain)
    told: dict[str, Any] = template.fill_tree(signed.claims, plain)
    claims = {"iat": int(now), "exp": int(now) + signed.life, **told}
    wanted = signed.alg or profile.signing.alg
    try:
        if wanted in jws.HMAC_ALGORITHMS or (wanted is None and signed.key != "private_key"):
            alg = wanted or jws.HMAC_ALGORITHMS[0]
            return Secret(
                jws.sign_with_secret(key, _build_jose_header(profile, alg, None, header), claims)
            )
        passphrase = values.get("key_passphrase")
        private = jws.load_private_key(key, passphrase if isinstance(passphrase, Secret) else None)
        alg = private.select_algorithm(wanted)
        return Secret(
            private.sign_jwt(_build_jose_header(profile, alg, private.kid, header), claims)
        )
    except jws.UnusableKeyError as error:
        ref = profile.secrets.get(signed.key)
        where = f" (from {ref.describe_source()})" if ref else ""
        name = signed.key.replace("_", " ")
        raise CredentialsError(
            f"the {name} of profile {profile.name!r}{where} can't be used: {error}",
            fix=f"tokencli profiles show {profile.name}",
        ) from None


def _build_jose_header(
    profile: Profile, alg: str, kid: str | None, told: Mapping[str, Any]
) -> dict[str, Any]:
    name = profile.signing.key_id or kid
    return {"alg": alg, "typ": "JWT", **({"kid": name} if name else {}), **told}
