"""Logging out: the server is told first, and what it does not revoke is kept."""

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


def scene(
    *replies: HttpReply | Exception, url: str | None = REVOCATION, token: TokenSet | None = TOKEN
) -> tuple[Profile, FakeContext]:
    """Return a profile whose tokens are stored, and a server that answers so."""
    profile = make_profile(endpoints={"revocation": url} if url else {})
    ctx = FakeContext(transport=FakeTransport(list(replies)), keyring=filled_keyring())
    if token is not None:
        ctx.fake_store.stored_tokens[derive_binding(profile).key] = StoredTokenSet(
            derive_binding(profile), token
        )
    return profile, ctx


def hints(ctx: FakeContext) -> list[str]:
    """Return what was to be revoked, in order."""
    return [
        request.body.decode().partition("token_type_hint=")[2].partition("&")[0]
        for request in ctx.transport.requests
    ]


@pytest.mark.requirement(38)
def test_the_refresh_token_is_revoked_first_then_the_access_token() -> None:
    """RFC 7009 section 2.1: with the client's authentication, at the revocation endpoint."""
    profile, ctx = scene(DONE, DONE)
    done = log_out(profile, ctx)
    assert (done.revoked, done.token_count) == (("refresh_token", "access_token"), 1)
    assert hints(ctx) == ["refresh_token", "access_token"]
    first = ctx.transport.requests[0]
    assert (first.method, first.url) == ("POST", REVOCATION)
    assert first.headers["Authorization"].startswith("Basic ")
    assert b"token=canary-refresh-2b" in first.body
    assert "canary" not in repr(first)
    assert not ctx.fake_store.stored_tokens


@pytest.mark.requirement(38)
def test_an_expired_access_token_needs_no_revoking() -> None:
    """It opens nothing any more."""
    profile, ctx = scene(DONE, token=replace(TOKEN, expires_at=NOW - 1))
    assert log_out(profile, ctx).revoked == ("refresh_token",)


@pytest.mark.requirement(38)
def test_an_access_token_without_a_refresh_token_is_revoked_itself() -> None:
    """As after a client credentials grant."""
    profile, ctx = scene(DONE, token=replace(TOKEN, refresh_token=None))
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
def test_what_was_not_revoked_is_kept_and_said(reply: HttpReply) -> None:
    """RFC 7009 section 2.2.1: the token must be taken for valid; the fix names --force."""
    profile, ctx = scene(reply)
    with pytest.raises(TokencliError, match="nothing was deleted") as caught:
        log_out(profile, ctx)
    assert "--force" in (caught.value.fix or "")
    assert len(ctx.fake_store.stored_tokens) == 1
    assert len(ctx.transport.requests) == 1


@pytest.mark.requirement(38)
def test_a_503_says_that_the_token_is_still_good() -> None:
    """In those words."""
    profile, ctx = scene(HttpReply(503, {}, b""))
    with pytest.raises(RefusedError, match="still valid"):
        log_out(profile, ctx)


@pytest.mark.requirement(38)
def test_force_forgets_all_the_same_and_says_so() -> None:
    """Whatever the server answers, or if it does not."""
    for reply in (HttpReply(503, {}, b""), UnreachableError("no way"), HttpReply(500, {}, b"")):
        profile, ctx = scene(reply)
        done = log_out(profile, ctx, force=True)
        assert (done.revoked, done.token_count, len(ctx.fake_store.stored_tokens)) == ((), 1, 0)
        assert any("stays valid until it expires" in said for said in ctx.terminal.messages)


@pytest.mark.requirement(38)
def test_a_kind_that_can_not_be_revoked_is_no_failure() -> None:
    """unsupported_token_type: the access token lives to its end (RFC 7009 section 2.2.1)."""
    profile, ctx = scene(DONE, UNSUPPORTED)
    assert log_out(profile, ctx).revoked == ("refresh_token",)
    assert not ctx.fake_store.stored_tokens
    assert "or stays valid until it expires" in ctx.terminal.messages[-1]


@pytest.mark.requirement(38)
def test_a_refresh_token_that_can_not_be_revoked_is_warned_about() -> None:
    """It goes on being good, which a person has to know; the access token is revoked all the same."""
    profile, ctx = scene(UNSUPPORTED, DONE)
    assert log_out(profile, ctx).revoked == ("access_token",)
    assert not ctx.fake_store.stored_tokens
    (said,) = ctx.terminal.messages
    assert said.startswith("warning: ")
    assert "can't revoke the refresh token" in said


