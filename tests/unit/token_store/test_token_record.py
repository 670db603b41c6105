"""The stored record: read completely or refused, whatever its bytes are."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.token_store.samples import stored
from tokencli.models import DpopKey, Secret, StoredTokenSet, TokenBinding, TokenSet
from tokencli.token_store import token_record

TEXT = st.text(st.characters(exclude_categories=()))
SECRET = TEXT.map(Secret)
TIME = st.floats(allow_nan=False, allow_infinity=False)
TOKENS = st.builds(
    StoredTokenSet,
    st.builds(TokenBinding, TEXT, TEXT, TEXT, TEXT),
    st.builds(
        TokenSet,
        SECRET,
        TEXT,
        TIME,
        st.none() | TIME,
        st.none() | TEXT.filter(bool).map(Secret),
        st.none() | TEXT.filter(bool).map(Secret),
        st.none() | TEXT,
        margin=st.none() | TIME,
        sliding_lifetime=st.none() | TIME,
        clock_skew=st.none() | TIME,
        unmet_min_ttl=st.none() | TIME,
    ),
)


@given(TOKENS)
def test_every_token_set_is_read_back(token: StoredTokenSet) -> None:
    """Tokens of any text are stored as ASCII and read back unchanged."""
    data = token_record.dump_record(token)
    assert data.isascii()
    assert token_record.parse_record(data) == token


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_refused_with_a_value_error(data: bytes) -> None:
    """Any other content is refused in the same way."""
    with pytest.raises(ValueError):
        token_record.parse_record(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.data())
def test_a_damaged_member_is_refused_or_read_whole(data: st.DataObject) -> None:
    """With any member replaced by any JSON, the record is refused or has the right types."""
    whole = json.loads(token_record.dump_record(stored()))
    part = data.draw(st.sampled_from(["binding", "token"]))
    name = data.draw(st.sampled_from(sorted(whole[part])))
    whole[part][name] = data.draw(JSON)
    try:
        found = token_record.parse_record(json.dumps(whole).encode())
    except ValueError:
        return
    assert token_record.parse_record(token_record.dump_record(found)) == found


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
        token_record.dump_record(stored())[:-1],
        token_record.dump_record(stored()).replace(b"1800000000.0", b"NaN"),
        token_record.dump_record(stored()).replace(b"1800000000.0", b"1e999"),
        token_record.dump_record(stored()).replace(b"1800000000.0", b"true"),
        token_record.dump_record(stored()).replace(b"1800000000.0", b"1" + b"0" * 400),
        token_record.dump_record(stored()).replace(b'"version":1', b'"version":99'),
    ],
    ids=lambda data: str(data[:20]),
)
def test_damage_is_refused_and_not_quoted(data: bytes) -> None:
    """A partial, foreign, older or newer record is a ValueError that contains no token."""
    with pytest.raises(ValueError) as caught:
        token_record.parse_record(data)
    assert "canary" not in str(caught.value)


@pytest.mark.requirement(37)
def test_the_dpop_key_is_stored_with_the_token() -> None:
    """Key, nonce and the hash of the subject are read back; other records don't have these members."""
    plain = stored()
    bound = replace(
        plain,
        token=replace(plain.token, dpop_key=DpopKey(Secret("canary-key"), "n1")),
        subject_hash="ab" * 32,
    )
    assert token_record.parse_record(token_record.dump_record(bound)) == bound
    assert b"proof_key" not in token_record.dump_record(
        plain
    ) and b"subject" not in token_record.dump_record(plain)
