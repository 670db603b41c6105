"""The keys of a profile that `profiles add`, `copy` and `edit` have an option for."""

from typing import NamedTuple

from tokencli.humanize import join_alternatives
from tokencli.token_store import TOKEN_STORES


class KeyOption(NamedTuple):
    """An option that sets a key: `--client-id` for `client_id`."""

    metavar: str
    help: str


KEY_OPTIONS: dict[str, KeyOption] = {
    "provider": KeyOption("PROVIDER", "Kind of endpoint; see: tokencli providers."),
    "host": KeyOption("HOST[:PORT]", "The server's host name."),
    "base_url": KeyOption("URL", "Base URL of the server."),
    "token_url": KeyOption("URL", "URL of the token endpoint."),
    "api_url": KeyOption("URL", "Base URL of the API that the token is for."),
    "client_id": KeyOption("ID", "Client ID."),
    "username": KeyOption("NAME", "User name."),
    "email_address": KeyOption("ADDRESS", "User's email address."),
    "identity_store_id": KeyOption("ID", "ID of the GroupID identity store."),
    "scope": KeyOption("SCOPES", "Scopes to request, separated by spaces."),
    "audience": KeyOption("API", "The API that the token is for."),
    "grant": KeyOption("GRANT", "OAuth grant."),
    "client_auth": KeyOption("METHOD", "Client authentication method."),
    "ca_file": KeyOption("FILE", "CA bundle to trust for this profile (PEM)."),
    "store": KeyOption("STORE", f"Token store: {join_alternatives(TOKEN_STORES)}."),
    "export": KeyOption("VARIABLE", "Variable that `tokencli export` sets."),
}
"""Key -> its option. All other keys are set by `--set KEY=VALUE`."""


def name_option(key: str) -> str:
    """Return the option that sets a key, e.g. `--client-id`."""
    return f"--{key.replace('_', '-')}"
