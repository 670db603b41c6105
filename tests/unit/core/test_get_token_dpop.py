"""DPoP: the proof key is stored with the refresh token."""

from dataclasses import replace

import pytest

from tests.fakes import FakeContext, FakeTransport, filled_keyring, json_reply, make_profile
from tokencli.core.get_token import get_token
from tokencli.errors import ReplyError
from tokencli.jwt.decode import decode_token
from tokencli.models import HttpReply

PROFILE = make_profile(client_auth="none", dpop=True)


def reply(n: int, kind: str = "DPoP") -> HttpReply:
    """Return the n-th token, of that type."""
    return json_reply(
        f'{{"access_token":"t{n}","token_type":"{kind}","expires_in":600,"refresh_token":"r{n}"}}'
    )


def ctx(*replies: HttpReply) -> FakeContext:
    """Return a context with these replies."""
    return FakeContext(transport=FakeTransport(list(replies)), keyring=filled_keyring())


def jwks(outside: FakeContext) -> list[object]:
    """Return the public keys of the proofs that were sent."""
    return [decode_token(r.headers["DPoP"]).header["jwk"] for r in outside.transport.requests]


@pytest.mark.requirement(37)
def test_refresh_reuses_the_proof_key() -> None:
    """The key is stored with the refresh token."""
    outside = ctx(reply(1), reply(2))
    first = get_token(PROFILE, outside).token
    second = get_token(PROFILE, outside, force=True).token
    assert jwks(outside)[0] == jwks(outside)[1]
    assert first.dpop_key == second.dpop_key is not None
    (stored,) = outside.fake_store.stored_tokens.values()
    assert stored.token.dpop_key == first.dpop_key
    assert '"d"' not in repr(stored)


@pytest.mark.requirement(37)
def test_stored_nonce_is_reused() -> None:
    """The nonce of the last reply is used by the next run, so the server doesn't refuse the first request."""
    with_nonce = replace(reply(1), headers={**reply(1).headers, "dpop-nonce": "n1"})
    outside = ctx(with_nonce, reply(2))
    get_token(PROFILE, outside)
    get_token(PROFILE, outside, force=True)
    claims = [decode_token(r.headers["DPoP"]).claims for r in outside.transport.requests]
    assert [claim.get("nonce") for claim in claims] == [None, "n1"]


@pytest.mark.requirement(37)
@pytest.mark.parametrize("kind", ["Bearer", "bearer", "N_A", "mac"])
def test_unbound_token_is_refused(kind: str) -> None:
    """RFC 9449 section 5: neither now nor later from the store."""
    outside = ctx(reply(1, kind), reply(2, kind))
    for _ in range(2):
        with pytest.raises(ReplyError, match="not bound"):
            get_token(PROFILE, outside)


def test_token_type_ignores_case() -> None:
    """RFC 6749 section 5.1."""
    assert get_token(PROFILE, ctx(reply(1, "dpop"))).token.access_token.reveal() == "t1"


def test_bound_token_without_dpop_is_refused() -> None:
    """There is no key to create proofs with."""
    with pytest.raises(ReplyError, match="token type"):
        get_token(make_profile(client_auth="none"), ctx(reply(1)))
