"""Token stores: one file and one row in this table for each.

To add a store, write a module with a function `open_store` that returns a `protocols.TokenStore`
and add its row here. The values of the configuration key `store` follow from the table. Opening a
store touches nothing; using it may raise why it can't be used.
"""

from collections.abc import Callable, Mapping
from dataclasses import field
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tokencli.fast_dataclass import dataclass

if TYPE_CHECKING:
    from tokencli.models import Profile
    from tokencli.protocols import Clock, Terminal, TokenStore

TOKEN_STORES: dict[str, str] = {
    "auto": "tokencli.token_store.auto:open_store",
    "keyring": "tokencli.token_store.keyring:open_store",
    "runtime": "tokencli.token_store.runtime:open_store",
    "file": "tokencli.token_store.file:open_store",
    "none": "tokencli.token_store.memory:open_store",
}
"""A profile's `store` -> the function that opens it, called with the profile and a `StoreContext`.

`keyring`: the OS keyring. `runtime`: the user's memory-backed runtime directory. `file`: files with
mode 0600 on disk. `none`: this process's memory. `auto`: the first of keyring and runtime that
works, else none.
"""
T = TypeVar("T")

PERSISTENT_STORES = tuple(name for name in TOKEN_STORES if name not in ("auto", "none"))
"""Stores that may still hold tokens from an earlier run."""


@dataclass(frozen=True, slots=True)
class StoreContext:
    """What a store may need besides the profile."""

    environ: Mapping[str, str]
    terminal: "Terminal"
    clock: "Clock"
    _known: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def once(self, name: str, find: Callable[[], T]) -> T:
        """Return what `find` returned the first time: a list of profiles opens a store for each of them."""
        if name not in self._known:
            self._known[name] = find()
        return cast("T", self._known[name])


def open_store(profile: "Profile", context: StoreContext) -> "TokenStore":
    """Return the profile's token store; `auto` is resolved here.

    Raises:
        KeyError: there is no store of that name.
    """
    module, _, name = TOKEN_STORES[profile.store].partition(":")
    opener = getattr(import_module(module), name)
    return cast("TokenStore", opener(profile, context))
