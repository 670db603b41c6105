"""A reply of a megabyte, the most that is let in, costs little however it is made."""

import json
import time

import pytest

from tests.fuzz.targets import NOW, REQUEST, _profiles
from tokencli.errors import TokencliError
from tokencli.models import HttpReply
from tokencli.oauth.token_response import read_token_response

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
def test_no_reply_costs_more_than_reading_it(what: str) -> None:
    """Four seconds of processor time at most, where most take a tenth: what grew with the square took hours."""
    status, kind, body = BODIES[what]
    reply = HttpReply(status, {"content-type": kind}, body)
    started = time.process_time()
    try:
        read_token_response(_profiles()[0], REQUEST, reply, NOW)
    except TokencliError as error:
        assert len(error.message) < 2000
    assert time.process_time() - started < 4
