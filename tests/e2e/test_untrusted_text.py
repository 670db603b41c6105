"""Text from servers, tokens, files and arguments never controls the terminal."""

import json
import os
import subprocess
import sys
import tomllib
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults import behaviours as b
from tests.faults.authority import ca_file
from tests.faults.server import Peer, running

DANGEROUS = [
    chr(code)
    for code in range(sys.maxunicode + 1)
    if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp")
]
SIZE = 120
"""Characters at a time: messages quote 200."""
# Of the 2048 surrogates some will do here: the sanitiser's own test takes every code point.
SENT = [char for char in DANGEROUS if unicodedata.category(char) != "Cs" or ord(char) % 64 == 0]
BATCHES = ["".join(SENT[at : at + SIZE]) for at in range(0, len(SENT), SIZE)]
ATTACKS = [
    "\x1b]0;evil\x07\x1b[31m\x1b[2J",
    "\x9b31m\x90q\x9c",
    "a\r\n::add-mask::x\n##[error]y",
    "\u202eevil\u2066\u2069\u200f",
    "[/] [link=http://h.example]x[/link] [red]",
    "'; rm -rf / #`id`$(id)",
    "{0} {profile} %s %n",
]
TEXTS = [*ATTACKS, *BATCHES]
ALLOWED = "\n"

DRIVER = """
import json, os, sys
from tokencli.commands.run import run_command_line
for given in json.load(sys.stdin):
    for name, text in given.get("files", {}).items():
        with open(name, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        os.chmod(name, 0o600)
    os.environ.update(given.get("environ", {}))
    sys.stdin = open(given["stdin"]) if "stdin" in given else sys.stdin
    print("end", run_command_line(given["argv"]), file=sys.stderr)
"""
"""Many command lines through the program's own entry, in one process."""


def run_commands(runs: list[dict[str, object]], folder: Path) -> tuple[str, str]:
    """Run the command lines and return their stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=json.dumps(runs),
        capture_output=True,
        env={**os.environ, "CANARY": "canary-password-7f3a"},
        cwd=folder,
        encoding="utf-8",
        timeout=240,
        check=True,
    )
    assert done.stderr.count("\nend ") + done.stderr.startswith("end ") == len(runs)
    return done.stdout, done.stderr


def assert_harmless(text: str) -> None:
    """Check that a text doesn't move the cursor, hide anything or reverse its direction."""
    found = {char for char in text if char in set(DANGEROUS) and char not in ALLOWED}
    assert found == set()
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in text.split("\n"))
    assert "Traceback" not in text
    assert "internal error" not in text


def config(port: int, more: str = "") -> str:
    """Return a configuration with one profile, for a server at that port."""
    return (
        '[profiles.p]\nprovider = "oauth2"\ngrant = "client_credentials"\nclient_id = "c"\n'
        f'token_url = "https://127.0.0.1:{port}/t"\nca_file = "{ca_file()}"\nstore = "none"\n'
        f'client_secret = {{ env = "CANARY" }}\n{more}'
    )


def refusal(text: str) -> bytes:
    """Return a refusal with the text in every place that it may be in."""
    body = json.dumps({"error": text[:80], "error_description": text, "error_uri": text})
    return b.message("400 Bad", body.encode())


def strange(text: str) -> bytes:
    """Return a response whose members are named by the text."""
    return b.message("200 OK", json.dumps({text: text, "token_type": text}).encode())


def typed(text: str) -> bytes:
    """Return a token whose type is the text, with more such members."""
    members = {"access_token": "x", "token_type": text, "scope": text, "expires_in": text}
    return b.message("200 OK", json.dumps(members).encode())


def scoped(text: str) -> bytes:
    """Return a valid token whose scope is the text."""
    members = {"access_token": jwt(text), "token_type": "Bearer", "scope": text, "expires_in": 0}
    return b.message("200 OK", json.dumps(members).encode())


def page(text: str) -> bytes:
    """Return an HTML page, as bytes that need not be UTF-8."""
    body = f"<html>{text}".encode(errors="replace")
    return b.message("200 OK", body, kind="text/html")


def plain(text: str) -> bytes:
    """Return text instead of JSON."""
    return b.message("200 OK", text.encode(errors="replace"))


def refusing(reply: Callable[[str], bytes]) -> Callable[[str], bytes]:
    """Return a function for the same reply with a status of a refusal."""
    return lambda text: reply(text).replace(b"200 OK", b"400 Bad", 1)


def header(text: str) -> bytes:
    """Return a response with the text, as far as it is Latin-1, in its headers."""
    value = "".join(char for char in text if char not in "\r\n").encode("latin-1", "replace")
    return (
        b"HTTP/1.1 404 " + value + b"\r\nContent-Type: " + value + b"\r\nX-" + value + b": y\r\n"
        b"WWW-Authenticate: " + value + b"\r\nRetry-After: " + value + b"\r\nDate: " + value
        + b"\r\nContent-Length: 1\r\n\r\nx"
    )  # fmt: skip


