"""Get a token: the stored one if it is fresh, else a refreshed one, else a new one by the grant."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256

from tokencli.core.grant_runner import WAITING_FOR_TOKEN, run_grant
from tokencli.core.secret_account import record_accounts
from tokencli.core.secret_resolver import SecretResolver, hash_subject
from tokencli.core.stored_token import extend_sliding_expiry, find_earlier_login
from tokencli.errors import (
    KeyringError,
    LockTimeoutError,
    LoginRequiredError,
    PromptRequiredError,
    RefusedError,
    ReplyError,
    StorageError,
    TokencliError,
    TokenNotStoredError,
    UnreachableError,
)
from tokencli.humanize import compare_clock, humanize_duration
from tokencli.jwt.decode import decode_token
from tokencli.models import TRANSIENT_STATUSES, Profile, Secret, StoredTokenSet, TokenSet
from tokencli.oauth import client_authentication, grants
from tokencli.oauth.grants import refresh_token
from tokencli.oauth.refusals import get_endpoint_host, suggest_description
from tokencli.oauth.token_response import TokenResponse
from tokencli.protocols import Context, TokenStore
from tokencli.token_store.credential_key import derive_binding

CANNOT_REFRESH_STATUSES = (500, 501)
"""HTTP statuses of servers that don't support refresh tokens (GroupID documents both)."""
RESERVED_BYTES = 256 * 1024
"""Bytes to reserve in the store before a request is sent: the largest token set that is stored
(`oauth.token_response`)."""
FINISHING_REFRESH = "finishing the refresh, so that the new refresh token is saved"


class SignInRequiredError(LoginRequiredError):
    """Only an interactive sign-in can get another token."""


