"""Replies in an unusual form, through the program itself: what is stored, and what is never shown."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.conftest import Run
from tests.faults import behaviours as b
from tests.faults.authority import ca_file
from tests.faults.server import Peer, Server, running
from tests.servers.configured import Configure

SENT = '"access_token": "canary-a1", "token_type": "Bearer", "expires_in": 1'
RENEWED = f'{SENT}, "refresh_token": "rt-1"'
BODY = f"{{{RENEWED}}}".encode()
PROFILE = """\
[profiles.p]
provider = "oauth2"
grant = "password"
allow_password_grant = true
client_id = "c"
username = "u"
password = {{ env = "CANARY" }}
client_secret = {{ env = "CANARY" }}
token_url = "https://127.0.0.1:{port}/token"
introspection_url = "https://127.0.0.1:{port}/introspect"
userinfo_url = "https://127.0.0.1:{port}/userinfo"
ca_file = "{ca_file}"
timeout = 10
store = "file"

[profiles.machine]
provider = "oauth2"
client_id = "c"
client_secret = {{ env = "CANARY" }}
token_url = "https://127.0.0.1:{port}/token"
ca_file = "{ca_file}"
timeout = 10
store = "file"

[profiles.discovered]
provider = "oauth2"
grant = "device_code"
client_id = "c"
client_auth = "none"
issuer = "https://127.0.0.1:{port}"
ca_file = "{ca_file}"
timeout = 10
store = "file"

[profiles.device]
provider = "oauth2"
grant = "device_code"
client_id = "c"
client_auth = "none"
token_url = "https://127.0.0.1:{port}/token"
device_authorization_url = "https://127.0.0.1:{port}/device"
ca_file = "{ca_file}"
timeout = 10
store = "file"
"""


class Endpoints:
    """A server that sends each path's replies in turn, the last one again and again."""

    server: Server
    """The running server, set by the fixture `endpoints`."""

    def __init__(self, **replies: list[bytes]) -> None:
        self.replies = replies

    def __call__(self, peer: Peer) -> None:
        """Reply to one request."""
        path = peer.read_request().head.split()[1].strip("/").partition("/")[0]
        queue = self.replies.get(path, [b.message("404 Not Found")])
        peer.send(queue.pop(0) if len(queue) > 1 else queue[0])


def issue(name: str, lifetime: int = 1) -> bytes:
    """Return a good reply."""
    members = {"access_token": f"a-{name}", "token_type": "Bearer", "expires_in": lifetime}
    return b.message("200 OK", json.dumps({**members, "refresh_token": f"rt-{name}"}).encode())


def spent(server: Server) -> list[str]:
    """Return the refresh tokens that were sent."""
    forms = [parse_qs(request.body.decode()) for request in server.counters.requests]
    return [token for form in forms for token in form.get("refresh_token", [])]


@pytest.fixture
def endpoints(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoints]:
    """Return a running server with a configuration for it."""
    monkeypatch.setenv("CANARY", "canary-secret")
    replies = Endpoints()
    with running(replies) as server:
        replies.server = server
        configure(PROFILE.format(port=server.port, ca_file=ca_file()))
        yield replies


STORED = {
    "unknown content coding": b.message("200 OK", BODY, "Content-Encoding: UTF-8"),
    "Latin-1": b.message("200 OK", f'{{{RENEWED}, "name": "Müller"}}'.encode("latin-1")),
    "scope twice": b.message("200 OK", f'{{{RENEWED}, "scope": "a", "scope": "b"}}'.encode()),
    "control characters": b.message("200 OK", f'{{"note": "a\nb", {RENEWED}}}'.encode()),
    "text after it": b.message("200 OK", BODY + b"\nDone."),
    "encoded twice": b.message("200 OK", json.dumps(BODY.decode()).encode()),
    "cut": b.LONG + BODY,
    "gzip without its end": b.packed(gzip.compress(BODY)[:-6], "gzip"),
    "interim replies": b.PROCESSING + b.EARLY_HINTS + b.message("200 OK", BODY),
    "error 0": b.message("201 Created", f'{{"error": "0", {RENEWED}}}'.encode()),
}
CLEAN = ("interim replies", "error 0")


@pytest.mark.requirement(4)
@pytest.mark.parametrize("name", STORED)
def test_refresh_token_of_a_damaged_reply_is_stored(
    name: str, endpoints: Endpoints, tokencli: Run
) -> None:
    """Its token is printed with a warning, and the next refresh spends the new refresh token."""
    endpoints.replies["token"] = [issue("0"), STORED[name], issue("2", 3600)]
    assert tokencli("get", "p").code == 0
    done = tokencli("refresh", "p")
    assert (done.code, done.out) == (0, "canary-a1\n"), done.err
    assert ("warning" in done.err) == (name not in CLEAN)
    assert "canary" not in done.err
    assert tokencli("refresh", "p").out == "a-2\n"
    assert spent(endpoints.server) == ["rt-0", "rt-1"]


