"""Logging out: the server is told first, and what it does not revoke is kept."""

from dataclasses import replace

import pytest

from tests.fakes import FakeEdges, FakeTransport, filled_keeper, json_reply, make_profile
from tokencli.actions.logout import logout
from tokencli.errors import ConfigError, RefusedError, TokencliError, UnreachableError
from tokencli.model import Profile, Secret, StoredToken, TokenSet, WireReply
from tokencli.stores.key import binding

NOW = 1_800_000_000.0
REVOCATION = "https://id.example.com/revoke"
DONE = WireReply(200, {}, b"")
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
        json_reply("[]", 403),
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
    profile, edges = scene(DONE, json_reply('{"error":"unsupported_token_type"}', 400))
    assert logout(profile, edges).revoked == ("refresh_token",)
    assert not edges.the_store.kept


def test_without_a_revocation_endpoint_tokens_are_just_forgotten() -> None:
    """The three documented systems have none."""
    profile, edges = scene(url=None)
    done = logout(profile, edges)
    assert (done.revoked, done.tokens, edges.transport.requests) == ((), 1, [])


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
    """Then there is nobody to tell."""
    profile, edges = scene(url=None)
    silent = Silent(the_store=edges.the_store)
    silent.failure = ConfigError("not known")
    assert logout(profile, silent).tokens == 1


def test_an_issuer_that_does_not_answer_keeps_the_tokens() -> None:
    """Unless they are to go all the same."""
    profile, edges = scene(url=None)
    silent = Silent(the_store=edges.the_store)
    with pytest.raises(UnreachableError):
        logout(profile, silent)
    assert len(edges.the_store.kept) == 1
    assert logout(profile, silent, force=True).tokens == 1


def test_38_revocation_happens_under_the_credentials_lock() -> None:
    """So that no other process refreshes the token meanwhile."""
    profile, edges = scene(DONE, DONE)
    logout(profile, edges)
    events = edges.the_store.events
    assert events.index("lock") < events.index("unlock")
    assert events[events.index("lock") + 1] == "load"
