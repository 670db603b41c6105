"""Forget a profile's tokens, once their server knows, and its secrets where that is wanted."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tokencli.core.local_data import delete_local_data
from tokencli.core.revocation import RevocationResult, StoredTokenRevoker, server_host
from tokencli.core.revoke import select_revocable_tokens
from tokencli.core.user_sign_in import EndpointUnknownError
from tokencli.errors import KeyringError, StorageError, TokencliError, UnreachableError
from tokencli.models import Profile, StoredTokenSet
from tokencli.oauth.discovery import MetadataNotFoundError
from tokencli.protocols import Context, TokenStore
from tokencli.token_store.credential_key import derive_binding

StoreAndToken = tuple[TokenStore, StoredTokenSet]


@dataclass(frozen=True, slots=True)
class LogoutResult:
    """What a logout removed, and what the server made of it."""

    token_count: int
    secret_names: tuple[str, ...]
    revoked: tuple[str, ...] = ()
    """What the server was told to forget: `refresh_token`, `access_token`."""
    already_invalid: tuple[str, ...] = ()
    """What the server was told to forget and knew no more."""


def log_out(
    profile: Profile, ctx: Context, *, secrets: bool = False, force: bool = False
) -> LogoutResult:
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
    told = _revoke_stored_tokens(profile, ctx, force=force)
    for bound in told.foreign_bindings:
        ctx.terminal.print_warning(
            f"tokens that {server_host(bound)} gave to client {bound.client_id!r}, before the profile was"
            " changed, are forgotten without telling it: they are good until they expire"
        )
    done = delete_local_data(profile, ctx, secrets=secrets, force=force)
    tokens = told.token_count + done.token_count
    return LogoutResult(tokens, done.secret_names, tuple(told.revoked), tuple(told.already_invalid))


def describe_tokens(names: Sequence[str]) -> str:
    """Return `the refresh token and 2 access tokens`; empty where there are none."""
    counted = Counter(name.replace("_", " ") for name in names)
    texts = (f"the {name}" if n == 1 else f"{n} {name}s" for name, n in counted.items())
    return " and ".join(texts)


def _revoke_stored_tokens(profile: Profile, ctx: Context, *, force: bool) -> RevocationResult:
    """Have the server revoke what is stored; return what came of it."""
    told, now = RevocationResult(), ctx.clock.now()
    live = [
        one
        for one in _iter_stored_tokens(profile, ctx)
        if select_revocable_tokens(one[1].token, now)
    ]
    if not live:
        return told
    try:
        there = _resolve_revocation_endpoint(profile, ctx)
    except TokencliError as error:
        error.message = (
            f"it could not be learned whether the tokens can be revoked: {error.message}"
        )
        _report_not_revoked(profile, ctx, error, told, force=force)
        return told
    if there is None:
        hosts = ", ".join(sorted({server_host(stored.binding) for _, stored in live}))
        ctx.terminal.print_note(
            f"{hosts} was not told: no revocation endpoint of it is known, so what it gave stays good"
            " until it expires"
        )
        return told
    farewell, own = StoredTokenRevoker(there, ctx, told), derive_binding(there)
    failures: list[TokencliError] = []
    for store, stored in sorted(live, key=lambda one: one[1].binding != own):
        try:
            farewell.revoke_stored(store, stored.binding.key)
        except TokencliError as error:
            failures.append(error)
            if isinstance(error, UnreachableError):
                break
    for failure in failures:
        _report_not_revoked(profile, ctx, failure, told, force=force)
    return told


def _iter_stored_tokens(profile: Profile, ctx: Context) -> Iterator[StoreAndToken]:
    """Yield every token set of the profile, under whatever key it was stored."""
    for store in ctx.all_token_stores(profile):
        keys = [
            derive_binding(profile).key
        ]  # a keyring may hold it though nothing notes that it does
        with suppress(StorageError, KeyringError):
            keys += store.list_credential_keys(profile.name)
        for key in dict.fromkeys(keys):
            try:
                stored = store.load(key)
            except (StorageError, KeyringError):
                continue  # forgetting has its own word to say on that
            if stored is not None and stored.binding.profile == profile.name:
                yield store, stored


def _resolve_revocation_endpoint(profile: Profile, ctx: Context) -> Profile | None:
    """Return the profile with where its tokens are revoked, None where there is no such place.

    Raises:
        TokencliError: that could not be learned.
    """
    if profile.provider.logout is not None:
        return ctx.with_endpoints(profile) if profile.token_url == profile.issuer else profile
    try:
        there = ctx.with_endpoints(profile, "revocation")
    except MetadataNotFoundError:
        return None
    except EndpointUnknownError as error:
        if error.endpoint != "revocation":
            raise
        return None
    return there if "revocation" in there.endpoints else None


def _report_not_revoked(
    profile: Profile, ctx: Context, error: TokencliError, told: RevocationResult, *, force: bool
) -> None:
    if force:
        ctx.terminal.print_warning(f"not revoked, so still good until it expires: {error.message}")
        return
    ended = describe_tokens([*told.revoked, *told.already_invalid])
    end = "nothing is forgotten"
    if ended:
        end = f"what was revoked ({ended}) is forgotten, the rest is kept"
    error.message = f"{error.message.rstrip('.')}; {end}"
    error.args = (error.message,)
    error.fix = f"tokencli logout {profile.name} --force   forgets the tokens all the same"
    raise error
