"""The device authorization grant (RFC 8628): the user signs in on another device."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from tokencli.errors import (
    ConfigError,
    LoginRequiredError,
    RefusedError,
    ReplyError,
    TlsError,
    TokencliError,
    UnreachableError,
)
from tokencli.humanize import humanize_duration
from tokencli.models import TRANSIENT_ERRORS, Profile, Secret, TokenSet
from tokencli.oauth.grants.request_params import build_common_params, resolve_grant_type
from tokencli.oauth.grants.steps import (
    GrantSpec,
    GrantSteps,
    PostToEndpoint,
    PostTokenRequest,
    ShowUserCode,
    WaitSeconds,
)
from tokencli.oauth.refusals import get_endpoint_host
from tokencli.oauth.token_lifetime import parse_expires_in
from tokencli.providers.endpoint_urls import check_browser_url

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
DEFAULT_INTERVAL_S = 5.0
"""Between two polls, unless the server sets an interval (section 3.2); slow_down adds as much."""
MIN_INTERVAL_S = 1.0
"""Between two polls, whatever interval the server sets."""
MAX_WAIT_S = 1800.0
"""The longest wait for the user, unless `wait` says otherwise."""
FINAL_ERRORS = ("access_denied", "authorization_declined", "expired_token", "user_denied")
"""Codes that end polling whatever the status is. `authorization_declined` is Microsoft's."""
MAX_USER_CODE_LENGTH = 100
MAX_URI_LENGTH = 16 * 1024
"""Characters of what the user has to type or open; longer ones are rejected, not cut."""


def run(profile: Profile) -> GrantSteps:
    """Request a user code, show it, and poll the token endpoint until the user has signed in.

    The interval only grows: by 5 s after `slow_down`, to twice its length if the server is busy,
    fails or does not respond (section 3.5). Polling ends when the code expires or `wait` is over.
    """
    params = yield from build_common_params(profile)
    reply = yield PostToEndpoint(
        "device_authorization", {"client_id": profile.values.get("client_id", ""), **params}
    )
    started_at: float = yield WaitSeconds(0)
    user_code, device_code, interval = _parse_device_authorization(profile, reply)
    yield user_code
    now, deadline = started_at, started_at + user_code.expires_in
    last_failure: TokencliError | None = None
    while True:
        now = yield WaitSeconds(min(interval, deadline - now))
        if now >= deadline:
            raise _sign_in_timeout_error(profile, user_code.expires_in, last_failure)
        try:
            token: TokenSet = yield PostTokenRequest(
                {
                    "grant_type": resolve_grant_type(profile, "device_code", GRANT_TYPE),
                    "device_code": device_code,
                }
            )
        except RefusedError as refusal:
            if refusal.error == "expired_token":
                raise _sign_in_timeout_error(profile) from None
            last_failure = None
            if refusal.error == "slow_down":
                interval += DEFAULT_INTERVAL_S
            elif refusal.error != "authorization_pending":
                if not _is_temporary(refusal):
                    raise
                interval = max(interval * 2, refusal.retry_after or 0.0)
                last_failure = refusal
        except UnreachableError as failure:
            if isinstance(failure, TlsError):
                raise
            interval, last_failure = interval * 2, failure
        else:
            return token


GRANT = GrantSpec(run, GRANT_TYPE, endpoints=("device_authorization",), is_interactive=True)


def _is_temporary(refusal: RefusedError) -> bool:
    """Return whether a later poll may succeed: the server is busy, or something in front of it is."""
    status = refusal.status or 0
    return refusal.error not in FINAL_ERRORS and (
        status == HTTPStatus.TOO_MANY_REQUESTS
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        or refusal.error in TRANSIENT_ERRORS
    )


def _parse_device_authorization(
    profile: Profile, reply: Mapping[str, Any]
) -> tuple[ShowUserCode, Secret, float]:
    """Return what to show, the device code, and the polling interval in seconds (section 3.2)."""
    uri = reply.get("verification_uri") or reply.get("verification_url")  # Google's name for it
    complete_uri = reply.get("verification_uri_complete")
    required = (reply.get("device_code"), reply.get("user_code"), uri)
    lifetime, _ = parse_expires_in(reply.get("expires_in"))
    if not all(isinstance(text, str) and text for text in required) or not lifetime:
        raise _bad_reply_error(
            profile, "lacks one of device_code, user_code, verification_uri and expires_in"
        )
    if len(str(reply["user_code"])) > MAX_USER_CODE_LENGTH or len(str(uri)) > MAX_URI_LENGTH:
        raise _bad_reply_error(profile, "has a user_code or verification_uri too long to type")
    try:
        check_browser_url(str(uri))
    except ConfigError as error:
        raise _bad_reply_error(
            profile, f"has an unsafe verification_uri: {error.message}"
        ) from None
    try:
        if not isinstance(complete_uri, str) or len(complete_uri) > MAX_URI_LENGTH:
            complete_uri = None
        complete_uri = check_browser_url(complete_uri) if complete_uri else None
    except ConfigError:
        complete_uri = None
    interval, _ = parse_expires_in(reply.get("interval"))
    timeout = min(lifetime, profile.sign_in.wait or MAX_WAIT_S)
    return (
        ShowUserCode(str(reply["user_code"]), str(uri), complete_uri, timeout),
        Secret(str(reply["device_code"])),
        max(interval or DEFAULT_INTERVAL_S, MIN_INTERVAL_S),
    )


def _bad_reply_error(profile: Profile, problem: str) -> ReplyError:
    return ReplyError(
        f"the device authorization response from {get_endpoint_host(profile)} {problem}",
        cause="the server's administrators have to correct it; until then, use another grant",
        fix=f"tokencli profiles edit {profile.name} --set grant=authorization_code",
    )


def _sign_in_timeout_error(
    profile: Profile, waited: float | None = None, last_failure: TokencliError | None = None
) -> LoginRequiredError:
    limit = profile.sign_in.wait
    cause = f"the last poll failed: {last_failure.message}" if last_failure else None
    if limit is not None and waited == limit:
        return LoginRequiredError(
            f"no sign-in within {humanize_duration(limit)}",
            cause=cause,
            fix=f"tokencli login {profile.command_line_name} --wait 15m",
        )
    return LoginRequiredError(
        "the user code expired before the sign-in was complete",
        cause=cause,
        fix=f"tokencli login {profile.command_line_name}",
    )
