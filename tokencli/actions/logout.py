"""Forget a profile's tokens, once their server knows, and its secrets where that is wanted."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tokencli.actions.discover import NoMetadata
from tokencli.actions.farewell import Farewell, Told, host
from tokencli.actions.forget import forget
from tokencli.actions.person import Unaddressed
from tokencli.actions.revoke import due
from tokencli.errors import KeyringError, StorageError, TokencliError, UnreachableError
from tokencli.model import Profile, StoredToken
from tokencli.ports import Edges, TokenStore
from tokencli.stores.key import binding

Found = tuple[TokenStore, StoredToken]


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """What a logout removed, and what the server made of it."""

    tokens: int
    secrets: tuple[str, ...]
    revoked: tuple[str, ...] = ()
    """What the server was told to forget: `refresh_token`, `access_token`."""
    gone: tuple[str, ...] = ()
    """What the server was told to forget and knew no more."""


def logout(
    profile: Profile, edges: Edges, *, secrets: bool = False, force: bool = False
) -> LoggedOut:
    """Revoke the profile's tokens, then forget them wherever they may rest, with `secrets` its
    secrets, too.

    What the server did not revoke is kept, because it is still good; `force` forgets it anyway.
    That counts for what was stored before the profile was changed, too, as far as it is of the same
    server and client; what is not goes untold, with a warning.
    A keyring that can't be reached is no reason to leave the other places as they are; where it
    holds something of the profile, it is an error all the same, once the rest is done, or with
    `force` a warning.

    Raises:
        TokencliError: the tokens could not be revoked; what was not is kept.
        KeyringError: the keyring holds what is to be forgotten and does not answer.
    """
    told = _told(profile, edges, force=force)
    for bound in told.foreign:
        edges.terminal.warn(
            f"tokens that {host(bound)} gave to client {bound.client_id!r}, before the profile was"
            " changed, are forgotten without telling it: they are good until they expire"
        )
    done = forget(profile, edges, secrets=secrets, force=force)
    tokens = told.tokens + done.tokens
    return LoggedOut(tokens, done.secrets, tuple(told.revoked), tuple(told.gone))


def listed(names: Sequence[str]) -> str:
    """Return `the refresh token and 2 access tokens`; empty where there are none."""
    counted = Counter(name.replace("_", " ") for name in names)
    texts = (f"the {name}" if n == 1 else f"{n} {name}s" for name, n in counted.items())
    return " and ".join(texts)


def _told(profile: Profile, edges: Edges, *, force: bool) -> Told:
    """Have the server revoke what is stored; return what came of it."""
    told, now = Told(), edges.clock.now()
    live = [one for one in _stored(profile, edges) if due(one[1].token, now)]
    if not live:
        return told
    try:
        there = _reached(profile, edges)
    except TokencliError as error:
        error.message = (
            f"it could not be learned whether the tokens can be revoked: {error.message}"
        )
        _unrevoked(profile, edges, error, told, force=force)
        return told
    if there is None:
        hosts = ", ".join(sorted({host(stored.binding) for _, stored in live}))
        edges.terminal.note(
            f"{hosts} was not told: no revocation endpoint of it is known, so what it gave stays good"
            " until it expires"
        )
        return told
    farewell, own = Farewell(there, edges, told), binding(there)
    failures: list[TokencliError] = []
    for store, stored in sorted(live, key=lambda one: one[1].binding != own):
        try:
            farewell.end(store, stored.binding.key)
        except TokencliError as error:
            failures.append(error)
            if isinstance(error, UnreachableError):
                break
    for failure in failures:
        _unrevoked(profile, edges, failure, told, force=force)
    return told


def _stored(profile: Profile, edges: Edges) -> Iterator[Found]:
    """Yield every token set of the profile, under whatever key it was stored."""
    for store in edges.every_store(profile):
        keys = [binding(profile).key]  # a keyring may hold it though nothing notes that it does
        with suppress(StorageError, KeyringError):
            keys += store.keys(profile.name)
        for key in dict.fromkeys(keys):
            try:
                stored = store.load(key)
            except (StorageError, KeyringError):
                continue  # forgetting has its own word to say on that
            if stored is not None and stored.binding.profile == profile.name:
                yield store, stored


def _reached(profile: Profile, edges: Edges) -> Profile | None:
    """Return the profile with where its tokens are revoked, None where there is no such place.

    Raises:
        TokencliError: that could not be learned.
    """
    if profile.provider.logout is not None:
        return edges.located(profile) if profile.token_url == profile.issuer else profile
    try:
        there = edges.located(profile, "revocation")
    except NoMetadata:
        return None
    except Unaddressed as error:
        if error.endpoint != "revocation":
            raise
        return None
    return there if "revocation" in there.endpoints else None


def _unrevoked(
    profile: Profile, edges: Edges, error: TokencliError, told: Told, *, force: bool
) -> None:
    if force:
        edges.terminal.warn(f"not revoked, so still good until it expires: {error.message}")
        return
    ended = listed([*told.revoked, *told.gone])
    end = "nothing is forgotten"
    if ended:
        end = f"what was revoked ({ended}) is forgotten, the rest is kept"
    error.message = f"{error.message.rstrip('.')}; {end}"
    error.args = (error.message,)
    error.hint = f"tokencli logout {profile.name} --force   forgets the tokens all the same"
    raise error
