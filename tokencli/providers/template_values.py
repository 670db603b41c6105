"""The values that a provider's templates can name: given, generated, computed or signed.

The first half lists which values a request or a grant needs. The second half makes them.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tokencli.errors import ConfigError, CredentialsError
from tokencli.models import BACKDATE_S, Profile, Secret
from tokencli.provider_schema import Call, Provider, Request, Signed
from tokencli.providers import template

GENERATED_VALUES: Final = ("uuid", "uuid_2", "nonce", "now", "now_ms", "device_id")
"""`uuid`, `uuid_2` and `nonce` are new for each request. `now` is in epoch seconds. `device_id` is a
UUID that stays the same for one profile and account."""
REPLY_VALUES: Final = ("token", "refresh_token")
"""What later requests can name from an earlier reply, besides its outputs."""
_ACCOUNT_KEYS = ("client_id", "username")


def is_derived_value(provider: Provider, name: str) -> bool:
    """Tell whether a value is generated, computed or signed, so that no profile gives it."""
    return name in GENERATED_VALUES or name in provider.values or name in provider.signed


def iter_request_templates(request: Request) -> Iterator[str]:
    """Yield every template of a request."""
    if isinstance(request, Call) and request.url:
        yield request.url
    yield from template.iter_tree_texts(request.send)
    yield from request.query.values()
    yield from request.headers.values()
    if request.basic is not None:
        yield request.basic


def expand_value_names(provider: Provider, text: str) -> Iterator[str]:
    """Yield the names in a template, each once, with computed and signed values replaced by their inputs."""
    pending, seen = list(template.list_value_names(text))[::-1], set[str]()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        inputs: list[str] = []
        if name in provider.values:
            inputs += template.list_value_names(provider.values[name])
        elif name in provider.signed:
            signed = provider.signed[name]
            inputs += (signed.key, *(["key_passphrase"] if signed.key == "private_key" else []))
            for leaf in template.iter_tree_texts((signed.header, signed.claims)):
                inputs += template.list_value_names(leaf)
        else:
            yield name
        pending += inputs[::-1]


def list_request_values(provider: Provider, request: Request) -> tuple[str, ...]:
    """List the values that a request is built from, with computed values replaced by their inputs."""
    names = (
        name
        for text in iter_request_templates(request)
        for name in expand_value_names(provider, text)
    )
    return tuple(dict.fromkeys(names))


def list_profile_inputs(provider: Provider) -> tuple[str, ...]:
    """List what a profile must give for the requests that the provider describes itself."""
    calls = (provider.request, provider.then, provider.refresh, provider.logout)
    names = (
        name for call in calls if call is not None for name in list_request_values(provider, call)
    )
    from_reply = {*REPLY_VALUES, *provider.output_names} - set(provider.fields)
    optional = {name for name, field in provider.fields.items() if field.optional}
    excluded = {*GENERATED_VALUES, *from_reply, *optional, "scope", "key_passphrase"}
    return tuple(dict.fromkeys(name for name in names if name not in excluded))


def list_extra_values(provider: Provider, grant: str) -> tuple[str, ...]:
    """List the values that the provider adds to the standard OAuth request, in parameters and headers."""
    texts = (*provider.grants[grant].params.values(), *provider.request.headers.values())
    names = (name for text in texts for name in expand_value_names(provider, text))
    return tuple(dict.fromkeys(name for name in names if name not in GENERATED_VALUES))


def list_required_extra_values(provider: Provider, grant: str) -> tuple[str, ...]:
    """List the extra values that a profile must give: fields that are not optional, and keys."""
    spec = provider.grants[grant]
    optional = {*spec.optional, *(name for group in spec.one_of for name in group)}
    keys = {signed.key for signed in provider.signed.values()}
    return tuple(
        name
        for name in list_extra_values(provider, grant)
        if name not in optional
        and (name in keys or (name in provider.fields and not provider.fields[name].optional))
    )


def complete_values(
    profile: Profile, given: Mapping[str, str | Secret], now: float, *, masked: bool = False
) -> dict[str, str | Secret]:
    """Return the given values together with the generated, computed and signed ones.

    A value made from a secret is a Secret. With `masked` nothing is signed, since there is no key.

    Raises:
        ConfigError: a value can't be computed, or all of them together are longer than a megabyte.
    """
    values: dict[str, str | Secret] = {**_generate_values(profile, now), **given}
    left = template.MAX_OUTPUT_LENGTH
    for name, text in profile.provider.values.items():
        value = template.fill_with_secrets(text, values)
        if value is not None:
            values[name] = value
            left -= len(value.reveal() if isinstance(value, Secret) else value)
        if left < 0:
            raise ConfigError("the provider's [values] make more than a megabyte of text")
    for name, signed in profile.provider.signed.items():
        token = Secret(template.MASK) if masked else sign_jwt(profile, signed, values, now)
        if token is not None:
            values[name] = token
    return values


def _generate_values(profile: Profile, now: float) -> dict[str, str]:
    import uuid  # costs start-up time, and few requests need generated values

    account = (profile.name, profile.token_url, *(profile.values.get(k, "") for k in _ACCOUNT_KEYS))
    return {
        "uuid": str(uuid.uuid4()),
        "uuid_2": str(uuid.uuid4()),
        "nonce": os.urandom(16).hex(),
        "now": str(int(now)),
        "now_ms": str(int(now * 1000)),
        "device_id": str(uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(account))),
    }


def sign_jwt(
    profile: Profile, signed: Signed, values: Mapping[str, str | Secret], now: float
) -> Secret | None:
    """Return the JWT that `signed` describes, or None if the profile has no such key.

    `values` hold the key, its passphrase if it has one, and what the header and the claims name.

    Raises:
        CredentialsError: the key can't be used, or not with this algorithm.
        ConfigError: a value does not fit its place.
    """
    from tokencli.jwt import sign as jws  # costs start-up time, and few providers sign

    key = values.get(signed.key)
    if not isinstance(key, Secret):
        return None
    plain = template.reveal_values(values)
    header: dict[str, Any] = template.fill_tree(signed.header, plain)
    own_claims: dict[str, Any] = template.fill_tree(signed.claims, plain)
    issued_at = int(now) - BACKDATE_S
    claims = {"iat": issued_at, "exp": issued_at + signed.life, **own_claims}
    configured_alg = signed.alg or profile.signing.alg
    try:
        if configured_alg in jws.HMAC_ALGORITHMS or (
            configured_alg is None and signed.key != "private_key"
        ):
            alg = configured_alg or jws.HMAC_ALGORITHMS[0]
            return Secret(
                jws.sign_with_secret(key, _build_jose_header(profile, alg, None, header), claims)
            )
        passphrase = values.get("key_passphrase")
        private = jws.load_private_key(key, passphrase if isinstance(passphrase, Secret) else None)
        alg = private.select_algorithm(configured_alg)
        return Secret(
            private.sign_jwt(_build_jose_header(profile, alg, private.kid, header), claims)
        )
    except jws.UnusableKeyError as error:
        ref = profile.secrets.get(signed.key)
        source = f" (from {ref.describe_source()})" if ref else ""
        raise CredentialsError(
            f"the {signed.key.replace('_', ' ')} of profile {profile.name!r}{source} can't be used:"
            f" {error}",
            fix=f"tokencli profiles show {profile.name}",
        ) from None


def _build_jose_header(
    profile: Profile, alg: str, kid: str | None, own_members: Mapping[str, Any]
) -> dict[str, Any]:
    key_id = profile.signing.key_id or kid
    return {"alg": alg, "typ": "JWT", **({"kid": key_id} if key_id else {}), **own_members}
