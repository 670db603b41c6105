"""Get a token: the stored one if it is fresh, else a refreshed one, else a new one by the grant."""

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from tokencli.core.secret_resolver import SecretResolver, hash_subject
from tokencli.core.stored_token import extend_sliding_expiry, find_earlier_login
from tokencli.core.token_renewal import SignInRequiredError, TokenRenewal, TokenResult
from tokencli.errors import LockTimeoutError, PromptRequiredError, TokencliError
from tokencli.models import Profile, Secret, StoredTokenSet, TokenSet
from tokencli.oauth import client_authentication, grants
from tokencli.protocols import Context
from tokencli.token_store.credential_key import derive_binding

if TYPE_CHECKING:
    from tokencli.token_event import EventName


def get_token(
    profile: Profile,
    ctx: Context,
    *,
    min_ttl: float | None = None,
    force: bool = False,
    resolver: SecretResolver | None = None,
    interactive: bool = False,
    unless_sticky: bool = False,
    by_grant: bool = False,
    refused: Secret | None = None,
    event: "EventName" = "acquired",
) -> TokenResult:
    """Return a token of the profile that is fresh for `min_ttl` seconds, in the cheapest way.

    A hit takes no lock. A miss takes the credential's lock and reads the store again, so that any
    number of concurrent processes send one request. With `force`, a stored token counts only if
    another process obtained it after this call began, or with `unless_sticky` if the server would
    return it again (`sticky` of the provider). With `by_grant`, the refresh token isn't used, so
    that the profile's own settings are tested. An access token that a resource server has `refused`
    doesn't count. An interactive sign-in starts only if `interactive` or the profile allows it, and
    the credential's lock isn't held meanwhile. In the event log, a token by the grant is an `event`.

    Raises:
        TokencliError: any subclass. The stored token set is kept, unless the server said that its
            refresh token is no longer valid.
    """
    resolver = resolver or SecretResolver(profile, ctx)
    try:
        return _get_token(
            profile,
            ctx,
            resolver,
            min_ttl=min_ttl,
            force=force,
            interactive=interactive,
            unless_sticky=unless_sticky,
            by_grant=by_grant,
            refused=refused,
            event=event,
        )
    except TokencliError as error:
        from tokencli.core.token_events import record_failure  # start-up cost

        record_failure(profile, ctx, error, secrets=resolver.resolved.values())
        raise


def _get_token(
    profile: Profile,
    ctx: Context,
    resolver: SecretResolver,
    *,
    min_ttl: float | None,
    force: bool,
    interactive: bool,
    unless_sticky: bool,
    by_grant: bool,
    refused: Secret | None,
    event: "EventName",
) -> TokenResult:
    binding = derive_binding(profile)
    least = profile.reachable_min_ttl(min_ttl)
    same_again = unless_sticky and profile.provider.issuing.sticky is not None
    began = ctx.clock.now()
    subject = hash_subject(profile, resolver)

    def is_usable(stored: StoredTokenSet) -> bool:
        return (
            stored.binding == binding
            and stored.subject_hash == subject
            and stored.token.is_fresh(ctx.clock.now(), least)
            and (not force or same_again or stored.token.obtained_at > began)
            and not by_grant
            and stored.token.access_token != refused
        )

    def use_stored(token: TokenSet) -> TokenResult:
        return TokenResult(token, "stored", reissued=force and token.obtained_at <= began)

    def find_usable_token() -> StoredTokenSet | None:
        found = cache.load_token(binding)
        if found is None or not is_usable(found):
            found = store.load(binding.key)
        return found if found is not None and is_usable(found) else None

    cache = ctx.token_cache(profile)
    cached = cache.load_token(binding)
    if cached is not None and is_usable(cached):
        return use_stored(cached.token)
    store = ctx.token_store(profile)
    stored = None
    # If there is a cached copy, the store has nothing fresher. It is read all the same if prompts are
    # possible: with a refresh token in it, fewer secrets are needed.
    if cached is None or ctx.terminal.interactive:
        stored = store.load(binding.key)
        if stored is not None and is_usable(stored):
            cache.fill_from_store(stored, store)
            return use_stored(extend_sliding_expiry(stored, store, profile, ctx).token)
    if stored is None and cached is None and not by_grant:
        earlier = find_earlier_login(profile, ctx)
        if earlier is not None:
            earlier = replace(earlier, sign_in=replace(earlier.sign_in, interactive=False))
            with suppress(SignInRequiredError):  # then sign in to the profile as it is now
                return _get_token(
                    earlier,
                    ctx,
                    resolver,
                    min_ttl=min_ttl,
                    force=force,
                    interactive=False,
                    unless_sticky=unless_sticky,
                    by_grant=False,
                    refused=refused,
                    event=event,
                )
    if ctx.terminal.interactive:
        resolver.prefetch(_secrets_for_renewal(profile, None if by_grant else stored))
    latest = stored or cached
    while True:
        try:
            with (
                store.lock_credential(
                    binding.key, profile.lock_timeout, unless=find_usable_token
                ) as found,
                resolver.while_locked(),
            ):
                if found is not None:  # another process was faster, and the lock isn't held
                    return use_stored(found.token)
                stored = store.load(binding.key)
                if stored is not None and is_usable(stored):
                    cache.fill_from_store(stored, store)
                    return use_stored(stored.token)
                if stored is not None and (
                    (stored.binding, stored.subject_hash) != (binding, subject)
                ):
                    stored = None  # issued for other settings or another subject
                result = TokenRenewal(
                    profile,
                    ctx,
                    store,
                    resolver,
                    subject,
                    stored.token if stored else None,
                    least,
                    event,
                ).renew_token(by_grant=by_grant)
            if profile.provider.issuing.max_sessions is not None:
                from tokencli.core.revocation import end_replaced_session  # start-up cost

                end_replaced_session(profile, ctx, resolver, stored, result.token)
            return result
        except LockTimeoutError:
            known, latest = latest, store.load(binding.key)
            if latest is None or (
                known is not None and latest.token.obtained_at <= known.token.obtained_at
            ):
                raise
            # Others do get tokens, which expire before this process sees them: keep waiting.
        except PromptRequiredError as error:  # with no lock held, then read the store again
            resolver.prompt_for(error.secret_names)
        except SignInRequiredError as error:
            from tokencli.core.interactive_grant import (  # start-up cost
                find_running_login,
                sign_in_user,
            )

            if not (interactive or profile.sign_in.interactive):
                raise find_running_login(profile, store) or error from None
            return sign_in_user(profile, ctx, resolver)


def get_subject_token(profile: Profile, ctx: Context, requesters: tuple[str, ...]) -> Secret:
    """Return the profile's access token for other profiles that exchange it (RFC 8693)."""
    resolver = SecretResolver(profile, ctx, requesters=requesters)
    return get_token(profile, ctx, resolver=resolver).token.access_token


def _secrets_for_renewal(profile: Profile, stored: StoredTokenSet | None) -> tuple[str, ...]:
    """Return the names of the secrets that a renewal needs."""
    if stored is None or stored.token.refresh_token is None:
        return grants.required_secrets(profile)
    return client_authentication.METHOD_SECRETS[profile.client_auth]
