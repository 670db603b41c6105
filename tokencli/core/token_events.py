"""Record in the event log what happens to a profile's tokens.

Imported only when something happens: a fresh token is no event.
"""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tokencli.errors import (
    PromptRequiredError,
    RefusedError,
    ReplyError,
    TokencliError,
    UnreachableError,
)
from tokencli.jwt.decode import decode_token, finite_number, strings_of_claim
from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth import grants
from tokencli.protocols import Context

if TYPE_CHECKING:
    from tokencli.token_event import EventName


class Attempt:
    """An attempt to get a token. If the block raises, that is recorded as a failure.

    `spent` is the token set whose refresh token is used, `previous` the stored one, whose secrets
    aren't recorded either if a server repeats them.
    """

    def __init__(
        self,
        profile: Profile,
        ctx: Context,
        grant: str,
        *,
        event: "EventName" = "acquired",
        spent: TokenSet | None = None,
        previous: TokenSet | None = None,
    ) -> None:
        self._profile = profile
        self._ctx = ctx
        self._grant = grant
        self._event = event
        self._spent = spent
        self._old_secrets = (*_list_secrets(spent), *_list_secrets(previous))
        self._started = ctx.clock.monotonic()
        self._latency: float | None = None
        self.secrets: Iterable[Secret | None] = ()
        """The secrets of the request, which no text of the server may repeat in the log."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, TokencliError):
            self.record_failure(error)

    def end_exchange(self) -> None:
        """Note that the reply has arrived. How long a user took to sign in isn't measured."""
        if not grants.is_interactive(self._grant):
            self._latency = self._ctx.clock.monotonic() - self._started

    def record_token(
        self,
        token: TokenSet,
        refresh_lifetime: float | None,
        not_stored: TokencliError | None = None,
    ) -> None:
        """Record the token that was obtained, and why it couldn't be stored if it is `not_stored`."""
        if not self._profile.event_log:
            return
        spent, refresh_token = self._spent, token.refresh_token
        event = dict(
            time=self._ctx.clock.now(),
            profile=self._profile.name,
            event=self._event,
            outcome="ok",
            grant=self._grant,
            refresh_fingerprint=self._fingerprint(refresh_token),
            rotated=None if spent is None else refresh_token != spent.refresh_token,
            obtained_at=token.obtained_at,
            expires_at=token.known_expiry,
            refresh_age=self._refresh_age(),
            refresh_lifetime=None if refresh_token is None else refresh_lifetime,
            scope=self._profile.scope if token.scope is None else token.scope,
            skew=token.clock_skew,
            latency=self._latency,
            error=None if not_stored is None else not_stored.code,
            message=None if not_stored is None else not_stored.message,
            **_describe_token(token.access_token, self._ctx),
        )
        secrets = (*self.secrets, *self._old_secrets, *_list_secrets(token))
        self._ctx.event_log.record(_without_secrets(event, secrets))

    def record_failure(self, error: TokencliError) -> None:
        """Record why no token was obtained, once for each error."""
        if self._latency is None and isinstance(
            error, RefusedError | UnreachableError | ReplyError
        ):
            self.end_exchange()
        spent = self._spent
        record_failure(
            self._profile,
            self._ctx,
            error,
            grant=self._grant,
            latency=self._latency,
            refresh_age=self._refresh_age(),
            spent=None if spent is None else spent.refresh_token,
            secrets=(*self.secrets, *self._old_secrets),
        )

    def _refresh_age(self) -> float | None:
        issued_at = None if self._spent is None else self._spent.refresh_issued_at
        return None if issued_at is None else max(0.0, self._ctx.clock.now() - issued_at)

    def _fingerprint(self, token: Secret | None) -> str | None:
        return self._ctx.event_log.fingerprint(token) if token else None


def record_failure(
    profile: Profile,
    ctx: Context,
    error: TokencliError,
    *,
    event: "EventName" = "failed",
    token: Secret | None = None,
    spent: Secret | None = None,
    secrets: Iterable[Secret | None] = (),
    **details: Any,
) -> None:
    """Record an error, unless it or the one that led to it is recorded already.

    `token` is the one that should have been revoked, `spent` the refresh token that was used.
    """
    if not profile.event_log or isinstance(error, PromptRequiredError):
        return
    refusal: RefusedError | None = None
    each: BaseException | None = error
    while isinstance(each, TokencliError):
        if each.is_recorded:
            return
        refusal = each if refusal is None and isinstance(each, RefusedError) else refusal
        each = each.__context__
    error.is_recorded = True
    if event == "failed":
        details.setdefault("grant", profile.grant)
    recorded = dict(
        time=ctx.clock.now(),
        profile=profile.name,
        event=event,
        outcome="error",
        status=None if refusal is None else refusal.status,
        retry_after=None if refusal is None else refusal.retry_after,
        skew=None if refusal is None else refusal.clock_skew,
        error=(refusal.error if refusal is not None else None) or error.code,
        message=error.message,
        fingerprint=ctx.event_log.fingerprint(token) if token else None,
        refresh_fingerprint=ctx.event_log.fingerprint(spent) if spent else None,
        **details,
    )
    ctx.event_log.record(_without_secrets(recorded, secrets))


def record_event(
    profile: Profile,
    ctx: Context,
    event: "EventName",
    *,
    token: Secret | None = None,
    error: str | None = None,
) -> None:
    """Record a logout or a revocation; `error` is the code of a refusal that is no TokencliError."""
    if profile.event_log:
        ctx.event_log.record(
            {
                "time": ctx.clock.now(),
                "profile": profile.name,
                "event": event,
                "outcome": "ok" if error is None else "error",
                "fingerprint": ctx.event_log.fingerprint(token) if token else None,
                "error": error,
            }
        )


def _describe_token(token: Secret, ctx: Context) -> dict[str, Any]:
    """Return what tells a token from others: its fingerprint, and of a JWT some of its claims."""
    if not token:
        return {}
    details: dict[str, Any] = {"fingerprint": ctx.event_log.fingerprint(token)}
    decoded = decode_token(token.reveal())
    if decoded.kind != "jwt":
        return details
    details["aud"] = strings_of_claim(decoded.claims.get("aud"))
    details |= {name: finite_number(decoded.claims.get(name)) for name in ("iat", "exp")}
    kid = decoded.header.get("kid")
    details["kid"] = kid if isinstance(kid, str) else None
    return details


def _list_secrets(token: TokenSet | None) -> tuple[Secret | None, ...]:
    if token is None:
        return ()
    return (token.access_token, token.refresh_token, token.id_token, *token.outputs.values())


def _without_secrets(
    event: Mapping[str, Any], secrets: Iterable[Secret | None]
) -> Mapping[str, Any]:
    """Return the event without the secrets that a server repeats, e.g. in a claim."""
    values = sorted({secret.reveal() for secret in secrets if secret}, key=len, reverse=True)

    def mask(text: str | None) -> str | None:
        for value in values if text else ():
            text = text.replace(value, "***") if text else text
        return text

    masked = {name: mask(event.get(name)) for name in ("kid", "scope", "error", "message")}
    return {**event, **masked, "aud": tuple(mask(each) or "" for each in event.get("aud", ()))}
