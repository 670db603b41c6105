"""Log out: revoke a profile's tokens at the server, then delete them here, on request with its secrets."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tokencli.core.local_data import delete_history, delete_local_data
from tokencli.core.revocation import (
    RevocationOutcome,
    WrongOriginError,
    revoke_token,
    select_revocable_tokens,
    send_custom_logout,
)
from tokencli.core.secret_resolver import SecretResolver
from tokencli.core.token_events import record_event, record_failure
from tokencli.errors import (
    KeyringError,
    LockTimeoutError,
    PromptRequiredError,
    StorageError,
    TokencliError,
    UnreachableError,
)
from tokencli.models import Profile, Secret, StoredTokenSet, TokenBinding, TokenSet
from tokencli.oauth import client_authentication
from tokencli.oauth.discovery import MetadataNotFoundError
from tokencli.protocols import Context, TokenStore
from tokencli.providers.catalog import load_builtin
from tokencli.providers.endpoint_urls import EndpointUnknownError
from tokencli.token_store.credential_key import derive_binding, foreign_endpoint_origin

if TYPE_CHECKING:
    from tokencli.config.load import Config

StoreAndToken = tuple[TokenStore, StoredTokenSet]


@dataclass(frozen=True, slots=True)
class LogoutResult:
    """What a logout deleted and revoked."""

    token_count: int
    secret_names: tuple[str, ...]
    revoked: tuple[str, ...] = ()
    """The tokens that the server revoked: `refresh_token`, `access_token`."""
    already_invalid: tuple[str, ...] = ()
    """The tokens that the server no longer knew."""


def log_out(
    profile: Profile, ctx: Context, *, secrets: bool = False, force: bool = False
) -> LogoutResult:
    """Revoke the profile's tokens, then delete them from every store, with `secrets` its secrets too.

    A token that couldn't be revoked is still valid, so it is kept unless `force` is set. This
    includes tokens that were stored before the profile was changed, if they are from the same
    server and client. Tokens of another server or client are deleted without being revoked, with a
    warning. If the keyring can't be reached, everything else is deleted first. Then it is an error
    if the keyring holds something of the profile, or with `force` a warning.

    Raises:
        TokencliError: a token couldn't be revoked and was kept.
        KeyringError: the keyring holds something that should be deleted and can't be reached.
    """
    _wait_for_renewal(profile, ctx)
    revocation = _revoke_stored_tokens(profile, ctx, force=force)
    for binding in revocation.foreign_bindings:
        ctx.terminal.print_warning(
            f"deleting tokens that {_server_host(binding)} issued to client {binding.client_id!r} before"
            " the profile was changed: they are not revoked and stay valid until they expire"
        )
    try:
        deleted = delete_local_data(
            profile, ctx, secrets=secrets, force=force, already_deleted=revocation.token_count
        )
    except TokencliError as error:
        record_failure(profile, ctx, error, event="logout")
        raise
    record_event(profile, ctx, "logout")
    return LogoutResult(
        revocation.token_count + deleted.token_count,
        deleted.secret_names,
        tuple(revocation.revoked),
        tuple(revocation.already_invalid),
    )


def delete_profile_data(name: str, config: "Config", ctx: Context, *, secrets: bool) -> int:
    """Log out of a profile that is about to be removed, even if it has problems; return the token count.

    Raises:
        ConfigError: `secrets` is set, but the profile has problems, so its secrets aren't known.
        StorageError: something couldn't be deleted, so the profile must stay.
    """
    # Start-up: it loads pydantic, which `logout` does without.
    from tokencli.config.resolve import check_profile_name_and_type

    if secrets or not config.find_profile_problems(name):
        profile = config.get_profile_ignoring_top_level(name)
        token_count = log_out(profile, ctx, secrets=secrets, force=True).token_count
        delete_history(name, ctx)
        return token_count
    if check_profile_name_and_type(name, {}):
        return 0  # a profile with such a name can't have been used
    # With the name and the state directory its tokens can be found.
    profile = Profile(
        name,
        load_builtin("oauth2"),
        "",
        "",
        "",
        state_dir=config.state_dir,
        isolated=config.isolated,
        event_log=config.event_log,
    )
    token_count = delete_local_data(profile, ctx, force=True).token_count
    delete_history(name, ctx)
    return token_count


def describe_tokens(names: Sequence[str]) -> str:
    """Return e.g. `the refresh token and 2 access tokens`; empty if there are none."""
    counts = Counter(_readable_name(name) for name in names)
    texts = (f"the {name}" if n == 1 else f"{n} {name}s" for name, n in counts.items())
    return " and ".join(texts)


def _wait_for_renewal(profile: Profile, ctx: Context) -> None:
    """Let a renewal that is running store its token, so that this is revoked and deleted as well.

    Raises:
        LockTimeoutError: it takes longer than the profile's `lock_timeout`.
    """
    for store in ctx.all_token_stores(profile):
        try:
            with store.lock_credential(derive_binding(profile).key, profile.lock_timeout):
                continue
        except LockTimeoutError:
            raise
        except (StorageError, KeyringError):
            continue  # there is nothing in it, or deleting the local data reports it


@dataclass(slots=True)
class RevocationResult:
    """What the server revoked, token by token."""

    revoked: list[str] = field(default_factory=list)
    """`refresh_token` or `access_token`, once for each revoked token."""
    already_invalid: list[str] = field(default_factory=list)
    """The same for tokens that the server no longer knew."""
    foreign_bindings: list[TokenBinding] = field(default_factory=list)
    """The token sets of another server or another client."""
    token_count: int = 0
    """The token sets that were deleted because none of their tokens is valid any more."""


def _revoke_stored_tokens(profile: Profile, ctx: Context, *, force: bool) -> RevocationResult:
    """Revoke every stored token of the profile that is still valid."""
    result, now = RevocationResult(), ctx.clock.now()
    valid = [
        (store, stored)
        for store, stored in _iter_stored_tokens(profile, ctx)
        if select_revocable_tokens(stored.token, now)
    ]
    if not valid:
        return result
    try:
        resolved = _resolve_logout_endpoint(profile, ctx)
    except TokencliError as error:
        error.message = f"couldn't find out how to revoke the tokens: {error.message}"
        _report_not_revoked(profile, ctx, error, result, force=force)
        return result
    if resolved is None:
        hosts = ", ".join(sorted({_server_host(stored.binding) for _, stored in valid}))
        ctx.terminal.print_note(
            f"not revoked: {hosts} has no known revocation endpoint, so the token stays valid until it"
            " expires"
        )
        return result
    revoker, binding = StoredTokenRevoker(resolved, ctx, result), derive_binding(resolved)
    errors: list[TokencliError] = []
    for store, stored in sorted(valid, key=lambda item: item[1].binding != binding):
        try:
            revoker.revoke_stored(store, stored.binding.key)
        except TokencliError as error:
            errors.append(error)
            if isinstance(error, UnreachableError):
                break
    for failure in errors:
        _report_not_revoked(profile, ctx, failure, result, force=force)
    return result


def _iter_stored_tokens(profile: Profile, ctx: Context) -> Iterator[StoreAndToken]:
    """Yield every token set of the profile, whatever credential key it was stored under."""
    for store in ctx.all_token_stores(profile):
        keys = [derive_binding(profile).key]  # a keyring may hold it without listing it
        with suppress(StorageError, KeyringError):
            keys += store.list_credential_keys(profile.name)
        for key in dict.fromkeys(keys):
            try:
                stored = store.load(key)
            except (StorageError, KeyringError):
                continue  # deleting the local data reports it
            if stored is not None and stored.binding.profile == profile.name:
                yield store, stored


def _resolve_logout_endpoint(profile: Profile, ctx: Context) -> Profile | None:
    """Return the profile with the endpoints that end its tokens, or None if the server has none.

    They are those of the provider's own [logout], or else the revocation endpoint.

    Raises:
        TokencliError: it couldn't be found out.
    """
    if profile.provider.logout is not None:
        return ctx.with_endpoints(profile) if profile.token_url == profile.issuer else profile
    try:
        resolved = ctx.with_endpoints(profile, "revocation")
    except MetadataNotFoundError:
        return None
    except EndpointUnknownError as error:
        if error.endpoint != "revocation":
            raise
        return None
    return resolved if "revocation" in resolved.endpoints else None


def _report_not_revoked(
    profile: Profile, ctx: Context, error: TokencliError, result: RevocationResult, *, force: bool
) -> None:
    if force:
        ctx.terminal.print_warning(
            f"not revoked, so it stays valid until it expires: {error.message}"
        )
        return
    invalid = describe_tokens([*result.revoked, *result.already_invalid])
    consequence = f"deleted {invalid}, kept the rest" if invalid else "nothing was deleted"
    error.message = f"{error.message.rstrip('.')}; {consequence}"
    error.args = (error.message,)
    error.fix = f"tokencli logout {profile.name} --force"
    raise error


class StoredTokenRevoker:
    """Revokes stored token sets at the server of a profile whose endpoints are resolved."""

    def __init__(self, profile: Profile, ctx: Context, result: RevocationResult) -> None:
        self._profile = profile
        self._ctx = ctx
        self._result = result
        self._resolver = SecretResolver(profile, ctx)
        self._binding = derive_binding(profile)

    def revoke_stored(self, store: TokenStore, key: str) -> None:
        """Revoke a token set and delete it, under its credential's lock so that it isn't refreshed.

        Raises:
            TokencliError: a token couldn't be revoked. It is kept; the revoked ones are deleted.
        """
        while True:
            try:
                lock = store.lock_credential(key, self._profile.lock_timeout)
                with lock, self._resolver.while_locked():
                    stored = store.load(key)
                    if stored is not None and self._revoke_token_set(store, stored):
                        self._result.token_count += store.delete_token_set(key)
                return
            except PromptRequiredError as error:
                self._resolver.prompt_for(
                    error.secret_names
                    or client_authentication.METHOD_SECRETS[self._profile.client_auth]
                )

    def _revoke_token_set(self, store: TokenStore, stored: StoredTokenSet) -> bool:
        """Revoke a token set and return True, unless it is of another server or client."""
        is_older = stored.binding != self._binding
        if is_older and not self._is_same_server_and_client(stored.binding):
            self._result.foreign_bindings.append(stored.binding)
            return False
        if self._profile.provider.logout is not None:
            return self._custom_logout(
                stored, required_origin=stored.binding.origin if is_older else None
            )
        if is_older and foreign_endpoint_origin(self._profile, "revocation") is not None:
            # The endpoint may have been added to the profile after this token set was stored.
            self._result.foreign_bindings.append(stored.binding)
            return False
        self._revoke_oauth_tokens(store, stored)
        return True

    def _is_same_server_and_client(self, binding: TokenBinding) -> bool:
        return (binding.origin, binding.client_id) == (
            self._binding.origin,
            self._binding.client_id,
        )

    def _custom_logout(self, stored: StoredTokenSet, *, required_origin: str | None) -> bool:
        """End a token set by the provider's own logout request."""
        try:
            outcomes = send_custom_logout(
                self._profile,
                self._ctx,
                self._resolver,
                stored.token,
                required_origin=required_origin,
            )
        except WrongOriginError:
            self._result.foreign_bindings.append(stored.binding)
            return False
        for name, outcome in outcomes.items():
            self._record_outcome(name, outcome)
        for name in self._select_revocable(stored.token).keys() - outcomes:
            self._ctx.terminal.print_warning(
                f"the logout request of {self._profile.provider.title} doesn't name the"
                f" {_readable_name(name)}: unless it ended with the session, it stays valid until it expires"
            )
        return True

    def _revoke_oauth_tokens(self, store: TokenStore, stored: StoredTokenSet) -> None:
        """Revoke the refresh token first, then the access token if it is valid (RFC 7009)."""
        refresh_token_ended = False
        try:
            for name, secret in self._select_revocable(stored.token).items():
                outcome = revoke_token(self._profile, self._ctx, self._resolver, name, secret)
                self._record_outcome(name, outcome, refresh_token_ended=refresh_token_ended)
                refresh_token_ended = refresh_token_ended or outcome != "unable"
        except TokencliError:
            if refresh_token_ended:
                with suppress(TokencliError):
                    store.save(replace(stored, token=replace(stored.token, refresh_token=None)))
            raise

    def _record_outcome(
        self, name: str, outcome: RevocationOutcome, *, refresh_token_ended: bool = False
    ) -> None:
        host = _server_host(self._binding)
        if outcome == "revoked":
            self._result.revoked.append(name)
        elif outcome == "gone":
            self._result.already_invalid.append(name)
        elif refresh_token_ended:
            self._ctx.terminal.print_note(
                f"{host} doesn't revoke the {_readable_name(name)} itself: it either ended with its refresh"
                " token or stays valid until it expires"
            )
        else:
            self._ctx.terminal.print_warning(
                f"{host} can't revoke the {_readable_name(name)}, so it stays valid until it expires"
            )

    def _select_revocable(self, token: TokenSet) -> dict[str, Secret]:
        return select_revocable_tokens(token, self._ctx.clock.now())


def _server_host(binding: TokenBinding) -> str:
    """Return the host of a token set's server, without the default port."""
    return urlsplit(binding.origin).netloc.removesuffix(":443")


def _readable_name(name: str) -> str:
    return name.replace("_", " ")
