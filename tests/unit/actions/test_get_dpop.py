"""Tokens that are bound to a key: the key lives and dies with the refresh token."""

from dataclasses import replace

import pytest

from tests.fakes import FakeEdges, FakeTransport, filled_keeper, json_reply, make_profile
from tokencli.actions.get import get
from tokencli.errors import ReplyError
from tokencli.jwt.decode import decode
from tokencli.model import WireReply

PROFILE = make_profile(client_auth="none", dpop=True)


def reply(n: int, kind: str = "DPoP") -> WireReply:
    """Return the n-th token, of that type."""
    return json_reply(
        f'{{"access_token":"t{n}","token_type":"{kind}","expires_in":600,"refresh_token":"r{n}"}}'
    )


def edges(*replies: WireReply) -> FakeEdges:
    """Return edges with a server that answers so."""
    return FakeEdges(transport=FakeTransport(list(replies)), keeper=filled_keeper())


def jwks(outside: FakeEdges) -> list[object]:
    """Return the public keys of the proofs that were sent."""
    return [decode(r.headers["DPoP"]).header["jwk"] for r in outside.transport.requests]


def test_37_a_refresh_is_proven_with_the_key_of_the_first_token() -> None:
    """The key is stored with the refresh token, and outlives it."""
    outside = edges(reply(1), reply(2))
    first = get(PROFILE, outside).token
    second = get(PROFILE, outside, force=True).token
    assert jwks(outside)[0] == jwks(outside)[1]
    assert first.proof_key == second.proof_key is not None
    (stored,) = outside.the_store.kept.values()
    assert stored.token.proof_key == first.proof_key
    assert '"d"' not in repr(stored)


def test_37_a_stored_nonce_saves_a_refusal() -> None:
    """What the last reply brought is used by the next run."""
    with_nonce = replace(reply(1), headers={**reply(1).headers, "dpop-nonce": "n1"})
    outside = edges(with_nonce, reply(2))
    get(PROFILE, outside)
    get(PROFILE, outside, force=True)
    claims = [decode(r.headers["DPoP"]).claims for r in outside.transport.requests]
    assert [one.get("nonce") for one in claims] == [None, "n1"]


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "N_A", "mac"])
def test_37_a_token_that_is_not_bound_is_not_handed_out(kind: str) -> None:
    """RFC 9449 section 5; neither now nor from the store later."""
    outside = edges(reply(1, kind), reply(2, kind))
    for _ in range(2):
        with pytest.raises(ReplyError, match="not bound"):
            get(PROFILE, outside)


def test_the_type_is_compared_without_regard_to_case() -> None:
    """RFC 6749 section 5.1."""
    assert get(PROFILE, edges(reply(1, "dpop"))).token.access_token.reveal() == "t1"


def test_without_dpop_a_bound_token_is_of_no_use() -> None:
    """There is no key to prove it with."""
    with pytest.raises(ReplyError, match="token type"):
        get(make_profile(client_auth="none"), edges(reply(1)))
