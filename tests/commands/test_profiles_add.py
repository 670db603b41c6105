"""`tokencli profiles add` at a real terminal, with real servers whose CA is private."""

import json
import os
import pty
import re
import select
import shlex
import signal
import ssl
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from tests.conftest import Run, script
from tests.faults.authority import ca, ca_file
from tokencli.sandbox.groupid import GroupId
from tokencli.sandbox.server import Sandbox

GROUPID_ANSWERS = ["c", "jdoe", "1"]


ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")
QUIET_S = 0.4
"""A form that has written nothing for so long waits for an answer."""


def at_a_terminal(
    *args: str, answers: list[str], env: dict[str, str] | None = None
) -> tuple[int, str]:
    """Run the program in a new terminal, and type an answer whenever it waits for one.

    An answer that is one control character is typed without Enter.
    """
    child, terminal = pty.fork()
    if child == 0:
        os.execve(script(), [script(), *args], {**os.environ, **(env or {})})
    seen, waiting, limit = "", list(answers), time.monotonic() + 60
    quiet_since = time.monotonic()
    is_asked = False
    while time.monotonic() < limit:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                data = os.read(terminal, 4096)
            except OSError:  # the other side is gone
                break
            seen += ESCAPES.sub("", data.decode(errors="replace"))
            quiet_since, is_asked = time.monotonic(), True
        elif is_asked and waiting and time.monotonic() - quiet_since > QUIET_S:
            answer = waiting.pop(0)
            os.write(terminal, (answer if answer in ("\x03", "\x04") else f"{answer}\r").encode())
            is_asked = False
    os.close(terminal)
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGHUP)
    _, status = os.waitpid(child, 0)
    assert not waiting, (waiting, seen)
    return os.waitstatus_to_exitcode(status), seen


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Return the path of the configuration, which does not exist yet."""
    return tmp_path / "home/.config/tokencli/config.toml"


def profiles_in(path: Path) -> dict[str, dict[str, object]]:
    """Return the profiles of a configuration file."""
    found: dict[str, dict[str, object]] = tomllib.loads(path.read_text())["profiles"]
    return found


@contextmanager
def issuer(**more: object) -> Iterator[str]:
    """Run an issuer with metadata behind a certificate from a private CA; yield its URL."""
    documents: dict[str, object] = {}

    class Handler(BaseHTTPRequestHandler):
        asked: ClassVar[list[str]] = []

        def do_GET(self) -> None:
            self.asked.append(self.path)
            document = documents.get(self.path)
            self.send_response(200 if document else 404)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(document).encode() if document else b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca().issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://127.0.0.1:{server.server_address[1]}/tenant"
    documents["/tenant/.well-known/openid-configuration"] = {
        "issuer": url, "token_endpoint": f"{url}/token", **more,
    }  # fmt: skip
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_groupid_administrator(term: str, written: Path) -> None:
    """A pasted portal URL, a private CA that is named and asked for, a summary, and what to run next."""
    with Sandbox() as sandbox:
        answers = ["netwrix", f"{sandbox.url}/GroupID", *GROUPID_ANSWERS, sandbox.ca_file, "y", "n"]
        code, seen = at_a_terminal("profiles", "add", "work", answers=answers, env={"TERM": term})
        assert code == 0, seen
        host = sandbox.url.removeprefix("https://")
        assert profiles_in(written)["work"] == {
            "provider": "groupid", "host": host, "client_id": "c", "username": "jdoe",
            "identity_store_id": "1", "ca_file": sandbox.ca_file,
        }  # fmt: skip
    assert "O=trustme" in seen
    assert "insecure" not in seen
    for command in ("tokencli login work", "tokencli get work", 'eval "$(tokencli export work)"'):
        assert f"next: {command}" in seen


def test_without_questions_the_server_is_not_contacted(tokencli: Run, written: Path) -> None:
    """All options given: a URL as host is taken apart, and the server need not exist."""
    done = tokencli("profiles", "add", "g", "--provider", "GroupID", "--client-id", "c", "--username", "j",
                    "--identity-store-id", "1", "--host", "https://demomachine:4443/GroupID")  # fmt: skip
    assert (done.code, done.out) == (0, ""), done.err
    assert "from that URL: host = demomachine:4443" in done.err
    assert profiles_in(written)["g"]["host"] == "demomachine:4443"


def test_ca_file_is_relative_to_the_working_directory(
    tokencli: Run, written: Path, tmp_path: Path
) -> None:
    """It is written as an absolute path, because the configuration is elsewhere."""
    (tmp_path / "ca.pem").write_bytes(ca_file().read_bytes())
    options = ["--token-url", "https://id.example.com/t", "--client-id", "c", "--ca-file", "ca.pem"]
    done = tokencli("profiles", "add", "p", "--provider", "oauth2", *options, cwd=tmp_path)
    assert done.code == 0, done.err
    assert profiles_in(written)["p"]["ca_file"] == str(tmp_path / "ca.pem")


@pytest.mark.parametrize("end", ["\x03", "\x04"])
@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_cancelled_form_can_be_continued(end: str, term: str, written: Path) -> None:
    """Ctrl-C and Ctrl-D print the command that has all answers so far; nothing is written."""
    answers = ["groupid", "demomachine:4443", "it's", end]
    code, seen = at_a_terminal("profiles", "add", "g", answers=answers, env={"TERM": term})
    assert code == 130, seen
    assert not written.exists()
    (command,) = re.findall(r"tokencli: (tokencli profiles add [^\r\n]*)", seen)
    words = shlex.split(command)
    assert words[1:] == [
        "profiles",
        "add",
        "g",
        "--provider",
        "groupid",
        "--host",
        "demomachine:4443",
        "--client-id",
        "it's",
    ]


def test_declined_summary_writes_nothing(written: Path) -> None:
    """No to the last question: nothing is written, and the command is shown."""
    answers = ["demomachine", *GROUPID_ANSWERS, "keep", "n"]
    code, seen = at_a_terminal(
        "profiles", "add", "g", "--provider", "groupid", answers=answers, env={"TERM": "dumb"}
    )
    assert code == 0, seen
    assert "--identity-store-id 1" in seen
    assert not written.exists()


def test_name_is_asked_for_if_it_is_missing(tokencli: Run, written: Path) -> None:
    """Without a terminal it is an error, which names everything that is missing."""
    answers = ["socialid", "no name", "social", "password", "username", "j", "1", "y", "n"]
    code, seen = at_a_terminal("profiles", "add", answers=answers, env={"TERM": "dumb"})
    assert code == 0, seen
    assert "social" in profiles_in(written)
    done = tokencli("profiles", "add")
    assert done.code == 2
    for missing in ("NAME", "--provider", "--from URL", "--client-id", "--token-url"):
        assert missing in done.err


def test_only_the_name_is_missing(tokencli: Run) -> None:
    """The error says so, and its command has everything else."""
    done = tokencli("profiles", "add", "--provider", "google", "--client-id", "c")
    assert done.code == 2
    assert "also requires NAME\n" in done.err
    assert "fix: tokencli profiles add NAME --provider google --client-id c\n" in done.err


def test_developer_with_a_login_of_their_own(written: Path) -> None:
    """The last choice leads to the command that describes the endpoint."""
    code, seen = at_a_terminal("profiles", "add", "acme", answers=["none"], env={"TERM": "dumb"})
    assert code == 2, seen
    assert "fix: tokencli providers new acme --add" in seen
    assert not written.exists()


def test_ambiguous_provider_names_the_candidates(tokencli: Run) -> None:
    """A part of several names is an error; a part of one is that one."""
    done = tokencli("profiles", "add", "p", "--provider", "id")
    assert (done.code, "socialid" in done.err, "groupid" in done.err) == (2, True, True)
    done = tokencli("profiles", "add", "p", "--provider", "microsoft")
    assert (done.code, "--set tenant=" in done.err) == (2, True)
    assert tokencli("profiles", "add", "p", "--provider", "5").code == 3


def test_from_issuer_without_a_terminal(tokencli: Run, written: Path) -> None:
    """The CA is an option, the client's method follows the metadata, and the profile is complete."""
    with issuer(token_endpoint_auth_methods_supported=["client_secret_post"]) as url:
        words = ["profiles", "add", "ci", "--from", f"{url}/token", "--client-id", "batch"]
        refused = tokencli(*words)
        assert refused.code == 6
        assert f"--client-id batch --from {url}/token --ca-file /path/to/ca.pem" in refused.err
        assert not written.exists()
        done = tokencli(*words, "--ca-file", str(ca_file()), "--client-secret-env", "S")
    assert done.code == 0, done.err
    assert profiles_in(written)["ci"] == {
        "provider": "oauth2", "ca_file": str(ca_file()), "issuer": url, "client_id": "batch",
        "client_secret": {"env": "S"}, "grant": "client_credentials", "client_auth": "client_secret_post",
    }  # fmt: skip


