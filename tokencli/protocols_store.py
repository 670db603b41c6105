"""The ports to where tokens rest."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from tokencli.models import Secret, StoredTokenSet, TokenBinding


class TokenStore(Protocol):
    """Where token sets rest: keyring, runtime directory, file or nowhere."""

    @property
    def name(self) -> str:
        """`keyring`, `runtime`, `file` or `none`."""
        ...

    def load(self, key: str) -> StoredTokenSet | None:
        """Return what is stored under `key`; damage is set aside and is a miss.

        Raises:
            StorageError: the place is not safe to read. KeyringError: it does not answer.
        """
        ...

    def reserve_space(self, key: str, size: int) -> None:
        """Make sure that `size` bytes can be saved, before anything is sent.

        Raises:
            StorageError: disk full, read-only, quota. KeyringError: it does not take anything.
        """
        ...

    def save(self, stored: StoredTokenSet) -> None:
        """Save durably: once this returns, a crash loses nothing.

        Raises:
            StorageError, KeyringError.
        """
        ...

    def begin_refresh(self, key: str, refresh_token: Secret) -> None:
        """Note durably that this refresh token is about to be spent; `save` and `conclude` end it.

        Only a hash of it is kept.
        """
        ...

    def end_refresh(self, key: str) -> None:
        """Note that the spending begun is over: the server answered."""
        ...

    def was_refresh_interrupted(self, key: str, refresh_token: Secret) -> bool:
        """Tell whether an earlier run began to spend this very refresh token and never concluded."""
        ...

    def list_credential_keys(self, profile: str) -> Sequence[str]:
        """Return the keys under which token sets of that profile may be stored.

        Raises:
            StorageError: the place can't be read.
        """
        ...

    def delete_profile_tokens(self, profile: str, *, force: bool = False) -> int:
        """Forget everything of that profile, shards, journals and leftovers too; count token sets.

        Raises:
            KeyringError: something may be in a place that is out of reach; with `force` all that
                points there is forgotten nevertheless.
        """
        ...

    def delete_token_set(self, key: str, only: Secret | None = None) -> bool:
        """Forget what is stored under `key`; with `only`, just if its refresh token is that one."""
        ...

    def lock_credential(self, key: str, timeout: float) -> AbstractContextManager[None]:
        """Hold the credential's lock, whose place follows the store's.

        Raises:
            LockTimeout: somebody else holds it for longer than `timeout` seconds.
        """
        ...


class AccessTokenCache(Protocol):
    """A profile's access token where a warm `get` finds it: derived, disposable, never an error."""

    def load_token(self, bound: TokenBinding) -> StoredTokenSet | None:
        """Return the copy without what else the store holds, or None where there is none for sure."""
        ...

    def fill_from_store(self, stored: StoredTokenSet, store: TokenStore) -> None:
        """Copy what was found in the store."""
        ...
