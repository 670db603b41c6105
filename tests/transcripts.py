"""What a user sees and types in a terminal of 80 columns and 24 lines, for the manual's transcripts.

The commands run in a pseudo-terminal, and `pyte` interprets their control sequences as a terminal
does, so that a transcript has no more and no less than what stays on the screen.
"""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps, loads
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from threading import Thread
from time import monotonic

import pyte
import trustme

from tokencli.sandbox.groupid import GroupId

COLUMNS, LINES = 80, 24
HISTORY_LINES = 2000
QUIET_S = 0.3
"""A prompt is complete if nothing more is printed for so long."""
STEP_TIMEOUT_S = 60
_CONTROL_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[()][0-9A-B]|[=>])")
ENTER = "\r"
ACME_PASSWORD, ACME_TOKEN = "made-up-password-of-acme", "made-up-token-of-acme-3f81b6c2"


@dataclass(frozen=True)
class Step:
    """A command, and what is typed when a prompt appears."""

    command: str
    answers: Sequence[tuple[str, str]] = ()
    """Pairs: a part of the prompt, and what is typed there, without Enter."""


class Screen(pyte.HistoryScreen):
    """A screen that remembers which lines continue on the next one."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(COLUMNS, LINES, history=HISTORY_LINES, ratio=0.5)
        self.descriptor = descriptor
        self.wrapped: set[int] = set()
        """The ids of the lines that were wrapped by the terminal."""

    def draw(self, data: str) -> None:
        for character in data:
            line = self.buffer[self.cursor.y]
            if self.cursor.x == self.columns and pyte.modes.DECAWM in self.mode:
                self.wrapped.add(id(line))
            super().draw(character)

    def write_process_input(self, data: str) -> None:
        """Answer a question of the program, e.g. where the cursor is."""
        os.write(self.descriptor, data.encode())

    def render(self) -> str:
        """Return everything that was shown, with wrapped lines joined and without trailing blanks."""
        rows = [*self.history.top, *(self.buffer[y] for y in range(self.lines))]
        text = ""
        for row in rows:
            line = "".join(row[x].data for x in range(self.columns))
            text += line if id(row) in self.wrapped else f"{line.rstrip()}\n"
        return f"{text.rstrip()}\n"


def run_step(step: Step, environ: Mapping[str, str], folder: Path) -> str:
    """Run a command in a terminal, type the answers, and return what is on the screen at its end.

    Raises:
        AssertionError: a prompt doesn't appear, or the command waits for another answer.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    screen = Screen(ours)
    stream = pyte.ByteStream(screen)
    process = subprocess.Popen(
        ["bash", "-c", step.command],
        env={**environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(LINES)},
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    answers = list(step.answers)
    printed = ""
    deadline = monotonic() + STEP_TIMEOUT_S
    try:
        while True:
            ready, _, _ = select.select([ours], [], [], QUIET_S)
            if ready:
                try:
                    chunk = os.read(ours, 65536)
                except OSError:  # the other end is closed
                    break
                if not chunk:
                    break
                stream.feed(chunk)
                printed += _CONTROL_SEQUENCE.sub("", chunk.decode(errors="replace"))
            elif answers and answers[0][0] in printed:
                _, typed = answers.pop(0)
                printed = ""
                os.write(ours, typed.encode())
                deadline = monotonic() + STEP_TIMEOUT_S
                if not typed.endswith(ENTER):
                    select.select([], [], [], QUIET_S)
                    os.write(ours, ENTER.encode())
            assert monotonic() < deadline, (
                f"{step.command}: waiting for {answers[:1]}\n{screen.render()}"
            )
    finally:
        if monotonic() >= deadline:
            process.kill()
        os.close(ours)
        process.wait(STEP_TIMEOUT_S)
    assert not answers, f"{step.command}: not asked: {answers}\n{screen.render()}"
    return screen.render()


class _JsonLogin(BaseHTTPRequestHandler):
    """A login of somebody's own: JSON in, JSON out, and no word of OAuth."""

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            user = loads(sent)
        except ValueError:
            user = None
        if user == {"user": "jdoe", "password": ACME_PASSWORD}:
            status, reply = 200, {"data": {"token": ACME_TOKEN, "expiresIn": 3600}}
        else:
            status, reply = 401, {"message": "unknown user or wrong password"}
        body = dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def json_login(ca_file: Path) -> Iterator[str]:
    """Run the JSON login on loopback, with a private CA that is written to `ca_file`; yield `host:port`."""
    ca = trustme.CA(organization_name="Acme", organization_unit_name="Acme Internal CA")
    context = SSLContext(PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(str(ca_file))
    with ThreadingHTTPServer(("127.0.0.1", 0), _JsonLogin) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


_PASSWORD = GroupId.secrets["password"]
_CLIENT_SECRET = GroupId.secrets["client_secret"]
PATHS: dict[str, Sequence[Step]] = {
    "groupid-admin": [
        Step(
            "tokencli profiles add groupid",
            [
                ("System that issues", "netwrix"),
                ("Host", "demomachine:4443"),
                ("Client ID", "7d1c0f52-made-up"),
                ("User name", "jdoe"),
                ("dentity", "1"),
                ("CA", "demo-ca.pem"),
                ("Add this profile?", "y"),
                ("Log in now?", "y"),
                ("Save the password", "y"),
                ("Password", _PASSWORD),
                ("Client secret", _CLIENT_SECRET),
            ],
        ),
        Step("tokencli get groupid"),
        Step("tokencli inspect groupid"),
    ],
    "ci-engineer": [
        Step(
            "tokencli profiles add ci --from https://demomachine:4443/oauth2 --ca-file demo-ca.pem"
            " \\\n    --client-id batch --secret client_secret=env:CI_SECRET --set store=none --no-input"
        ),
        Step("tokencli profiles test ci"),
        Step('CI_SECRET=mistyped tokencli get ci; echo "exit code $?"'),
        Step(
            'eval "$(tokencli export ci)"\nprintf "Authorization: Bearer %s\\n" "$ACCESS_TOKEN" |'
            " \\\n    curl -sS --cacert demo-ca.pem -H @- https://demomachine:4443/oauth2/resource"
        ),
    ],
    "developer-with-an-issuer": [
        Step(
            "tokencli profiles add corp",
            [
                ("System that issues", "oauth2"),
                ("URL of the issuer", "demomachine:4443/oauth2"),
                ("CA", "demo-ca.pem"),
                ("How to get a token", "browser"),
                ("client secret?", "n"),
                ("Client ID", "public"),
                ("Scopes", "openid profile email"),
                ("Add this profile?", "y"),
                ("Log in now?", "y"),
            ],
        ),
        Step("tokencli inspect corp --verify --userinfo"),
    ],
    "developer-with-a-json-login": [
        Step(
            "tokencli providers new Acme --add --from-curl 'curl --cacert acme-ca.pem \\\n"
            '    https://acme.example:8443/api/login -H "Content-Type: application/json" \\\n'
            '    -d "{\\"user\\":\\"jdoe\\",\\"password\\":\\"secret\\"}"\'',
            [
                ("Path of the token", "data.token"),
                ("Lifetime of the token", "data.expiresIn"),
                ("What is its value", "seconds until"),
                ("How requests carry", ""),
                ("Path of the error code", ""),
                ("Add provider acme", "y"),
            ],
        ),
        Step(
            "tokencli profiles add acme",
            [
                ("System that issues", "acme"),
                ("User name", "jdoe"),
                ("CA's certificate", "acme-ca.pem"),
                ("Add this profile?", "y"),
                ("Log in now?", "y"),
                ("Save the password", "y"),
                ("Password", ACME_PASSWORD),
            ],
        ),
        Step("tokencli get acme --format header"),
    ],
}
"""Name of a transcript -> what is typed, one command after the other."""
