"""A draft sends what bash and curl themselves send, and what curl refuses is refused."""

import email
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import IN_CI
from tests.fakes import make_profile
from tokencli.config.provider_validation import validate_provider
from tokencli.errors import ConfigError
from tokencli.importers.command_line import split_commands
from tokencli.importers.curl import OPTIONS, parse_curl
from tokencli.importers.draft.request import draft_provider
from tokencli.provider_schema import Provider
from tokencli.providers.request_writer import write_custom_request
from tokencli.providers.template_values import list_profile_inputs

pytestmark = pytest.mark.skipif(
    shutil.which("curl") is None and not IN_CI, reason="apt-get install curl"
)
CONNECTION_HEADERS = ("host", "content-length", "accept-encoding", "connection", "expect")
DEFAULTS_OF_CURL = (("user-agent", re.compile("curl/.*")), ("accept", re.compile(r"\*/\*")))


@dataclass(frozen=True)
class Sent:
    """A request in a form that is the same for a multipart form and a plain one."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: Any


def understood(method: str, target: str, headers: dict[str, str], body: bytes) -> Sent:
    """Return a request with its parameters decoded, and without the headers of the connection."""
    left = {name.lower(): value for name, value in headers.items()}
    kind = left.pop("content-type", "")
    if kind.startswith("multipart/"):
        message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
        parts = [part for part in message.walk() if not part.is_multipart()]
        told: Any = [
            (part.get_param("name", header="content-disposition"), part.get_payload())
            for part in parts
        ]
    elif body[:1] in (b"{", b"["):
        told = json.loads(body)
    else:
        told = parse_qsl(body.decode(), keep_blank_values=True)
    for name in CONNECTION_HEADERS:
        left.pop(name, None)
    for name, value in DEFAULTS_OF_CURL:
        if value.fullmatch(left.get(name, "")):
            del left[name]
    parts_of_url = urlsplit(target)
    query = parse_qsl(parts_of_url.query, keep_blank_values=True)
    return Sent(method, parts_of_url.path, query, left, told)


@dataclass(frozen=True)
class Listener:
    """A server on the loopback interface that remembers what arrives."""

    url: str
    arrived: SimpleQueue[Sent]

    def run(self, command: str) -> int:
        """Run a command line in bash, with the server's URL for URL; return curl's exit code."""
        line = command.replace("URL", self.url)
        done = subprocess.run(
            ["bash", "-c", line], capture_output=True, check=False, timeout=30, cwd="/"
        )
        return done.returncode


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    """Yield a running server."""
    arrived: SimpleQueue[Sent] = SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            arrived.put(understood(self.command, self.path, dict(self.headers), body))
            self.send_response(204)
            self.end_headers()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Listener(f"http://127.0.0.1:{server.server_port}", arrived)
    server.shutdown()
    server.server_close()
    thread.join()


def drafted(command: str, listener: Listener) -> list[Sent]:
    """Return the requests of the drafts for a command line, with the value v-NAME for each field."""
    found = []
    for request in parse_curl(command.replace("URL", listener.url)):
        text = draft_provider(request, "T").to_toml()
        provider = validate_provider("t", tomllib.loads(text))
        assert isinstance(provider, Provider), provider
        values = {name: f"v-{name}" for name in list_profile_inputs(provider)}
        url = provider.endpoints.token
        assert isinstance(url, str)
        profile = replace(make_profile(values=values, token_url=url), provider=provider)
        made = write_custom_request(profile, provider.request, values, 1_800_000_000.0)
        headers = dict(made.headers)
        if request_has_no_accept(command):
            headers.pop("Accept", None)
        target = made.url.removeprefix(listener.url)
        found.append(understood(made.method, target, headers, made.body))
    return found


def request_has_no_accept(command: str) -> bool:
    """Return whether tokencli's own Accept header says nothing that the command said."""
    return "ccept" not in command and "--json" not in command


