"""`tokencli request` on a real API over TLS, with tokens that expire, and with replies of any size."""

import base64
import hashlib
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.conftest import Run, script
from tests.e2e.consumers.api_server import BIG_PIECE, BINARY, ApiHandler, serve_api
from tests.e2e.consumers.expiries import EXPIRIES, set_lifetime, until_expired
from tests.e2e.consumers.token_server import TokenServer
from tokencli.sandbox.server import Sandbox
from tokencli.sandbox.system import load_system

pytestmark = pytest.mark.long

KIB_LIMIT = 120 * 1024
"""Memory of a run, whatever the size of the bodies."""


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox and use its configuration."""
    with Sandbox() as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        yield running


@pytest.fixture
def api(sandbox: Sandbox, tmp_path: Path) -> Iterator[TokenServer]:
    """Run an API."""
    with serve_api(sandbox, tmp_path) as server:
        yield server


def request(*words: str | Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run `tokencli request oauth2 …` and return its exact output."""
    return subprocess.run(
        [script(), "request", "oauth2", *words],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        timeout=120,
        check=False,
    )


def echo(*words: str | Path, stdin: bytes | None = None) -> dict[str, Any]:
    """Return what arrived at the API."""
    done = request(*words, stdin=stdin)
    assert (done.returncode, done.stderr) == (0, b"")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def in_terminal(*words: str) -> tuple[str, int]:
    """Return what a terminal shows on stdout, and the exit code."""
    main, terminal = pty.openpty()
    process = subprocess.Popen(
        [script(), "request", "oauth2", *words], stdout=terminal, stderr=subprocess.STDOUT
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(main)
    return shown.decode(errors="replace").replace("\r\n", "\n"), process.wait()


def test_tokens_expire_while_requests_are_sent(short_lived: Sandbox, tmp_path: Path) -> None:
    """Every request succeeds, and none is refused: tokens are renewed ahead of time."""
    set_lifetime(short_lived, 2)
    with serve_api(short_lived, tmp_path) as server:
        for number in until_expired(short_lived):
            assert echo(f"orders/{number}")["path"] == f"/orders/{number}"
        assert 401 not in server.statuses
        assert len(set(server.credentials)) > EXPIRIES


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_revoked_token_is_replaced_once(api: TokenServer, method: str) -> None:
    """The API refuses it as invalid, so the request is repeated with a new one."""
    echo("one")
    api.revoke_all()
    body = ("-d", "a=b") if method == "POST" else ()
    assert echo(method, "two", *body)["body"] == ("a=b" if body else "")
    assert api.statuses == [200, 401, 200]


def test_a_refusal_of_the_new_token_is_final(
    api: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is asked a third time; stderr says why, and stdout has the API's reply."""
    monkeypatch.setattr(api, "accepts", lambda _: False)
    done = request("orders")
    assert (done.returncode, done.stdout, api.statuses) == (0, b"", [401, 401])
    said = done.stderr.decode()
    assert "HTTP 401" in said
    assert f"more: tokencli why oauth2 {api.url}/orders" in said
    assert request("orders", "--fail").returncode == 5


def test_a_failed_renewal_is_loud(api: TokenServer, tokencli: Run) -> None:
    """A warning says why there is no new token, and the API's reply is printed as it is."""
    echo("one")
    api.revoke_all()
    edit = ("profiles", "edit", "oauth2", "--secret", "client_secret=env:NOT_SET")
    assert tokencli(*edit).code == 0
    done = request("two", "-i")
    assert (done.returncode, api.statuses) == (0, [200, 401])
    assert done.stdout.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert b"warning: the token could not be renewed: " in done.stderr
    assert b"NOT_SET" in done.stderr


class NonceHandler(ApiHandler):
    """Demands a nonce in each DPoP proof (RFC 9449 section 9), and notes the proofs' claims."""

    challenge = 'DPoP error="invalid_token"'
    schemes = ("DPoP",)
    proofs: ClassVar[list[dict[str, object]]] = []

    def is_authorized(self) -> bool:
        """Check the proof before the token."""
        payload = self.headers.get("DPoP", "").split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        self.proofs.append(claims)
        if claims.get("nonce") == "nonce-of-the-api":
            return super().is_authorized()
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'DPoP error="use_dpop_nonce"')
        self.send_header("DPoP-Nonce", "nonce-of-the-api")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False


def test_a_bound_token_is_sent_with_proofs(sandbox: Sandbox, tmp_path: Path, tokencli: Run) -> None:
    """Each attempt has its own proof, for this method and URL, with the nonce that the API wants."""
    NonceHandler.proofs.clear()
    with serve_api(sandbox, tmp_path, NonceHandler) as server:
        settings = (f"api_url={server.url}/v1", f"ca_file={tmp_path / 'both.pem'}")
        for setting in settings:
            assert tokencli("profiles", "edit", "dpop-demo", "--set", setting).code == 0
        words = ("request", "dpop-demo", "a/../orders?page=2", "-d", "x=y")
        done = tokencli(*words)
        assert json.loads(done.out)["body"] == "x=y", done.err
        server.revoke_all()
        assert json.loads(tokencli(*words).out)["body"] == "x=y"
        assert server.statuses == [401, 200, 401, 401, 200]
        assert server.credentials[0].startswith("DPoP ")
        assert {proof["htu"] for proof in NonceHandler.proofs} == {f"{server.url}/v1/orders"}
        assert {proof["htm"] for proof in NonceHandler.proofs} == {"POST"}
        assert len({proof["jti"] for proof in NonceHandler.proofs}) == 5


def test_the_client_certificate_is_presented(sandbox: Sandbox, tokencli: Run) -> None:
    """The API of a token that is bound to it asks for it (RFC 8705)."""
    url = f"{sandbox.url}{load_system('oauth2').resource_path}"
    assert json.loads(tokencli("request", "mtls", url).out)["client"] == "mtls"


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_every_status_is_a_reply(api: TokenServer, status: int) -> None:
    """The exit code is 0 and the body is printed; with --fail, 5 and nothing is printed."""
    done = request(f"status/{status}")
    assert (done.returncode, done.stdout) == (0, b'{"error": "no luck"}')
    assert f"HTTP {status}".encode() in done.stderr
    failed = request(f"status/{status}", "--fail")
    assert (failed.returncode, failed.stdout) == (5, b"")
    assert f"replied with HTTP {status}".encode() in failed.stderr
    assert api.statuses == [status, status]


def test_redirects_are_shown_and_not_followed(api: TokenServer) -> None:
    """As with curl without -L."""
    done = request("status/302", "-i")
    assert done.returncode == 0
    assert b"HTTP/1.1 302 Found\r\n" in done.stdout
    assert b"Location: https://other.example/x\r\n" in done.stdout
    assert b"https://other.example/x, which is not followed" in done.stderr
    assert len(api.statuses) == 1


def test_bytes_are_exact(api: TokenServer, tmp_path: Path) -> None:
    """In a pipe and in a file, with and without the headers."""
    assert request("binary").stdout == BINARY
    assert request("binary", "-o", tmp_path / "file").stdout == b""
    assert (tmp_path / "file").read_bytes() == BINARY
    assert request("binary", "-o", "-").stdout == BINARY
    head, _, body = request("binary", "-i").stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == BINARY
    assert request("HEAD", "binary").stdout.startswith(b"HTTP/1.1 200 OK\r\n")


def test_bodies(api: TokenServer, tmp_path: Path) -> None:
    """Data, JSON and forms make the method, the content type and the body that curl makes."""
    file = tmp_path / "order.txt"
    file.write_bytes(b"c=d\r\nx\0")
    found = echo("x", "-d", "a=b", "-d", f"@{file}", "-d", "@-", stdin=b"e=f\n")
    assert (found["method"], found["body"]) == ("POST", "a=b&c=dx&e=f")
    assert found["headers"]["content-type"] == "application/x-www-form-urlencoded"
    found = echo("x", "-d", f"@{file}", "-H", "Content-Type: text/plain")
    assert found["body"] == "c=d\r\nx\0"
    found = echo("PUT", "x", "--json", '{"a":', "--json", "1}")
    assert (found["method"], found["body"]) == ("PUT", '{"a":1}')
    assert found["headers"]["accept"] == "application/json"
    found = echo("x", "-F", "a=1;type=text/csv", "-F", f'f=@{file};filename="b\\"c.txt"')
    kind = found["headers"]["content-type"]
    boundary = kind.partition("boundary=")[2]
    assert found["body"] == (
        f'--{boundary}\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: text/csv\r\n\r\n1\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="b%22c.txt"\r\n'
        f"Content-Type: text/plain\r\n\r\nc=d\r\nx\0\r\n--{boundary}--\r\n"
    )
    found = echo("x", "-H", "X-Tag: a", "-H", "X-Tag: b", "-H", "Accept: text/csv", "-H", "X-None;")
    assert (
        found["headers"] | {"x-tag": "a, b", "accept": "text/csv", "x-none": ""} == found["headers"]
    )


def test_bodies_have_a_length(api: TokenServer, tmp_path: Path) -> None:
    """Whatever the body is read from: many servers take a body in chunks for an empty one."""
    file, empty, pipe = tmp_path / "file", tmp_path / "empty", tmp_path / "pipe"
    file.write_bytes(b"a=b\r\nc=d\n" * 9000)
    empty.touch()
    os.mkfifo(pipe)
    octets = ("-H", "Content-Type: application/octet-stream")
    for words, size in (
        (("-d", f"@{file}"), 6 * 9000),
        (("-d", f"@{file}", *octets), 9 * 9000),
        (("-d", "@-"), 6 * 9000),
        (("-d", f"@{pipe}"), 6 * 9000),
        (("-d", f"@{empty}"), 0),
        (("-d", "@/dev/null"), 0),
        (("-d", "@/proc/self/statm"), None),
        (("--json", f"@{file}"), 9 * 9000),
        (("--json", "@-"), 9 * 9000),
        (("--json", "@/proc/self/statm"), None),
        (("-F", f"f=@{file}"), None),
        (("-F", "f=@-", "-F", f"g=<{pipe}"), None),
    ):
        reader = subprocess.Popen(["/bin/sh", "-c", 'cat "$0" >"$1"', file, pipe])
        try:
            found = echo("x", *words, stdin=file.read_bytes())
        finally:
            reader.kill()
            reader.wait()
        headers = found["headers"]
        assert isinstance(headers, dict)
        assert "transfer-encoding" not in headers, words
        assert headers["content-length"] == str(found["size"]), words
        assert found["size"] == size if size is not None else found["size"], words


def test_large_bodies_take_little_memory(api: TokenServer, tmp_path: Path) -> None:
    """96 MiB go up from a file and from a pipe, and down, without being held in memory."""
    size = 96
    upload, expected = tmp_path / "upload", hashlib.sha256()
    with upload.open("wb") as file:
        for _ in range(size):
            file.write(BIG_PIECE)
            expected.update(BIG_PIECE)
    measure = (
        "import resource, subprocess, sys\n"
        "code = subprocess.call(sys.argv[1:])\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)\n"
        "sys.exit(code)\n"
    )

    def run(*words: str, stdin: Path | None = None, stdout: Path) -> None:
        with (stdin or Path(os.devnull)).open("rb") as source, stdout.open("wb") as target:
            done = subprocess.run(
                [sys.executable, "-c", measure, script(), "request", "oauth2", *words],
                stdin=source,
                stdout=target,
                stderr=subprocess.PIPE,
                check=True,
                timeout=300,
            )
        assert int(done.stderr.split()[-1]) < KIB_LIMIT

    echo("warm")
    reply = tmp_path / "reply"
    binary = ("-H", "Content-Type: application/octet-stream")
    for words, stdin in ((("-d", f"@{upload}"), None), (("-d", "@-"), upload), (("-F", f"f=@{upload}"), None)):  # fmt: skip
        run(
            "PUT",
            "upload",
            *words,
            *(binary if words[0] == "-d" else ()),
            stdin=stdin,
            stdout=reply,
        )
        found = json.loads(reply.read_text())
        if words[0] == "-d":
            assert (found["size"], found["sha256"]) == (size << 20, expected.hexdigest())
        else:
            assert found["size"] > size << 20
    run(f"big/{size}", stdout=reply)
    assert hashlib.sha256(reply.read_bytes()).digest() == expected.digest()


def test_a_slow_reply_may_take_longer_than_the_timeout(api: TokenServer) -> None:
    """The timeout is for each wait, not for the whole transfer; silence ends it."""
    assert request("slow/10", "--timeout", "1s").stdout == b"x" * 10
    assert len(api.statuses) == 1


def test_a_reply_that_breaks_off_is_an_error(api: TokenServer) -> None:
    """What has come is printed, and the exit code tells that it isn't all."""
    done = request("broken")
    assert (done.returncode, done.stdout) == (6, b"half")
    assert b"closed the connection in the middle of its reply" in done.stderr


@pytest.mark.parametrize(("path", "shown"), [("silent", b""), ("stalled", b"half")])
def test_silence_ends_a_request(api: TokenServer, path: str, shown: bytes) -> None:
    """Before the reply or within it: the exit code is 6, and the request is not sent again."""
    done = request(path, "--timeout", "1s")
    assert (done.returncode, done.stdout) == (6, shown)
    assert b"nothing came from " in done.stderr
    assert done.stderr.endswith(b"cause: --timeout allows 1 s\n")
    assert api.paths == [f"GET /{path}"]


def test_a_reader_that_goes_away(api: TokenServer) -> None:
    """Ends with 141 and without a word, as a program does that SIGPIPE ends."""
    process = subprocess.Popen(
        [script(), "request", "oauth2", "big/64"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert (process.wait(timeout=60), process.stderr.read()) == (141, b"")
    process.stderr.close()


def test_a_missing_directory_is_noticed_before_anything_is_sent(
    api: TokenServer, tokencli: Run, tmp_path: Path
) -> None:
    """The fix makes it."""
    path = tmp_path / "no dir" / "reply"
    done = tokencli("request", "oauth2", "POST", "x", "-o", str(path))
    assert (done.code, api.statuses) == (8, [])
    assert done.err.endswith(f"fix: mkdir -p -m 700 '{path.parent}'\n")
    path.parent.mkdir()
    assert tokencli("request", "oauth2", "POST", "x", "-o", str(path)).code == 0


def test_a_full_disk_is_an_error(api: TokenServer) -> None:
    """It is neither success nor a failure of the network."""
    done = request("big/1", "-o", "/dev/full")
    assert done.returncode == 8
    assert b"No space left on device" in done.stderr


def test_a_terminal_gets_formatted_json(api: TokenServer) -> None:
    """Indented, in color, and with numbers as the server wrote them; nothing that a terminal obeys."""
    shown, code = in_terminal("status/200")
    assert code == 0
    assert "no luck" in shown
    assert "\x1b[" in shown
    shown, _ = in_terminal("escape")
    assert "\x1b]0;evil" not in shown
    assert "\\u001b]0;evil\\u0007 text\n" in shown
    shown, _ = in_terminal("binary")
    assert "the reply is not text (131072 bytes); -o FILE saves it" in shown


def test_a_terminal_shows_text_as_it_comes(api: TokenServer) -> None:
    """Only what may be JSON is held, and shown as it is if it breaks off; the wait line erases nothing."""
    echo("warm")
    shown, _ = in_terminal("slow/7")
    assert shown == "xxxxxxx\n"
    for path, start in (("broken", "half\n"), ("json/broken", '{"half": 1,\n')):
        shown, code = in_terminal(path)
        assert shown.startswith(start)
        assert code == 6
    shown, _ = in_terminal("json/bom")
    assert shown.startswith("{\n  ")
    for name in ("latin-1", "nonsense", "zip", "rot13", "idna", "punycode", "undefined"):
        shown, code = in_terminal(f"charset/{name}")
        assert (shown, code) == ("caf\u00e9\n" if name == "latin-1" else "caf\ufffd\n", 0)
    shown, _ = in_terminal("coding/br")
    assert "the reply is not text (6 bytes); -o FILE saves it" in shown


@pytest.mark.requirement(16)
def test_the_token_stays_with_its_api(api: TokenServer, tokencli: Run) -> None:
    """Other origins get nothing unless asked for, and no spelling of a URL reaches one."""
    echo("warm")
    host = api.host
    port = int(host.partition(":")[2])
    for url in (
        f"https://127.0.0.1:{port + 1}/x",
        "https://evil.example/x",
        f"https://{host}@evil.example/x",
        f"https://{host}.evil.example/x",
        f"https://evil.example\\@{host}/x",
        f"https://{host}\\@evil.example/x",
        f"http://{host}/x",
        "//evil.example/x",
        "https:evil.example/x",
        "https:/evil.example/x",
        f"ftp://{host}/x",
        f"https://localhost:{port}/x",
        f" https://{host}/x",
        f"https://{host}\t.evil.example/",
        f"https://{host}\r\nX: y/",
    ):
        done = tokencli("request", "oauth2", url)
        assert (done.code in (2, 3), done.out) == (True, ""), url
        assert "fix: tokencli login" not in done.err
    assert len(api.statuses) == 1
    for path in ("../../x", "/../x", "a/./../../x", "https://" + host + "/a/../../x"):
        assert echo(path)["path"] == "/x"
    assert echo("a//b/?q=..#frag")["path"] == "/a//b/?q=.."
    assert echo("a:b/https://evil.example")["path"] == "/a:b/https://evil.example"


def test_another_server_on_request(api: TokenServer, tokencli: Run) -> None:
    """The refusal says whose the token is; no command that sends it elsewhere can just be pasted."""
    echo("warm")
    assert (
        tokencli("profiles", "edit", "oauth2", "--set", "api_url=https://api.example.com/v2").code
        == 0
    )
    refused = tokencli("request", "oauth2", f"{api.url}/orders")
    assert refused.code == 3
    assert (
        "the token of profile 'oauth2' is only for https://api.example.com, and not" in refused.err
    )
    assert f"if the token is meant for {api.url}, set api_url, or add --anywhere" in refused.err
    assert "fix:" not in refused.err
    assert tokencli("request", "oauth2", f"{api.url}/orders", "--anywhere").code == 0
    assert tokencli("profiles", "edit", "oauth2", "--unset", "api_url").code == 0
    refused = tokencli("request", "oauth2", f"{api.url}/orders")
    assert "the server of its token endpoint, as it has no api_url" in refused.err
    assert "fix:" not in refused.err


@pytest.mark.parametrize("command", [("request", "oauth2"), ("curl", "oauth2", "--")])
@pytest.mark.parametrize("has_api_url", [True, False])
def test_a_wrong_scheme_is_not_another_server(
    command: tuple[str, ...], has_api_url: bool, api: TokenServer, tokencli: Run
) -> None:
    """The fix is the same command with the API's own scheme; the token isn't sent unencrypted."""
    base = api.url
    if not has_api_url:
        assert tokencli("profiles", "edit", "oauth2", "--unset", "api_url").code == 0
        refused = tokencli("request", "oauth2", "https://other.example.com/").err
        base = refused.partition(" is only for ")[2].partition(",")[0]
    for url in (base.replace("https:", "http:"), base.removeprefix("https://")):
        done = tokencli(*command, f"{url}/orders/1")
        assert (done.code, done.out) == (2, "")
        assert f"the token of profile 'oauth2' is for {base}\n" in done.err
        assert done.err.endswith(f"fix: tokencli {' '.join(command)} {base}/orders/1\n")
    assert api.statuses == []
    if has_api_url:
        assert tokencli(*command, f"{base}/orders/1").code == 0
        assert api.statuses == [200]


@pytest.mark.requirement(15)
def test_nothing_shows_the_token(api: TokenServer, tokencli: Run) -> None:
    """Neither -v nor an error, nor a header that would replace it."""
    echo("warm")
    token = api.credentials[0].removeprefix("Bearer ")
    for words in (("x", "-v"), ("status/403", "-v", "-i"), ("https://evil.example/", "-v"), ("broken", "-v"), ("x", "-H", "authorization: Bearer x")):  # fmt: skip
        done = tokencli("request", "oauth2", *words)
        assert token not in done.err, words
        assert token.split(".")[2] not in done.err, words
    assert done.code == 2
    assert "the header authorization can't be set" in done.err


def test_usage_errors(api: TokenServer, tokencli: Run, tmp_path: Path) -> None:
    """Each says what is wrong, and nothing is sent."""
    for words, says in (
        (("a", "b", "c", "d"), "a request has a profile"),
        (("oauth2",), "there is no URL: 'oauth2' is a profile"),
        ((), "a request has a profile"),
        (("oauth2", "G T", "x"), "not a method"),
        (("oauth2", "x", "-X", "G T"), "not a method"),
        (("oauth2", "PUT", "x", "-X", "GET"), "the method is given twice"),
        (("oauth2", "DELETE"), "there is no URL after the method DELETE"),
        (("DELETE", "x"), "fix: tokencli request -X DELETE x\n"),
        (("oauth2", "x", "-H", "X-Name: caf\u00e9"), "is not ASCII"),
        (("oauth2", "x", "-d", "a", "--json", "1"), "only one can be used"),
        (("oauth2", "x", "-d", "@/missing"), "can't read the file '/missing'"),
        (("oauth2", "x", "-H", "no header"), "not a header"),
        (("oauth2", "x", "-H", "Host: evil.example"), "the header Host can't be set"),
        (("oauth2", "x", "-H", "Content-Length: 1"), "the header Content-Length can't be set"),
        (("oauth2", "x", "-F", "novalue"), "not a part of a form"),
    ):
        done = tokencli("request", *words)
        assert (done.code, done.out) == (2, ""), words
        assert says in done.err
    assert api.statuses == []


@pytest.fixture
def run_both() -> Callable[..., tuple[bytes, bytes]]:
    """Run a command line with and without Typer, which `-q` needs."""

    def run(*words: str) -> tuple[bytes, bytes]:
        return request(*words).stdout, request(*words, "-q").stdout

    return run


def test_both_forms_do_the_same(
    api: TokenServer, run_both: Callable[..., tuple[bytes, bytes]]
) -> None:
    """The form without Typer and the whole one."""
    for words in (
        ("x",),
        ("-X", "PUT", "DELETE"),
        ("PUT", "x", "-d", "a=b", "-H", "X-Tag: 1"),
        ("x", "--json", "{}", "-i"),
    ):
        plain, whole = run_both(*words)
        assert plain.splitlines()[-1] == whole.splitlines()[-1]
