"""Validate provider tables against the profile keys, grants and client authentication methods."""

from tokencli.config.profile_schema import COMMON_KEYS, REDEFINABLE_KEYS, SECRET_KEYS
from tokencli.oauth.client_authentication import AUTH_METHODS
from tokencli.oauth.grants import GRANTS
from tokencli.problems import Finding
from tokencli.provider_schema import Provider
from tokencli.providers.validation import provider as validation
from tokencli.providers.validation.request import KnownNames

KNOWN_NAMES = KnownNames(
    profile_keys=COMMON_KEYS,
    redefinable_keys=REDEFINABLE_KEYS,
    secret_keys=SECRET_KEYS,
    grants=tuple(GRANTS),
    client_auth_methods=tuple(AUTH_METHODS),
)


def validate_user_provider(name: str, table: object) -> Provider | list[Finding]:
    """Return the provider that `[providers.NAME]` describes, or every problem in the table."""
    if not isinstance(table, dict):
        return _not_a_table(name)
    return validation.validate_user_provider(name, table, KNOWN_NAMES)


def validate_provider(name: str, table: object) -> Provider | list[Finding]:
    """Return the provider that a table describes under any name, or every problem in it."""
    if not isinstance(table, dict):
        return _not_a_table(name)
    return validation.validate_provider(name, table, KNOWN_NAMES)


def _not_a_table(name: str) -> list[Finding]:
    return [Finding(("providers", name), "is not a table", f"write [providers.{name}]")]
