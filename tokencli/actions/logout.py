"""Forget a profile's tokens, once their server knows, and its secrets where that is wanted."""

from dataclasses import dataclass

from tokencli import clientauth
from tokencli.actions.calling import end
from tokencli.actions.revoke import revoke
from tokencli.actions.secrets import Wallet
from tokencli.errors import (
    ConfigError,
    KeyringError,
    PersonNeeded,
    ReplyError,
    StorageError,
    TokencliError,
)
from tokencli.model import Profile, StoredToken
from tokencli.ports import Edges, TokenStore
from tokencli.providers.reply import endpoint
from tokencli.stores.key import binding


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """What a logout removed, and what it could not look at."""

    tokens: int
    secrets: tuple[str, ...]
    revoked: tuple[str, ...] = ()
    """What the server was told to forget: `refresh_token`, `access_token`."""


def logout(
    profile: Profile, edges: Edges, *, secrets: bool = False, force: bool = False
) -> LoggedOut:
    """Revoke the profile's tokens, then forget them wherever they may rest, with `secrets` its
    secrets, too.

    What the server did not revoke is kept, because it is still good; `force` forgets it anyway.
    A keyring that can't be reached is no reason to leave the other places as they are; where it
    holds something of the profile, it is an error all the same, once the rest is done.

    Raises:
        TokencliError: the tokens could not be revoked; nothing is forgotten.
        KeyringError: the keyring holds what is to be forgotten and does not answer.
    """
    revoked = _told(profile, edges, force=force)
    tokens, kept = 0, None
    for store in edges.every_store(profile):
        try:
            tokens += store.forget(profile.name)
        except (KeyringError, StorageError) as error:
            kept = error
    forgotten = []
    if secrets:
        for ref in profile.secrets.values():
            if ref.kind == "keyring" and edges.keeper.delete(ref):
                forgotten.append(ref.name)
    if kept is not None:
        kept.message = f"tokens of profile {profile.name!r} could not be forgotten: {kept.message}"
        raise kept
    return LoggedOut(tokens, tuple(forgotten), revoked)


def _told(profile: Profile, edges: Edges, *, force: bool) -> tuple[str, ...]:
    """Have the server revoke what is stored; return what it revoked."""
    key = binding(profile).key
    kept = [(store, found) for store in edges.every_store(profile) if (found := _kept(store, key))]
    if not kept:
        return ()
    if profile.provider.logout is not None:
        return _each(profile, edges, [store for store, _ in kept], key, force=force)
    try:
        there = edges.located(profile, "revocation")
    except (ConfigError, ReplyError):
        there = profile  # the issuer names no such endpoint, or nothing at all
    except TokencliError as error:
        _unrevoked(profile, edges, error, force=force)
        return ()
    if "revocation" not in there.endpoints:
        edges.terminal.detail(
            f"{endpoint(profile)} has no revocation endpoint that is known, so it can't be told"
        )
        return ()
    return _each(there, edges, [store for store, _ in kept], key, force=force)


def _each(
    profile: Profile, edges: Edges, stores: list[TokenStore], key: str, *, force: bool
) -> tuple[str, ...]:
    """Have the server revoke what each of the stores keeps; return what it revoked."""
    wallet = Wallet(profile, edges)
    done: dict[str, None] = {}
    for store in stores:
        try:
            done |= dict.fromkeys(_revoked(profile, edges, store, key, wallet))
        except TokencliError as error:
            _unrevoked(profile, edges, error, force=force)
    return tuple(done)


def _kept(store: TokenStore, key: str) -> StoredToken | None:
    try:
        return store.load(key)
    except (StorageError, KeyringError):
        return None  # forgetting has its own word to say on that


def _revoked(
    profile: Profile, edges: Edges, store: TokenStore, key: str, wallet: Wallet
) -> tuple[str, ...]:
    """Revoke under the credential's lock what is stored now: nobody refreshes it meanwhile."""
    due: tuple[str, ...] = clientauth.SECRETS[profile.client_auth]
    while True:
        try:
            with store.lock(key, profile.lock_timeout):
                stored = store.load(key)
                if stored is None or stored.binding != binding(profile):
                    return ()
                tell = end if profile.provider.logout is not None else revoke
                return tell(profile, edges, wallet, stored.token)
        except PersonNeeded as needed:
            wallet.ask(needed.names or due)


def _unrevoked(profile: Profile, edges: Edges, error: TokencliError, *, force: bool) -> None:
    if force:
        edges.terminal.warn(f"not revoked, so still good until it expires: {error.message}")
        return
    error.message = f"{error.message.rstrip('.')}; nothing is forgotten"
    error.args = (error.message,)
    error.hint = f"tokencli logout {profile.name} --force   forgets the tokens all the same"
    raise error
