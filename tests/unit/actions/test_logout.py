"""Logging out: the server is told first, and what it does not revoke is kept."""

from dataclasses import replace

import pytest

from tests.fakes import FakeEdges, FakeTransport, filled_keeper, json_reply, make_profile
from tokencli.actions.discover import NoMetadata
from tokencli.actions.logout import listed, logout
from tokencli.actions.person import unaddressed
from tokencli.errors import (
    ConfigError,
    RefusedError,
    ReplyError,
    TokencliError,
    UnreachableError,
)
from tokencli.model import Profile, Secret, StoredToken, TokenSet, WireReply
from tokencli.stores.key import binding

NOW = 1_800_000_000.0
REVOCATION = "https://id.example.com/revoke"
DONE = WireReply(200, {}, b"")
UNKNOWN = json_reply('{"error":"invalid_token","error_description":"expired or revoked"}', 400)
UNSUPPORTED = json_reply('{"error":"unsupported_token_type"}', 400)
PAGE = json_reply("<html><body>Please sign in to the network", 200, "text/html")
TOKEN = TokenSet(
    Secret("canary-access-1a"), "Bearer", NOW, NOW + 600, refresh_token=Secret("canary-refresh-2b")
)


def scene(
    *replies: WireReply | Exception, url: str | None = REVOCATION, token: TokenSet | None = TOKEN
) -> tuple[Profile, FakeEdges]:
    """Return a profile whose tokens are stored, and a server that answers so."""
    profile = make_profile(endpoints={"revocation": url} if url else {})
    edges = FakeEdges(transport=FakeTransport(list(replies)), keeper=filled_keeper())
    if token is not None:
        edges.the_store.kept[binding(profile).key] = StoredToken(binding(profile), token)
    return profile, edges


def hints(edges: FakeEdges) -> list[str]:
    """Return what was to be revoked, in order."""
    return [
        request.body.decode().partition("token_type_hint=")[2].partition("&")[0]
        for request in edges.transport.requests
    ]


def test_38_the_refresh_token_is_revoked_first_then_the_access_token() -> None:
    """RFC 7009 section 2.1: with the client's authentication, at the revocation endpoint."""
    profile, edges = scene(DONE, DONE)
    done = logout(profile, edges)
    assert (done.revoked, done.tokens) == (("refresh_token", "access_token"), 1)
    assert hints(edges) == ["refresh_token", "access_token"]
    first = edges.transport.requests[0]
    assert (first.method, first.url) == ("POST", REVOCATION)
    assert first.headers["Authorization"].startswith("Basic ")
    assert b"token=canary-refresh-2b" in first.body
    assert "canary" not in repr(first)
    assert not edges.the_store.kept


def test_38_an_expired_access_token_needs_no_revoking() -> None:
    """It opens nothing any more."""
    profile, edges = scene(DONE, token=replace(TOKEN, expires_at=NOW - 1))
    assert logout(profile, edges).revoked == ("refresh_token",)


def test_38_an_access_token_without_a_refresh_token_is_revoked_itself() -> None:
    """As after a client credentials grant."""
    profile, edges = scene(DONE, token=replace(TOKEN, refresh_token=None))
    assert logout(profile, edges).revoked == ("access_token",)