def redirect(text: str) -> bytes:
    """Return a redirect to a URL with the text in host and path."""
    value = "".join(char for char in text if char not in "\r\n").encode("utf-8", "replace")
    return b"HTTP/1.1 307 Go\r\nLocation: https://h" + value + b".example/" + value + b"\r\n\r\n"


REPLIES: dict[str, tuple[Callable[[str], bytes], list[str]]] = {
    "refusal": (refusal, ["get", "p"]),
    "refusal as JSON": (refusal, ["get", "p", "--json"]),
    "refusal of refresh": (refusal, ["refresh", "p"]),
    "refusal of export": (refusal, ["export", "p"]),
    "refusal of login": (refusal, ["login", "p", "--no-input"]),
    "refusal of a test": (refusal, ["profiles", "test", "p"]),
    "member names": (strange, ["get", "p", "-vv"]),
    "token type": (typed, ["get", "p", "-vv"]),
    "scope of login": (scoped, ["login", "p"]),
    "scope as JSON": (scoped, ["get", "p", "--format", "json"]),
    "scope of a test": (scoped, ["profiles", "test", "p"]),
    "scope of export": (scoped, ["export", "p", "--shell", "fish"]),
    "page": (page, ["get", "p"]),
    "text": (plain, ["get", "p"]),
    "page of a refusal": (refusing(page), ["get", "p"]),
    "text of a refusal": (refusing(plain), ["get", "p"]),
    "headers": (header, ["get", "p", "-vvv"]),
    "redirect": (redirect, ["get", "p", "-v"]),
}


UNSEEN = (
    *("token type", "member names", "headers", "redirect", "scope of a test", "scope of export"),
    *("page", "text"),  # an unreadable success, any word of which may be the token
)
"""Where the text is quoted in another spelling, or not shown at all."""


@pytest.mark.long
@pytest.mark.requirement(14)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", REPLIES)
def test_server_text_is_harmless(way: str, tmp_path: Path) -> None:
    """Each command, each place in a response, every control, format and bidi character."""
    reply, argv = REPLIES[way]
    left: Iterator[str] = iter(TEXTS)

    def behave(peer: Peer) -> None:
        peer.read_request()
        peer.send(reply(next(left)))

    with running(behave) as server:
        path = str(tmp_path / "config.toml")
        first = {"argv": [*argv, "--config", path], "files": {path: config(server.port)}}
        runs: list[dict[str, object]] = [first, *({"argv": first["argv"]} for _ in TEXTS[1:])]
        out, err = run_commands(runs, tmp_path)
        assert len(server.counters.requests) == len(TEXTS), err[:2000]
    assert_harmless(out)
    assert_harmless(err)
    shown = out + err
    if way not in UNSEEN:
        assert "\\u001b" in shown  # so what the server said did come as far as the terminal


def jwt(text: str) -> str:
    """Return an unsigned token with the text wherever possible."""

    def part(of: object) -> str:
        return urlsafe_b64encode(json.dumps(of).encode()).decode().rstrip("=")

    claims = {"iss": text, "sub": text, "scope": text, text: text, "aud": [text], "deep": {text: 1}}
    return f"{part({'alg': text, 'kid': text, 'typ': text})}.{part(claims)}.c2ln"


@pytest.mark.long
@pytest.mark.requirement(14)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("options", [[], ["--json"], ["-v"]], ids=["page", "json", "verbose"])
def test_token_text_is_harmless(options: list[str], tmp_path: Path) -> None:
    """Header, claims and claim names, on the page, as JSON and in the remarks."""
    runs: list[dict[str, object]] = []
    for text in TEXTS:
        place = str(tmp_path / f"token-{len(runs)}")
        runs.append(
            {"argv": ["inspect", "-", *options], "stdin": place, "files": {place: jwt(text)}}
        )
    out, err = run_commands(runs, tmp_path)
    assert_harmless(out)
    assert_harmless(err)
    assert "\\u001b" in out


def toml(text: str) -> str:
    """Return the text as a TOML string, without characters that TOML doesn't allow."""
    return json.dumps("".join(char for char in text if unicodedata.category(char) != "Cs"))


FILES: dict[str, Callable[[str], str]] = {
    "profile name": lambda text: config(9).replace("[profiles.p]", f"[profiles.{toml(text)}]"),
    "key": lambda text: config(9, f"{toml(text)} = 1\n"),
    "scope": lambda text: config(9, f"scope = {toml(text)}\n"),
    "url": lambda text: config(9).replace('"https://127', toml(text)[:-1] + "://127"),
    "file": lambda text: config(9).replace('env = "CANARY"', f"file = {toml(text)}"),
    "command": lambda text: config(9).replace('env = "CANARY"', f"command = [{toml(text)}]"),
    "ca_file": lambda text: config(9).replace(f'"{ca_file()}"', toml(text)),
    "provider": lambda text: config(9).replace('"oauth2"', toml(text)),
    "default": lambda text: f"default_profile = {toml(text)}\n" + config(9),
    "title": lambda text: f"[providers.own]\ntitle = {toml(text)}\nscope = {toml(text)}\n",
    "rest": lambda text: text,
}


