"""Keep a profile's token fresh while something runs that uses it."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock

from tokencli.core.get_token import get_token
from tokencli.core.token_renewal import TokenResult
from tokencli.errors import (
    DeadlineError,
    LockTimeoutError,
    RefusedError,
    TokencliError,
    UnreachableError,
)
from tokencli.models import TRANSIENT_STATUSES, Profile, Secret, TokenSet
from tokencli.protocols import Context

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


def compute_renewal_time(profile: Profile, result: TokenResult, now: float) -> float:
    """Return the epoch second at which the token stops being fresh, at least one second from now.

    A `min_ttl` that no token of the server reaches is ignored; else each look would fetch one.
    """
    unmet = result.token.unmet_min_ttl is not None
    fresh_until = result.token.fresh_until(None if unmet else profile.reachable_min_ttl())
    return now + UNKNOWN_EXPIRY_RENEWAL_S if fresh_until is None else max(now + 1.0, fresh_until)


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
    """Has a valid token of one profile at any time, as far as the server lets it.

    A token is renewed before it expires. If that fails, the old one is kept while it is valid, and
    the renewal is tried again. Threads may share a keeper: one of them renews, and the others wait.
    """

    def __init__(self, load_profile: Callable[[], Profile], ctx: Context) -> None:
        """Keep the token of the profile that `load_profile` returns, which is asked at each renewal.

        Its endpoints must be known, as those of `App.get_profile` are.
        """
        self._load_profile, self._ctx = load_profile, ctx
        self._kept: KeptToken | None = None
        self._error: TokencliError | None = None
        """Why the last renewal failed."""
        self._failures = 0
        self._due_at = 0.0
        self._unrenewable: Secret | None = None
        self._lock = RLock()

    def continue_with(self, load_profile: Callable[[], Profile], ctx: Context) -> None:
        """Renew the token with these from now on, e.g. without prompts."""
        self._load_profile, self._ctx = load_profile, ctx

    @property
    def due_at(self) -> float:
        """Return the epoch second of the next renewal, or of the next attempt if one failed."""
        return self._due_at

    def get(self, *, refused: Secret | None = None, anew: bool = False) -> KeptToken:
        """Return the token; renew it if that is due, or if a resource server has `refused` it.

        After a failure nothing is asked again before `due_at`, however often this is called.
        With `anew`, the store is asked even if nothing is due: another process may have renewed the
        token, or ended it. A failed renewal is an `error` of the result while the old token is valid.

        Raises:
            TokencliError: there is no valid token.
        """
        kept = self._kept
        if refused is None and not anew and kept is not None and not self._is_due():
            return kept
        with self._lock:
            kept = self._kept
            if kept is not None and refused is not None:
                if kept.token.access_token != refused:
                    refused = None  # it was renewed meanwhile
                elif refused == self._unrenewable:
                    return kept
            is_needed = anew or self._is_due() or (refused is not None and self._error is None)
            if not is_needed and kept is not None:
                return kept
            if not is_needed and self._error is not None:
                raise self._error
            return self._renew(kept, refused)

    def give_up(self, refused: Secret) -> None:
        """Note that a token is refused although it is new, so that no more are requested for it."""
        self._unrenewable = refused

    def _is_due(self) -> bool:
        return self._ctx.clock.now() >= self._due_at

    def _renew(self, kept: KeptToken | None, refused: Secret | None) -> KeptToken:
        try:
            profile = self._load_profile()
            result = get_token(profile, self._ctx, refused=refused)
        except TokencliError as error:
            now = self._ctx.clock.now()
            self._error, self._failures = error, self._failures + 1
            self._due_at = now + self._compute_retry_delay(error)
            self._kept = None
            if kept is None or not _is_valid(kept.token, now):
                raise
            self._kept = KeptToken(kept.profile, kept.token, error=error)
            return self._kept
        self._error, self._failures = None, 0
        self._due_at = compute_renewal_time(profile, result, self._ctx.clock.now())
        is_new = kept is None or kept.token.access_token != result.token.access_token
        self._kept = KeptToken(profile, result.token, error=result.save_error)
        if not is_new and refused is not None:
            self.give_up(refused)
        return KeptToken(profile, result.token, is_new, result.save_error)

    def _compute_retry_delay(self, error: TokencliError) -> float:
        first, most = (FIRST_RETRY_S, RETRY_S) if is_temporary(error) else (RETRY_S, MAX_RETRY_S)
        delay = min(first * 2.0 ** min(self._failures - 1, 16), most)
        asked_for = error.retry_after if isinstance(error, RefusedError) else None
        return max(delay, asked_for or 0.0)


def is_temporary(error: TokencliError) -> bool:
    """Tell whether the server didn't judge the request, so that asking again can't lock an account."""
    return isinstance(error, _UNANSWERED) or (
        isinstance(error, RefusedError)
        and error.status is not None
        and (error.status in TRANSIENT_STATUSES or error.status >= 500)
    )


def _is_valid(token: TokenSet, now: float) -> bool:
    """Tell whether a token can still be used; one whose expiry is unknown may be."""
    return token.expires_at is None or now < token.expires_at
