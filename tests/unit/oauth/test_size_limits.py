"""However much a server says, what is kept of it fits where it is kept."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import FakeClock, FakeTerminal, json_reply, make_profile
from tokencli.core.get_token import RESERVED_BYTES
from tokencli.models import HttpRequest, Secret, StoredTokenSet
from tokencli.oauth.token_response import MAX_TOKEN_LENGTH, TokenResponse, read_token_response
from tokencli.providers.catalog import build_provider
from tokencli.token_store import token_record
from tokencli.token_store.credential_key import derive_binding
from tokencli.token_store.file import FileStore

LONG = 300_000
SMALL = {"access_token": "t", "refresh_token": "r", "expires_in": 60}
TABLE = {
    "title": "T",
    "endpoints": {"token": "https://id.example.com/token"},
    "reply": {"outputs": {"one": "one", "two": "two"}},
}
PROFILE = replace(make_profile(), provider=build_provider(TABLE, "t"))


def read_of(members: dict[str, str | int]) -> TokenResponse:
    """Return what is read of a reply with these members."""
    request = HttpRequest("POST", PROFILE.token_url, {}, b"")
    return read_token_response(PROFILE, request, json_reply(json.dumps(members)), 1_800_000_000.0)


@pytest.mark.parametrize("name", ["id_token", "scope", "one", "token_type"])
@pytest.mark.parametrize("char", ["x", "é", "\U0001f600", '"'])
def test_a_long_neighbour_costs_neither_token(name: str, char: str, tmp_path: Path) -> None:
    """It is left out and remarked upon; the record fits into the room that was held, and is read
    back as it was written."""
    found = read_of({**SMALL, name: char * (LONG // len(char.encode()))})
    stored = StoredTokenSet(derive_binding(PROFILE), found.token)
    assert len(token_record.dump_record(stored)) <= RESERVED_BYTES
    store = FileStore(tmp_path, PROFILE.name, terminal=FakeTerminal(), clock=FakeClock())
    with store.lock_credential(stored.binding.key, 1.0):
        store.reserve_space(stored.binding.key, RESERVED_BYTES)
        store.save(stored)
    back = store.load(stored.binding.key)
    assert back is not None
    assert back.token.refresh_token == Secret("r")
    assert found.remarks or found.unusable_reason


def test_everything_at_its_longest_fits_the_room() -> None:
    """The bounds of the members add up to less than what is reserved before anything is sent."""
    members: dict[str, str | int] = {"expires_in": 60}
    for name in ("access_token", "refresh_token"):
        members[name] = "t" * (MAX_TOKEN_LENGTH - 2)
    members |= {
        "id_token": "i" * 49_000,
        "scope": "s" * 16_000,
        "one": "1" * 24_000,
        "two": "2" * 24_000,
    }
    found = read_of(members)
    assert (found.remarks, found.unusable_reason) == ((), None)
    size = len(token_record.dump_record(StoredTokenSet(derive_binding(PROFILE), found.token)))
    assert 240_000 < size <= RESERVED_BYTES