def test_from_names_what_is_missing(tokencli: Run) -> None:
    """What no server can say is an option, and the command keeps what was found."""
    done = tokencli(
        "profiles", "add", "k", "--from", "https://login.microsoftonline.com/contoso.com/v2.0"
    )
    assert done.code == 2
    assert "this is Microsoft Entra ID" in done.err
    assert "--provider entra --set tenant=contoso.com" in done.err
    assert "--client-id 66666666-7777" in done.err
    assert "continues" not in done.err


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://bücher.example/token", "the host name of the URL contains a non-ASCII letter"),
        ("https://x.example/t\u00f6ken", "the URL contains a space"),
        ("https://user:canary@x.example/token", "the URL contains a user name or password"),
        ("http://x.example/token", "http would send credentials unencrypted"),
        ("https://", "this is not an https URL"),
    ],
)
def test_from_an_unusable_url(tokencli: Run, url: str, message: str) -> None:
    """Nothing is contacted or continued; the reason says what to write."""
    done = tokencli("profiles", "add", "acme", "--from", url, "--client-id", "c")
    assert done.code == 3
    assert message in done.err
    assert "fix" in done.err
    assert "canary" not in done.err
    assert "continues" not in done.err


def test_from_a_server_that_is_down(tokencli: Run, written: Path) -> None:
    """The fix adds the profile all the same, and it works."""
    words = ["profiles", "add", "p", "--from", "https://127.0.0.1:1/tenant", "--client-id", "c"]
    done = tokencli(*words)
    assert done.code == 6
    (fix,) = re.findall(r"fix: tokencli (.*)", done.err)
    assert tokencli(*shlex.split(fix)).code == 0
    assert profiles_in(written)["p"]["issuer"] == "https://127.0.0.1:1/tenant"