UNCERTAIN = {
    "access token twice": (f'{{"access_token": "x", {RENEWED}}}', "rt-1"),
    "refresh token twice": (f'{{{RENEWED}, "refresh_token": "rt-x"}}', "rt-0"),
    "refresh token alone": ('{"refresh_token": "rt-1"}', "rt-1"),
    "neither": ('{"refresh_token": "rt-1', "rt-0"),
    "type unknown": (f"{{{RENEWED.replace('Bearer', 'mac')}}}", "rt-1"),
    "an example in a page": (f"<html><h1>Token</h1><pre>{{{RENEWED}}}</pre></html>", "rt-0"),
    "the tokens of an integration": (f'{{"slack": {{{RENEWED}}}, }}', "rt-0"),
}


@pytest.mark.requirement(4)
@pytest.mark.parametrize("name", UNCERTAIN)
def test_refresh_token_survives_an_error(name: str, endpoints: Endpoints, tokencli: Run) -> None:
    """The new one if it is certain, else the old one; the command fails in any case."""
    body, next_spent = UNCERTAIN[name]
    endpoints.replies["token"] = [issue("0"), b.message("200 OK", body.encode()), issue("2", 3600)]
    assert tokencli("get", "p").code == 0
    done = tokencli("refresh", "p")
    assert (done.code, done.out) == (7, ""), done.err
    assert "canary" not in done.err and "rt-" not in done.err
    assert tokencli("refresh", "p").code == 0
    assert spent(endpoints.server) == ["rt-0", next_spent]


@pytest.mark.requirement(4)
def test_valid_access_token_survives_an_unreadable_one(endpoints: Endpoints, tokencli: Run) -> None:
    """The refresh failed, so what was stored is used until it expires."""
    twice = f'{{"access_token": "x", {RENEWED}}}'.encode()
    endpoints.replies["token"] = [issue("0", 3600), b.message("200 OK", twice), issue("2", 3600)]
    assert tokencli("get", "p").code == 0
    assert tokencli("refresh", "p").code == 7
    assert tokencli("get", "p").out == "a-0\n"
    assert tokencli("refresh", "p").out == "a-2\n"
    assert spent(endpoints.server) == ["rt-0", "rt-1"]


@pytest.mark.parametrize(
    ("reply", "times"), [(b.LONG + BODY, 1), (b.LONG + BODY[:25], 3)], ids=["token", "half a token"]
)
def test_cut_reply_is_asked_for_again_only_without_a_token(
    reply: bytes, times: int, endpoints: Endpoints, tokencli: Run
) -> None:
    """A client credentials request may be repeated, which costs another token."""
    endpoints.replies["token"] = [reply]
    done = tokencli("get", "machine")
    assert (done.code, done.out) == ((0, "canary-a1\n") if times == 1 else (6, "")), done.err
    assert len(endpoints.server.counters.requests) == times


LIBRARY = """
import sys, traceback, tokencli.api
from tokencli.errors import TokencliError
try:
    tokencli.api.token("p", force=True)
except TokencliError as error:
    print(repr(error), error.message, error.cause, error.fix, error.__context__, file=sys.stderr)
    traceback.print_exc()
    sys.exit(error.exit_code)
"""
COMMANDS = (
    ("get", "p", "--force"),
    ("get", "p", "--force", "--json"),
    ("get", "p", "--force", "--trace", "-vvv"),
    ("refresh", "p"),
    ("refresh", "p", "--json"),
    ("login", "p"),
    ("profiles", "test", "p"),
    ("inspect", "p", "--introspect"),
    ("inspect", "p", "--introspect", "--json"),
    ("inspect", "p", "--userinfo", "-v"),
    ("login", "device", "--wait", "5s"),
    ("login", "discovered", "--wait", "5s"),
)
UUID, DIGITS, WORD = "f3b1c9d2-7c1e-4b1a-9d7e-0c2f4a5b6c7d", "123456789012", "hunterword"
SHAPES = {
    "text": ("{}", UUID),
    "quoted": ('"{}"', DIGITS),
    "member": ('{{"session": "{}"}}', WORD),
    "list": ('["{}"]', UUID),
    "cut": ('{{"access_token": "{}', DIGITS),
    "page": ("<html><p>{}</p></html>", WORD),
}


@pytest.mark.long
@pytest.mark.requirement(15)
@pytest.mark.parametrize("shape", SHAPES)
def test_no_command_quotes_an_unreadable_reply(
    shape: str, endpoints: Endpoints, tokencli: Run, tmp_path: Path
) -> None:
    """No message, trace, JSON or exception has the word, wherever it was sent."""
    template, word = SHAPES[shape]
    reply = b.message("200 OK", template.format(word).encode(), f"X-Session: {word}")
    endpoints.replies["token"] = [issue("0", 3600), reply]
    assert tokencli("get", "p").code == 0
    for path in ("introspect", "userinfo", "device", ".well-known"):
        endpoints.replies[path] = [reply]
    for command in COMMANDS:
        done = tokencli(*command)
        assert done.code in (5, 7, 9), (command, done)
        assert word not in done.out + done.err, command
        assert "Traceback" not in done.err
    library = subprocess.run(
        [sys.executable, "-c", LIBRARY], capture_output=True, text=True, check=False
    )
    assert library.returncode == 7, library.stderr
    assert word not in library.stdout + library.stderr
    stored = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(word.encode() in data for data in stored)
