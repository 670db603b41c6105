"""Forget what is kept for a profile that is to be removed, and say what stays."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tokencli.actions.forget import clearing as clearing
from tokencli.actions.forget import forget as forget_all
from tokencli.actions.logout import logout
from tokencli.config.resolve import unfit
from tokencli.errors import NoKeyring, TokencliError
from tokencli.model import Profile, SecretRef
from tokencli.ports import Edges
from tokencli.providers.catalog import builtin

if TYPE_CHECKING:
    from tokencli.config.load import Config


def forget(name: str, config: "Config", edges: Edges, *, secrets: bool) -> int:
    """Forget the tokens of a profile that is to be removed, with `secrets` its secrets too, and count
    the tokens.

    Raises:
        ConfigError: its secrets are to go, and it has problems, so that they are not known.
        StorageError: something could not be forgotten; the profile has to stay.
    """
    if secrets or not config.problems_of(name):
        return logout(config.profile_alone(name), edges, secrets=secrets, force=True).tokens
    if unfit(name, {}):
        return 0  # a profile of such a name has never worked
    return forget_all(_remains(name, config), edges, force=True).tokens


def in_keyring(profile: Profile, edges: Edges) -> Iterator[tuple[SecretRef, bool]]:
    """Yield the secrets that rest in the OS keyring, and whether that is certain: it may not answer."""
    for ref in profile.secrets.values():
        if ref.kind == "keyring":
            there = _there(ref, edges)
            if there is not False:
                yield ref, there is True


def may_be_in_keyring(name: str, edges: Edges) -> bool:
    """Tell whether the OS keyring may hold secrets of a profile of which no more than its name is known."""
    ref = SecretRef("keyring", "password", name, (f"tokencli:{name}:password", ""))
    return not unfit(name, {}) and _there(ref, edges, unknown=True) is not False


def _there(ref: SecretRef, edges: Edges, *, unknown: bool = False) -> bool | None:
    """Tell whether the keyring has a secret; None where it does not say, or what is asked is `unknown`."""
    try:
        found = bool(edges.source("keyring").read(ref))
    except NoKeyring:
        return False
    except TokencliError:
        return None
    return found or (None if unknown else False)


def _remains(name: str, config: "Config") -> Profile:
    """Return what is known of a profile with problems: enough to find its tokens."""
    return Profile(name, builtin("oauth2"), "", "", "", state_dir=config.state_dir)
