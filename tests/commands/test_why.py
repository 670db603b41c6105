"""`tokencli why` as a process, against APIs and issuers on loopback: what it asks, sends and prints."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from time import time
from typing import Any

import pytest
from joserfc.jwk import ECKey

from tests.conftest import Result, Run
from tokencli.jwt.decode import decode_token
from tokencli.jwt.sign import PrivateKey

KEY = ECKey.generate_key("P-256")
OTHER_KEY = ECKey.generate_key("P-256")
REFUSAL = 'Bearer error="invalid_token", error_description="no"'
CANARY = "canary5ecret"
"""Part of everything that must not be printed."""


@dataclass
class Received:
    """A request that a server received."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str


@dataclass
class Server:
    """A server on loopback that replies as the test says, and records every request."""

    url: str = ""
    replies: dict[str, tuple[int, dict[str, str], str]] = field(default_factory=dict)
    """Path without its query -> status, headers, body."""
    received: list[Received] = field(default_factory=list)
    is_silent: bool = False
    """Whether it never replies."""
    accepts: str | None = None
    """The only Authorization with which `/api` succeeds."""

    def reply(self, request: Received) -> tuple[int, dict[str, str], str]:
        """Return status, headers and body."""
        path = request.path.partition("?")[0]
        if path in self.replies:
            return self.replies[path]
        if path == "/token":
            number = sum(each.path == "/token" for each in self.received)
            return 200, {}, json.dumps({"access_token": self.token(number=number),
                                        "token_type": "Bearer", "expires_in": 300})  # fmt: skip
        if path == "/jwks":
            return 200, {}, json.dumps({"keys": [{**KEY.as_dict(private=False), "kid": "k1"}]})
        if path == "/.well-known/openid-configuration":
            return 200, {}, json.dumps({"issuer": self.url, "token_endpoint": f"{self.url}/token"})
        if path == "/introspection":
            return 200, {}, '{"active": true}'
        if self.accepts is not None and request.headers.get("authorization") == self.accepts:
            return 200, {}, "{}"
        return 401, {"WWW-Authenticate": REFUSAL}, "{}"

    def token(self, key: Any = KEY, **claims: Any) -> str:
        """Return a token of this issuer."""
        usual = {"iss": self.url, "aud": f"{self.url}/api", "azp": "batch", "scope": "read",
                 "iat": int(time()) - 1, "exp": int(time()) + 300}  # fmt: skip
        return PrivateKey(key).sign_jwt({"alg": "ES256", "kid": "k1"}, {**usual, **claims})

    def requests_of(self, path: str) -> list[Received]:
        """Return the requests for a path."""
        return [each for each in self.received if each.path.partition("?")[0] == path]


@contextmanager
def run_server() -> Iterator[Server]:
    """Run a server."""
    running, ended = Server(), Event()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Received(self.command, self.path, headers, body)
            running.received.append(request)
            if running.is_silent:
                ended.wait(60)
                return
            status, more, text = running.reply(request)
            content = text.encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **more}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_PATCH = handle_any

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    running.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield running
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    """Run an issuer that is also the API."""
    with run_server() as running:
        yield running


@pytest.fixture
def other_server() -> Iterator[Server]:
    """Run a server that neither the profile nor the URL names."""
    with run_server() as running:
        yield running


ProfileWriter = Callable[..., None]


@pytest.fixture
def write_profile(
    server: Server, write_config: Callable[[str], Path], tmp_path: Path
) -> ProfileWriter:
    """Write a configuration with the profile `p` of the server, and more lines."""
    secret = tmp_path / "secret"
    secret.write_text("canary-client-secret")
    secret.chmod(0o600)

    def write(
        more: str = "", *, secret_source: str = f'{{ file = "{secret}" }}', others: str = ""
    ) -> None:
        endpoints = "".join(
            f'{name}_url = "{server.url}/{name}"\n' for name in ("token", "jwks", "introspection")
        )
        write_config(
            f'state_dir = "{tmp_path}/state"\n[profiles.p]\nprovider = "oauth2"\n'
            f'grant = "client_credentials"\nclient_id = "batch"\nclient_secret = {secret_source}\n'
            f'store = "file"\nallow_http = true\nissuer = "{server.url}"\n{endpoints}{more}\n{others}'
        )

    write()
    return write


