"""Large token responses: what is stored fits into the store, and parsing takes little time."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import FakeClock, FakeTerminal, json_reply, make_profile
from tests.fuzz.targets import NOW, REQUEST, _profiles
from tokencli.core.token_renewal import RESERVED_BYTES
from tokencli.errors import TokencliError
from tokencli.models import HttpReply, HttpRequest, Secret, StoredTokenSet
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


def read_members(members: dict[str, str | int]) -> TokenResponse:
    """Read a reply with these members."""
    request = HttpRequest("POST", PROFILE.token_url, {}, b"")
    return read_token_response(PROFILE, request, json_reply(json.dumps(members)), 1_800_000_000.0)


@pytest.mark.parametrize("name", ["id_token", "scope", "one", "token_type"])
@pytest.mark.parametrize("char", ["x", "é", "\U0001f600", '"'])
def test_long_member_costs_no_token(name: str, char: str, tmp_path: Path) -> None:
    """It is dropped with a remark; the record fits into the reserved space, and is read back
    unchanged."""
    found = read_members({**SMALL, name: char * (LONG // len(char.encode()))})
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


def test_longest_record_fits_the_reserved_space() -> None:
    """The limits of the members add up to less than what is reserved before a request is sent."""
    members: dict[str, str | int] = {"expires_in": 60}
    for name in ("access_token", "refresh_token"):
        members[name] = "t" * (MAX_TOKEN_LENGTH - 2)
    members |= {
        "id_token": "i" * 49_000,
        "scope": "s" * 16_000,
        "one": "1" * 24_000,
        "two": "2" * 24_000,
    }
    found = read_members(members)
    assert (found.remarks, found.unusable_reason) == ((), None)
    size = len(token_record.dump_record(StoredTokenSet(derive_binding(PROFILE), found.token)))
    assert 240_000 < size <= RESERVED_BYTES


MIB = 2**20
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
XML, HTML = "text/xml", "text/html"
BODIES = {
    "members, one of them twice": (
        200,
        JSON,
        ("{" + ",".join(f'"{n}":1' for n in range(70_000)) + ',"1":2}').encode(),
    ),
    "one member often": (200, JSON, b"{" + b'"a":1,' * 140_000 + b'"a":1}'),
    "one field often": (200, FORM, b"a&" * (MIB // 2)),
    "a long description": (
        400,
        JSON,
        json.dumps({"error": "x", "error_description": "9" * MIB}).encode(),
    ),
    "a long code": (400, JSON, json.dumps({"error": "token" * (MIB // 5)}).encode()),
    "arrays": (200, JSON, b"[" * MIB),
    "objects": (200, JSON, b'{"a":' * (MIB // 5)),
    "digits": (200, JSON, b'{"access_token":"x","expires_in":' + b"9" * MIB + b"}"),
    "scopes": (200, JSON, b'{"access_token":"x","scope":[' + b'"a",' * 200_000 + b'"a"]}'),
    "dots": (200, JSON, b'{"access_token":"' + b"a." * (MIB // 2) + b'"}'),
    "tags": (200, HTML, b"<a " * (MIB // 3)),
    "texts": (200, XML, b"<a>" + b"x<b/>" * (MIB // 5) + b"</a>"),
    "names of secrets": (400, HTML, b"token=" * (MIB // 6)),
}


@pytest.mark.requirement(8)
@pytest.mark.parametrize("what", BODIES)
def test_no_reply_takes_long_to_parse(what: str) -> None:
    """At most four seconds of CPU time; most take a tenth. Quadratic parsing took hours."""
    status, kind, body = BODIES[what]
    reply = HttpReply(status, {"content-type": kind}, body)
    started = time.process_time()
    try:
        read_token_response(_profiles()[0], REQUEST, reply, NOW)
    except TokencliError as error:
        assert len(error.message) < 2000
    assert time.process_time() - started < 4
