"""Keep a profile's token fresh while something runs that uses it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from threading import RLock

from tokencli.core.get_token import get_token
from tokencli.core.secret_resolver import SecretResolver, hash_subject
from tokencli.core.stored_token import find_stored_token
from tokencli.errors import (
    DeadlineError,
    LockTimeoutError,
    RefusedError,
    TokencliError,
    UnreachableError,
)
from tokencli.models import (
    CLOCK_TOLERANCE_S,
    TRANSIENT_ERRORS,
    TRANSIENT_STATUSES,
    Profile,
    Secret,
    TokenSet,
)
from tokencli.protocols import Context

RENEWAL_SHARE = 0.2
"""A token in a file is renewed when this share of its lifetime is left, as the kubelet does, so that it
stays valid while the server is down for a while."""
UNKNOWN_EXPIRY_RENEWAL_S = 3600.0
"""Seconds until a token whose expiry is unknown is replaced."""
FIRST_RETRY_S = 1.0
"""Seconds until the next attempt if the server didn't answer or is in trouble itself; they double
with each further one."""
RETRY_S = 60.0
"""Seconds until the next attempt after any other failure: asking again could lock an account."""
MAX_RETRY_S = 900.0
"""Limit of the seconds between two attempts, or RETRY_S if the server didn't judge the request."""
_UNANSWERED = (UnreachableError, DeadlineError, LockTimeoutError)
_JUDGING_ERRORS = ("invalid_grant", "invalid_client", "unauthorized_client", "access_denied")
"""Error codes about the credentials; some servers send them with status 500."""


