"""Renew a token by refresh token or grant while the credential's lock is held, and store it."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tokencli.core.grant_runner import WAITING_FOR_TOKEN, run_grant
from tokencli.core.secret_account import record_accounts
from tokencli.core.secret_resolver import SecretResolver
from tokencli.core.stored_token import suggest_login
from tokencli.errors import (
    LoginRequiredError,
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

if TYPE_CHECKING:
    from tokencli.core.token_events import Attempt
    from tokencli.token_event import EventName

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
    event: "EventName" = "acquired"
    """What a token by the grant is in the event log."""

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
                cause=self._explain_missing_login(key),
                fix=suggest_login(self.profile, self.store.loss_reason),
            )
        return self._request_by_grant()

    def _explain_missing_login(self, key: str) -> str | None:
        """Say if a login can't be stored here, or if settings changed since the one that is."""
        if self.store.loss_reason is not None:
            return f"a sign-in is not stored, because {self.store.loss_reason}"
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
        with (
            self._attempt(self.profile.grant) as attempt,
            self.ctx.defer_signals(WAITING_FOR_TOKEN, keep_reply=keep_reply),
        ):
            response = run_grant(grant.run(self.profile), self.profile, self.ctx, self.resolver)
            attempt.end_exchange()
            result = self._save_then_check(response, self.profile.grant)
            attempt.record_token(result.token, result.refresh_token_lifetime, result.save_error)
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
        with (
            self._attempt("refresh_token", old) as attempt,
            self.ctx.defer_signals(FINISHING_REFRESH),
        ):
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
                    attempt.record_failure(refusal)
                    self._report_fallback(refusal)
                    return None
                if refusal.status in TRANSIENT_STATUSES or (refusal.status or 0) >= 500:
                    raise  # the refresh token may be spent: keep the journal entry
                if not was_interrupted or _refuses_refresh_token(refusal):
                    store.end_refresh(key)
                result = self._handle_refused_refresh(
                    refusal, spent, was_interrupted=was_interrupted
                )
                if result is None:
                    attempt.record_failure(refusal)
                return result
            except TokencliError as error:
                was_sent = isinstance(error, ReplyError) or (
                    isinstance(error, UnreachableError) and error.request_sent
                )
                if not was_sent and not was_interrupted:  # else the refresh token may be spent
                    store.end_refresh(key)
                raise
            attempt.end_exchange()
            token = _complete_refreshed_token(response.token, old, self.ctx.clock.now())
            response = replace(response, token=token)
            result = self._save_then_check(response, "refresh_token")
            attempt.record_token(result.token, result.refresh_token_lifetime, result.save_error)
            return result

    def _attempt(self, grant: str, spent: TokenSet | None = None) -> "Attempt":
        from tokencli.core.token_events import Attempt  # start-up cost: a fresh token is no event

        event: EventName = self.event if spent is None else "refreshed"
        attempt = Attempt(
            self.profile, self.ctx, grant, event=event, spent=spent, previous=self.previous
        )
        attempt.secrets = self.resolver.resolved.values()
        return attempt

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
        result = save_then_check(
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


def _refuses_refresh_token(refusal: RefusedError) -> bool:
    """Tell whether the refusal is about the refresh token, and not e.g. about the client's secret."""
    return refusal.error == "invalid_grant" or "refresh_token" in refusal.blamed_secrets


def _complete_refreshed_token(new: TokenSet, old: TokenSet, now: float) -> TokenSet:
    """Return the refreshed token set with what the reply left out and the old one still has.

    Without a new refresh token the old one stays valid, and without a scope it is unchanged (RFC 6749
    sections 5.1 and 6). The ID token may be left out as well (OpenID Connect Core section 12.2). If the
    new access token can't be read, the old one is kept until it expires.
    """
    is_kept = new.refresh_token in (None, old.refresh_token)
    refresh_token = old.refresh_token if is_kept else new.refresh_token
    refresh_issued_at = old.refresh_issued_at if is_kept else new.refresh_issued_at
    if not new.access_token and old.is_fresh(now):
        return replace(old, refresh_token=refresh_token, refresh_issued_at=refresh_issued_at)
    id_token = new.id_token
    if id_token is None and old.id_token is not None:
        expiry = decode_token(old.id_token.reveal()).claims.get("exp")
        is_expired = isinstance(expiry, int | float) and expiry <= now
        id_token = None if is_expired else old.id_token
    return replace(
        new,
        refresh_token=refresh_token,
        refresh_issued_at=refresh_issued_at,
        id_token=id_token,
        scope=old.scope if new.scope is None else new.scope,
        outputs={**old.outputs, **new.outputs},
    )


def save_then_check(
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
        not_stored = build_not_stored_error(error, storable, source, profile)
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


def build_not_stored_error(
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
