"""What the event log says about acquisitions, refreshes, failures, revocations and logouts."""

import json
from base64 import urlsafe_b64encode
from dataclasses import asdict, replace
from typing import Any

import pytest

from tests.fakes import (
    CLIENT_SECRET,
    FakeContext,
    filled_keyring,
    json_reply,
    make_profile,
)
from tokencli.core.get_token import get_token
from tokencli.core.logout import log_out
from tokencli.errors import CredentialsError, DeadlineError, RefusedError, TokencliError
from tokencli.models import HttpReply, Profile, Secret, StoredTokenSet, TokenSet
from tokencli.token_event import TokenEvent
from tokencli.token_store.credential_key import derive_binding

PROFILE = make_profile()
NOW = FakeContext().clock.now()


def context_with(*replies: HttpReply | Exception) -> FakeContext:
    """Return a context with these replies."""
    ctx = FakeContext(keyring=filled_keyring())
    ctx.transport.replies = list(replies)
    return ctx


def keep(ctx: FakeContext, profile: Profile = PROFILE, **values: Any) -> None:
    """Store an expired token set with a refresh token."""
    token = TokenSet(Secret("old"), "Bearer", NOW - 7200, NOW - 3600, Secret("r1"))
    token = replace(token, **values)
    stored = StoredTokenSet(derive_binding(profile), token)
    ctx.fake_store.stored_tokens[stored.binding.key] = stored


def only_event(ctx: FakeContext) -> TokenEvent:
    """Return the event, of which there is one."""
    (event,) = ctx.event_log.events
    return event


def make_jwt(**claims: object) -> str:
    """Return an unsigned JWT."""
    parts = ({"alg": "RS256", "kid": "key-1"}, claims)
    encoded = (urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    return b".".join((*encoded, b"c2ln")).decode()


def test_new_token_is_recorded_with_its_claims() -> None:
    """Grant, fingerprint, times, key and audience; of an array of audiences all."""
    token = make_jwt(iat=NOW, exp=NOW + 600, aud=["api", "other"], sub="canary-subject")
    ctx = context_with(json_reply(json.dumps({"access_token": token, "expires_in": 600})))
    get_token(PROFILE, ctx)
    event = only_event(ctx)
    assert (event.event, event.outcome, event.grant) == ("acquired", "ok", "client_credentials")
    assert (event.iat, event.exp, event.kid, event.aud) == (
        NOW,
        NOW + 600,
        "key-1",
        ("api", "other"),
    )
    assert event.fingerprint == ctx.event_log.fingerprint(Secret(token))
    assert (event.obtained_at, event.expires_at) == (NOW, NOW + 600)
    assert (event.rotated, event.refresh_age, event.error) == (None, None, None)
    assert event.latency is not None
    assert "canary" not in repr(event)


def test_stored_token_is_no_event() -> None:
    """Nothing is recorded if nothing happens."""
    ctx = context_with()
    keep(ctx, obtained_at=NOW, expires_at=NOW + 600)
    get_token(PROFILE, ctx)
    assert ctx.event_log.events == []


@pytest.mark.parametrize(("new", "rotated"), [("r2", True), ("r1", False), (None, False)])
def test_refresh_says_whether_it_rotated(new: str | None, rotated: bool) -> None:
    """A refresh token that wasn't replaced keeps the time of its issue."""
    members = {"access_token": "new", "expires_in": 600} | ({"refresh_token": new} if new else {})
    ctx = context_with(json_reply(json.dumps(members)))
    keep(ctx, refresh_issued_at=NOW - 86400)
    result = get_token(PROFILE, ctx)
    event = only_event(ctx)
    assert (event.event, event.grant, event.rotated) == ("refreshed", "refresh_token", rotated)
    assert event.refresh_age == 86400
    assert event.refresh_fingerprint == ctx.event_log.fingerprint(Secret(new or "r1"))
    assert result.token.refresh_issued_at == (NOW if rotated else NOW - 86400)


def test_age_of_an_old_refresh_token_is_unknown() -> None:
    """Release 0.1 didn't store when a refresh token was issued."""
    ctx = context_with(json_reply('{"access_token": "new", "expires_in": 600}'))
    keep(ctx)
    get_token(PROFILE, ctx)
    assert only_event(ctx).refresh_age is None


def test_refused_refresh_comes_before_the_fallback() -> None:
    """The refusal is recorded, though the grant helps out."""
    ctx = context_with(
        json_reply('{"error": "invalid_grant"}', 400), json_reply('{"access_token": "new"}')
    )
    keep(ctx, refresh_issued_at=NOW - 30 * 86400)
    get_token(PROFILE, ctx)
    refused, acquired = ctx.event_log.events
    assert (refused.event, refused.outcome, refused.grant) == ("failed", "error", "refresh_token")
    assert (refused.error, refused.status, refused.refresh_age) == (
        "invalid_grant",
        400,
        30 * 86400,
    )
    assert refused.refresh_fingerprint == ctx.event_log.fingerprint(Secret("r1"))
    assert acquired.event == "acquired"


def test_refused_refresh_that_needs_a_sign_in_is_one_event() -> None:
    """It has the server's error code, although the user is told to log in."""
    profile = make_profile(grant="authorization_code")
    ctx = context_with(json_reply('{"error": "invalid_grant"}', 400))
    keep(ctx, profile)
    with pytest.raises(CredentialsError):
        get_token(profile, ctx)
    event = only_event(ctx)
    assert (event.event, event.error, event.status) == ("failed", "invalid_grant", 400)


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (DeadlineError("no reply in 30 s"), "timeout"),
        (RefusedError("refused", status=429, retry_after=30.0), "refused"),
        (json_reply('{"error": "invalid_scope"}', 400), "invalid_scope"),
        (json_reply("[]"), "bad_reply"),
    ],
)
def test_each_failure_is_one_event(failure: HttpReply | Exception, code: str) -> None:
    """Whatever failed, with the server's code or tokencli's own."""
    ctx = context_with(failure)
    with pytest.raises(TokencliError):
        get_token(PROFILE, ctx)
    event = only_event(ctx)
    assert (event.event, event.outcome, event.error) == ("failed", "error", code)
    assert event.latency is not None
    assert event.retry_after == getattr(failure, "retry_after", None)


