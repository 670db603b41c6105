"""Take a profile out of the configuration, and what is kept for it out of its places."""

import shlex
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tokencli.actions.logout import logout
from tokencli.actions.profiles import presences
from tokencli.model import Profile, SecretRef
from tokencli.ports import Edges
from tokencli.providers.catalog import builtin

if TYPE_CHECKING:
    from tokencli.config.load import Config

_CLEAR = {
    "darwin": ("security delete-generic-password -s {}", " -a {}"),
    "win32": ("cmdkey /delete:{}", ""),
}
"""Platform -> the command that forgets a keyring item by its service, and by its user name too."""
_CLEAR_ELSEWHERE = "secret-tool clear service {}", " username {}"


def remove(name: str, config: "Config", edges: Edges, *, secrets: bool) -> int:
    """Forget the tokens of a profile, with `secrets` its secrets too, take it out of its file, and
    count the tokens.

    Raises:
        ConfigError: its secrets are to go, and it has problems, so that they are not known.
        StorageError, KeyringError: something could not be forgotten; the profile stays.
    """
    from tokencli.config import edit
    from tokencli.config.resolve import unfit

    if secrets or not config.problems_of(name):
        tokens = logout(config.profile_alone(name), edges, secrets=secrets, force=True).tokens
    elif unfit(name, {}):
        tokens = 0  # a profile of such a name has never worked
    else:
        tokens = sum(store.forget(name) for store in edges.every_store(_remains(name, config)))
    edit.remove(config, name)
    return tokens


def in_keyring(profile: Profile, edges: Edges) -> Iterator[tuple[SecretRef, bool]]:
    """Yield the secrets that rest in the OS keyring, and whether that is certain: it may not answer."""
    for one in presences(profile, edges):
        if one.ref.kind == "keyring" and one.present is not False:
            yield one.ref, one.present is True


def clearing(service: str, username: str = "") -> str:
    """Return the command of the system's own that forgets a keyring item."""
    by_service, by_username = _CLEAR.get(sys.platform, _CLEAR_ELSEWHERE)
    text = by_service + by_username if username else by_service
    return text.format(shlex.quote(service), shlex.quote(username))


def _remains(name: str, config: "Config") -> Profile:
    """Return what is known of a profile with problems: enough to find its tokens."""
    return Profile(name, builtin("oauth2"), "", "", "", state_dir=config.state_dir)