@pytest.mark.requirement(38)
@pytest.mark.parametrize("status", [400, 200])
def test_a_token_that_the_server_knows_no_more_is_as_good_as_revoked(status: int) -> None:
    """RFC 7009 section 2.2; some end the access token with its refresh token, and say so with 400."""
    reply = replace(UNKNOWN, status=status)
    profile, ctx = scene(DONE, reply)
    done = log_out(profile, ctx)
    assert (done.revoked, done.already_invalid, done.token_count) == (
        ("refresh_token",),
        ("access_token",),
        1,
    )
    assert not ctx.fake_store.stored_tokens
    profile, ctx = scene(reply, reply)
    assert log_out(profile, ctx).already_invalid == ("refresh_token", "access_token")
    assert not ctx.fake_store.stored_tokens


@pytest.mark.requirement(38)
@pytest.mark.parametrize(
    "reply",
    [HttpReply(503, {}, b""), PAGE, json_reply('{"error":"invalid_client"}', 400)],
    ids=["503", "page", "invalid_client"],
)
@pytest.mark.parametrize("first", [DONE, UNKNOWN], ids=["revoked", "gone"])
def test_what_was_revoked_is_forgotten_though_the_rest_was_not(
    first: HttpReply, reply: HttpReply
) -> None:
    """The refresh token goes, the access token stays; the message tells them apart, and the next
    logout has only the rest to do."""
    profile, ctx = scene(first, reply, DONE)
    with pytest.raises(TokencliError, match="deleted the refresh token, kept the rest"):
        log_out(profile, ctx)
    (left,) = ctx.fake_store.stored_tokens.values()
    assert left.token == replace(TOKEN, refresh_token=None)
    assert log_out(profile, ctx).revoked == ("access_token",)
    assert hints(ctx) == ["refresh_token", "access_token", "access_token"]
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
def test_the_body_of_a_success_is_ignored_unless_it_is_a_page(reply: HttpReply) -> None:
    """RFC 7009 section 2.2: the status says it all. An empty page is what frameworks send by default."""
    profile, ctx = scene(reply, reply)
    assert log_out(profile, ctx).revoked == ("refresh_token", "access_token")


def test_without_a_revocation_endpoint_tokens_are_just_forgotten_and_that_is_said() -> None:
    """The three documented systems have none."""
    profile, ctx = scene(url=None)
    done = log_out(profile, ctx)
    assert (done.revoked, done.token_count, ctx.transport.requests) == ((), 1, [])
    (said,) = ctx.terminal.messages
    assert said.startswith("not revoked: id.example.com has no known revocation endpoint")


def test_tokens_that_are_no_good_any_more_are_nobodys_business() -> None:
    """An expired access token alone is forgotten without a word and without a request."""
    spent = replace(TOKEN, refresh_token=None, expires_at=NOW - 1)
    for url in (REVOCATION, None):
        profile, ctx = scene(url=url, token=spent)
        assert log_out(profile, ctx).token_count == 1
        assert (ctx.transport.requests, ctx.terminal.messages) == ([], [])


def test_without_a_token_nobody_is_asked() -> None:
    """Neither the server nor, for a secret, the keyring."""
    profile, ctx = scene(token=None)
    assert log_out(profile, ctx).token_count == 0
    assert ctx.transport.requests == []


class UnreachableIssuerContext(FakeContext):
    """Edges whose issuer can't be asked where its endpoints are."""

    failure: TokencliError = UnreachableError("no answer")

    def with_endpoints(self, profile: Profile, *names: str) -> Profile:
        raise self.failure