@dataclass(frozen=True, slots=True)
class TokenResult:
    """A token and its source."""

    token: TokenSet
    source: str
    """`stored`, `refresh_token`, or the grant's name."""
    save_error: TokenNotStoredError | None = None
    """Why the token couldn't be stored."""
    refresh_token_lifetime: float | None = None
    """Seconds for which the refresh token is valid, if the server says so."""
    reissued: bool = False
    """Whether it is the token that was stored before, although a new one was asked for."""


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
) -> TokenResult:
    """Return a token of the profile that is fresh for `min_ttl` seconds, in the cheapest way.

    A hit takes no lock. A miss takes the credential's lock and reads the store again, so that any
    number of concurrent processes send one request. With `force`, a stored token counts only if
    another process obtained it after this call began, or with `unless_sticky` if the server would
    return it again (`sticky` of the provider). With `by_grant`, the refresh token isn't used, so that the profile's own settings are tested. An access token that a resource server has `refused` doesn't count. An interactive sign-in starts only if
    `interactive` or the profile allows it, and the credential's lock isn't held meanwhile.

    Raises:
        TokencliError: any subclass. The stored token set is kept, unless the server said that its
            refresh token is no longer valid.
    """
    binding = derive_binding(profile)
    least = profile.reachable_min_ttl(min_ttl)
    same_again = unless_sticky and profile.provider.issuing.sticky is not None
    began = ctx.clock.now()
    resolver = resolver or SecretResolver(profile, ctx)
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
                return get_token(
                    earlier,
                    ctx,
                    min_ttl=min_ttl,
                    force=force,
                    unless_sticky=unless_sticky,
                    resolver=resolver,
                    refused=refused,
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
                    profile, ctx, store, resolver, subject, stored.token if stored else None, least
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
            if not (interactive or profile.sign_in.interactive):
                raise _login_in_progress_error(profile, store) or error from None
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


@dataclass(frozen=True, slots=True)
class TokenRenewal:
    """The renewal of a token while the credential's lock is held."""

    profile: Profile
    ctx: Context
    store: TokenStore
    resolver: SecretResolver
    subject_hash: str = ""
    """Hash of the exchanged token's subject; see `hash_subject`."""
    previous: TokenSet | None = None
    """The stored token set."""
    min_ttl: float | None = None

    def renew_token(self, *, by_grant: bool = False) -> TokenResult:
        """Return a new token by refresh token or grant, or only `by_grant`.

        Raises:
            SignInRequiredError: only an interactive sign-in can get one.
            PromptRequiredError: a secret must be prompted for.
        """
        key = derive_binding(self.profile).key
        self.store.reserve_space(key, RESERVED_BYTES)
        if self.previous is not None and self.previous.refresh_token and not by_grant:
            self.resolver.proof_key = self.previous.dpop_key
            result = self._request_by_refresh_token(self.previous)
            if result is not None:
                return result
        if grants.is_interactive(self.profile.grant):
            raise SignInRequiredError(
                f"profile {self.profile.name!r} has no valid token, and getting one requires an interactive"
                " sign-in",
                cause=self._describe_other_login(key),
                fix=f"tokencli login {self.profile.command_line_name}",
            )
        return self._request_by_grant()

    def _describe_other_login(self, key: str) -> str | None:
        """Say if the profile has a login that can't be used, because settings changed since."""
        with suppress(StorageError):
            others = (
                other
                for other in self.store.list_credential_keys(self.profile.name)
                if other != key
            )
            if any(self.store.load(other) is not None for other in others):
                return (
                    "a login is stored for other settings of this profile, e.g. another client, scope,"
                    " or server that receives the token"
                )
        return None

    def _request_by_grant(self) -> TokenResult:
        grant = grants.load_grant(self.profile.grant)
        for name in grants.required_secrets(self.profile):
            self.resolver.resolve(name)  # before signals are deferred: a source may be slow
        # A grant can be repeated, unless its secret can't or the new token ends or counts against others.
        issuing = self.profile.provider.issuing
        keep_reply = (
            self.profile.grant == "refresh_token"
            or issuing.exclusive
            or issuing.max_sessions is not None
        )
        with self.ctx.defer_signals(WAITING_FOR_TOKEN, keep_reply=keep_reply):
            response = run_grant(grant.run(self.profile), self.profile, self.ctx, self.resolver)
            result = self._save_then_check(response, self.profile.grant)
        record_accounts(
            self.profile, grants.required_secrets(self.profile), self.resolver.resolved, self.ctx
        )
        return result

    def _request_by_refresh_token(self, old: TokenSet) -> TokenResult | None:
        """Use the refresh token; None means that it is no longer valid, so the grant must be used."""
        profile, store, key = self.profile, self.store, derive_binding(self.profile).key
        spent = old.refresh_token or Secret("")
        for name in (
            *client_authentication.METHOD_SECRETS[profile.client_auth],
            *grants.renewal_secrets(profile),
        ):
            self.resolver.resolve(name, optional=True)  # before signals are deferred
        was_interrupted = store.was_refresh_interrupted(key, spent)
        with self.ctx.defer_signals(FINISHING_REFRESH):
            store.begin_refresh(key, spent)
            try:
                response = run_grant(
                    refresh_token.run(profile, spent, old), profile, self.ctx, self.resolver
                )
            except RefusedError as refusal:
                if refusal.status in CANNOT_REFRESH_STATUSES and not grants.is_interactive(
                    profile.grant
                ):
                    # The refresh token may or may not be spent, and the grant's result isn't known
                    # yet: keep the journal entry and the stored token set.
                    self._report_fallback(refusal)
                    return None
                if refusal.status in TRANSIENT_STATUSES or (refusal.status or 0) >= 500:
                    raise  # the refresh token may be spent: keep the journal entry
                if not was_interrupted or _refuses_refresh_token(refusal):
                    store.end_refresh(key)
                return self._handle_refused_refresh(refusal, spent, was_interrupted=was_interrupted)
            except TokencliError as error:
                was_sent = isinstance(error, ReplyError) or (
                    isinstance(error, UnreachableError) and error.request_sent
                )
                if not was_sent and not was_interrupted:  # else the refresh token may be spent
                    store.end_refresh(key)
                raise
            token = _complete_refreshed_token(response.token, old, self.ctx.clock.now())
            response = replace(response, token=token)
            return self._save_then_check(response, "refresh_token")

    def _handle_refused_refresh(
        self, refusal: RefusedError, spent: Secret, *, was_interrupted: bool
    ) -> TokenResult | None:
        key = derive_binding(self.profile).key
        stored = self.store.load(key)
        latest = stored.token.refresh_token if stored is not None else None
        if stored is not None and latest is not None and latest != spent:
            if stored.token.is_fresh(self.ctx.clock.now()):
                return TokenResult(stored.token, "stored")  # another process refreshed it meanwhile
            self.resolver.proof_key = stored.token.dpop_key
            return self._request_by_refresh_token(stored.token)
        if refusal.error == "invalid_grant":
            self.store.delete_token_set(key, only=spent)
        if was_interrupted and _refuses_refresh_token(refusal):
            self.ctx.terminal.print_warning(
                "an earlier refresh was interrupted before its reply could be stored, and the server"
                " now refuses the refresh token that it used"
            )
        if grants.is_interactive(self.profile.grant):
            if not _refuses_refresh_token(refusal):
                raise refusal  # a sign-in wouldn't help
            state = (
                "was used by a refresh that was interrupted"
                if was_interrupted
                else "is no longer valid"
            )
            raise SignInRequiredError(
                f"the refresh token of profile {self.profile.name!r} {state}, and getting a new one"
                " requires an interactive sign-in",
                cause=f"{refusal.message}; {refusal.cause}",
                fix=f"tokencli login {self.profile.command_line_name}",
            )
        self._report_fallback(refusal)
        return None

    def _report_fallback(self, refusal: RefusedError) -> None:
        """Say why the refresh token wasn't used; a warning, unless that is how it usually ends."""
        provider = self.profile.provider
        is_standard = provider.refresh is None and not provider.request.is_custom
        is_usual = refusal.error == "invalid_grant" or (
            is_standard and refusal.status in CANNOT_REFRESH_STATUSES
        )
        terminal = self.ctx.terminal
        tell = terminal.print_detail if is_usual else terminal.print_warning
        tell(
            f"can't refresh the token of profile {self.profile.name!r}: {refusal.message};"
            f" falling back to the {self.profile.grant} grant"
        )

    def _save_then_check(self, response: TokenResponse, source: str) -> TokenResult:
        token, previous = response.token, self.previous
        reissued = previous is not None and token.access_token == previous.access_token
        if not reissued:
            response = replace(response, token=self._check_min_ttl(token))
        result = _save_then_check(
            response, source, self.profile, self.ctx, self.store, self.subject_hash
        )
        return replace(result, reissued=reissued)

    def _check_min_ttl(self, token: TokenSet) -> TokenSet:
        """Say once if the server's tokens never live for `min_ttl`; remember that in the token set."""
        told = self.previous.unmet_min_ttl if self.previous is not None else None
        if self.min_ttl is None or token.lifetime is None or token.lifetime > self.min_ttl:
            return replace(token, unmet_min_ttl=told)
        if told != self.min_ttl:
            self.ctx.terminal.print_warning(
                f"{get_endpoint_host(self.profile)} issues tokens that are valid for"
                f" {humanize_duration(token.lifetime)}, but the required minimum is"
                f" {humanize_duration(self.min_ttl)}, so stored tokens are never used"
            )
        return replace(token, unmet_min_ttl=self.min_ttl)


def sign_in_user(profile: Profile, ctx: Context, resolver: SecretResolver) -> TokenResult:
    """Run an interactive grant and store its token.

    The credential's lock is held twice for a moment: before the sign-in to check that there is
    space for a token, and after it to store the token. A token set that another process stored in
    between is older and is replaced.

    Raises:
        LoginRequiredError: there is no user, the user didn't finish, or another login is running.
        TokencliError: any other subclass. Nothing that is stored was changed.
    """
    store, key = ctx.token_store(profile), derive_binding(profile).key
    with exclusive_login(profile, store):
        with store.lock_credential(key, profile.lock_timeout):
            store.reserve_space(key, RESERVED_BYTES)
        required = grants.required_secrets(profile)
        resolver.prompt_for(required)
        for name in required:
            resolver.resolve(name)
        with ExitStack() as deferred_signals:
            grant = grants.load_grant(profile.grant)
            response = run_grant(grant.run(profile), profile, ctx, resolver, deferred_signals)
            try:
                with store.lock_credential(key, profile.lock_timeout):
                    store.reserve_space(key, RESERVED_BYTES)
                    subject = hash_subject(profile, resolver)
                    result = _save_then_check(response, profile.grant, profile, ctx, store, subject)
            except (StorageError, KeyringError) as error:
                not_stored = _not_stored_error(error, response.token, profile.grant, profile)
                return TokenResult(
                    response.token, profile.grant, not_stored, response.refresh_lifetime
                )
        record_accounts(profile, required, resolver.resolved, ctx)
        return result


def _refuses_refresh_token(refusal: RefusedError) -> bool:
    """Tell whether the refusal is about the refresh token, and not e.g. about the client's secret."""
    return refusal.error == "invalid_grant" or "refresh_token" in refusal.blamed_secrets


def _complete_refreshed_token(new: TokenSet, old: TokenSet, now: float) -> TokenSet:
    """Return the refreshed token set with what the reply left out and the old one still has.

    Without a new refresh token the old one stays valid, and without a scope it is unchanged (RFC 6749
    sections 5.1 and 6). The ID token may be left out as well (OpenID Connect Core section 12.2). If the
    new access token can't be read, the old one is kept until it expires.
    """
    if not new.access_token and old.is_fresh(now):
        return replace(old, refresh_token=new.refresh_token or old.refresh_token)
    id_token = new.id_token
    if id_token is None and old.id_token is not None:
        expiry = decode_token(old.id_token.reveal()).claims.get("exp")
        is_expired = isinstance(expiry, int | float) and expiry <= now
        id_token = None if is_expired else old.id_token
    return replace(
        new,
        refresh_token=new.refresh_token or old.refresh_token,
        id_token=id_token,
        scope=old.scope if new.scope is None else new.scope,
        outputs={**old.outputs, **new.outputs},
    )


@contextmanager
def exclusive_login(profile: Profile, store: TokenStore) -> Iterator[None]:
    """Allow one login of a profile at a time; raises LoginRequiredError if another one is running."""
    with ExitStack() as lock:
        try:
            lock.enter_context(store.lock_credential(_login_lock_key(profile), 0.0))
        except LockTimeoutError as error:
            raise _login_busy_error(profile, error) from None
        yield


def _login_in_progress_error(profile: Profile, store: TokenStore) -> LoginRequiredError | None:
    """Return the error for another login of the profile that is running, or None."""
    try:
        with store.lock_credential(_login_lock_key(profile), 0.0):
            return None
    except LockTimeoutError as error:
        return _login_busy_error(profile, error)


def _login_lock_key(profile: Profile) -> str:
    """Return the key of the lock that only logins of the profile hold."""
    return sha256(f"login {profile.name}".encode()).hexdigest()


def _login_busy_error(profile: Profile, error: LockTimeoutError) -> LoginRequiredError:
    holder = error.message.partition(" has been ")[0]
    return LoginRequiredError(
        f"another login of profile {profile.name!r} is in progress ({holder})",
        cause="finish or cancel the other login, then run the command again",
    )


def _save_then_check(
    response: TokenResponse,
    source: str,
    profile: Profile,
    ctx: Context,
    store: TokenStore,
    subject_hash: str,
) -> TokenResult:
    """Store the token set first, then check whether the access token can be used.

    A token that couldn't be stored is returned all the same.

    Raises:
        ReplyError: the access token can't be used.
    """
    not_stored: TokenNotStoredError | None = None
    storable = response.token.storable_copy(cacheable=profile.provider.issuing.cacheable)
    try:
        if storable.access_token or storable.refresh_token:
            store.save(StoredTokenSet(derive_binding(profile), storable, subject_hash))
    except TokencliError as error:
        not_stored = _not_stored_error(error, storable, source, profile)
    if (skew := response.token.clock_skew) is not None:
        ctx.terminal.print_warning(
            f"{compare_clock(skew, get_endpoint_host(profile))}'s; expiry is judged by the server's"
        )
    for remark in response.remarks:
        ctx.terminal.print_warning(f"{get_endpoint_host(profile)} sent a token, but {remark}")
    if response.unusable_reason is not None:
        raise ReplyError(
            f"{get_endpoint_host(profile)} sent a token response, but {response.unusable_reason}",
            fix=suggest_description(profile),
        )
    return TokenResult(response.token, source, not_stored, response.refresh_lifetime)


def _not_stored_error(
    error: TokencliError, token: TokenSet, source: str, profile: Profile
) -> TokenNotStoredError:
    """Return the error that says what is lost although the access token itself is valid."""
    loss = ""
    if source == "refresh_token":
        loss = "; the old refresh token may be spent"
        if token.refresh_token is not None:
            loss += ", and the new one is lost"
    elif token.refresh_token is not None:
        loss = "; its refresh token is lost"
    login = f"tokencli login {profile.command_line_name}"
    causes = [error.cause, f"once tokens can be stored again, get a new one: {login}"]
    return TokenNotStoredError(
        f"profile {profile.name!r} got a token that couldn't be stored: {error.message}{loss}",
        cause="; ".join(filter(None, causes)) or None,
        fix=error.fix,
    )
