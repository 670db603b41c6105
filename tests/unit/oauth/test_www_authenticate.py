"""WWW-Authenticate headers, well-formed and malformed."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokencli.oauth.www_authenticate import (
    MAX_HEADER_LENGTH,
    Challenge,
    find_token_error,
    parse_challenges,
)

SPELT = {
    "": (),
    ",, ,": (),
    "Negotiate": (Challenge("negotiate"),),
    "Negotiate YII==": (Challenge("negotiate", "YII=="),),
    'Basic realm="a \\"b\\", c"': (Challenge("basic", None, {"realm": 'a "b", c'}),),
    "Bearer Realm=x , ERROR = invalid_token": (
        Challenge("bearer", None, {"realm": "x", "error": "invalid_token"}),
    ),
    'Negotiate, Basic realm="x", DPoP algs="ES256 PS256", error="use_dpop_nonce"': (
        Challenge("negotiate"),
        Challenge("basic", None, {"realm": "x"}),
        Challenge("dpop", None, {"algs": "ES256 PS256", "error": "use_dpop_nonce"}),
    ),
    "Bearer a=1, a=2": (Challenge("bearer", None, {"a": "1"}),),
    'Bearer error="cut off': (Challenge("bearer"),),
    "a=b, Basic": (Challenge("basic"),),
    'Bearer "x", @, y=1': (Challenge("bearer", None, {"y": "1"}),),
}


@pytest.mark.parametrize("header", SPELT)
def test_header_is_parsed(header: str) -> None:
    """Schemes, token68, both forms of parameters, several challenges in one header, and mistakes."""
    assert parse_challenges(header) == SPELT[header]


def test_token_error_is_found_among_other_schemes() -> None:
    """Wherever its challenge is in the header."""
    said = find_token_error('Basic realm="error=\\"no\\"", Bearer realm="x", error="invalid_token"')
    assert said["error"] == "invalid_token"
    assert find_token_error('Basic error="x"') == {}


PIECES = st.sampled_from(["Bearer", " ", ",", "=", '"', "\\", "error", "a", "==", "\t", "é", "\0"])


@pytest.mark.requirement(14)
@given(st.one_of(st.text(max_size=100), st.lists(PIECES, max_size=60).map("".join)))
def test_any_header_can_be_parsed(header: str) -> None:
    """Nothing raises, and the result contains only what is in the header."""
    for challenge in parse_challenges(header):
        assert challenge.scheme in header.lower()
        assert all(name in header.lower() for name in challenge.params)


@pytest.mark.parametrize("piece", ['a="', 'a="\\', "a=", "a ", 'B a="x",', '"'])
def test_parsing_time_is_limited(piece: str) -> None:
    """No header takes more than a second, whatever its length."""
    started = time.process_time()
    parse_challenges(f"Bearer {piece * MAX_HEADER_LENGTH}")
    assert time.process_time() - started < 1
