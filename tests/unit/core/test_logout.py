"""Logging out: tokens are revoked first, and those that can't be revoked are kept."""

from dataclasses import replace

import pytest

from tests.fakes import FakeContext, FakeTransport, filled_keyring, json_reply, make_profile
from tokencli.core.logout import describe_tokens, log_out
from tokencli.errors import (
    ConfigError,
    RefusedError,
    ReplyError,
    TokencliError,
    UnreachableError,
)
from tokencli.models import HttpReply, Profile, Secret, StoredTokenSet, TokenSet
from tokencli.oauth.discovery import MetadataNotFoundError
from tokencli.providers.endpoint_urls import endpoint_unknown_error
from tokencli.token_store.credential_key import derive_binding

NOW = 1_800_000_000.0
REVOCATION = "https://id.example.com/revoke"
DONE = HttpReply(200, {}, b"")
UNKNOWN = json_reply('{"error":"invalid_token","error_description":"expired or revoked"}', 400)
UNSUPPORTED = json_reply('{"error":"unsupported_token_type"}', 400)
PAGE = json_reply("<html><body>Please sign in to the network", 200, "text/html")
TOKEN = TokenSet(
    Secret("canary-access-1a"), "Bearer", NOW, NOW + 600, refresh_token=Secret("canary-refresh-2b")
)


def set_up(
    *replies: HttpReply | Exception, url: str | None = REVOCATION, token: TokenSet | None = TOKEN
) -> tuple[Profile, FakeContext]:
    """Return a profile with a stored token, and a context with these replies."""
    profile = make_profile(endpoints={"revocation": url} if url else {})
    ctx = FakeContext(transport=FakeTransport(list(replies)), keyring=filled_keyring())
    if token is not None:
        ctx.fake_store.stored_tokens[derive_binding(profile).key] = StoredTokenSet(
            derive_binding(profile), token
        )
    return profile, ctx


def revoked_types(ctx: FakeContext) -> list[str]:
    """Return the token types of the revocation requests, in order."""
    return [
        request.body.decode().partition("token_type_hint=")[2].partition("&")[0]
        for request in ctx.transport.requests
    ]


@pytest.mark.requirement(38)
def test_refresh_token_is_revoked_first() -> None:
    """RFC 7009 section 2.1: with client authentication, at the revocation endpoint."""
    profile, ctx = set_up(DONE, DONE)
    result = log_out(profile, ctx)
    assert (result.revoked, result.token_count) == (("refresh_token", "access_token"), 1)
    assert revoked_types(ctx) == ["refresh_token", "access_token"]
    first = ctx.transport.requests[0]
    assert (first.method, first.url) == ("POST", REVOCATION)
    assert first.headers["Authorization"].startswith("Basic ")
    assert b"token=canary-refresh-2b" in first.body
    assert "canary" not in repr(first)
    assert not ctx.fake_store.stored_tokens


@pytest.mark.requirement(38)
def test_expired_access_token_is_not_revoked() -> None:
    """It is no longer valid."""
    profile, ctx = set_up(DONE, token=replace(TOKEN, expires_at=NOW - 1))
    assert log_out(profile, ctx).revoked == ("refresh_token",)


@pytest.mark.requirement(38)
def test_access_token_alone_is_revoked() -> None:
    """For example after a client credentials grant."""
    profile, ctx = set_up(DONE, token=replace(TOKEN, refresh_token=None))
    assert log_out(profile, ctx).revoked == ("access_token",)