@pytest.mark.requirement(1)
@pytest.mark.parametrize("option", ["--set", "--secret"])
def test_a_secret_on_the_command_line_is_not_repeated(
    tokencli: Run, written: Path, option: str
) -> None:
    """Neither in the fix, if the server is down, nor otherwise; such a command couldn't help anyway."""
    words = ["profiles", "add", "p", "--from", "https://127.0.0.1:1/tenant", "--client-id", "c"]
    done = tokencli(*words, option, "client_secret=canary-secret")
    assert done.code == 6
    assert "canary" not in done.out + done.err
    assert "fix:" not in done.err


def test_the_fix_for_a_private_ca_keeps_the_provider(tokencli: Run, written: Path) -> None:
    """The same command with the CA, for the system that was chosen."""
    with issuer() as url:
        done = tokencli("profiles", "add", "p", "--provider", "oauth2", "--from", url)
    assert done.code == 6
    assert f"fix: tokencli profiles add p --provider oauth2 --from {url} --ca-file" in done.err


def test_developer_with_an_issuer(written: Path) -> None:
    """The URL of a page below the issuer, the CA, and the grant: the rest is found."""
    with issuer() as url:
        answers = [
            "any oauth", f"{url}/admin/", str(ca_file()), "device", "n", "cli", "openid", "y", "n",
        ]  # fmt: skip
        code, seen = at_a_terminal("profiles", "add", "dev", answers=answers, env={"TERM": "dumb"})
    assert code == 0, seen
    assert profiles_in(written)["dev"] == {
        "provider": "oauth2", "ca_file": str(ca_file()), "issuer": url, "grant": "device_code",
        "client_auth": "none", "client_id": "cli", "scope": "openid",
    }  # fmt: skip


def test_log_in_at_the_end(written: Path, keyring_env: dict[str, str]) -> None:
    """Yes logs in at once: the secrets are asked for, and a token is there."""
    with Sandbox() as sandbox:
        values = {**GroupId.profile_values, "host": sandbox.url.removeprefix("https://")}
        names = ("host", "client_id", "username", "identity_store_id")
        answers = [*(values[name] for name in names), sandbox.ca_file, "y", "y"]
        answers += ["y", GroupId.secrets["password"], GroupId.secrets["client_secret"]]
        code, seen = at_a_terminal(
            "profiles", "add", "g", "--provider", "groupid", answers=answers,
            env={**keyring_env, "TERM": "dumb"},
        )  # fmt: skip
    assert code == 0, seen
    assert "login succeeded" in seen
    assert seen.rstrip().endswith('next: eval "$(tokencli export g)"')
