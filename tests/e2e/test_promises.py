"""Security promises that several modules keep together, checked through the program itself."""

import json
import os
import pty
import re
import subprocess
from base64 import b64decode
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote_plus

import pytest

from tests.conftest import Result, Run, script
from tests.fakes import (
    FakeContext,
    FakeTerminal,
    FakeTransport,
    json_reply,
    keyring_ref,
    make_profile,
)
from tests.faults import behaviours as b
from tests.faults.authority import ca_file
from tests.faults.server import Behaviour, Counters, running
from tokencli.core.login import log_in

Write = Callable[[str], Path]
ISSUED = "canary-issued-7f3a"
PASSWORD = "canary-password-7f3a"


def batch(port: int, more: str = "", *, name: str = "batch") -> str:
    """Return a client credentials profile for a server at that port."""
    return f"""\
[profiles.{name}]
provider = "oauth2"
grant = "client_credentials"
token_url = "https://127.0.0.1:{port}/connect/token"
client_id = "batch"
client_secret = {{ env = "CANARY" }}
ca_file = "{ca_file()}"
timeout = 10
store = "none"
{more}
"""


def groupid(port: int) -> str:
    """Return a password profile for a server at that port."""
    return f"""\
[profiles.person]
provider = "groupid"
token_url = "https://127.0.0.1:{port}/connect/token"
username = "jdoe"
client_id = "batch"
identity_store_id = "1"
password = {{ env = "CANARY" }}
client_secret = {{ env = "CANARY" }}
ca_file = "{ca_file()}"
timeout = 10
store = "none"
"""


@pytest.fixture
def ask(tokencli: Run, write_config: Write, monkeypatch: pytest.MonkeyPatch) -> "Ask":
    """Return a function that runs the program against a server with that behaviour."""
    monkeypatch.setenv("CANARY", PASSWORD)

    def run(
        behave: Behaviour,
        *arguments: str,
        config: Callable[[int], str] = batch,
        environ: Mapping[str, str] | None = None,
    ) -> tuple[Result, Counters]:
        with running(behave) as server:
            write_config(config(server.port))
            return tokencli(*(arguments or ("get",)), env=environ), server.counters

    return run


Ask = Callable[..., tuple[Result, Counters]]
GOOD = b.says(b.message("200 OK", b.TOKEN))


@pytest.mark.requirement(6)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int, ask: Ask) -> None:
    """A password is sent to the profile's host only; the error names the other host."""
    with running(GOOD) as other:
        target = f"https://localhost:{other.port}/token"
        reply = b.says(b.message(f"{status} Elsewhere", b"", f"Location: {target}"))
        done, seen = ask(reply, config=groupid)
    assert (done.code, done.out, len(seen.requests)) == (7, "", 1)
    assert other.counters.connections == 0
    assert target in done.err
    assert "token_url" in done.err
    assert PASSWORD not in done.err


@pytest.mark.requirement(7)
@pytest.mark.parametrize("entry", ["machine 127.0.0.1", "default"])
def test_netrc_is_not_read(entry: str, ask: Ask, tmp_path: Path) -> None:
    """Neither ~/.netrc nor $NETRC adds anything to a request."""
    netrc = tmp_path / "home" / ".netrc"
    netrc.write_text(f"{entry} login evil password canary-netrc\n")
    netrc.chmod(0o600)
    for config in (batch, groupid):
        done, seen = ask(GOOD, config=config, environ={"NETRC": str(netrc)})
        assert done.code == 0, done.err
        (request,) = seen.requests
        sent = request.header("authorization")
        ours = config is batch
        assert (sent is not None) is ours
        if sent:
            assert b64decode(sent.removeprefix("Basic ")) == f"batch:{PASSWORD}".encode()
        assert "cookie" not in request.head.lower()


@pytest.mark.requirement(7)
def test_url_with_a_password_is_refused(tokencli: Run, write_config: Write) -> None:
    """user:password@ in a URL is a configuration error that doesn't show the password."""
    text = batch(9).replace("https://127", f"https://user:{PASSWORD}@127")
    write_config(text)
    done = tokencli("get")
    assert (done.code, done.out) == (3, "")
    assert "token_url" in done.err
    assert PASSWORD not in done.err