@pytest.mark.requirement(38)
@pytest.mark.parametrize(
    "reply",
    [
        HttpReply(503, {"retry-after": "5"}, b""),
        HttpReply(500, {}, b""),
        json_reply('{"error":"invalid_client"}', 401),
        json_reply('{"error":"invalid_request"}', 400),
        json_reply('{"error":"unauthorized_client"}', 400),
        json_reply('{"error":"invalid_token"}', 401),
        json_reply('{"error":"unsupported_token_type"}', 503),
        json_reply("[]", 403),
        json_reply("", 404),
        json_reply("", 304),
        json_reply('{"error":"unauthorized_client"}', 200),
        PAGE,
        json_reply("\ufeff <!DOCTYPE html><title>Welcome</title>", 200, ""),
        json_reply("You are offline", 200, "text/html; charset=utf-8"),
    ],
)
def test_unrevoked_token_is_kept(reply: HttpReply) -> None:
    """RFC 7009 section 2.2.1: the token must be assumed to be valid; the fix names --force."""
    profile, ctx = set_up(reply)
    with pytest.raises(TokencliError, match="nothing was deleted") as caught:
        log_out(profile, ctx)
    assert "--force" in (caught.value.fix or "")
    assert len(ctx.fake_store.stored_tokens) == 1
    assert len(ctx.transport.requests) == 1


@pytest.mark.requirement(38)
def test_503_means_still_valid() -> None:
    """RFC 7009 section 2.2.1."""
    profile, ctx = set_up(HttpReply(503, {}, b""))
    with pytest.raises(RefusedError, match="still valid"):
        log_out(profile, ctx)


@pytest.mark.requirement(38)
def test_force_deletes_unrevoked_tokens() -> None:
    """With a warning, whether the server refuses or can't be reached."""
    for reply in (HttpReply(503, {}, b""), UnreachableError("no way"), HttpReply(500, {}, b"")):
        profile, ctx = set_up(reply)
        result = log_out(profile, ctx, force=True)
        assert (result.revoked, result.token_count, len(ctx.fake_store.stored_tokens)) == ((), 1, 0)
        assert any("stays valid until it expires" in message for message in ctx.terminal.messages)


@pytest.mark.requirement(38)
def test_unsupported_token_type_is_no_failure() -> None:
    """The access token stays valid until it expires (RFC 7009 section 2.2.1)."""
    profile, ctx = set_up(DONE, UNSUPPORTED)
    assert log_out(profile, ctx).revoked == ("refresh_token",)
    assert not ctx.fake_store.stored_tokens
    assert "or stays valid until it expires" in ctx.terminal.messages[-1]


@pytest.mark.requirement(38)
def test_unrevocable_refresh_token_warns() -> None:
    """It stays valid, so there is a warning, and the access token is revoked all the same."""
    profile, ctx = set_up(UNSUPPORTED, DONE)
    assert log_out(profile, ctx).revoked == ("access_token",)
    assert not ctx.fake_store.stored_tokens
    (message,) = ctx.terminal.messages
    assert message.startswith("warning: ")
    assert "can't revoke the refresh token" in message


@pytest.mark.requirement(38)
@pytest.mark.parametrize("status", [400, 200])
def test_unknown_token_counts_as_revoked(status: int) -> None:
    """RFC 7009 section 2.2. Some servers end the access token with its refresh token, and reply 400."""
    reply = replace(UNKNOWN, status=status)
    profile, ctx = set_up(DONE, reply)
    result = log_out(profile, ctx)
    assert (result.revoked, result.already_invalid, result.token_count) == (
        ("refresh_token",),
        ("access_token",),
        1,
    )
    assert not ctx.fake_store.stored_tokens
    profile, ctx = set_up(reply, reply)
    assert log_out(profile, ctx).already_invalid == ("refresh_token", "access_token")
    assert not ctx.fake_store.stored_tokens


@pytest.mark.requirement(38)
@pytest.mark.parametrize(
    "reply",
    [HttpReply(503, {}, b""), PAGE, json_reply('{"error":"invalid_client"}', 400)],
    ids=["503", "page", "invalid_client"],
)
@pytest.mark.parametrize("first", [DONE, UNKNOWN], ids=["revoked", "gone"])
def test_partly_revoked_token_set(first: HttpReply, reply: HttpReply) -> None:
    """The revoked token is deleted and the other one kept, the message names both, and the next
    logout only revokes the rest."""
    profile, ctx = set_up(first, reply, DONE)
    with pytest.raises(TokencliError, match="deleted the refresh token, kept the rest"):
        log_out(profile, ctx)
    (left,) = ctx.fake_store.stored_tokens.values()
    assert left.token == replace(TOKEN, refresh_token=None)
    assert log_out(profile, ctx).revoked == ("access_token",)
    assert revoked_types(ctx) == ["refresh_token", "access_token", "access_token"]
    assert not ctx.fake_store.stored_tokens


