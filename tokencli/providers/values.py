"""The values that a request may be made of beside the profile's: made up for it, or computed."""

import secrets
import uuid
from collections.abc import Mapping
from typing import Final

from tokencli.model import Profile, Secret
from tokencli.providers import template

GENERATED: Final = ("uuid", "nonce", "now", "now_ms", "device_id")
"""`uuid` and `nonce` anew for each request; `now` in epoch seconds; `device_id` a UUID that is the
same for the same profile and account."""
FROM_REPLY: Final = ("token", "refresh_token")
"""What a later request may name of the reply before it, beside its outputs."""


def complete(
    profile: Profile, given: Mapping[str, str | Secret], now: float
) -> dict[str, str | Secret]:
    """Return the given values, the generated ones, and what the provider computes of both.

    What is made of a secret is one.
    """
    found: dict[str, str | Secret] = {**_generated(profile, now), **given}
    for name, text in profile.provider.values.items():
        used = template.names(text)
        plain = {each: _plain(found[each]) for each in used if each in found}
        filled = template.fill(text, plain)
        if filled is not None:
            secret = any(isinstance(found[each], Secret) for each in used)
            found[name] = Secret(filled) if secret else filled
    return found


def _plain(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _generated(profile: Profile, now: float) -> dict[str, str]:
    account = (profile.name, profile.token_url, *(profile.values.get(k, "") for k in _ACCOUNT))
    return {
        "uuid": str(uuid.uuid4()),
        "nonce": secrets.token_hex(16),
        "now": str(int(now)),
        "now_ms": str(int(now * 1000)),
        "device_id": str(uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(account))),
    }


_ACCOUNT = ("client_id", "username")