@pytest.mark.long
@pytest.mark.requirement(14)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", FILES)
def test_configuration_text_is_harmless(place: str, tmp_path: Path) -> None:
    """Names, keys and values of the configuration, in errors and lists."""
    path = str(tmp_path / "config.toml")
    runs: list[dict[str, object]] = []
    for text in TEXTS:
        content = FILES[place](text).encode("utf-8", "replace").decode()
        runs.append({"argv": ["get", "--config", path], "files": {path: content}})
        runs += [
            {"argv": [*argv, "--config", path]}
            for argv in (["profiles"], ["profiles", "show"], ["profiles", "--json"])
        ]
    out, err = run_commands(runs, tmp_path)
    assert_harmless(out)
    assert_harmless(err)


@pytest.mark.long
@pytest.mark.requirement(14)
@pytest.mark.timeout(300)
def test_arguments_and_variables_are_harmless(tmp_path: Path) -> None:
    """Commands, options, names and paths are escaped in errors."""
    path = str(tmp_path / "config.toml")
    runs: list[dict[str, object]] = [{"argv": ["profiles"], "files": {path: config(9)}}]
    for text in TEXTS:
        said = "".join(char for char in text if unicodedata.category(char) != "Cs" and char != "\0")
        runs += [
            {"argv": argv}
            for argv in (
                [said],
                ["get", said, "--config", path],
                ["get", f"--{said}"],
                ["get", "--config", said],
                ["get", "--timeout", said],
                ["export", "p", "--shell", said, "--config", path],
                ["export", "p", "--name", said, "--config", path],
                ["inspect", said],
                ["profiles", said],
                ["profiles", "show", said, "--config", path],
                ["profiles", "add", said, "--config", path, "--no-input"],
                ["profiles", "add", "q", "--provider", said, "--config", path, "--no-input"],
                ["profiles", "add", "q", "--set", f"{said}={said}", "--config", path],
                ["sandbox", "--fail", said],
                ["sandbox", "--", said],
                ["login", said, "--config", path],
                ["logout", said, "--config", path],
                ["refresh", said, "--config", path],
            )
        ]
        for name in ("TOKENCLI_PROFILE", "TOKENCLI_CONFIG", "XDG_RUNTIME_DIR"):
            clean = {"TOKENCLI_PROFILE": "", "TOKENCLI_CONFIG": "", "XDG_RUNTIME_DIR": ""}
            runs.append({"argv": ["get"], "environ": {**clean, name: said}})
    out, err = run_commands(runs, tmp_path)
    assert_harmless(out)
    assert_harmless(err)


@pytest.mark.requirement(14)
@settings(max_examples=300)
@given(st.text(max_size=300), st.text(max_size=300), st.booleans())
def test_error_text_is_harmless(message: str, fix: str, as_json: bool) -> None:
    """The error boundary escapes all code points in errors, problems and notes."""
    import io
    from contextlib import redirect_stderr

    from tokencli.commands.error_report import report_error
    from tokencli.errors import ConfigError, ConfigProblem, RefusedError
    from tokencli.terminal.console import StderrTerminal

    said = io.StringIO()
    terminal = StderrTerminal({}, no_input=True, quiet=False, verbose=3)
    with redirect_stderr(said):
        report_error(RefusedError(message, fix=fix, error=message, status=400), as_json=as_json)
        report_error(
            ConfigError(message, fix=fix, problems=[ConfigProblem(message, fix, 1, message)]),
            as_json=as_json,
        )
        terminal.print_note(message)
        terminal.print_warning(fix)
        terminal.print_detail(message)
    assert_harmless(said.getvalue())


@pytest.mark.requirement(14)
def test_user_defined_providers_are_shown_harmless(tmp_path: Path) -> None:
    """`providers show` is TOML with the same values; `get --dry-run` escapes each line."""
    text = "\u202e\x9b31m \u2028##[x]\n::y\t"
    who = toml("a\u202e")
    own = (
        f"[providers.own]\ntitle = {toml(text)}\n[providers.own.endpoints]\n"
        'token = "https://h.example/t"\n[providers.own.request]\nbody = "text"\n'
        f"send = {toml(text + ' {client_id}')}\n"
        f'[profiles.p]\nprovider = "own"\nclient_id = {who}\nstore = "none"\n'
    )
    path = str(tmp_path / "config.toml")
    shown, err = run_commands(
        [{"argv": ["providers", "show", "own", "--config", path], "files": {path: own}}], tmp_path
    )
    assert_harmless(shown)
    found = tomllib.loads(shown)
    assert (found["title"], found["request"]["send"]) == (text, f"{text} {{client_id}}"), err
    out, err = run_commands([{"argv": ["get", "p", "--dry-run", "--config", path]}], tmp_path)
    assert "\\u202e\\u009b31m" in out, err
    assert out.rstrip().endswith("a\\u202e")
    assert_harmless(out.replace("\t", ""))