@pytest.mark.requirement(38)
@pytest.mark.parametrize(
    "reply",
    [
        HttpReply(200, {"content-type": "text/html; charset=utf-8"}, b""),
        json_reply("{}", 200, "text/html"),
        json_reply('{"error":null}'),
        json_reply("ok", 200, "text/plain"),
        HttpReply(204, {}, b""),
    ],
)
def test_success_body_is_ignored_unless_html(reply: HttpReply) -> None:
    """RFC 7009 section 2.2: the status counts. Frameworks send an empty page by default."""
    profile, ctx = set_up(reply, reply)
    assert log_out(profile, ctx).revoked == ("refresh_token", "access_token")


def test_no_revocation_endpoint() -> None:
    """The tokens are deleted, and a note says that they stay valid."""
    profile, ctx = set_up(url=None)
    result = log_out(profile, ctx)
    assert (result.revoked, result.token_count, ctx.transport.requests) == ((), 1, [])
    (message,) = ctx.terminal.messages
    assert message.startswith("not revoked: id.example.com has no known revocation endpoint")


def test_expired_tokens_are_deleted_silently() -> None:
    """An expired access token is deleted without a note and without a request."""
    spent = replace(TOKEN, refresh_token=None, expires_at=NOW - 1)
    for url in (REVOCATION, None):
        profile, ctx = set_up(url=url, token=spent)
        assert log_out(profile, ctx).token_count == 1
        assert (ctx.transport.requests, ctx.terminal.messages) == ([], [])


def test_no_token_no_request() -> None:
    """Neither the server nor the keyring is contacted."""
    profile, ctx = set_up(token=None)
    assert log_out(profile, ctx).token_count == 0
    assert ctx.transport.requests == []


class UnreachableIssuerContext(FakeContext):
    """A context whose issuer's metadata can't be fetched."""

    failure: TokencliError = UnreachableError("no answer")

    def with_endpoints(self, profile: Profile, *names: str) -> Profile:
        raise self.failure


def test_metadata_without_revocation_endpoint() -> None:
    """The same if the issuer has no metadata at all."""
    for failure in (
        endpoint_unknown_error(make_profile(), "revocation"),
        MetadataNotFoundError("404 and 404"),
    ):
        profile, ctx = set_up(url=None)
        unreachable = UnreachableIssuerContext(fake_store=ctx.fake_store)
        unreachable.failure = failure
        assert log_out(profile, unreachable).token_count == 1
        assert "not revoked: id.example.com has no known" in unreachable.terminal.messages[0]


@pytest.mark.requirement(38)
@pytest.mark.parametrize(
    "failure",
    [
        UnreachableError("no answer"),
        ReplyError("503 and 503"),
        RefusedError("no"),
        ConfigError("it has moved"),
        endpoint_unknown_error(make_profile(), "authorization"),
    ],
    ids=lambda failure: failure.message[:20],
)
def test_undiscoverable_endpoint_keeps_the_tokens(
    failure: TokencliError,
) -> None:
    """They are still valid. The cause is named and decides the exit code, and the fix is --force, which
    deletes them with a warning."""
    profile, ctx = set_up(url=None)
    unreachable = UnreachableIssuerContext(fake_store=ctx.fake_store)
    unreachable.failure = failure
    cause = failure.message
    with pytest.raises(type(failure), match="nothing was deleted") as caught:
        log_out(profile, unreachable)
    assert cause in caught.value.message
    assert "tokencli logout p --force" in (caught.value.fix or "")
    assert len(ctx.fake_store.stored_tokens) == 1
    assert log_out(profile, unreachable, force=True).token_count == 1
    assert "stays valid" in unreachable.terminal.messages[-1]