def render_profile(name: str, server: Server, keys: str) -> str:
    """Return the table of another profile, whose client secret is in $S, with more keys."""
    return (
        f'[profiles.{name}]\nprovider = "oauth2"\ngrant = "client_credentials"\n'
        f'client_id = "{name}"\nclient_secret = {{ env = "S" }}\nallow_http = true\n'
        f'token_url = "{server.url}/token"\n{keys}'
    )


def read_causes(done: Result) -> list[str]:
    """Return the IDs of the causes, the first one first."""
    return [cause["id"] for cause in json.loads(done.out)["causes"]]


@pytest.mark.parametrize("order", [("p", "URL"), ("URL", "p"), ("URL",), ("URL", "--profile", "p")])
def test_profile_and_url_are_told_apart(
    tokencli: Run, server: Server, write_profile: ProfileWriter, order: tuple[str, ...]
) -> None:
    """In either order, and without a profile the only one is used; the call has its token."""
    token = tokencli("get", "p").out.strip()
    done = tokencli("why", *(server.url + "/api" if word == "URL" else word for word in order))
    assert done.code == 9
    first, bare = server.requests_of("/api")
    assert first.headers["authorization"] == f"Bearer {token}"
    assert "authorization" not in bare.headers
    assert f"call      GET {server.url}/api\nreply     HTTP 401: invalid_token no" in done.out


@pytest.mark.parametrize("path", ["orders/1", "/orders/1", "orders/./1"])
def test_a_path_behind_a_profile_is_one_of_its_api(
    tokencli: Run, server: Server, write_profile: ProfileWriter, path: str
) -> None:
    """As with `request`: it is appended to the profile's api_url, and is no server."""
    assert "has no api_url, to which a path" in tokencli("why", "p", path).err
    write_profile(f'api_url = "{server.url}/api"')
    tokencli("get", "p")
    for words in (("p", path), ("--profile", "p", path)):
        assert f"call      GET {server.url}/api/orders/1\n" in tokencli("why", *words).out
    assert "there is no profile 'nope'" in tokencli("why", "nope", path).err


def test_url_chooses_the_profile_that_fits(
    tokencli: Run, server: Server, write_profile: ProfileWriter
) -> None:
    """That is the one whose audience the URL is part of; stderr says so."""
    keys = f'audience = "{server.url}/api"\nstore = "file"\n'
    write_profile(others=render_profile("q", server, keys))
    done = tokencli("why", f"{server.url}/api/orders", "--json")
    assert json.loads(done.out)["profile"] == "q"
    assert f"profile q, because its audience is {server.url}/api" in done.err


