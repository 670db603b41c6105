"""The values that a request may be made of beside the profile's: made up for it, or computed."""

import secrets
import uuid
from collections.abc import Mapping
from typing import Final

from tokencli.models import Profile, Secret
from tokencli.provider_schema import Provider
from tokencli.providers import template

GENERATED_VALUES: Final = ("uuid", "uuid_2", "nonce", "now", "now_ms", "device_id")
"""`uuid`, another `uuid_2` and `nonce` anew for each request; `now` in epoch seconds; `device_id` a UUID that is the
same for the same profile and account."""
REPLY_VALUES: Final = ("token", "refresh_token")
"""What a later request may name of the reply before it, beside its outputs."""


def is_derived_value(provider: Provider, name: str) -> bool:
    """Tell whether a value is made up or computed, and so is none that a profile gives."""
    return name in GENERATED_VALUES or name in provider.values or name in provider.signed


def complete_values(
    profile: Profile, given: Mapping[str, str | Secret], now: float, *, masked: bool = False
) -> dict[str, str | Secret]:
    """Return the given values, the generated ones, and what the provider computes of both.

    What is made of a secret is one. Where secrets are `masked` nothing is signed: there is no key.
    """
    found: dict[str, str | Secret] = {**_generate_values(profile, now), **given}
    for name, text in profile.provider.values.items():
        value = template.fill_with_secrets(text, found)
        if value is not None:
            found[name] = value
    if profile.provider.signed:
        found |= _sign_values(profile, found, now, masked=masked)
    return found


def _sign_values(
    profile: Profile, values: Mapping[str, str | Secret], now: float, *, masked: bool
) -> dict[str, Secret]:
    from tokencli.providers.signed_values import sign_jwt

    found = {}
    for name, signed in profile.provider.signed.items():
        token = Secret(template.MASK) if masked else sign_jwt(profile, signed, values, now)
        if token is not None:
            found[name] = token
    return found


def _generate_values(profile: Profile, now: float) -> dict[str, str]:
    account = (profile.name, profile.token_url, *(profile.values.get(k, "") for k in _ACCOUNT_KEYS))
    return {
        "uuid": str(uuid.uuid4()),
        "uuid_2": str(uuid.uuid4()),
        "nonce": secrets.token_hex(16),
        "now": str(int(now)),
        "now_ms": str(int(now * 1000)),
        "device_id": str(uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(account))),
    }


_ACCOUNT_KEYS = ("client_id", "username")