def store_older_tokens(ctx: FakeContext, **more: object) -> None:
    """Store tokens that were issued before the profile was changed."""
    bound = derive_binding(make_profile(**more))  # type: ignore[arg-type]
    names = ("access_token", "refresh_token")
    token = replace(TOKEN, **{name: Secret(f"canary-older-{name}") for name in names})  # type: ignore[arg-type]
    ctx.fake_store.stored_tokens[bound.key] = StoredTokenSet(bound, token)


@pytest.mark.requirement(38)
@pytest.mark.parametrize("token", [TOKEN, None], ids=["and newer ones", "alone"])
def test_older_tokens_of_same_client_are_revoked(
    token: TokenSet | None,
) -> None:
    """Only the scope or another part of the key was edited; server and client are the same."""
    profile, ctx = set_up(*[DONE] * 4, token=token)
    store_older_tokens(ctx, scope="read")
    result = log_out(profile, ctx)
    count = 2 if token else 1
    assert result.revoked == ("refresh_token", "access_token") * count
    assert result.token_count == count
    sent = b" ".join(request.body for request in ctx.transport.requests)
    assert b"canary-older-refresh_token" in sent
    assert b"canary-older-access_token" in sent
    assert not ctx.fake_store.stored_tokens


@pytest.mark.requirement(38)
@pytest.mark.parametrize(
    "before",
    [{"token_url": "https://old.example.com/token"}, {"values": {"client_id": "another"}}],
    ids=["server", "client"],
)
def test_foreign_tokens_are_sent_nowhere(
    before: dict[str, object],
) -> None:
    """They are deleted, with a warning that they are not revoked."""
    profile, ctx = set_up(DONE, DONE)
    store_older_tokens(ctx, **before)
    assert log_out(profile, ctx).token_count == 2
    assert len(ctx.transport.requests) == 2
    assert b"older" not in b"".join(request.body for request in ctx.transport.requests)
    (message,) = ctx.terminal.messages
    assert "they are not revoked" in message
    assert ("old.example.com" in message) != ("'another'" in message)
    assert not ctx.fake_store.stored_tokens


@pytest.mark.requirement(16)
def test_older_tokens_are_not_sent_to_a_new_endpoint() -> None:
    """If the revocation endpoint's origin isn't the token endpoint's, it may have been added later."""
    there = "https://elsewhere.example.com/revoke"
    profile = make_profile(
        endpoints={"revocation": there}, value_sources={"revocation_url": "file:3"}
    )
    _, ctx = set_up(token=None)
    store_older_tokens(ctx)
    assert log_out(profile, ctx).token_count == 1
    assert ctx.transport.requests == []
    assert "they are not revoked" in ctx.terminal.messages[0]


@pytest.mark.requirement(38)
def test_message_says_what_is_kept() -> None:
    """The newer tokens are revoked and deleted; the older ones are kept until they can be revoked."""
    profile, ctx = set_up(DONE, DONE, HttpReply(503, {}, b""))
    store_older_tokens(ctx, scope="read")
    with pytest.raises(RefusedError, match="kept the rest"):
        log_out(profile, ctx)
    (left,) = ctx.fake_store.stored_tokens.values()
    assert left.token.refresh_token == Secret("canary-older-refresh_token")


def test_describe_tokens() -> None:
    """One is `the`, more are counted."""
    assert describe_tokens(["refresh_token"]) == "the refresh token"
    many = ["refresh_token", "access_token", "access_token"]
    assert describe_tokens(many) == "the refresh token and 2 access tokens"
    assert describe_tokens([]) == ""


@pytest.mark.requirement(38)
def test_revocation_holds_the_credential_lock() -> None:
    """So no other process refreshes the token meanwhile."""
    profile, ctx = set_up(DONE, DONE)
    log_out(profile, ctx)
    events = ctx.fake_store.events
    assert events[:2] == ["lock", "unlock"]  # a running renewal has finished
    events = events[2:]
    assert events.index("lock") < events.index("unlock")
    assert events[events.index("lock") + 1] == "load"
