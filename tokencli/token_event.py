"""An event in the life of a profile's tokens, as the event log keeps it. It holds no secret."""

from typing import Literal

from tokencli.fast_dataclass import dataclass

EventName = Literal["acquired", "refreshed", "login", "revoked", "logout", "failed"]
OBTAINING_EVENTS: tuple[EventName, ...] = ("acquired", "refreshed", "login")
"""The events that bring a new token, if their outcome is `ok`."""


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """One event. Times are in epoch seconds by this computer's clock, unless said otherwise."""

    time: float
    profile: str
    event: EventName
    """`failed` is an attempt to get a token; a failed revocation is `revoked` with outcome `error`."""
    outcome: Literal["ok", "error"] = "ok"
    grant: str | None = None
    """How the token was obtained, or was to be: the grant, or `refresh_token`."""
    fingerprint: str | None = None
    """Fingerprint of the access token, or of the token that was revoked."""
    refresh_fingerprint: str | None = None
    """Fingerprint of the refresh token: the new one, or the one that was refused."""
    rotated: bool | None = None
    """Whether a refresh replaced the refresh token; None if it was none."""
    obtained_at: float | None = None
    expires_at: float | None = None
    """When the access token expires; None if that is unknown, or if it never does."""
    refresh_age: float | None = None
    """Seconds since the refresh token that was used had been issued."""
    refresh_lifetime: float | None = None
    """Seconds for which the new refresh token is valid, if the server says so."""
    iat: float | None = None
    """Claim of the access token, by the issuer's clock; so are the next three."""
    exp: float | None = None
    kid: str | None = None
    """Key ID in the header of the access token."""
    aud: tuple[str, ...] = ()
    scope: str | None = None
    """The granted scope, or that of the profile if the server doesn't say."""
    skew: float | None = None
    """Seconds by which this computer's clock was ahead of the server's; None if they agreed."""
    latency: float | None = None
    """Seconds from sending the first request to the end of the last reply, without a user's time."""
    status: int | None = None
    """HTTP status of a refusal."""
    retry_after: float | None = None
    """Seconds to wait, by the server's Retry-After header."""
    error: str | None = None
    """The server's error code, or else the code of tokencli's own error, e.g. `timeout`."""
    message: str | None = None
    """tokencli's message about the error, redacted."""
    requester: str | None = None
    """Name of the program that asked, without arguments: the parent process of `tokencli`."""
