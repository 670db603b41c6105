"""The record at rest: whole or refused, whatever the bytes are."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.stores.samples import stored
from tokencli.model import Binding, ProofKey, Secret, StoredToken, TokenSet
from tokencli.stores import record

TEXT = st.text(st.characters(exclude_categories=()))
SECRET = TEXT.map(Secret)
TIME = st.floats(allow_nan=False, allow_infinity=False)
TOKENS = st.builds(
    StoredToken,
    st.builds(Binding, TEXT, TEXT, TEXT, TEXT),
    st.builds(
        TokenSet,
        SECRET,
        TEXT,
        TIME,
        st.none() | TIME,
        st.none() | TEXT.filter(bool).map(Secret),
        st.none() | TEXT.filter(bool).map(Secret),
        st.none() | TEXT,
    ),
)


@given(TOKENS)
def test_every_token_set_comes_back(token: StoredToken) -> None:
    """Whatever text the tokens are of, they are read as they were written, in ASCII."""
    data = record.dump(token)
    assert data.isascii()
    assert record.parse(data) == token


@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_do_anything_but_a_value_error(data: bytes) -> None:
    """Whatever else a file holds is refused in one way."""
    with pytest.raises(ValueError):
        record.parse(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.data())
def test_a_damaged_member_is_refused_or_read_whole(data: st.DataObject) -> None:
    """With any member replaced by any JSON, the record is refused, or is a token set of the right types."""
    whole = json.loads(record.dump(stored()))
    part = data.draw(st.sampled_from(["binding", "token"]))
    name = data.draw(st.sampled_from(sorted(whole[part])))
    whole[part][name] = data.draw(JSON)
    try:
        found = record.parse(json.dumps(whole).encode())
    except ValueError:
        return
    assert record.parse(record.dump(found)) == found


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"version": 2}',
        b'{"version": "1"}',
        b"[" * 100_000,
        b"9" * 5000,
        b"\x80\x04\x95.",
        record.dump(stored())[:-1],
        record.dump(stored()).replace(b"1800000000.0", b"NaN"),
        record.dump(stored()).replace(b"1800000000.0", b"1e999"),
        record.dump(stored()).replace(b"1800000000.0", b"true"),
        record.dump(stored()).replace(b"1800000000.0", b"1" + b"0" * 400),
        record.dump(stored()).replace(b'"version":1', b'"version":99'),
    ],
    ids=lambda data: str(data[:20]),
)
def test_damage_is_refused_and_not_quoted(data: bytes) -> None:
    """A torn, foreign, older or newer record is a ValueError without a token in it."""
    with pytest.raises(ValueError) as caught:
        record.parse(data)
    assert "canary" not in str(caught.value)


def test_37_the_key_that_a_token_is_bound_to_rests_with_it() -> None:
    """Key, nonce and the traded subject come back as they were; other records carry none of it."""
    plain = stored()
    bound = replace(
        plain,
        token=replace(plain.token, proof_key=ProofKey(Secret("canary-key"), "n1")),
        subject="ab" * 32,
    )
    assert record.parse(record.dump(bound)) == bound
    assert b"proof_key" not in record.dump(plain) and b"subject" not in record.dump(plain)
