"""The real curl with `tokencli curl`: the token is on a descriptor, and only for its API."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from time import sleep

import pytest

from tests.conftest import IN_CI, Run, script
from tests.e2e.consumers.api_server import (
    BINARY,
    ApiHandler,
    read_argv_of_all_processes,
    serve_api,
)
from tests.e2e.consumers.expiries import EXPIRIES, set_lifetime, until_expired
from tests.e2e.consumers.token_server import TokenServer
from tokencli.sandbox.server import Sandbox

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(which("curl") is None and not IN_CI, reason="apt-get install curl"),
]


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox and use its configuration."""
    with Sandbox() as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        yield running


class RedirectingHandler(ApiHandler):
    """Redirects `/to/PORT` to that port of this machine."""

    def do_GET(self) -> None:
        """Redirect, or reply as usual."""
        if self.path.startswith("/to/"):
            self.server.paths.append(f"{self.command} {self.path}")
            self._reply(302, b"", Location=f"https://127.0.0.1:{self.path[4:]}/landed")
        else:
            super().do_GET()


@pytest.fixture
def api(sandbox: Sandbox, tmp_path: Path) -> Iterator[TokenServer]:
    """Run an API."""
    with serve_api(sandbox, tmp_path, RedirectingHandler) as server:
        yield server


