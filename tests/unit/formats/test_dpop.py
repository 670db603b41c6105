"""`get --format dpop`: its output and its errors."""

import pytest

from tests.fakes import make_profile
from tokencli.errors import UsageError
from tokencli.formats import check_format_options, render_token
from tokencli.formats.dpop import bound_token_warning
from tokencli.jwt.decode import decode_token
from tokencli.models import Secret, TokenSet
from tokencli.oauth import dpop

NOW = 1_800_000_000.0
BOUND = TokenSet(Secret("canary-token"), "DPoP", NOW, NOW + 600, dpop_key=dpop.generate_dpop_key())
URL = "https://api.example.com/orders?x=1"


@pytest.mark.requirement(37)
def test_two_headers_for_one_request() -> None:
    """For `curl -H @-`; the proof is for that method, URL and token."""
    text = render_token("dpop", make_profile(), BOUND, NOW, method="post", url=URL, nonce="n")
    authorization, proof = text.splitlines()
    assert authorization == "Authorization: DPoP canary-token"
    claims = decode_token(proof.removeprefix("DPoP: ")).claims
    assert (claims["htm"], claims["htu"]) == ("POST", "https://api.example.com/orders")
    assert (claims["nonce"], "ath" in claims) == ("n", True)
    assert text.isascii() and text.endswith("\n")


@pytest.mark.requirement(37)
def test_proofs_are_single_use() -> None:
    """Two calls give two proofs."""
    texts = {render_token("dpop", make_profile(), BOUND, NOW, url=URL) for _ in range(2)}
    assert len(texts) == 2


@pytest.mark.parametrize("url", [None, "orders", "ftp://api.example.com/"])
def test_proof_requires_a_request_url(url: str | None) -> None:
    """The fix is the command to type."""
    with pytest.raises(UsageError) as caught:
        check_format_options("dpop", make_profile(), {} if url is None else {"url": url})
    assert "--url https://" in (caught.value.fix or "")


def test_unbound_token_needs_no_proof() -> None:
    """It is sent in a header alone."""
    plain = TokenSet(Secret("t"), "Bearer", NOW)
    with pytest.raises(UsageError, match="not DPoP-bound") as caught:
        render_token("dpop", make_profile(), plain, NOW, url=URL)
    assert "--format header" in (caught.value.fix or "")


@pytest.mark.requirement(37)
def test_warning_about_a_bare_token() -> None:
    """It says which command to use instead."""
    assert "each request needs a proof" in bound_token_warning("p")
    assert "tokencli get p --format dpop" in bound_token_warning("p")


def test_token_type_n_a_has_no_header() -> None:
    """RFC 8693 section 2.2.1."""
    traded = TokenSet(Secret("t"), "N_A", NOW)
    with pytest.raises(UsageError, match="not an access token"):
        render_token("header", make_profile(), traded, NOW)
    assert render_token("raw", make_profile(), traded, NOW) == "t\n"