@pytest.mark.requirement(10)
def test_insecure_warns_on_every_run(ask: Ask) -> None:
    """With a password or a refresh token, a second key is required."""
    config = batch(0, "insecure = true").replace(f'ca_file = "{ca_file()}"\n', "")
    for _ in range(2):
        done, _seen = ask(GOOD, config=lambda port: config.replace(":0/", f":{port}/"))
        assert (done.code, done.out) == (0, f"{ISSUED}\n")
        assert done.err.count("warning: ") == 1
        assert "insecure" in done.err
    done, seen = ask(GOOD, config=lambda port: groupid(port) + "insecure = true\n")
    assert (done.code, done.out, seen.connections) == (3, "", 0)
    assert "allow_insecure_password" in done.err
    done, seen = ask(GOOD, "profiles", "show", config=browser_profile)
    assert (done.code, seen.connections) == (3, 0)
    assert "allow_insecure_password" in done.err


def browser_profile(port: int) -> str:
    """Return a profile whose refresh tokens would be sent unprotected."""
    return (
        batch(port, 'insecure = true\nauthorization_url = "https://h.example/authorize"')
        .replace("client_credentials", "authorization_code")
        .replace(f'ca_file = "{ca_file()}"\n', "")
    )


BODIES: dict[str, tuple[bytes, int]] = {
    "a member twice": (b'{"access_token": "a", "access_token": "b"}', 7),
    "NaN": (b'{"access_token": "canary-issued-7f3a", "expires_in": NaN}', 0),
    "infinite": (b'{"access_token": "canary-issued-7f3a", "expires_in": 1e999}', 0),
    "too deep": (b"[" * 100_000, 7),
    "a number of 5000 digits": (
        b'{"access_token": "canary-issued-7f3a", "expires_in": ' + b"9" * 5000 + b"}",
        0,
    ),
    "a byte order mark": (b'\xef\xbb\xbf{"access_token": "canary-issued-7f3a"}', 0),
    "not UTF-8": (b'{"access_token": "canary\xff"}', 7),
    "a lone surrogate": (b'{"access_token": "canary\\ud800"}', 7),
    "beyond ASCII": ('{"access_token": "canäry"}'.encode(), 7),
    "a space inside": (b'{"access_token": "a b"}', 7),
    "a line break inside": (b'{"access_token": "a\\nSet-Cookie: x"}', 7),
    "an empty token": (b'{"access_token": ""}', 7),
    "a fraction": (b'{"access_token": 5.5}', 7),
    "null": (b'{"access_token": null}', 7),
    "an array": (b'["canary"]', 7),
    "a word": (b'"canary"', 7),
    "cut off": (b'{"access_token": "canary', 7),
    "nothing": (b"", 7),
    "blanks": (b" \n", 7),
    "an error beside 200": (b'{"error": "invalid_client", "access_token": "canary-x"}', 5),
    "a form unannounced": (b"access_token=canary-issued-7f3a&token_type=bearer", 0),
    "an encoded form unannounced": (b"access_token=canary%2Dx&token_type=bearer", 7),
    "another type": (b'{"access_token": "canary-x", "token_type": "mac"}', 7),
    "a type in capitals": (b'{"access_token": "canary-issued-7f3a", "token_type": "BEARER"}', 0),
}


@pytest.mark.requirement(24)
@pytest.mark.parametrize("what", BODIES)
def test_responses_are_read_strictly(what: str, ask: Ask) -> None:
    """Either the complete token as sent or one clear error, never a part or a guess."""
    body, code = BODIES[what]
    done, seen = ask(b.says(b.message("200 OK", body)))
    assert (done.code, len(seen.requests)) == (code, 1), done.err
    assert done.out == (f"{ISSUED}\n" if code == 0 else "")
    assert "Traceback" not in done.err
    if code:
        labels = [line.split(": ")[1] for line in done.err.splitlines()]
        # Without a fix if only the profile's owner can correct a secret, or the server its reply.
        helpless = code == 5 or "only its administrators can correct" in done.err
        assert labels in (
            *(["error", "fix"], ["error", "cause", "fix"]),
            *([["error", "cause"]] if helpless else []),
        )
    assert seen.requests[0].header("accept") == "application/json"


NASTY = ["a b", "100%", "a&b=c", "a+b", "x:y/z", "£5", "€", "ä é", "ключ", "~-._*", "'\"\\"]