def test_json_has_the_keys_of_the_contract(
    tokencli: Run, server: Server, write_profile: ProfileWriter
) -> None:
    """Causes have an ID, a confidence, evidence and a fix; the rest is always there as well."""
    tokencli("get", "p")
    server.replies["/api"] = (403, {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="write"'}, "")  # fmt: skip
    done = tokencli("why", "p", f"{server.url}/api", "--json")
    report = json.loads(done.out)
    assert report.keys() == {"causes", "profile", "token", "call", "fresh_call", "open_questions"}
    assert report["causes"][0]["id"] == "missing_scope"
    for cause in report["causes"]:
        assert cause.keys() >= {"id", "confidence", "evidence", "fix"}
        assert cause["confidence"] in ("certain", "likely", "possible")
    assert report["call"]["status"] == 403
    assert report["token"]["signature"] == "valid"
    assert (done.code, done.err) == (9, "")


def test_commands_name_the_configuration_that_was_named(
    tokencli: Run, server: Server, write_profile: ProfileWriter, tmp_path: Path
) -> None:
    """The fix and the command of an open question work as they are."""
    config = str(tmp_path / "config.toml")
    done = tokencli(
        "why", "p", "--config", config, "--json", env={"TOKENCLI_CONFIG": "/nonexistent"}
    )
    report = json.loads(done.out)
    assert report["causes"][0]["fix"] == f"tokencli get p --config {config}"
    assert report["open_questions"][0]["command"].startswith(f"tokencli why p --config {config} ")


def test_no_stored_token(tokencli: Run, server: Server, write_profile: ProfileWriter) -> None:
    """Nothing is called, and the fix gets a token."""
    done = tokencli("why", "p", f"{server.url}/api", "--json")
    cause = json.loads(done.out)["causes"][0]
    assert (done.code, cause["id"], cause["fix"]) == (4, "no_token", "tokencli get p")
    assert server.received == []


@pytest.mark.requirement(15)
@pytest.mark.parametrize("header", ["Authorization: Bearer x", "X-Api-Key: x", "Cookie: a=b"])
def test_secret_header_is_refused_on_the_command_line(
    tokencli: Run, server: Server, write_profile: ProfileWriter, header: str
) -> None:
    """Other users see the command line; nothing is sent."""
    done = tokencli("why", "p", f"{server.url}/api", "-H", header)
    assert done.code == 2
    assert "fix: tokencli why --curl -" in done.err
    assert server.received == []


def test_token_is_refused_on_the_command_line(
    tokencli: Run, server: Server, write_profile: ProfileWriter
) -> None:
    """It isn't repeated in the output."""
    token = server.token()
    done = tokencli("why", token, f"{server.url}/api")
    assert done.code == 2
    assert "fix: tokencli why -" in done.err
    assert token not in done.out + done.err


@pytest.mark.requirement(6)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(
    tokencli: Run,
    server: Server,
    other_server: Server,
    write_profile: ProfileWriter,
    status: int,
) -> None:
    """The server that it leads to gets no request; the report says where it leads."""
    tokencli("get", "p")
    location = f"{other_server.url}/new?access_token={CANARY}"
    server.replies["/api"] = (status, {"Location": location}, "")
    done = tokencli("why", "p", f"{server.url}/api")
    assert other_server.received == []
    assert done.code == 6
    assert f"{other_server.url}/new" in done.out
    assert CANARY not in done.out + done.err


@pytest.mark.requirement(15)
@pytest.mark.parametrize("scheme", ["http", "HTTP", "https"])
def test_password_in_the_url_is_refused(
    tokencli: Run, server: Server, write_profile: ProfileWriter, scheme: str
) -> None:
    """It is named as what it is, whatever the scheme; nothing is sent."""
    address = server.url.partition("//")[2]
    done = tokencli("why", "p", f"{scheme}://jdoe:{CANARY}@{address}/api")
    assert (done.code, server.received) == (2, [])
    assert "user name or password" in done.err
    assert CANARY not in done.err


def test_rate_limit_is_not_strained(
    tokencli: Run, server: Server, write_profile: ProfileWriter
) -> None:
    """After a 429 the call isn't made a second time."""
    tokencli("get", "p")
    server.replies["/api"] = (429, {"Retry-After": "30"}, "")
    done = tokencli("why", "p", f"{server.url}/api", "--json")
    assert read_causes(done) == ["rate_limited"]
    assert len(server.requests_of("/api")) == 1


def test_long_reply_is_shortened(
    tokencli: Run, server: Server, write_profile: ProfileWriter
) -> None:
    """The lines above the causes stay short; no clock is named where all agree."""
    tokencli("get", "p")
    server.replies["/api"] = (401, {"Content-Type": "text/plain"}, "A" * 5000)
    done = tokencli("why", "p", f"{server.url}/api")
    assert "A" * 100 in done.out
    assert "A" * 400 not in done.out
    assert "clock, at" not in done.out


@pytest.mark.requirement(10)
def test_token_is_not_sent_over_http(
    tokencli: Run, server: Server, write_profile: ProfileWriter
) -> None:
    """Not even a call without it is made; only loopback is allowed to use http."""
    tokencli("get", "p")
    done = tokencli("why", "p", "http://api.example.com/orders", "--json")
    call = json.loads(done.out)["call"]
    assert (call["status"], call["failure"], call["carrier"]) == (None, None, None)


def test_method_headers_and_body_are_sent(
    tokencli: Run, server: Server, write_profile: ProfileWriter, tmp_path: Path
) -> None:
    """As the options say; a POST isn't repeated without the token, because it may change something."""
    tokencli("get", "p")
    (tmp_path / "order.json").write_text('{"id": 7}')
    done = tokencli("why", "p", f"{server.url}/api?a=1", "-H", "X-Tenant: acme", "-d", f"@{tmp_path}/order.json")  # fmt: skip
    assert done.code == 9
    (request,) = server.requests_of("/api")
    assert (request.method, request.path, request.body) == ("POST", "/api?a=1", '{"id": 7}')
    assert request.headers["x-tenant"] == "acme"
    assert request.headers["content-type"] == "application/json"
    tokencli("why", "p", f"{server.url}/api", "-X", "HEAD")
    assert [each.method for each in server.requests_of("/api")[1:]] == ["HEAD", "HEAD"]


def test_token_is_carried_as_the_provider_says(
    tokencli: Run, server: Server, write_profile: ProfileWriter
) -> None:
    """In its own header and in a query parameter, whose value isn't shown."""
    write_profile(
        others=f'''
[providers.own]
title = "Own"
endpoints.token = "{server.url}/token"
request.send = {{ user = "{{username}}" }}
use = ["X-Token: {{token}}", "?key={{token}}"]
[profiles.own]
provider = "own"
username = "jdoe"
store = "file"
allow_http = true
'''
    )
    got = tokencli("get", "own")
    assert got.code == 0, got.err
    token = got.out.strip()
    done = tokencli("why", "own", f"{server.url}/api?page=2", "--json")
    first = server.requests_of("/api")[0]
    assert first.headers["x-token"] == token
    assert first.path == f"/api?page=2&key={token}"
    assert json.loads(done.out)["call"]["carrier"] == "X-Token"
    assert token not in done.out + done.err


@pytest.mark.requirement(13)
def test_nothing_secret_is_printed(
    tokencli: Run, server: Server, write_profile: ProfileWriter
) -> None:
    """Whatever the server repeats of the request, and whatever is in claims, headers and cookies."""
    token = server.token(password=CANARY, note=f"Bearer {CANARY}")
    parts = token.split(".")
    page = json.dumps({"error": "invalid_token", "error_description": f"got Bearer {token}",
                       "detail": f"parts {parts[1]} and {parts[2]}",
                       "session": f"session={CANARY}", "api_key": CANARY})  # fmt: skip
    server.replies["/api"] = (
        401,
        {
            "WWW-Authenticate": f'Bearer realm="{token}", error="invalid_token", error_description="token={CANARY}"',
            "Set-Cookie": f"sid={CANARY}",
            "X-Debug-Token": CANARY,
            "X-Request": f"Authorization: Bearer {token}",
        },
        page,
    )
    for options in ((), ("--json",), ("-v",)):
        done = tokencli("why", "-", f"{server.url}/api?api_key={CANARY}&page=2", "-p", "p", *options, stdin=token)  # fmt: skip
        assert done.code in (0, 9)
        for secret in (CANARY, *parts, "canary-client-secret"):
            assert secret not in done.out + done.err


def test_silent_server_is_named_and_the_run_ends(
    tokencli: Run, server: Server, other_server: Server, write_profile: ProfileWriter
) -> None:
    """The call that isn't answered is an open question, with the command that waits longer."""
    tokencli("get", "p")
    other_server.is_silent = True
    url = f"{other_server.url}/api"
    done = tokencli("why", "p", url, "--timeout", "2s", "--json")
    assert done.code == 6
    (question,) = [
        each for each in json.loads(done.out)["open_questions"] if each["probe"] == "call"
    ]
    assert question["command"] == f"tokencli why p {url} --timeout 60s"
    assert read_causes(done)[0] == "api_down"


def test_silent_issuer_doesn_t_delay_the_call(
    tokencli: Run, server: Server, other_server: Server, write_profile: ProfileWriter
) -> None:
    """The API's answer is judged, and what the issuer didn't answer is listed."""
    tokencli("get", "p")
    server.is_silent = True
    done = tokencli("why", "p", f"{other_server.url}/api", "--timeout", "2s", "--json")
    report = json.loads(done.out)
    assert report["call"]["status"] == 401
    assert other_server.requests_of("/api")


def test_offline_sends_nothing(tokencli: Run, server: Server, write_profile: ProfileWriter) -> None:
    """The open questions have the command that asks them."""
    tokencli("get", "p")
    server.received.clear()
    done = tokencli("why", "p", f"{server.url}/api", "--offline", "--json")
    assert server.received == []
    commands = {each["command"] for each in json.loads(done.out)["open_questions"]}
    assert commands == {f"tokencli why p {server.url}/api"}


@pytest.mark.parametrize(
    ("form", "mangling"),
    [
        ("{}", None),
        ("{}\n", None),
        ("Authorization: Bearer {}\n", None),
        ('{{"access_token": "{}", "token_type": "Bearer"}}', None),
        ('"{}"\n', "in quotation marks"),
        ("\ufeff{}", "byte order mark"),
        ("Bearer Bearer {}", 'begins with "Bearer "'),
        ("Bearer%20{}", "percent-encoded"),
        ("{}\\n", r"two characters \n"),
        ("{}%", "followed by '%'"),
    ],
)
def test_pasted_token_is_examined_as_it_is(
    tokencli: Run, server: Server, write_profile: ProfileWriter, form: str, mangling: str | None
) -> None:
    """What happened to it is the first cause; a usual form, as of `tokencli get`, is none."""
    token = server.token()
    server.accepts = f"Bearer {token}"
    done = tokencli("why", "-", f"{server.url}/api", "-p", "p", "--json", stdin=form.format(token))
    causes = json.loads(done.out)["causes"]
    if mangling is None:
        assert (done.code, causes[0]["id"]) == (0, "nothing_wrong")
    else:
        assert (done.code, causes[0]["id"]) == (9, "mangled")
        assert mangling in " ".join(causes[0]["evidence"])


def test_pasted_token_with_a_scheme(
    tokencli: Run, server: Server, write_profile: ProfileWriter
) -> None:
    """It is mangled only if it is accepted without the scheme; else something else is wrong with it."""
    token = server.token()
    server.accepts = f"Bearer {token}"
    done = tokencli("why", "-", f"{server.url}/api", "-p", "p", "--json", stdin=f"Bearer {token}")
    assert read_causes(done)[0] == "mangled"
    expired = server.token(exp=int(time()) - 60)
    done = tokencli("why", "-", f"{server.url}/api", "-p", "p", "--json", stdin=f"Bearer {expired}")
    assert read_causes(done)[0] == "expired"


def test_pasted_token_finds_its_profile(
    tokencli: Run, server: Server, write_profile: ProfileWriter
) -> None:
    """By the stored token, or else by the issuer; without one the call is made all the same."""
    token = tokencli("get", "p").out
    done = tokencli("why", "-", f"{server.url}/api", "--json", stdin=token)
    assert json.loads(done.out)["profile"] == "p"
    assert "profile p, because it has stored this token" in done.err
    done = tokencli("why", "-", f"{server.url}/api", "--json", stdin=server.token())
    assert "profile p, because the token is of its issuer" in done.err


def test_token_of_another_issuer_stays_away_from_this_one(
    tokencli: Run, server: Server, other_server: Server, write_profile: ProfileWriter
) -> None:
    """It goes to the API that the URL names, and neither to the profile's issuer nor to its own."""
    foreign = other_server.token(key=OTHER_KEY)
    done = tokencli("why", "-", f"{server.url}/api", "-p", "p", "--json", stdin=foreign)
    assert server.requests_of("/introspection") == []
    assert other_server.received == []
    assert read_causes(done)[0] == "wrong_issuer"


@pytest.mark.parametrize("followed", [True, False])
def test_resource_metadata_is_read_from_servers_that_were_named(
    tokencli: Run,
    server: Server,
    other_server: Server,
    write_profile: ProfileWriter,
    followed: bool,
) -> None:
    """It is fetched from the API's own server, and from no other one that only the API names."""
    tokencli("get", "p")
    host = server if followed else other_server
    server.replies["/api"] = (
        401,
        {"WWW-Authenticate": f'Bearer resource_metadata="{host.url}/.well-known/oauth-protected-resource/api"'},
        "",
    )  # fmt: skip
    host.replies["/.well-known/oauth-protected-resource/api"] = (
        200,
        {},
        json.dumps({"resource": f"{server.url}/api", "authorization_servers": ["https://other.example.com"]}),
    )  # fmt: skip
    done = tokencli("why", "p", f"{server.url}/api", "--json")
    document = "/.well-known/oauth-protected-resource/api"
    assert len(host.requests_of(document)) == followed
    assert (read_causes(done)[0] == "wrong_issuer") == followed
    assert other_server.received == []


def test_secret_from_a_program_is_not_used_without_consent(
    tokencli: Run, server: Server, write_profile: ProfileWriter, tmp_path: Path
) -> None:
    """Introspection is left out, and --introspect is the command that does it."""
    marker = tmp_path / "ran"
    write_profile(
        secret_source=f'{{ command = ["sh", "-c", "touch {marker}; echo canary-client-secret"] }}'
    )
    tokencli("get", "p")
    marker.unlink()
    done = tokencli("why", "p", f"{server.url}/api", "--json")
    (question,) = [each for each in json.loads(done.out)["open_questions"] if each["probe"] == "introspection"]  # fmt: skip
    assert question["command"] == f"tokencli why p {server.url}/api --introspect"
    assert not marker.exists()
    assert server.requests_of("/introspection") == []
    tokencli("why", "p", f"{server.url}/api", "--introspect")
    assert server.requests_of("/introspection")


def test_fresh_token_is_tried_beside_the_stored_one(
    tokencli: Run, server: Server, write_profile: ProfileWriter
) -> None:
    """Only with --probe if there is no terminal; the stored token stays as it is."""
    stored = tokencli("get", "p").out
    done = tokencli("why", "p", f"{server.url}/api", "--json")
    assert len(server.requests_of("/token")) == 1
    commands = [each["command"] for each in json.loads(done.out)["open_questions"]]
    assert f"tokencli why p {server.url}/api --probe" in commands
    done = tokencli("why", "p", f"{server.url}/api", "--probe")
    assert "with a fresh token: HTTP 401" in done.out
    assert len(server.requests_of("/token")) == 2
    old, _, fresh = [each.headers.get("authorization") for each in server.requests_of("/api")[2:]]
    assert old == f"Bearer {stored.strip()}"
    assert fresh not in (None, old)
    assert tokencli("get", "p").out == stored
    assert len(server.requests_of("/token")) == 2


def test_proof_of_possession_is_sent_with_the_nonce(
    tokencli: Run, server: Server, write_profile: ProfileWriter
) -> None:
    """A token that is bound to a key goes with a proof; once more if the API requires a nonce."""
    write_profile("dpop = true\n")
    server.replies["/token"] = (200, {}, json.dumps(
        {"access_token": server.token(), "token_type": "DPoP", "expires_in": 300}))  # fmt: skip
    assert tokencli("get", "p").code == 0
    challenge = 'DPoP error="use_dpop_nonce"'
    server.replies["/api"] = (401, {"WWW-Authenticate": challenge, "DPoP-Nonce": "n1"}, "")
    tokencli("why", "p", f"{server.url}/api")
    first, second, bare = server.requests_of("/api")
    assert first.headers["authorization"].startswith("DPoP ")
    claims = [decode_token(each.headers["dpop"]).claims for each in (first, second)]
    assert [each.get("nonce") for each in claims] == [None, "n1"]
    assert [each["htu"] for each in claims] == [f"{server.url}/api"] * 2
    assert "dpop" not in bare.headers


def test_history_of_the_token_is_evidence(
    tokencli: Run, server: Server, write_profile: ProfileWriter
) -> None:
    """A token that was issued to another profile, by the event log, is named as that."""
    write_profile(others=render_profile("other", server, 'store = "none"\n'))
    tokencli("get", "p")
    token = tokencli("get", "other", env={"S": "canary-secret"}).out
    done = tokencli("why", "-", f"{server.url}/api", "-p", "p", stdin=token)
    assert "issued to profile other" in done.out


class TestCurl:
    """`--curl`."""

    def test_call_is_made_as_curl_would(
        self, tokencli: Run, server: Server, write_profile: ProfileWriter
    ) -> None:
        """Method, headers, cookies and body are sent; none of the secrets is printed."""
        token = server.token()
        command = (
            f"curl -X PUT '{server.url}/api?sig={CANARY}' \\\n  -H 'Authorization: Bearer {token}' \\\n"
            f"  -H 'X-Tenant: acme' -b 'sid={CANARY}' --data-raw '{{\"a\": 1}}' --compressed"
        )
        done = tokencli("why", "--curl", "-", "--resend", "--json", stdin=command)
        (request,) = server.requests_of("/api")
        assert (request.method, request.body) == ("PUT", '{"a": 1}')
        assert request.headers["authorization"] == f"Bearer {token}"
        assert request.headers["x-tenant"] == "acme"
        assert request.headers["cookie"] == f"sid={CANARY}"
        assert json.loads(done.out)["profile"] == "p"
        for secret in (CANARY, token):
            assert secret not in done.out + done.err

    @pytest.mark.parametrize(
        "options", ["-X DELETE", "-d a=1", "-X PATCH", "-F a=1", "--json '{}'"]
    )
    def test_method_that_may_change_something_has_to_be_allowed(
        self, tokencli: Run, server: Server, write_profile: ProfileWriter, options: str
    ) -> None:
        """Without a terminal nothing is sent to the API; the open question has the command that does."""
        command = f"curl {options} {server.url}/api -H 'Authorization: Bearer {server.token()}'"
        done = tokencli("why", "--curl", "-", "--json", stdin=command)
        assert server.requests_of("/api") == []
        (question,) = [
            each for each in json.loads(done.out)["open_questions"] if each["probe"] == "call"
        ]
        assert question["command"] == "tokencli why --curl - --resend"
        assert "may change something" in question["reason"]
        tokencli("why", "--curl", "-", "--resend", stdin=command)
        assert len(server.requests_of("/api")) == 1

    def test_command_is_read_from_a_file(
        self, tokencli: Run, server: Server, write_profile: ProfileWriter, tmp_path: Path
    ) -> None:
        """And the quoting of Windows' cmd is understood as well."""
        token = server.token()
        (tmp_path / "c.txt").write_text(
            f'curl "{server.url}/api" ^\r\n  -H "Authorization: Bearer {token}"\r\n'
        )
        tokencli("why", "--curl", str(tmp_path / "c.txt"))
        assert server.requests_of("/api")[0].headers["authorization"] == f"Bearer {token}"

    @pytest.mark.parametrize(
        ("header", "cause"),
        [
            ("Authorization: Bearer Bearer TOKEN", "mangled"),
            ('Authorization: Bearer "TOKEN"', "mangled"),
            ("Authorization: Bearer $TOKEN_IN_SINGLE_QUOTES", "mangled"),
            ("Authorization: Token TOKEN", "wrong_scheme"),
            ("Authorization: TOKEN", "wrong_scheme"),
            ("X-Auth: TOKEN", "wrong_scheme"),
        ],
    )
    def test_way_in_which_the_token_is_sent_is_examined(
        self, tokencli: Run, server: Server, write_profile: ProfileWriter, header: str, cause: str
    ) -> None:
        """The call is made with exactly this header."""
        token = server.token()
        server.accepts = f"Bearer {token}"
        line = header.replace("TOKEN", token) if "SINGLE" not in header else header
        done = tokencli("why", "--curl", "-", "--json", "-p", "p", stdin=f"curl -H '{line}' {server.url}/api")  # fmt: skip
        name, _, value = line.partition(": ")
        assert server.requests_of("/api")[0].headers[name.lower()] == value
        assert read_causes(done)[0] == cause

    def test_token_of_the_shell(
        self, tokencli: Run, server: Server, write_profile: ProfileWriter
    ) -> None:
        """An exported variable is used; so is the profile of a `tokencli get`; else there is no token."""
        token = server.token()
        command = f'curl -H "Authorization: Bearer $API_TOKEN" {server.url}/api'
        tokencli("why", "--curl", "-", stdin=command, env={"API_TOKEN": token})
        assert server.requests_of("/api")[0].headers["authorization"] == f"Bearer {token}"
        server.received.clear()
        done = tokencli("why", "--curl", "-", "--json", stdin=command)
        assert (done.code, read_causes(done)[0], server.requests_of("/api")) == (4, "no_token", [])
        stored = tokencli("get", "p").out.strip()
        for value in (
            '"Authorization: Bearer $(tokencli get p)"',
            '"$(tokencli get p --format header)"',
        ):
            server.received.clear()
            tokencli("why", "--curl", "-", stdin=f"curl -H {value} {server.url}/api")
            assert server.requests_of("/api")[0].headers["authorization"] == f"Bearer {stored}"

    def test_contradicting_arguments_are_refused(
        self, tokencli: Run, server: Server, write_profile: ProfileWriter
    ) -> None:
        """A URL beside the command, or a token on stdin."""
        for words in (("https://api.example.com/",), ("-",), ("-X", "PUT"), ("--response", "-")):
            assert tokencli("why", "--curl", "-", *words, stdin="curl x").code == 2


class TestResponse:
    """`--response`: nothing is sent to the API."""

    def test_last_reply_counts(
        self, tokencli: Run, server: Server, write_profile: ProfileWriter
    ) -> None:
        """After interim replies and redirects, with the status line of HTTP/2."""
        tokencli("get", "p")
        text = (
            "HTTP/1.1 200 Connection established\r\n\r\n"
            "HTTP/1.1 100 Continue\r\n\r\n"
            "HTTP/2 308 \r\nlocation: /api/v2\r\n\r\n"
            "HTTP/2 403 \r\ncontent-type: application/json\r\n"
            'www-authenticate: Bearer error="insufficient_scope", scope="write"\r\n\r\n'
            '{"error": "insufficient_scope"}\r\n'
        )
        done = tokencli("why", "p", "https://api.example.com/api", "--response", "-", "--json", stdin=text)  # fmt: skip
        report = json.loads(done.out)
        assert (report["call"]["status"], report["call"]["saved"]) == (403, True)
        assert report["call"]["url"] == "https://api.example.com/api/v2"
        assert report["causes"][0]["id"] == "missing_scope"
        assert server.requests_of("/api") == []

    def test_output_of_curl_v(
        self, tokencli: Run, server: Server, write_profile: ProfileWriter
    ) -> None:
        """It has the request as well, and so the token."""
        token = server.token(exp=int(time()) - 3600)
        text = (
            "* Connected to api.example.com\n> GET /orders HTTP/2\n> Host: api.example.com\n"
            f"> authorization: Bearer {token}\n> \n< HTTP/2 401 \n"
            '< www-authenticate: Bearer error="invalid_token", error_description="expired"\n< \nno\n'
        )
        done = tokencli("why", "--response", "-", "--json", stdin=text)
        report = json.loads(done.out)
        assert report["call"]["url"] == "https://api.example.com/orders"
        assert report["profile"] == "p"
        assert report["causes"][0]["id"] == "expired"
        assert token not in done.out + done.err

    @pytest.mark.parametrize("whole", [True, False])
    def test_har(
        self,
        tokencli: Run,
        server: Server,
        write_profile: ProfileWriter,
        tmp_path: Path,
        whole: bool,
    ) -> None:
        """The entry that failed is judged, of a whole file or alone."""
        token = server.token(key=OTHER_KEY)

        def entry(path: str, status: int) -> dict[str, object]:
            return {
                "startedDateTime": "2026-11-27T03:00:00.000Z",
                "request": {
                    "method": "GET",
                    "url": f"https://api.example.com{path}",
                    "headers": [{"name": "Authorization", "value": f"Bearer {token}"}],
                },
                "response": {
                    "status": status,
                    "headers": [{"name": "WWW-Authenticate", "value": REFUSAL}],
                    "content": {"mimeType": "application/json", "text": "{}"},
                },
            }

        bad = entry("/orders", 401)
        recording = {"log": {"entries": [entry("/a", 200), bad, entry("/b", 200)]}}
        (tmp_path / "r.har").write_text(json.dumps(recording if whole else bad))
        done = tokencli("why", "--response", str(tmp_path / "r.har"), "--json")
        report = json.loads(done.out)
        assert report["call"]["url"] == "https://api.example.com/orders"
        assert report["causes"][0]["id"] == "mangled"
        assert token not in done.out + done.err

    def test_text_without_a_reply_is_refused(
        self, tokencli: Run, server: Server, write_profile: ProfileWriter
    ) -> None:
        """With what is expected."""
        done = tokencli("why", "p", "--response", "-", stdin="hello")
        assert done.code == 3
        assert "cause: a reply begins with a line like HTTP/1.1 401" in done.err
