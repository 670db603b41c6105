"""The device authorization grant (RFC 8628): a person signs in on another device meanwhile."""

from collections.abc import Mapping
from typing import Any

from tokencli.errors import (
    ConfigError,
    LoginRequiredError,
    RefusedError,
    ReplyError,
    TlsError,
    UnreachableError,
)
from tokencli.jwt.humanize import humanize_duration
from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.expires_in import parse_expires_in
from tokencli.oauth.grants.common_params import common_params, grant_type_value
from tokencli.oauth.grants.steps import (
    GrantSteps,
    PostToEndpoint,
    PostTokenRequest,
    ShowUserCode,
    WaitSeconds,
)
from tokencli.oauth.token_response import get_endpoint_host
from tokencli.providers.endpoint_urls import check_browser_url

NEEDS: tuple[str, ...] = ()
ENDPOINTS = ("device_authorization",)
INTERACTIVE = True
DEFAULT_INTERVAL_S = 5.0
"""Between two questions, where the server says nothing (section 3.2), and what slow_down adds."""
MIN_INTERVAL_S = 1.0
"""Between two questions, whatever the server says."""
MAX_WAIT_S = 1800.0
"""How long somebody is waited for at most, where neither they nor the server say less."""
MAX_USER_CODE_LENGTH = 100
MAX_URI_LENGTH = 16 * 1024
"""Characters of what a person has to type or open; more is nonsense, and cut it would be of no use."""
TRANSIENT_STATUSES = (429, 502, 503, 504)
"""Statuses of a server that has not looked at the question: asked again, but less often."""


def run(profile: Profile) -> GrantSteps:
    """Ask for a code, show it, and ask for the token until the person has signed in.

    The pause between two questions only ever grows: by 5 s where the server says slow_down, to
    twice as long where it does not answer (section 3.5). It ends with the code's life, or earlier
    where somebody said how long to wait.
    """
    params = yield from common_params(profile)
    told = yield PostToEndpoint(
        "device_authorization", {"client_id": profile.values.get("client_id", ""), **params}
    )
    begun: float = yield WaitSeconds(0)
    shown, device_code, pause = _parse_device_authorization(profile, told)
    yield shown
    now, end = begun, begun + shown.expires_in
    while True:
        now = yield WaitSeconds(min(pause, end - now))
        if now >= end:
            raise _sign_in_timeout_error(profile, shown.expires_in)
        try:
            token: TokenSet = yield PostTokenRequest(
                {"grant_type": grant_type_value(profile, "device_code"), "device_code": device_code}
            )
        except RefusedError as refusal:
            if refusal.error == "expired_token":
                raise _sign_in_timeout_error(profile) from None
            if refusal.error == "slow_down":
                pause += DEFAULT_INTERVAL_S
            elif refusal.error is None and refusal.status in TRANSIENT_STATUSES:
                pause *= 2
            elif refusal.error != "authorization_pending":
                raise
        except UnreachableError as failure:
            if isinstance(failure, TlsError):
                raise
            pause *= 2
        else:
            return token


def _parse_device_authorization(
    profile: Profile, told: Mapping[str, Any]
) -> tuple[ShowUserCode, Secret, float]:
    """Return what to show, the device code, and the seconds between two questions (section 3.2)."""
    where = told.get("verification_uri") or told.get("verification_url")  # Google's name for it
    complete = told.get("verification_uri_complete")
    texts = (told.get("device_code"), told.get("user_code"), where)
    life, _ = parse_expires_in(told.get("expires_in"))
    if not all(isinstance(text, str) and text for text in texts) or not life:
        raise _bad_reply_error(
            profile, "lacks one of device_code, user_code, verification_uri and expires_in"
        )
    if len(str(told["user_code"])) > MAX_USER_CODE_LENGTH or len(str(where)) > MAX_URI_LENGTH:
        raise _bad_reply_error(
            profile, "has a user_code or verification_uri too long for anybody to type"
        )
    try:
        check_browser_url(str(where))
    except ConfigError as error:
        raise _bad_reply_error(
            profile, f"names a page that nobody should open: {error.message}"
        ) from None
    try:
        if not isinstance(complete, str) or len(complete) > MAX_URI_LENGTH:
            complete = None
        complete = check_browser_url(complete) if complete else None
    except ConfigError:
        complete = None
    pause, _ = parse_expires_in(told.get("interval"))
    patience = min(life, profile.sign_in.wait or MAX_WAIT_S)
    shown = ShowUserCode(str(told["user_code"]), str(where), complete, patience)
    return shown, Secret(str(told["device_code"])), max(pause or DEFAULT_INTERVAL_S, MIN_INTERVAL_S)


def _bad_reply_error(profile: Profile, what: str) -> ReplyError:
    return ReplyError(
        f"{get_endpoint_host(profile)} answered the device authorization request, but the answer {what}",
        fix="tell the server's operators, or sign in by another grant: "
        f"tokencli profiles edit {profile.name}",
    )


def _sign_in_timeout_error(profile: Profile, waited: float | None = None) -> LoginRequiredError:
    limit = profile.sign_in.wait
    if limit is not None and waited == limit:
        return LoginRequiredError(
            f"nobody signed in within {humanize_duration(limit)}",
            fix=f"tokencli login {profile.command_line_name} --wait 15m",
        )
    return LoginRequiredError(
        "the code has expired before anybody signed in with it",
        fix=f"tokencli login {profile.command_line_name}",
    )
