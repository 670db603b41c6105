"""Forget what is kept for a profile that is to be removed, and say what stays."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tokencli.config.resolve import check_profile_name_and_type
from tokencli.core.local_data import delete_local_data as forget_all
from tokencli.core.local_data import keyring_delete_command as keyring_delete_command
from tokencli.core.logout import log_out
from tokencli.errors import NoKeyringError, TokencliError
from tokencli.models import Profile, SecretRef
from tokencli.protocols import Context
from tokencli.providers.catalog import load_builtin

if TYPE_CHECKING:
    from tokencli.config.load import Config


def delete_profile_data(name: str, config: "Config", ctx: Context, *, secrets: bool) -> int:
    """Forget the tokens of a profile that is to be removed, with `secrets` its secrets too, and count
    the tokens.

    Raises:
        ConfigError: its secrets are to go, and it has problems, so that they are not known.
        StorageError: something could not be forgotten; the profile has to stay.
    """
    if secrets or not config.find_profile_problems(name):
        return log_out(
            config.get_profile_ignoring_top_level(name), ctx, secrets=secrets, force=True
        ).token_count
    if check_profile_name_and_type(name, {}):
        return 0  # a profile of such a name has never worked
    return forget_all(_minimal_profile(name, config), ctx, force=True).token_count


def find_keyring_secrets(profile: Profile, ctx: Context) -> Iterator[tuple[SecretRef, bool]]:
    """Yield the secrets that rest in the OS keyring, and whether that is certain: it may not answer."""
    for ref in profile.secrets.values():
        if ref.kind == "keyring":
            there = _keyring_has_secret(ref, ctx)
            if there is not False:
                yield ref, there is True


def may_have_keyring_secrets(name: str, ctx: Context) -> bool:
    """Tell whether the OS keyring may hold secrets of a profile of which no more than its name is known."""
    ref = SecretRef("keyring", "password", name, (f"tokencli:{name}:password", ""))
    return (
        not check_profile_name_and_type(name, {})
        and _keyring_has_secret(ref, ctx, unknown=True) is not False
    )


def _keyring_has_secret(ref: SecretRef, ctx: Context, *, unknown: bool = False) -> bool | None:
    """Tell whether the keyring has a secret; None where it does not say, or what is asked is `unknown`."""
    try:
        found = bool(ctx.secret_source("keyring").read(ref))
    except NoKeyringError:
        return False
    except TokencliError:
        return None
    return found or (None if unknown else False)


def _minimal_profile(name: str, config: "Config") -> Profile:
    """Return what is known of a profile with problems: enough to find its tokens."""
    return Profile(name, load_builtin("oauth2"), "", "", "", state_dir=config.state_dir)