def curl(*words: str, profile: str = "oauth2") -> subprocess.CompletedProcess[bytes]:
    """Run `tokencli curl oauth2 -- -sS …`."""
    return subprocess.run(
        [script(), "curl", profile, "--", "-sS", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_tokens_expire_between_transfers(short_lived: Sandbox, tmp_path: Path) -> None:
    """Each run of curl has a token that is fresh at its start, and none is refused."""
    set_lifetime(short_lived, 2)
    with serve_api(short_lived, tmp_path) as server:
        for number in until_expired(short_lived):
            done = curl(f"{server.url}/orders/{number}")
            assert json.loads(done.stdout)["path"] == f"/orders/{number}", done.stderr
        assert 401 not in server.statuses
        assert len(set(server.credentials)) > EXPIRIES


def test_output_and_exit_code_are_curls_own(api: TokenServer) -> None:
    """Bytes, options, several URLs and failures."""
    assert curl(f"{api.url}/binary").stdout == BINARY
    found = json.loads(curl("-d", "a=b", "-X", "PUT", f"{api.url}/x", "-H", "X-Tag: 1").stdout)
    assert (found["method"], found["body"], found["headers"]["x-tag"]) == ("PUT", "a=b", "1")
    assert curl("-f", f"{api.url}/status/404").returncode == 22
    assert curl(f"{api.url}/x", "--url", f"{api.url}/{{a,b}}/[1-2]").stdout.count(b'"GET"') == 5
    assert curl("--no-such-option", f"{api.url}/x").returncode == 2
    assert b"curl 7" in curl("--version").stdout or b"curl 8" in curl("--version").stdout
    assert curl("-q", "--cacert", "/nonexistent", f"{api.url}/x").returncode == 77


@pytest.mark.parametrize("option", ["-q", "-qsS", "--disable"])
def test_curlrc_can_be_disabled(
    api: TokenServer, tmp_path: Path, tokencli: Run, option: str
) -> None:
    """By the first option, as with curl itself."""
    (tmp_path / "home" / ".curlrc").write_text("user-agent = from-curlrc\n")
    for words, is_read in (((), True), ((option,), False)):
        done = tokencli("curl", "oauth2", "--", *words, f"{api.url}/x")
        assert (json.loads(done.out)["headers"]["user-agent"] == "from-curlrc") == is_read


@pytest.mark.requirement(13)
def test_no_process_shows_the_token(api: TokenServer) -> None:
    """While curl runs, no command line and no environment of this machine has it."""
    process = subprocess.Popen(
        [script(), "curl", "oauth2", "--", "-sS", f"{api.url}/slow/5"], stdout=subprocess.PIPE
    )
    while not api.paths:
        sleep(0.05)
    shown = read_argv_of_all_processes()
    token = api.credentials[0].removeprefix("Bearer ")
    assert "/dev/fd/" in shown
    assert "/slow/5" in shown
    assert token not in shown
    assert process.communicate()[0] == b"xxxxx"
    assert process.returncode == 0


@pytest.mark.requirement(16)
def test_the_token_stays_with_its_api(
    api: TokenServer, sandbox: Sandbox, tmp_path: Path, tokencli: Run
) -> None:
    """Other servers, options that hide a URL, and redirects get nothing."""
    (tmp_path / "other").mkdir()
    (tmp_path / "home" / ".curlrc").write_text("location-trusted\nverbose\n")
    config = tmp_path / "curl.conf"
    config.write_text(f'url = "{api.url}/x"\n')
    with serve_api(sandbox, tmp_path / "other") as other:
        assert tokencli("profiles", "edit", "oauth2", "--set", f"api_url={api.url}").code == 0
        for words in (
            (f"{other.url}/x",),
            (f"{api.url}/x", f"{other.url}/x"),
            (f"{api.url}/x", "--url", f"{other.url}/x"),
            (f"https://{api.host}@{other.host}/x",),
            (f"https://{{{api.host},{other.host}}}/x",),
            (f"https:/{other.host}/x",),
            (f"https:///{other.host}/x",),
            (f"https://{other.host}\\@{api.host}/x",),
            (f"http://{api.host}/x",),
            (api.host,),
            ("-K", str(config)),
            ("--url", f"@{config}"),
            ("--location-trusted", f"{api.url}/x"),
            ("--next", f"{api.url}/x"),
            ("-vv", f"{api.url}/x"),
            ("-v", "--stderr", str(tmp_path / "log"), f"{api.url}/x"),
            ("--trace-ascii", "-", f"{api.url}/x"),
            ("--trace", "-", f"{api.url}/x"),
            ("-H", "authorization: Bearer x", f"{api.url}/x"),
        ):
            done = curl(*words)
            assert done.returncode in (2, 3), words
            assert done.stdout == b"", words
            assert done.stderr.startswith(b"tokencli: error:"), words
        assert (api.statuses, other.statuses) == ([], [])
        port = other.host.partition(":")[2]
        followed = curl("-k", "-L", f"{api.url}/to/{port}")
        assert b"Authorization" not in followed.stderr  # -v of ~/.curlrc would print it
        assert (api.paths, other.paths) == ([f"GET /to/{port}"], ["GET /landed"])
        assert other.credentials == [""]
        curl("-k", f"{api.url}/to/{port}")  # ~/.curlrc would follow, with the token
        assert len(other.paths) == 1


@pytest.mark.requirement(15)
def test_verbose_output_has_no_token(api: TokenServer) -> None:
    """`-v` shows what is sent and received; the body and the exit code stay curl's own."""
    done = curl("-v", f"{api.url}/binary")
    token = api.credentials[0].removeprefix("Bearer ").encode()
    assert (done.returncode, done.stdout) == (0, BINARY)
    assert b"> Authorization: Bearer ***\r\n" in done.stderr
    assert b"< HTTP/1.1 200 OK\r\n" in done.stderr
    assert b"SSL connection using" in done.stderr
    assert curl("-fv", f"{api.url}/status/404").returncode == 22
    hidden = curl("--anywhere-in-a-later-release", f"{api.url}/x")
    assert hidden.returncode == 2
    for each in (done, hidden):
        assert token not in each.stderr


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (("URL",), ("--", "URL")),
        (("-sSv", "URL"), ("--", "-sSv", "URL")),
        (("--min-ttl", "5m", "URL"), ("--min-ttl", "5m", "--", "URL")),
        (("-u", "user:secret", "URL"), None),
        (("URL?key=secret",), None),
    ],
)
def test_missing_dashes(
    api: TokenServer, tokencli: Run, words: tuple[str, ...], fix: tuple[str, ...] | None
) -> None:
    """The fix is the whole command, unless a word may be secret; then only its beginning is named."""
    given = [word.replace("URL", f"{api.url}/x") for word in words]
    done = tokencli("curl", "oauth2", *given)
    assert done.code == 2
    assert "curl's options and its URL follow `--`" in done.err
    assert "secret" not in done.err
    if fix is None:
        assert "as in tokencli curl oauth2 -- …\n" in done.err
        assert "fix:" not in done.err
        return
    expected = ["curl", "oauth2", *(word.replace("URL", f"{api.url}/x") for word in fix)]
    assert done.err.partition("fix: tokencli ")[2].split() == expected
    assert tokencli(*expected).code == 0