FORM = "-d grant_type=client_credentials -d client_id=v-client_id"
COMMANDS = [
    f"curl URL/oauth2/token {FORM}",
    f"curl -sX POST URL/oauth2/token {FORM} -d client_secret=v-client_secret",
    f"curl -so /dev/null URL/oauth2/token {FORM}",
    f"curl --retry 3 --retry-delay 5 URL/oauth2/token {FORM}",
    f"curl -sSfLkXPOST URL/t {FORM}",
    f"curl -sSo/dev/null -XPUT {FORM} URL/t",
    f"curl -m5 --connect-timeout 5 -w '%{{http_code}}' {FORM} URL/t",
    f"curl {FORM} -- URL/t",
    f"curl {FORM} --url URL/t",
    "curl -dgrant_type=password -dusername=v-username URL/t",
    f"curl --request PATCH URL/t {FORM}",
    f"curl --no-location --no-buffer -N URL/t {FORM}",
    "curl -d 'grant_type=password&username=v-username' --data-raw 'password=v-password' URL/t",
    "curl --data-ascii grant_type=x --data-binary format=json URL/t",
    "curl --data-raw '@x=v-x' URL/t",
    "curl --data-urlencode 'scope=a b&c=d+é' --data-urlencode 'audience=https://x.example/?a=b' URL/t",
    "curl --data-urlencode 'scope=a@b' -d format=a%20b+c URL/t",
    "curl --data-urlencode 'format=x=y' -d scope=a URL/t",
    "curl -G URL/t -d scope=a --data-urlencode 'audience=b c'",
    "curl -G 'URL/t?format=json' -d scope=a",
    "curl -X POST -G URL/t -d scope=a",
    "curl -G 'URL/t#here' -d scope=a",
    "curl --get --no-get URL/t -d scope=a",
    "curl --url-query scope=a --url-query '+format=b%20c' URL/t -d grant_type=x",
    'curl --json \'{"grant_type": "password", "username": "v-username"}\' URL/t',
    'curl --json \'{"grant_type": "password",\' --json \'"scope": "a"}\' URL/t',
    'curl --json \'{"scope": "a"}\' -H "Accept: application/vnd.acme.v2+json" URL/t',
    'curl --json \'{"scope": "a"}\' URL/t',
    """curl URL/t -H 'Content-Type: application/json' -d $'{"scope":"it\\'s\\u0021"}'""",
    "curl -F grant_type=client_credentials -F client_id=v-client_id URL/t",
    'curl --form \'grant_type="client_credentials"\' --form \'scope="a;b \\"c\\""\' URL/t',
    "curl --form 'scope=a;b' -F 'format= json ;type=text/plain' URL/t",
    "curl --form-string 'scope=a;b' --form-string 'format=@x' --form-string 'audience=\"x\"' URL/t",
    f"curl -u v-client_id:v-client_secret {FORM} URL/t",
    f"curl -uv-client_id:v-client_secret {FORM} URL/t",
    "curl --user v-username:v-password -X POST URL/t",
    f"curl -u a:b -H 'Authorization: Bearer v-credential' {FORM} URL/t",
    f"curl --oauth2-bearer v-credential {FORM} URL/t",
    f"curl -u a:b --oauth2-bearer v-credential {FORM} URL/t",
    f"curl --basic -u v-client_id:v-client_secret {FORM} URL/t",
    f"curl -H 'Accept: application/xml' -H 'X-Api-Key: v-x_api_key' -H 'X-Version: 2' {FORM} URL/t",
    f"curl -H 'Accept: application/json;api-version=2' {FORM} URL/t",
    f"curl -H 'Accept: application/json, text/plain, */*' {FORM} URL/t",
    f"curl -H 'accept: application/vnd.x+json' -H 'Accept-Language: de-DE,de;q=0.5' {FORM} URL/t",
    f"curl -H 'X-Gone:' -H 'Content-Type: application/x-www-form-urlencoded; charset=UTF-8' {FORM} URL/t",
    f"curl {FORM} URL/t --next -d grant_type=x URL/u",
    f"curl {FORM} URL/t -: -G -d scope=x URL/u",
    f"curl {FORM} URL/t URL/u",
    f"curl {FORM} URL/a/../t",
    "curl -X DELETE URL/t",
    "curl URL/t",
    f"TOKEN=$(curl -s {FORM} URL/t | sed s/x/y/ 2>&1)",
    f'TOKEN="$(curl -s {FORM} "URL/t" 2>/dev/null | sed s/x/y/)"',
    f"A=1 command curl {FORM} URL/t >/dev/null && echo 'done; # it' | cat # and more",
    f"# fetch it\ncurl {FORM} \\\n  URL/t\ncurl URL/u -d scope=b; true",
    "curl URL/t -d grant_type=x <<'END'\nthe 'input\nEND\n",
    'curl "URL/t" -d "scope=a\\"b" -d format=it\\\'s\\ so -d audience=a\'b\'"c"',
]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_draft_sends_what_curl_sends(listener: Listener, command: str) -> None:
    """Method, path, query, headers and parameters of every request, for the same values."""
    assert listener.run(command) == 0
    expected = []
    while not listener.arrived.empty():
        expected.append(listener.arrived.get())
    assert drafted(command, listener) == expected


