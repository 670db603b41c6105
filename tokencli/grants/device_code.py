"""The device authorization grant (RFC 8628): a person signs in on another device meanwhile."""

from collections.abc import Mapping
from typing import Any

from tokencli.errors import (
    ConfigError,
    LoginNeeded,
    RefusedError,
    ReplyError,
    TlsError,
    UnreachableError,
)
from tokencli.grants.params import further, grant_type
from tokencli.grants.steps import Fetch, Post, ShowUserCode, Steps, Wait
from tokencli.jwt.times import words
from tokencli.model import Profile, Secret, TokenSet
from tokencli.providers.address import page
from tokencli.providers.expiry import seconds
from tokencli.providers.reply import endpoint

NEEDS: tuple[str, ...] = ()
ENDPOINTS = ("device_authorization",)
INTERACTIVE = True
INTERVAL_S = 5.0
"""Between two questions, where the server says nothing (section 3.2), and what slow_down adds."""
SHORTEST_S = 1.0
"""Between two questions, whatever the server says."""
LONGEST_S = 1800.0
"""How long somebody is waited for at most, where neither they nor the server say less."""
LONGEST_CODE = 100
LONGEST_PAGE = 16 * 1024
"""Characters of what a person has to type or open; more is nonsense, and cut it would be of no use."""
BUSY = (429, 502, 503, 504)
"""Statuses of a server that has not looked at the question: asked again, but less often."""


def run(profile: Profile) -> Steps:
    """Ask for a code, show it, and ask for the token until the person has signed in.

    The pause between two questions only ever grows: by 5 s where the server says slow_down, to
    twice as long where it does not answer (section 3.5). It ends with the code's life, or earlier
    where somebody said how long to wait.
    """
    params = yield from further(profile)
    told = yield Fetch(
        "device_authorization", {"client_id": profile.values.get("client_id", ""), **params}
    )
    begun: float = yield Wait(0)
    shown, device_code, pause = _read(profile, told)
    yield shown
    now, end = begun, begun + shown.expires_in
    while True:
        now = yield Wait(min(pause, end - now))
        if now >= end:
            raise _too_late(profile, shown.expires_in)
        try:
            token: TokenSet = yield Post(
                {"grant_type": grant_type(profile, "device_code"), "device_code": device_code}
            )
        except RefusedError as refusal:
            if refusal.error == "expired_token":
                raise _too_late(profile) from None
            if refusal.error == "slow_down":
                pause += INTERVAL_S
            elif refusal.error is None and refusal.status in BUSY:
                pause *= 2
            elif refusal.error != "authorization_pending":
                raise
        except UnreachableError as failure:
            if isinstance(failure, TlsError):
                raise
            pause *= 2
        else:
            return token


def _read(profile: Profile, told: Mapping[str, Any]) -> tuple[ShowUserCode, Secret, float]:
    """Return what to show, the device code, and the seconds between two questions (section 3.2)."""
    where = told.get("verification_uri") or told.get("verification_url")  # Google's name for it
    complete = told.get("verification_uri_complete")
    texts = (told.get("device_code"), told.get("user_code"), where)
    life, _ = seconds(told.get("expires_in"))
    if not all(isinstance(text, str) and text for text in texts) or not life:
        raise _useless(
            profile, "lacks one of device_code, user_code, verification_uri and expires_in"
        )
    if len(str(told["user_code"])) > LONGEST_CODE or len(str(where)) > LONGEST_PAGE:
        raise _useless(profile, "has a user_code or verification_uri too long for anybody to type")
    try:
        page(str(where))
    except ConfigError as error:
        raise _useless(profile, f"names a page that nobody should open: {error.message}") from None
    try:
        if not isinstance(complete, str) or len(complete) > LONGEST_PAGE:
            complete = None
        complete = page(complete) if complete else None
    except ConfigError:
        complete = None
    pause, _ = seconds(told.get("interval"))
    patience = min(life, profile.sign_in.wait or LONGEST_S)
    shown = ShowUserCode(str(told["user_code"]), str(where), complete, patience)
    return shown, Secret(str(told["device_code"])), max(pause or INTERVAL_S, SHORTEST_S)


def _useless(profile: Profile, what: str) -> ReplyError:
    return ReplyError(
        f"{endpoint(profile)} answered the device authorization request, but the answer {what}",
        hint="tell the server's operators, or sign in by another grant: "
        f"tokencli profiles edit {profile.name}",
    )


def _too_late(profile: Profile, waited: float | None = None) -> LoginNeeded:
    limit = profile.sign_in.wait
    if limit is not None and waited == limit:
        return LoginNeeded(
            f"nobody signed in within {words(limit)}",
            hint=f"tokencli login {profile.as_typed} --wait 15m",
        )
    return LoginNeeded(
        "the code has expired before anybody signed in with it",
        hint=f"tokencli login {profile.as_typed}",
    )