def test_missing_secret_is_recorded_without_latency() -> None:
    """Nothing was sent."""
    ctx = FakeContext()
    with pytest.raises(CredentialsError):
        get_token(PROFILE, ctx)
    event = only_event(ctx)
    assert (event.error, event.latency) == ("credentials", None)


def test_nothing_is_recorded_if_the_log_is_off() -> None:
    """Neither success nor failure nor logout."""
    profile = replace(PROFILE, event_log=False)
    ctx = context_with(json_reply('{"access_token": "new"}'), json_reply("{}", 400))
    get_token(profile, ctx)
    with pytest.raises(TokencliError):
        get_token(profile, ctx, force=True)
    log_out(profile, ctx, force=True)
    assert ctx.event_log.events == []


def test_logout_and_revocations_are_recorded() -> None:
    """One event for each token, and one for the logout itself."""
    profile = replace(PROFILE, endpoints={"revocation": "https://id.example.com/revoke"})
    ctx = context_with(json_reply("{}"), json_reply('{"error": "unsupported_token_type"}', 400))
    keep(ctx, profile, expires_at=NOW + 600)
    log_out(profile, ctx)
    assert [(event.event, event.outcome) for event in ctx.event_log.events] == [
        ("revoked", "ok"),
        ("revoked", "error"),
        ("logout", "ok"),
    ]
    assert ctx.event_log.events[0].fingerprint == ctx.event_log.fingerprint(Secret("r1"))


def test_failed_revocation_is_recorded() -> None:
    """With the status; the token stays, so there is no logout."""
    profile = replace(PROFILE, endpoints={"revocation": "https://id.example.com/revoke"})
    ctx = context_with(json_reply("{}", 503))
    keep(ctx, profile)
    with pytest.raises(RefusedError):
        log_out(profile, ctx)
    event = only_event(ctx)
    assert (event.event, event.outcome, event.status) == ("revoked", "error", 503)


@pytest.mark.parametrize("status", [200, 400, 500])
def test_no_secret_is_recorded(status: int) -> None:
    """Not even if the server repeats it in claims, scope, error code and description."""
    known = (CLIENT_SECRET.reveal(), "canary-old-refresh", "canary-old-id")
    issued = ("canary-refresh", "canary-id") if status == 200 else ()
    echo = " ".join((*known, *issued))
    token = make_jwt(aud=[echo, *issued], kid=echo, sub=echo, canary=echo)
    members = {
        "access_token": token,
        "refresh_token": "canary-refresh",
        "id_token": "canary-id",
        "scope": echo,
        "expires_in": 600,
    }
    error = {"error": f"x{echo}", "error_description": f"wrong secret {echo} {token}"}
    answer = json_reply(json.dumps(members if status == 200 else error), status)
    ctx = context_with(answer, answer)
    keep(ctx, refresh_token=Secret("canary-old-refresh"), id_token=Secret("canary-old-id"))
    if status == 200:
        get_token(PROFILE, ctx)
    else:
        with pytest.raises(TokencliError):
            get_token(PROFILE, ctx)
    recorded = json.dumps([asdict(event) for event in ctx.event_log.events])
    for secret in (*known, *issued, token):
        assert secret not in recorded
