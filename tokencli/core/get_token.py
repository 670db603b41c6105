"""Get a token: the stored one while it is fresh, else a refreshed one, else one by the grant."""

from dataclasses import dataclass, replace

from tokencli.core.grant_runner import run_grant
from tokencli.core.save_token import TokenResult as TokenResult
from tokencli.core.save_token import save_then_check
from tokencli.core.secret_resolver import SecretResolver
from tokencli.core.sliding_expiry import extend_sliding_expiry
from tokencli.core.subject_hash import hash_subject
from tokencli.errors import (
    LoginRequiredError,
    PromptRequiredError,
    RefusedError,
    ReplyError,
    UnreachableError,
)
from tokencli.models import Profile, Secret, StoredTokenSet, TokenSet
from tokencli.oauth import client_authentication, grants
from tokencli.oauth.token_response import get_endpoint_host
from tokencli.protocols import Context, TokenStore
from tokencli.token_store.credential_key import derive_binding

CANNOT_REFRESH_STATUSES = (500, 501)
"""A server that does not do refresh tokens answers so, too (GroupID documents both)."""
TRANSIENT_STATUSES = (408, 425, 429)
"""Refusals that say nothing about the refresh token, only about the moment."""
RESERVED_BYTES = 256 * 1024
"""Bytes that are reserved in the store before anything is sent: the largest token set that is kept
(`providers.sizes`)."""


class SignInRequiredError(LoginRequiredError):
    """Nothing but a person's sign-in brings another token."""


def get_token(
    profile: Profile,
    ctx: Context,
    *,
    min_ttl: float | None = None,
    force: bool = False,
    resolver: SecretResolver | None = None,
    interactive: bool = False,
    by_grant: bool = False,
) -> TokenResult:
    """Return a token of the profile that is fresh for `min_ttl` seconds, by the cheapest way.

    A hit takes no lock. A miss takes the credential's lock and reads again, so that however many
    processes ask, one request is sent. With `force` a stored token counts only if another process
    got it after this call began, and with `by_grant` no refresh token is spent: what the profile
    says of itself is put to the test. A sign-in by a person is begun only where `interactive` or the
    profile says so, and with no lock of the credential held meanwhile.

    Raises:
        TokencliError: any of its kinds; what is stored stays stored, unless the server said of the
            very refresh token in it that it is dead.
    """
    bound = derive_binding(profile)
    least = min_ttl if min_ttl is not None else profile.min_ttl
    began = ctx.clock.now()
    resolver = resolver or SecretResolver(profile, ctx)
    traded = hash_subject(profile, resolver)

    def usable(stored: StoredTokenSet | None) -> bool:
        return (
            stored is not None
            and stored.binding == bound
            and stored.subject_hash == traded
            and stored.token.is_fresh(ctx.clock.now(), least)
            and (not force or stored.token.obtained_at > began)
            and not by_grant
        )

    copy = ctx.token_cache(profile)
    at_hand = copy.load_token(bound)
    if at_hand is not None and usable(at_hand):
        return TokenResult(at_hand.token, "stored")
    store = ctx.token_store(profile)
    stored = None
    # Where there is a copy the store has nothing better; but a person is asked for no more than needed.
    if at_hand is None or ctx.terminal.interactive:
        stored = store.load(bound.key)
        if stored is not None and usable(stored):
            copy.fill_from_store(stored, store)
            return TokenResult(extend_sliding_expiry(stored, store, profile, ctx).token, "stored")
    if ctx.terminal.interactive:
        resolver.prefetch(_secrets_for_renewal(profile, None if by_grant else stored))
    while True:
        try:
            with store.lock_credential(bound.key, profile.lock_timeout):
                stored = store.load(bound.key)
                if stored is not None and usable(stored):
                    copy.fill_from_store(stored, store)
                    return TokenResult(stored.token, "stored")
                elsewhere = stored is not None and (stored.binding, stored.subject_hash) != (
                    bound,
                    traded,
                )
                old = None if elsewhere else stored
                obtained = TokenRenewal(profile, ctx, store, resolver, traded).renew_token(
                    None if by_grant else old
                )
                if profile.provider.issuing.max_sessions is not None:
                    from tokencli.core.custom_request import end_replaced_session

                    end_replaced_session(profile, ctx, resolver, old, obtained.token)
                return obtained
        except (
            PromptRequiredError
        ) as due:  # a person is asked with no lock held, then all is read again
            resolver.prompt_for(due.secret_names)
        except SignInRequiredError as due:
            from tokencli.core.interactive_login import login_in_progress_error, sign_in_user

            if not (interactive or profile.sign_in.interactive):
                raise login_in_progress_error(profile, store) or due from None
            return sign_in_user(profile, ctx, resolver)


def _secrets_for_renewal(profile: Profile, stored: StoredTokenSet | None) -> tuple[str, ...]:
    """Return the secrets that a renewal will take."""
    if stored is None or stored.token.refresh_token is None:
        return grants.required_secrets(profile)
    return client_authentication.METHOD_SECRETS[profile.client_auth]