@pytest.mark.requirement(25)
@pytest.mark.parametrize("secret", NASTY)
def test_client_credentials_arrive_unchanged(secret: str, ask: Ask) -> None:
    """Basic: both parts form-encoded in UTF-8, then base64, and no second method."""
    done, seen = ask(GOOD, environ={"CANARY": secret})
    assert done.code == 0, done.err
    (request,) = seen.requests
    scheme, _, encoded = (request.header("authorization") or "").partition(" ")
    user, _, password = b64decode(encoded).decode("ascii").partition(":")
    assert (scheme, unquote_plus(user), unquote_plus(password)) == ("Basic", "batch", secret)
    assert "client_secret" not in dict(parse_qsl(request.body.decode("ascii")))
    in_body = batch(0, 'client_auth = "client_secret_post"')
    done, seen = ask(
        GOOD,
        config=lambda port: in_body.replace(":0/", f":{port}/"),
        environ={"CANARY": secret},
    )
    (request,) = seen.requests
    assert dict(parse_qsl(request.body.decode("ascii")))["client_secret"] == secret
    assert request.header("authorization") is None


@pytest.mark.requirement(26)
@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (b"canary\n", "canary"),
        (b"canary\r\n", "canary"),
        (b"canary \n", "canary "),
        (b"\xef\xbb\xbfcanary", "canary"),
        (b"canary\n\n", None),
        (b"can\0ary", None),
        (b"can\x1bary", None),
        (b"can\rary", None),
        (b"can\x7fary", None),
        (b"can\xe9ry", None),
    ],
)
def test_secret_file_is_read_exactly(
    written: bytes, sent: str | None, ask: Ask, tmp_path: Path
) -> None:
    """One final line end is ignored; any other control character is an error, and nothing is sent."""
    place = tmp_path / "secret"
    place.write_bytes(written)
    place.chmod(0o600)
    text = batch(0).replace('env = "CANARY"', f'file = "{place}"')
    done, seen = ask(GOOD, config=lambda port: text.replace(":0/", f":{port}/"))
    if sent is None:
        assert (done.code, done.out, seen.connections) == (4, "", 0)
        assert str(place) in done.err
        assert "ary" not in done.err.replace(str(place), "")
    else:
        assert done.code == 0, done.err
        header = seen.requests[0].header("authorization") or ""
        assert unquote_plus(b64decode(header.split()[1]).decode()) == f"batch:{sent}"


@pytest.mark.requirement(26)
@pytest.mark.parametrize(
    "line",
    [
        'params = { grant_type = "password" }',
        'params = { client_id = "other" }',
        "params = { tenant = true }",
        'params = { "a\\u0000b" = "c" }',
        'params = { tenant = "a\\r\\nb" }',
        'scope = "a\\u007fb"',
        'username = "jd\\u001boe"',
        'audience = " x"',
    ],
)
def test_invalid_parameters_are_refused(line: str, tokencli: Run, write_config: Write) -> None:
    """Control characters, other types and the standard OAuth parameters, with the line and the key."""
    write_config(batch(9, line))
    done = tokencli("get")
    assert (done.code, done.out) == (3, "")
    assert f"profiles.batch.{line.split()[0]}" in done.err
    assert "line 10" in done.err


@pytest.mark.requirement(26)
@pytest.mark.parametrize("header", ["Authorization", "Host", "Content-Length", "a b", "x\\u0000"])
def test_forbidden_headers_are_refused(header: str, tokencli: Run, write_config: Write) -> None:
    """A provider sets no header for framing, routing or the sender's identity."""
    write_config(
        batch(9).replace('"oauth2"', '"own"')
        + '[providers.own]\n[providers.own.endpoints]\ntoken = "{token_url}"\n'
        + "[providers.own.grants.client_credentials]\n"
        + f'[providers.own.request.headers]\n"{header}" = "x"\n'
    )
    done = tokencli("get")
    assert (done.code, done.out) == (3, "")
    assert "header" in done.err


@pytest.mark.requirement(30)
def test_password_grant_must_be_allowed(ask: Ask) -> None:
    """Nothing is sent without `allow_password_grant`, which systems with no other grant imply."""
    plain = batch(0, 'username = "jdoe"\npassword = { env = "CANARY" }')
    plain = plain.replace('"client_credentials"', '"password"')
    done, seen = ask(GOOD, config=lambda port: plain.replace(":0/", f":{port}/"))
    assert (done.code, done.out, seen.connections) == (3, "", 0)
    assert "allow_password_grant = true" in done.err
    allowed = plain + "allow_password_grant = true\n"
    done, seen = ask(GOOD, config=lambda port: allowed.replace(":0/", f":{port}/"))
    assert (done.code, done.out, len(seen.requests)) == (0, f"{ISSUED}\n", 1)
    done, seen = ask(GOOD, config=groupid)
    assert (done.code, done.out, len(seen.requests)) == (0, f"{ISSUED}\n", 1)