@pytest.mark.parametrize("path", ["orders", "/orders/1"])
def test_a_path_is_no_url_for_curl(path: str, api: TokenServer, tokencli: Run) -> None:
    """The fix is the command that appends it to the api_url, and nothing blames http."""
    done = tokencli("curl", "oauth2", "--", path)
    assert done.code == 2
    assert "error: can't use the URL: curl takes whole URLs" in done.err
    assert "http would" not in done.err
    assert done.err.endswith(f"fix: tokencli request oauth2 {path}\n")
    assert tokencli("request", "oauth2", path).code == 0
    for words in (("-d", "canary-body", path), ("api.example.com/orders",)):
        done = tokencli("curl", "oauth2", "--", *words)
        assert (done.code, "fix:" in done.err, "canary" in done.err) == (2, False, False)


def test_another_server_on_request(api: TokenServer, tokencli: Run) -> None:
    """The refusal says whose the token is; no command that sends it elsewhere can just be pasted."""
    set_api = ("profiles", "edit", "oauth2", "--set", "api_url=https://api.example.com/")
    assert tokencli(*set_api).code == 0
    refused = tokencli("curl", "oauth2", "--", f"{api.url}/x")
    assert refused.code == 3
    assert "is only for https://api.example.com, and not" in refused.err
    assert "fix:" not in refused.err
    sent = tokencli("curl", "oauth2", "--anywhere", "--", f"{api.url}/x")
    assert json.loads(sent.out)["path"] == "/x"
    assert api.credentials[0].startswith("Bearer ")


PROVIDER = """
[providers.own]
title = "Own"
endpoints.token = "{url}/oauth2/token"
use = {use}
[profiles.own]
provider = "own"
client_id = "batch"
scope = "read write"
client_secret = {{ file = "{secret}" }}
api_url = "{api}"
ca_file = "{ca}"
store = "file"
"""


@pytest.mark.parametrize(
    "use",
    [
        '["X-Auth-Token: {token}", "X-Key: a\\"b\\\\c"]',
        '["?access_token={token}", "X-Key: k"]',
    ],
)
def test_other_ways_to_carry_a_token(
    api: TokenServer,
    sandbox: Sandbox,
    tmp_path: Path,
    use: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Headers and parameters of the provider's `use`; a header that follows redirects refuses -L."""
    path = Path(sandbox.config_file)
    secret = path.parent / "oauth2.client_secret"
    text = PROVIDER.format(
        url=sandbox.url, use=use, secret=secret, api=api.url, ca=tmp_path / "both.pem"
    )
    path.write_text(path.read_text() + text)
    monkeypatch.setattr(ApiHandler, "is_authorized", lambda _: True)
    done = curl(f"{api.url}/x?a=b", profile="own")
    found = json.loads(done.stdout)
    token = sandbox.issued_tokens[-1].token
    if "X-Auth" in use:
        assert found["headers"]["x-auth-token"] == token
        assert found["headers"]["x-key"] == 'a"b\\c'
    else:
        assert found["path"] == f"/x?a=b&access_token={token}"
    for option in ("-L", "--follow"):
        refused = curl(option, f"{api.url}/x", profile="own")
        assert refused.returncode == 2
        assert b"along a redirect to any server" in refused.stderr
    shown = curl("-v", "-w", "%{url_effective}", f"{api.url}/x", profile="own")
    assert token.encode() not in shown.stderr
    if "?" in use:
        assert shown.stdout.endswith(b"/x?access_token=***")
        assert curl("--xattr", f"{api.url}/x", profile="own").returncode == 2
    else:
        assert b"> X-Auth-Token: ***\r\n" in shown.stderr


def test_tokens_that_need_a_proof_are_refused(api: TokenServer, tokencli: Run) -> None:
    """The fix is the command that makes the proof."""
    assert tokencli("profiles", "edit", "dpop-demo", "--set", f"api_url={api.url}").code == 0
    done = tokencli("curl", "dpop-demo", "--", f"{api.url}/x")
    assert done.code == 2
    assert f"fix: tokencli request dpop-demo {api.url}/x\n" in done.err
    assert api.statuses == []


def test_curl_is_missing(api: TokenServer, tokencli: Run, tmp_path: Path) -> None:
    """The exit code is a shell's, and the error names the program."""
    done = tokencli("curl", "oauth2", "--", f"{api.url}/x", env={"PATH": str(tmp_path)})
    assert done.code == 127
    assert "command 'curl': not found" in done.err