@dataclass(frozen=True, slots=True)
class TokenRenewal:
    """What happens under the lock, once the store has been read again."""

    profile: Profile
    ctx: Context
    store: TokenStore
    resolver: SecretResolver
    subject_hash: str = ""
    """Hash of what is traded for the token; see `actions.subject`."""

    def renew_token(self, stored: StoredTokenSet | None) -> TokenResult:
        """Return a new token by refresh token or grant; raises SignInDue where neither will do."""
        key = derive_binding(self.profile).key
        self.store.reserve_space(key, RESERVED_BYTES)
        if stored is not None and stored.token.refresh_token:
            self.resolver.proof_key = stored.token.dpop_key
            obtained = self._request_by_refresh_token(stored.token)
            if obtained is not None:
                return obtained
        if grants.is_interactive(self.profile.grant):
            raise SignInRequiredError(
                f"there is no token for profile {self.profile.name!r}, and getting one needs a"
                " person to sign in",
                fix=f"tokencli login {self.profile.command_line_name}",
            )
        return self._request_by_grant()

    def _request_by_grant(self) -> TokenResult:
        module = grants.load_grant(self.profile.grant)
        for name in grants.required_secrets(self.profile):
            self.resolver.resolve(name)  # before signals are held back: a source may take its time
        with self.ctx.defer_signals(self.profile.connection.timeout):
            found = run_grant(module.run(self.profile), self.profile, self.ctx, self.resolver)
            return save_then_check(
                found, self.profile.grant, self.profile, self.ctx, self.store, self.subject_hash
            )

    def _request_by_refresh_token(self, known: TokenSet) -> TokenResult | None:
        """Spend the refresh token; None means that it is dead and the grant is the way on."""
        from tokencli.oauth.grants import refresh_token

        profile, store, key = self.profile, self.store, derive_binding(self.profile).key
        spent = known.refresh_token or Secret("")
        for name in (
            *client_authentication.METHOD_SECRETS[profile.client_auth],
            *grants.renewal_secrets(profile),
        ):
            self.resolver.resolve(name, optional=True)  # before signals are held back
        broken_off = store.was_refresh_interrupted(key, spent)
        with self.ctx.defer_signals(self.profile.connection.timeout):
            store.begin_refresh(key, spent)
            try:
                found = run_grant(
                    refresh_token.run(profile, spent, known), profile, self.ctx, self.resolver
                )
            except RefusedError as refusal:
                if refusal.status in CANNOT_REFRESH_STATUSES and not grants.is_interactive(
                    profile.grant
                ):
                    # It can't, for whatever reason, and what it does with another grant is not
                    # known yet. Spent or not: the journal stays, and what is stored as well.
                    self._log_fallback(refusal)
                    return None
                if refusal.status in TRANSIENT_STATUSES or (refusal.status or 0) >= 500:
                    raise  # it may have been spent all the same, now or before: the journal stays
                store.end_refresh(key)
                return self._handle_refused_refresh(refusal, spent, broken_off)
            except UnreachableError as failure:
                if not failure.request_sent and not broken_off:
                    store.end_refresh(key)
                raise
            except ReplyError:
                raise  # the server may have spent it: the journal stays
            if found.token.refresh_token is None:  # RFC 6749 section 6: then the old one stays good
                found = replace(found, token=replace(found.token, refresh_token=spent))
            return save_then_check(
                found, "refresh_token", self.profile, self.ctx, self.store, self.subject_hash
            )

    def _handle_refused_refresh(
        self, refusal: RefusedError, spent: Secret, broken_off: bool
    ) -> TokenResult | None:
        key = derive_binding(self.profile).key
        stored = self.store.load(key)
        theirs = stored.token.refresh_token if stored is not None else None
        if stored is not None and theirs is not None and theirs != spent:
            if stored.token.is_fresh(self.ctx.clock.now()):
                return TokenResult(stored.token, "stored")  # another process won, by another lock
            self.resolver.proof_key = stored.token.dpop_key
            return self._request_by_refresh_token(stored.token)
        if refusal.error == "invalid_grant":
            self.store.delete_token_set(key, only=spent)
        if broken_off:
            self.ctx.terminal.print_warning(
                "an earlier refresh was interrupted before its answer could be saved, and the"
                " server now refuses the refresh token that it spent"
            )
        if grants.is_interactive(self.profile.grant):
            if refusal.error not in ("invalid_grant", None):
                raise refusal  # nothing that a sign-in would mend
            why = (
                "was spent by a refresh that was interrupted" if broken_off else "is no longer good"
            )
            raise SignInRequiredError(
                f"the refresh token of profile {self.profile.name!r} {why}"
                f" ({get_endpoint_host(self.profile)} says {refusal.error or refusal.status}), and a new one"
                " needs a person to sign in",
                fix=f"tokencli login {self.profile.command_line_name}",
            )
        self._log_fallback(refusal)
        return None

    def _log_fallback(self, refusal: RefusedError) -> None:
        self.ctx.terminal.print_detail(
            f"{refusal.message}; going on with the {self.profile.grant} grant"
        )