@pytest.mark.parametrize(
    "reply",
    [
        WireReply(503, {"retry-after": "5"}, b""),
        WireReply(500, {}, b""),
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
def test_38_what_was_not_revoked_is_kept_and_said(reply: WireReply) -> None:
    """RFC 7009 section 2.2.1: the token must be taken for valid; the hint names --force."""
    profile, edges = scene(reply)
    with pytest.raises(TokencliError, match="nothing is forgotten") as caught:
        logout(profile, edges)
    assert "--force" in (caught.value.hint or "")
    assert len(edges.the_store.kept) == 1
    assert len(edges.transport.requests) == 1


def test_38_a_503_says_that_the_token_is_still_good() -> None:
    """In those words."""
    profile, edges = scene(WireReply(503, {}, b""))
    with pytest.raises(RefusedError, match="still good"):
        logout(profile, edges)


def test_38_force_forgets_all_the_same_and_says_so() -> None:
    """Whatever the server answers, or if it does not."""
    for reply in (WireReply(503, {}, b""), UnreachableError("no way"), WireReply(500, {}, b"")):
        profile, edges = scene(reply)
        done = logout(profile, edges, force=True)
        assert (done.revoked, done.tokens, len(edges.the_store.kept)) == ((), 1, 0)
        assert any("still good until it expires" in said for said in edges.terminal.said)


def test_38_a_kind_that_can_not_be_revoked_is_no_failure() -> None:
    """unsupported_token_type: the access token lives to its end (RFC 7009 section 2.2.1)."""
    profile, edges = scene(DONE, UNSUPPORTED)
    assert logout(profile, edges).revoked == ("refresh_token",)
    assert not edges.the_store.kept
    assert "or lives to its end" in edges.terminal.said[-1]


def test_38_a_refresh_token_that_can_not_be_revoked_is_warned_about() -> None:
    """It goes on being good, which a person has to know; the access token is revoked all the same."""
    profile, edges = scene(UNSUPPORTED, DONE)
    assert logout(profile, edges).revoked == ("access_token",)
    assert not edges.the_store.kept
    (said,) = edges.terminal.said
    assert said.startswith("warning: ")
    assert "can't revoke the refresh token" in said


@pytest.mark.parametrize("status", [400, 200])
def test_38_a_token_that_the_server_knows_no_more_is_as_good_as_revoked(status: int) -> None:
    """RFC 7009 section 2.2; some end the access token with its refresh token, and say so with 400."""
    reply = replace(UNKNOWN, status=status)
    profile, edges = scene(DONE, reply)
    done = logout(profile, edges)
    assert (done.revoked, done.gone, done.tokens) == (("refresh_token",), ("access_token",), 1)
    assert not edges.the_store.kept
    profile, edges = scene(reply, reply)
    assert logout(profile, edges).gone == ("refresh_token", "access_token")
    assert not edges.the_store.kept


@pytest.mark.parametrize(
    "reply",
    [WireReply(503, {}, b""), PAGE, json_reply('{"error":"invalid_client"}', 400)],
    ids=["503", "page", "invalid_client"],
)
@pytest.mark.parametrize("first", [DONE, UNKNOWN], ids=["revoked", "gone"])
def test_38_what_was_revoked_is_forgotten_though_the_rest_was_not(
    first: WireReply, reply: WireReply
) -> None:
    """The refresh token goes, the access token stays; the message tells them apart, and the next
    logout has only the rest to do."""
    profile, edges = scene(first, reply, DONE)
    with pytest.raises(
        TokencliError, match=r"\(the refresh token\) is forgotten, the rest is kept"
    ):
        logout(profile, edges)
    (left,) = edges.the_store.kept.values()
    assert left.token == replace(TOKEN, refresh_token=None)
    assert logout(profile, edges).revoked == ("access_token",)
    assert hints(edges) == ["refresh_token", "access_token", "access_token"]
    assert not edges.the_store.kept


@pytest.mark.parametrize(
    "reply",
    [
        WireReply(200, {"content-type": "text/html; charset=utf-8"}, b""),
        json_reply("{}", 200, "text/html"),
        json_reply('{"error":null}'),
        json_reply("ok", 200, "text/plain"),
        WireReply(204, {}, b""),
    ],
)
def test_38_the_body_of_a_success_is_ignored_unless_it_is_a_page(reply: WireReply) -> None:
    """RFC 7009 section 2.2: the status says it all. An empty page is what frameworks send by default."""
    profile, edges = scene(reply, reply)
    assert logout(profile, edges).revoked == ("refresh_token", "access_token")


def test_without_a_revocation_endpoint_tokens_are_just_forgotten_and_that_is_said() -> None:
    """The three documented systems have none."""
    profile, edges = scene(url=None)
    done = logout(profile, edges)
    assert (done.revoked, done.tokens, edges.transport.requests) == ((), 1, [])
    (said,) = edges.terminal.said
    assert said.startswith("id.example.com was not told: ")


def test_tokens_that_are_no_good_any_more_are_nobodys_business() -> None:
    """An expired access token alone is forgotten without a word and without a request."""
    spent = replace(TOKEN, refresh_token=None, expires_at=NOW - 1)
    for url in (REVOCATION, None):
        profile, edges = scene(url=url, token=spent)
        assert logout(profile, edges).tokens == 1
        assert (edges.transport.requests, edges.terminal.said) == ([], [])


def test_without_a_token_nobody_is_asked() -> None:
    """Neither the server nor, for a secret, the keyring."""
    profile, edges = scene(token=None)
    assert logout(profile, edges).tokens == 0
    assert edges.transport.requests == []


class Silent(FakeEdges):
    """Edges whose issuer can't be asked where its endpoints are."""

    failure: TokencliError = UnreachableError("no answer")

    def located(self, profile: Profile, *names: str) -> Profile:
        raise self.failure


def test_an_issuer_that_names_no_such_endpoint_is_as_good_as_none() -> None:
    """Then there is nobody to tell; so it is where the issuer has no metadata at all."""
    for failure in (unaddressed(make_profile(), "revocation"), NoMetadata("404 and 404")):
        profile, edges = scene(url=None)
        silent = Silent(the_store=edges.the_store)
        silent.failure = failure
        assert logout(profile, silent).tokens == 1
        assert "id.example.com was not told: " in silent.terminal.said[0]


@pytest.mark.parametrize(
    "failure",
    [
        UnreachableError("no answer"),
        ReplyError("503 and 503"),
        RefusedError("no"),
        ConfigError("it has moved"),
        unaddressed(make_profile(), "authorization"),
    ],
    ids=lambda failure: failure.message[:20],
)
def test_38_where_it_can_not_be_learned_how_to_revoke_the_tokens_are_kept(
    failure: TokencliError,
) -> None:
    """They are still good: the cause is said and decides the exit code, and --force is named. With
    it they go, and that they were not revoked is said."""
    profile, edges = scene(url=None)
    silent = Silent(the_store=edges.the_store)
    silent.failure = failure
    cause = failure.message
    with pytest.raises(type(failure), match="nothing is forgotten") as caught:
        logout(profile, silent)
    assert cause in caught.value.message
    assert "tokencli logout p --force" in (caught.value.hint or "")
    assert len(edges.the_store.kept) == 1
    assert logout(profile, silent, force=True).tokens == 1
    assert "still good" in silent.terminal.said[-1]


def older(edges: FakeEdges, **more: object) -> None:
    """Store tokens as they were got before the profile was changed."""
    bound = binding(make_profile(**more))  # type: ignore[arg-type]
    names = ("access_token", "refresh_token")
    token = replace(TOKEN, **{name: Secret(f"canary-older-{name}") for name in names})  # type: ignore[arg-type]
    edges.the_store.kept[bound.key] = StoredToken(bound, token)


@pytest.mark.parametrize("token", [TOKEN, None], ids=["and newer ones", "alone"])
def test_38_what_was_stored_before_the_profile_changed_is_revoked_too(
    token: TokenSet | None,
) -> None:
    """Its scope, or another part of the key, was edited; the server and the client are the same."""
    profile, edges = scene(*[DONE] * 4, token=token)
    older(edges, scope="read")
    done = logout(profile, edges)
    count = 2 if token else 1
    assert done.revoked == ("refresh_token", "access_token") * count
    assert done.tokens == count
    sent = b" ".join(request.body for request in edges.transport.requests)
    assert b"canary-older-refresh_token" in sent
    assert b"canary-older-access_token" in sent
    assert not edges.the_store.kept


@pytest.mark.parametrize(
    "before",
    [{"token_url": "https://old.example.com/token"}, {"values": {"client_id": "another"}}],
    ids=["server", "client"],
)
def test_38_what_another_server_or_client_was_given_is_sent_nowhere(
    before: dict[str, object],
) -> None:
    """It is forgotten, and that its server was not told is said."""
    profile, edges = scene(DONE, DONE)
    older(edges, **before)
    assert logout(profile, edges).tokens == 2
    assert len(edges.transport.requests) == 2
    assert b"older" not in b"".join(request.body for request in edges.transport.requests)
    (said,) = edges.terminal.said
    assert "without telling it" in said
    assert ("old.example.com" in said) != ("'another'" in said)
    assert not edges.the_store.kept


def test_16_older_tokens_do_not_go_to_a_place_that_was_written_into_the_file_since() -> None:
    """A revocation endpoint elsewhere than the token endpoint: what it may have is bound to it."""
    there = "https://elsewhere.example.com/revoke"
    profile = make_profile(endpoints={"revocation": there}, origins={"revocation_url": "file:3"})
    _, edges = scene(token=None)
    older(edges)
    assert logout(profile, edges).tokens == 1
    assert edges.transport.requests == []
    assert "without telling it" in edges.terminal.said[0]


def test_38_what_is_kept_of_many_is_said() -> None:
    """The newer tokens are revoked and gone, the older ones stay until their server takes them back."""
    profile, edges = scene(DONE, DONE, WireReply(503, {}, b""))
    older(edges, scope="read")
    with pytest.raises(RefusedError, match="the rest is kept"):
        logout(profile, edges)
    (left,) = edges.the_store.kept.values()
    assert left.token.refresh_token == Secret("canary-older-refresh_token")


def test_a_list_of_tokens_reads_as_one_says_it() -> None:
    """One is `the`, more are counted."""
    assert listed(["refresh_token"]) == "the refresh token"
    many = ["refresh_token", "access_token", "access_token"]
    assert listed(many) == "the refresh token and 2 access tokens"
    assert listed([]) == ""


def test_38_revocation_happens_under_the_credentials_lock() -> None:
    """So that no other process refreshes the token meanwhile."""
    profile, edges = scene(DONE, DONE)
    logout(profile, edges)
    events = edges.the_store.events
    assert events.index("lock") < events.index("unlock")
    assert events[events.index("lock") + 1] == "load"
