"""Where tokens rest: one file for each kind of place, opened by name.

`keyring`: the OS keyring. `runtime`: the user's memory-backed runtime directory. `file`: files with
mode 0600 on disk. `none`: nowhere. `auto` is the first of keyring and runtime that works, else none.
Opening a store touches nothing; using it may say why it can't be used.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from tokencli.model import Profile
from tokencli.ports import Clock, Terminal, TokenStore

STORES: dict[str, str] = {
    "auto": "tokencli.stores.choice:auto",
    "keyring": "tokencli.stores.choice:keyring",
    "runtime": "tokencli.stores.choice:runtime",
    "file": "tokencli.stores.choice:file",
    "none": "tokencli.stores.choice:none",
}
"""A profile's `store` -> the function that opens it for that profile."""


def open_store(
    profile: Profile, *, environ: Mapping[str, str], terminal: Terminal, clock: Clock
) -> TokenStore:
    """Return the store that keeps the profile's tokens; `auto` is settled here.

    Raises:
        KeyError: there is no such kind of store.
    """
    from tokencli.stores.choice import Around

    module, _, name = STORES[profile.store].partition(":")
    opener = getattr(import_module(module), name)
    return cast(TokenStore, opener(profile, Around(environ, terminal, clock)))