@pytest.mark.parametrize(
    "command",
    [
        "curl --frobnicate URL/t",
        "curl -sXPOST -% URL/t",
        "curl --request=POST URL/t",
        "curl --no-request POST URL/t",
        "curl --retr 3 URL/t",
        "curl -d a=b -F c=d URL/t",
        "curl -I -d a=b URL/t",
        "curl -T /dev/null -d a=b URL/t",
        "curl -F novalue URL/t",
        "curl URL/t -d",
        "curl URL/t -sX",
        "curl - URL/t",
        "curl -s",
    ],
)
def test_what_curl_refuses_is_refused(listener: Listener, command: str) -> None:
    """Unknown and ambiguous options, missing values, and options that can't be combined."""
    assert listener.run(command) == 2
    assert listener.arrived.empty()
    with pytest.raises(ConfigError):
        parse_curl(command.replace("URL", listener.url))


def test_the_table_has_every_option_of_the_installed_curl() -> None:
    """With its letter, and with a value if curl says so."""
    table = {
        name: (letter, bool(equals))
        for name, letter, equals in re.findall(r"([\w.-]+)(?:/(\S))?(=?)\s", OPTIONS)
    }
    text = subprocess.run(["curl", "--help", "all"], capture_output=True, text=True, check=True)
    listed = re.findall(r"(?m)^ *(?:-(\S), |  )? *--([\w.-]+)( [<\[])?", text.stdout)
    assert len(listed) > 200
    renamed = {"include": "show-headers"}
    for letter, name, value in listed:
        known = name if name in table else renamed.get(name, name.removeprefix("no-"))
        assert table.get(known) == (letter, bool(value)), name


PIECES = st.sampled_from(
    ["a", "=", " ", "  \t", "'b c'", '"d e"', '"f\\"g\\$h\\`i\\j"', "\\'", '\\"', "\\ ", "\\\\", "x\\\ny",
     "$'k\\n\\x41\\u00e9\\'\\101\\\\\\y\\?'", '$"l"', "''", '""', "'", '"', "$'", " # m", "n#o", " 2>/dev/null ", "%p", "q,r"]
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(PIECES, max_size=8))
def test_words_are_those_of_bash(pieces: list[str]) -> None:
    """Quotation marks, escapes, comments and redirections give the words that bash passes on."""
    line = f"curl {''.join(pieces)}"
    script = f"curl() {{ printf '%s\\0' curl \"$@\" >&3; }}\n{line}"
    with Path("/dev/null").open() as nothing:
        done = subprocess.run(
            ["bash", "-c", f"exec 3>&1 >/dev/null; set -f; LC_ALL=C.UTF-8; {script}"],
            stdin=nothing, capture_output=True, check=False,
        )  # fmt: skip
    if done.returncode in (1, 2):
        with pytest.raises(ConfigError, match="unclosed"):
            split_commands(line)
    else:
        assert split_commands(line)[0] == done.stdout.decode().split("\0")[:-1]
