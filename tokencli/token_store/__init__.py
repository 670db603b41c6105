"""Where tokens rest: one file for each kind of place, opened by name.

`keyring`: the OS keyring. `runtime`: the user's memory-backed runtime directory. `file`: files with
mode 0600 on disk. `none`: nowhere. `auto` is the first of keyring and runtime that works, else none.
Opening a store touches nothing; using it may say why it can't be used.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from tokencli.models import Profile
from tokencli.protocols import Clock, Terminal, TokenStore

STORE_FACTORIES: dict[str, str] = {
    "auto": "tokencli.token_store.factories:open_auto_store",
    "keyring": "tokencli.token_store.factories:open_keyring_store",
    "runtime": "tokencli.token_store.factories:open_runtime_store",
    "file": "tokencli.token_store.factories:open_file_store",
    "none": "tokencli.token_store.factories:open_memory_store",
}
"""A profile's `store` -> the function that opens it for that profile."""


def open_store(
    profile: Profile, *, environ: Mapping[str, str], terminal: Terminal, clock: Clock
) -> TokenStore:
    """Return the store that keeps the profile's tokens; `auto` is settled here.

    Raises:
        KeyError: there is no such kind of store.
    """
    from tokencli.token_store.factories import StoreContext

    module, _, name = STORE_FACTORIES[profile.store].partition(":")
    opener = getattr(import_module(module), name)
    return cast(TokenStore, opener(profile, StoreContext(environ, terminal, clock)))