PROMPTED = batch(9).replace('env = "CANARY"', "prompt = true")
WAYS = {
    "no terminal at all": (["setsid", "--wait", script(), "get"], {}),
    "cron": (["env", "-i", "PATH=/usr/bin:/bin", script(), "get"], None),
    "a pipe": (["sh", "-c", f"echo canary-typed | {script()} get"], {}),
    "CI": ([script(), "get"], {"CI": "true"}),
    "--no-input": ([script(), "get", "--no-input"], {}),
}


@pytest.mark.requirement(31)
@pytest.mark.parametrize("way", WAYS)
def test_no_prompt_without_a_terminal(way: str, write_config: Write) -> None:
    """Without a terminal, in CI and with --no-input: exit 4 at once, with the next step."""
    config = write_config(PROMPTED)
    arguments, environ = WAYS[way]
    if environ is None:
        arguments = [*arguments, "--config", str(config)]
    # CI and --no-input count where there is a terminal, too.
    ours, theirs = pty.openpty()
    there = way in ("CI", "--no-input")
    try:
        done = subprocess.run(
            arguments,
            env={**os.environ, **(environ or {})},
            stdin=theirs if there else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert (done.returncode, done.stdout) == (4, ""), done.stderr
    assert "tokencli: fix: " in done.stderr
    assert "canary-typed" not in done.stderr
    assert not re.search(r"for profile \w+: ", done.stderr)


@pytest.mark.requirement(33)
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_loopback_requests_bypass_proxies(name: str, ask: Ask) -> None:
    """A recording proxy, set by any variable, sees no request to loopback."""
    with running(b.resets_at_once, tls=None) as proxy:
        address = f"http://user:{PASSWORD}@127.0.0.1:{proxy.port}"
        done, seen = ask(GOOD, "get", "-vvv", environ={name: address})
    assert (done.code, len(seen.requests), proxy.counters.connections) == (0, 1, 0), done.err
    assert PASSWORD not in done.err


FILES: dict[str, tuple[bytes, int, str]] = {
    "a byte order mark": (b"\xef\xbb\xbf" + batch(9).encode(), 0, ""),
    "Windows line ends": (batch(9).replace("\n", "\r\n").encode(), 0, ""),
    "UTF-16": (batch(9).encode("utf-16"), 3, "UTF-16"),
    "Latin-1": (batch(9, "# é").encode("latin-1"), 3, "not UTF-8"),
    "an escape in a name": (batch(9, name='"a\\u001b[31m"').encode(), 3, "line 1"),
    "a name that is a path": (batch(9, name='"../../etc/x"').encode(), 3, "line 1"),
    "a date for a text": (batch(9, "scope = 2024-05-23").encode(), 3, "line 10"),
    "NaN for a duration": (batch(9, "min_ttl = nan").encode(), 3, "line 10"),
    "an unknown key": (batch(9, 'clientid = "x"').encode(), 3, "client_id"),
    "http": (batch(9).replace("https", "http").encode(), 3, "line 4"),
    "a fragment": (batch(9).replace("token\"", "token#x\"").encode(), 3, "line 4"),
    "a secret": (batch(9, f'password = "{PASSWORD}"').encode(), 3, "tokencli login"),
    "no TOML": (b"[[[", 3, "line 1"),
    "bytes": (bytes(range(256)), 3, "config.toml"),
}  # fmt: skip


@pytest.mark.requirement(35)
@pytest.mark.parametrize("what", FILES)
def test_configuration_errors_name_the_line(what: str, tokencli: Run, write_config: Write) -> None:
    """Every mistake ends with exit code 3 and its line, without a traceback or a secret."""
    content, code, words = FILES[what]
    path = write_config("")
    path.write_bytes(content)
    done = tokencli("profiles", "show")
    assert done.code == code, done.err
    assert words in done.err
    assert PASSWORD not in done.err + done.out
    assert "Traceback" not in done.err


@pytest.mark.requirement(35)
@pytest.mark.parametrize(("mode", "code"), [(0o622, 3), (0o660, 0), (0o600, 0)])
def test_files_writable_by_others(mode: int, code: int, tokencli: Run, write_config: Write) -> None:
    """World-writable is an error, group-writable a warning, each with the command that fixes it."""
    write_config(batch(9)).chmod(mode)
    done = tokencli("profiles", "show")
    assert done.code == code
    assert ("chmod" in done.err) is (mode != 0o600)


@pytest.mark.requirement(35)
def test_secret_command_runs_without_a_shell(ask: Ask, tmp_path: Path) -> None:
    """What a shell would run as a second command is one argument."""
    command = json.dumps(["printf", "%s", f"x; touch {tmp_path}/canary $(id)"])
    text = batch(0).replace('env = "CANARY"', f"command = {command}")
    done, seen = ask(GOOD, config=lambda port: text.replace(":0/", f":{port}/"))
    assert done.code == 0, done.err
    header = seen.requests[0].header("authorization") or ""
    assert unquote_plus(b64decode(header.split()[1]).decode()).endswith("canary $(id)")
    assert not (tmp_path / "canary").exists()


@pytest.mark.requirement(36)
def test_working_directory_is_not_imported(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fetch imports no requests.py, keyring.py or rich.py from there."""
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in (
        "keyring",
        "requests",
        "rich",
        "typer",
        "ssl",
        "json",
        "sitecustomize",
        "tokencli",
    ):
        (trap / f"{name}.py").write_text("print('HIJACKED')\nraise SystemExit(99)\n")
    monkeypatch.chdir(trap)
    done, _ = ask(GOOD)
    assert (done.code, done.out) == (0, f"{ISSUED}\n"), done.err


ECHOES: dict[str, Callable[[str], bytes]] = {
    "code": lambda s: b.message("400 No", json.dumps({"error": s}).encode()),
    "description": lambda s: b.message(
        "400 No", json.dumps({"error": "invalid_client", "error_description": f"not {s}"}).encode()
    ),
    "page": lambda s: b.message("200 OK", f"<p>{s}".encode(), kind="text/html"),
    "text": lambda s: b.message("200 OK", f"you sent {s}, no".encode()),
    "member": lambda s: b.message("200 OK", json.dumps({s: s}).encode()),
    "twice": lambda s: b.message("200 OK", f'{{"{s}": 1, "{s}": 2}}'.encode()),
    "token type": lambda s: b.message(
        "200 OK", json.dumps({"access_token": "x", "token_type": s}).encode()
    ),
    "content type": lambda s: b.message("200 OK", b"x", kind=f"text/{s}"),
    "content type of a refusal": lambda s: b.message("400 No", b"x", kind=f"text/{s}"),
    "encoding": lambda s: b.message("200 OK", b"x", f"Content-Encoding: {s}"),
    "header": lambda s: b.message("403 No", b"", f"X-{s}: {s}"),
    "redirect": lambda s: b.message("307 Go", b"", f"Location: https://h.example/{s}?{s}#{s}"),
    "redirect to a host": lambda s: b.message("302 Go", b"", f"Location: https://{s}.example/"),
    "status line": lambda s: b.message(f"400 {s}", b""),
    "challenge": lambda s: b.message("401 No", b"", f'WWW-Authenticate: Bearer error="{s}"'),
}


@pytest.mark.requirement(15)
@pytest.mark.parametrize("place", ECHOES)
def test_echoed_secrets_are_masked(place: str, ask: Ask) -> None:
    """Anywhere in a response, at any verbosity."""
    reply = b.says(ECHOES[place](PASSWORD))
    for arguments in (["get", "-vvv"], ["get", "--json", "-v"]):
        done, _ = ask(reply, *arguments, config=groupid)
        assert done.code in (5, 7), done.err
        assert PASSWORD not in done.err + done.out


@pytest.mark.requirement(26)
def test_typed_secret_with_control_characters() -> None:
    """E.g. an arrow key's: it is not stored, and the prompt is repeated."""
    ctx = FakeContext(
        terminal=FakeTerminal(["canary\x1b[D", "", PASSWORD, "y"], interactive=True),
        transport=FakeTransport([json_reply('{"access_token": "x", "expires_in": 9}')]),
    )
    profile = make_profile(secrets={"client_secret": keyring_ref("client_secret")})
    done = log_in(profile, ctx)
    assert [ref.name for ref in done.stored_secrets] == ["client_secret"]
    kept = ctx.keyring.read(keyring_ref("client_secret"))
    assert kept is not None and kept.reveal() == PASSWORD
    assert "canary\x1b[D" not in " ".join(ctx.terminal.messages)