def compute_renewal_time(profile: Profile, token: TokenSet) -> float:
    """Return the epoch second at which the token stops being fresh, at least one second after its issue.

    A `min_ttl` that no token of the server reaches is ignored; else each look would fetch one.
    """
    least, unmet = profile.reachable_min_ttl(), token.unmet_min_ttl
    if least is not None and unmet is not None and least >= unmet:
        least = None
    fresh_until = token.fresh_until(least)
    if fresh_until is None:
        fresh_until = token.obtained_at + UNKNOWN_EXPIRY_RENEWAL_S
    return max(token.obtained_at + 1.0, fresh_until)


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A token, the profile that it is of, and what has become of the last renewal."""

    profile: Profile
    token: TokenSet
    is_new: bool = False
    """Whether this call has obtained it, or found that another process did."""
    error: TokencliError | None = None
    """Why there is no newer one, although it is due or was refused."""


class TokenKeeper:
    """Provides a valid token of one profile at any time, if the server issues one.

    A token is renewed before it expires. If that fails, the old one is kept while it is valid, and
    the renewal is tried again. Threads may share a keeper: one of them renews, and the others wait.
    """

    def __init__(
        self,
        load_profile: Callable[[], Profile],
        ctx: Context,
        *,
        min_ttl: float | None = None,
        renewal_share: float | None = None,
    ) -> None:
        """Keep the token of the profile that `load_profile` returns, which is asked at each renewal.

        Its endpoints must be known, as those of `App.get_profile` are. A token is renewed when
        `min_ttl` seconds are left, or else the profile's. If that isn't set or is longer than the
        lifetime, it is renewed when the `renewal_share` of its lifetime is left.
        """
        self._load_profile, self._ctx = load_profile, ctx
        self._min_ttl, self._renewal_share = min_ttl, renewal_share
        self._kept: KeptToken | None = None
        self._error: TokencliError | None = None
        """Why the last renewal failed."""
        self._failures = 0
        self._due_at = self._asked_at = 0.0
        self._unrenewable: Secret | None = None
        self._lock = RLock()

    def continue_with(self, load_profile: Callable[[], Profile], ctx: Context) -> None:
        """Renew the token with these from now on, e.g. without prompts."""
        self._load_profile, self._ctx = load_profile, ctx

    @property
    def due_at(self) -> float:
        """Return the epoch second of the next renewal, or of the next attempt if one failed."""
        return self._due_at

    @property
    def is_due(self) -> bool:
        """Tell whether that time has come, or the clock was set back."""
        now = self._ctx.clock.now()
        return now >= self._due_at or now < self._asked_at - CLOCK_TOLERANCE_S

    def get(self, *, refused: Secret | None = None, anew: bool = False) -> KeptToken:
        """Return the token; renew it if that is due, or if a resource server has `refused` it.

        After a failure no server is asked again before `due_at`, however often this is called.
        With `anew`, the store is read even if nothing is due: another process may have renewed the
        token, or ended it. A failed renewal is an `error` of the result while the old token is valid.

        Raises:
            TokencliError: there is no valid token.
        """
        kept = self._kept
        if refused is None and not anew and kept is not None and not self.is_due:
            return kept
        with self._lock:
            kept = self._kept
            if kept is not None and refused is not None:
                if kept.token.access_token != refused:
                    refused = None  # it was renewed meanwhile
                elif refused == self._unrenewable:
                    return kept
            if anew and (found := self._use_stored(kept, refused)) is not None:
                return found
            if self._error is None:
                is_needed = anew or refused is not None or self.is_due
            else:
                is_needed = self.is_due and not anew
            if not is_needed and kept is not None:
                return kept
            if not is_needed and self._error is not None:
                raise self._error
            return self._renew(kept, refused)

    def give_up(self, refused: Secret) -> None:
        """Note that a token is refused although it is new, so that no more are requested for it."""
        self._unrenewable = refused

    def _use_stored(self, kept: KeptToken | None, refused: Secret | None) -> KeptToken | None:
        """Return the stored token if it isn't due, e.g. because another process has renewed it.

        It needn't be one that `get` would return: if each of two keepers requested another one
        because the other's isn't good enough, they would never end.
        """
        try:
            profile = self._load_profile()
        except TokencliError:
            return None  # a renewal says why
        token = self._find_stored(profile, refused)
        if token is None or (token.expires_at is None and kept is None):
            return None
        profile = self._set_min_ttl(profile, token)
        if compute_renewal_time(profile, token) <= self._ctx.clock.now():
            return None
        return self._accept(profile, token, kept)

    def _find_stored(self, profile: Profile, refused: Secret | None) -> TokenSet | None:
        """Return the stored token if it is valid, fresh or not."""
        subject, stored = "", None
        with suppress(TokencliError):
            stored = find_stored_token(profile, self._ctx)
            subject = hash_subject(profile, SecretResolver(profile, self._ctx))
        if stored is None or stored.subject_hash != subject:
            return None
        token, now = stored.token, self._ctx.clock.now()
        is_usable = (
            token.access_token
            and token.access_token != refused
            and token.obtained_at <= now + CLOCK_TOLERANCE_S
            and token.may_be_valid(now)
        )
        return token if is_usable else None

    def _renew(self, kept: KeptToken | None, refused: Secret | None) -> KeptToken:
        profile = None
        try:
            profile = self._load_profile()
            known = kept.token if kept is not None else None
            if known is None and self._renewal_share is not None:
                known = self._find_stored(profile, refused)
            result = get_token(self._set_min_ttl(profile, known), self._ctx, refused=refused)
        except TokencliError as error:
            now = self._ctx.clock.now()
            self._error, self._failures, self._asked_at = error, self._failures + 1, now
            self._due_at = now + self._compute_retry_delay(error)
            self._kept = None
            if kept is None and profile is not None:
                found = self._find_stored(profile, refused)
                if found is not None and found.expires_at is not None:
                    kept = KeptToken(profile, found)
            if kept is None or not kept.token.may_be_valid(now):
                raise
            self._kept = KeptToken(kept.profile, kept.token, error=error)
            return self._kept
        accepted = self._accept(
            self._set_min_ttl(profile, result.token), result.token, kept, result.save_error
        )
        if not accepted.is_new and refused is not None:
            self.give_up(refused)
        return accepted

    def _accept(
        self,
        profile: Profile,
        token: TokenSet,
        kept: KeptToken | None,
        error: TokencliError | None = None,
    ) -> KeptToken:
        self._error, self._failures, self._asked_at = None, 0, self._ctx.clock.now()
        self._due_at = compute_renewal_time(profile, token)
        self._kept = KeptToken(profile, token, error=error)
        is_new = kept is None or kept.token.access_token != token.access_token
        return KeptToken(profile, token, is_new, error)

    def _set_min_ttl(self, profile: Profile, token: TokenSet | None) -> Profile:
        """Return the profile with what its tokens must have left; `token` is the last one, if known."""
        least = profile.min_ttl if self._min_ttl is None else self._min_ttl
        lifetime = None if token is None else token.lifetime
        if (
            lifetime is not None
            and self._renewal_share is not None
            and (least is None or least >= lifetime)
        ):
            least = lifetime * self._renewal_share
        return profile if least == profile.min_ttl else replace(profile, min_ttl=least)

    def _compute_retry_delay(self, error: TokencliError) -> float:
        first, most = (FIRST_RETRY_S, RETRY_S) if is_temporary(error) else (RETRY_S, MAX_RETRY_S)
        delay = min(first * 2.0 ** min(self._failures - 1, 16), most)
        asked_for = error.retry_after if isinstance(error, RefusedError) else None
        return max(delay, asked_for or 0.0)


def is_temporary(error: TokencliError) -> bool:
    """Tell whether the server didn't judge the request, so that asking again can't lock an account."""
    if not isinstance(error, RefusedError):
        return isinstance(error, _UNANSWERED)
    if error.error in TRANSIENT_ERRORS:
        return True
    status = error.status or 0
    return error.error not in _JUDGING_ERRORS and (
        status in TRANSIENT_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    )


def may_lock_account(error: TokencliError) -> bool:
    """Tell whether the server has refused the credentials, as far as can be known.

    What is in front of a server that is down may answer 404 (Not Found).
    """
    if not isinstance(error, RefusedError) or is_temporary(error):
        return False
    return error.status != HTTPStatus.NOT_FOUND or error.error is not None