def test_an_issuer_that_names_no_such_endpoint_is_as_good_as_none() -> None:
    """Then there is nobody to tell; so it is where the issuer has no metadata at all."""
    for failure in (
        endpoint_unknown_error(make_profile(), "revocation"),
        MetadataNotFoundError("404 and 404"),
    ):
        profile, ctx = scene(url=None)
        silent = UnreachableIssuerContext(fake_store=ctx.fake_store)
        silent.failure = failure
        assert log_out(profile, silent).token_count == 1
        assert "not revoked: id.example.com has no known" in silent.terminal.messages[0]


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
def test_where_it_can_not_be_learned_how_to_revoke_the_tokens_are_kept(
    failure: TokencliError,
) -> None:
    """They are still good: the cause is said and decides the exit code, and --force is named. With
    it they go, and that they were not revoked is said."""
    profile, ctx = scene(url=None)
    silent = UnreachableIssuerContext(fake_store=ctx.fake_store)
    silent.failure = failure
    cause = failure.message
    with pytest.raises(type(failure), match="nothing was deleted") as caught:
        log_out(profile, silent)
    assert cause in caught.value.message
    assert "tokencli logout p --force" in (caught.value.fix or "")
    assert len(ctx.fake_store.stored_tokens) == 1
    assert log_out(profile, silent, force=True).token_count == 1
    assert "stays valid" in silent.terminal.messages[-1]


def older(ctx: FakeContext, **more: object) -> None:
    """Store tokens as they were got before the profile was changed."""
    bound = derive_binding(make_profile(**more))  # type: ignore[arg-type]
    names = ("access_token", "refresh_token")
    token = replace(TOKEN, **{name: Secret(f"canary-older-{name}") for name in names})  # type: ignore[arg-type]
    ctx.fake_store.stored_tokens[bound.key] = StoredTokenSet(bound, token)


@pytest.mark.requirement(38)
@pytest.mark.parametrize("token", [TOKEN, None], ids=["and newer ones", "alone"])
def test_what_was_stored_before_the_profile_changed_is_revoked_too(
    token: TokenSet | None,
) -> None:
    """Its scope, or another part of the key, was edited; the server and the client are the same."""
    profile, ctx = scene(*[DONE] * 4, token=token)
    older(ctx, scope="read")
    done = log_out(profile, ctx)
    count = 2 if token else 1
    assert done.revoked == ("refresh_token", "access_token") * count
    assert done.token_count == count
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
def test_what_another_server_or_client_was_given_is_sent_nowhere(
    before: dict[str, object],
) -> None:
    """It is forgotten, and that its server was not told is said."""
    profile, ctx = scene(DONE, DONE)
    older(ctx, **before)
    assert log_out(profile, ctx).token_count == 2
    assert len(ctx.transport.requests) == 2
    assert b"older" not in b"".join(request.body for request in ctx.transport.requests)
    (said,) = ctx.terminal.messages
    assert "they are not revoked" in said
    assert ("old.example.com" in said) != ("'another'" in said)
    assert not ctx.fake_store.stored_tokens


@pytest.mark.requirement(16)
def test_older_tokens_do_not_go_to_a_place_that_was_written_into_the_file_since() -> None:
    """A revocation endpoint elsewhere than the token endpoint: what it may have is bound to it."""
    there = "https://elsewhere.example.com/revoke"
    profile = make_profile(
        endpoints={"revocation": there}, value_sources={"revocation_url": "file:3"}
    )
    _, ctx = scene(token=None)
    older(ctx)
    assert log_out(profile, ctx).token_count == 1
    assert ctx.transport.requests == []
    assert "they are not revoked" in ctx.terminal.messages[0]


@pytest.mark.requirement(38)
def test_what_is_kept_of_many_is_said() -> None:
    """The newer tokens are revoked and gone, the older ones stay until their server takes them back."""
    profile, ctx = scene(DONE, DONE, HttpReply(503, {}, b""))
    older(ctx, scope="read")
    with pytest.raises(RefusedError, match="kept the rest"):
        log_out(profile, ctx)
    (left,) = ctx.fake_store.stored_tokens.values()
    assert left.token.refresh_token == Secret("canary-older-refresh_token")


def test_a_list_of_tokens_reads_as_one_says_it() -> None:
    """One is `the`, more are counted."""
    assert describe_tokens(["refresh_token"]) == "the refresh token"
    many = ["refresh_token", "access_token", "access_token"]
    assert describe_tokens(many) == "the refresh token and 2 access tokens"
    assert describe_tokens([]) == ""


@pytest.mark.requirement(38)
def test_revocation_happens_under_the_credentials_lock() -> None:
    """So that no other process refreshes the token meanwhile."""
    profile, ctx = scene(DONE, DONE)
    log_out(profile, ctx)
    events = ctx.fake_store.events
    assert events.index("lock") < events.index("unlock")
    assert events[events.index("lock") + 1] == "load"
