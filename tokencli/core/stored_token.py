"""Use a stored token set: find it without fetching one, and extend a sliding expiry."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from tokencli.errors import CredentialsError, KeyringError, StorageError
from tokencli.models import Profile, StoredTokenSet, TokenSet
from tokencli.oauth import grants
from tokencli.protocols import Context, TokenStore
from tokencli.token_store.credential_key import (
    derive_binding,
    derive_credential_key,
    list_foreign_receivers,
)


def find_stored_token(profile: Profile, ctx: Context) -> StoredTokenSet | None:
    """Return the profile's stored token set; None if there certainly is none.

    If the profile's store is `auto`, the token may be in a keyring that isn't working right now. The
    token may be of an earlier login, see `find_earlier_login`.

    Raises:
        StorageError: the store can't be read. KeyringError: the keyring can't be reached.
    """
    binding, store = derive_binding(profile), ctx.token_store(profile)
    stored = store.load(binding.key)
    if stored is None and profile.store == "auto" and store.name != "keyring":
        keyring = ctx.token_store(replace(profile, store="keyring"))
        if binding.key in keyring.list_credential_keys(profile.name):
            stored = keyring.load(binding.key)
    if stored is None and (earlier := find_earlier_login(profile, ctx)) is not None:
        binding = derive_binding(earlier)
        stored = store.load(binding.key)
    return stored if stored is not None and stored.binding == binding else None


def require_stored_token(
    profile: Profile, ctx: Context, *, will_be_sent: bool = False, id_token: bool = False
) -> TokenSet:
    """Return the profile's stored token, fresh or not, without fetching one.

    `id_token` says that the ID token is meant, which `get` doesn't print.

    Raises:
        CredentialsError: none is stored, or it `will_be_sent` to the profile's endpoints and one of
            them is on a server that was named after the login. StorageError, KeyringError: the store
            can't be read.
    """
    stored = find_stored_token(profile, ctx)
    if stored is None:
        command = f"tokencli get {profile.command_line_name}"
        loss_reason = ctx.token_store(profile).loss_reason
        fix: str | None = suggest_login(profile, loss_reason) or command
        if loss_reason is not None and fix == command:
            fix = None if id_token else f"{command} | tokencli inspect"
        raise CredentialsError(
            f"no token is stored for profile {profile.name!r}",
            cause=loss_reason and f"tokens are not stored, because {loss_reason}",
            fix=fix,
        )
    if will_be_sent and stored.binding != derive_binding(profile):
        names = " and ".join(
            receiver.replace(" ", "_url = ", 1)
            for receiver in list_foreign_receivers(profile)
            if receiver not in stored.binding.receivers
        )
        raise CredentialsError(
            f"the token of profile {profile.name!r} is from a login before {names} was set",
            cause="it is sent only to servers that the profile named at the login",
            fix=f"tokencli login {profile.name}",
        )
    return stored.token


def suggest_login(profile: Profile, loss_reason: str | None) -> str | None:
    """Return the command without which `get` has no token, if it takes a sign-in that `get` doesn't start.

    `loss_reason` is the one of the profile's store, in which a sign-in would be lost.
    """
    if not grants.is_interactive(profile.grant) or profile.sign_in.interactive:
        return None
    if loss_reason is not None:
        return f"tokencli profiles edit {profile.name} --set store=file"
    return f"tokencli login {profile.command_line_name}"


def find_earlier_login(profile: Profile, ctx: Context) -> Profile | None:
    """Return the profile as it was at its stored login, if only the receivers of its token changed.

    These are the `TOKEN_RECEIVERS` on other servers than the token endpoint's. A login isn't lost because one of them was added, changed or removed. But a token is
    never sent to a server that was named later, so the returned profile lacks such endpoints.
    """
    if not grants.is_interactive(profile.grant):
        return None  # a new token costs no login
    store, receivers = ctx.token_store(profile), list_foreign_receivers(profile)
    for count in reversed(range(len(receivers))):
        for known in combinations(receivers, count):
            if store.load(derive_credential_key(profile, known)) is not None:
                return _restrict_receivers(profile, known)
    for key in store.list_credential_keys(profile.name):
        stored = store.load(key)
        former = () if stored is None else stored.binding.receivers
        if stored is not None and former and derive_credential_key(profile, former) == key:
            known = tuple(each for each in receivers if each in former)
            restricted = _restrict_receivers(profile, known)
            _move_token_set(stored, store, restricted)
            return restricted
    return None


def _restrict_receivers(profile: Profile, known: Sequence[str]) -> Profile:
    """Return the profile without the endpoints of unknown receivers."""
    unknown = {each.partition(" ")[0] for each in list_foreign_receivers(profile)} - {
        each.partition(" ")[0] for each in known
    }
    endpoints = {name: url for name, url in profile.endpoints.items() if name not in unknown}
    return replace(profile, endpoints=endpoints)


def _move_token_set(stored: StoredTokenSet, store: TokenStore, profile: Profile) -> None:
    """Store a token set under the key of a profile that sends it to fewer servers."""
    binding, timeout = derive_binding(profile), profile.lock_timeout
    with (
        store.lock_credential(stored.binding.key, timeout),
        store.lock_credential(binding.key, timeout),
    ):
        latest = store.load(stored.binding.key)
        if latest is not None:
            store.save(replace(latest, binding=binding))
            store.delete_token_set(stored.binding.key)


def extend_sliding_expiry(
    stored: StoredTokenSet, store: TokenStore, profile: Profile, ctx: Context
) -> StoredTokenSet:
    """Return a token set that is about to be used, with a new expiry if use extends its lifetime.

    Some servers keep a session open as long as it is used. Every token that is handed out counts
    as used now. If that can't be stored, the token is good all the same.
    """
    if stored.token.sliding_lifetime is None:
        return stored
    key = stored.binding.key
    try:
        with store.lock_credential(key, profile.lock_timeout):
            if store.load(key) != stored:
                return stored
            expires_at = ctx.clock.now() + stored.token.sliding_lifetime
            extended = replace(stored, token=replace(stored.token, expires_at=expires_at))
            store.save(extended)
            return extended
    except (StorageError, KeyringError) as error:
        ctx.terminal.print_detail(f"can't extend the stored token's expiry: {error.message}")
        return stored
