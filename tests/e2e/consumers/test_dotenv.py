"""python-dotenv, dotenv for Node.js, Node.js itself and Compose with the files of `export --format dotenv`."""

import json
import os
import shutil
import string
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import requests
from dotenv import dotenv_values
from filelock import FileLock

from tests.conftest import IN_CI, Run
from tests.e2e.consumers.expiries import until_expired
from tests.servers import oidc_provider
from tests.servers.oidc_provider import CACHE
from tokencli.errors import ReplyError
from tokencli.formats import dotenv
from tokencli.sandbox.server import Sandbox

pytestmark = pytest.mark.long

HERE = Path(__file__).parent
PARSE = "console.log(JSON.stringify(require('dotenv').parse(require('fs').readFileSync(0))))"
NATIVE = "const e = process.env; console.log(JSON.stringify(e))"


def run(*command: str | Path, cwd: Path | None = None, stdin: bytes = b"") -> str:
    """Run a program and return what it prints."""
    done = subprocess.run(
        command, cwd=cwd, input=stdin, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def read_by_python(path: Path) -> dict[str, str | None]:
    """Return the variables that python-dotenv finds, with interpolation."""
    return dict(dotenv_values(path, interpolate=True))


def read_by_npm(path: Path) -> dict[str, str | None]:
    """Return the variables that npm's dotenv finds."""
    oidc_provider.require()
    folder = oidc_provider.installed(HERE / "dotenv_js")
    return dict(json.loads(run("node", "-e", PARSE, cwd=folder, stdin=path.read_bytes())))


def read_by_node(path: Path) -> dict[str, str | None]:
    """Return the variables that Node.js sets itself; those of the test's own environment win."""
    oidc_provider.require()
    if "--env-file" not in run("node", "--help"):
        pytest.skip("Node.js reads no such file before version 20.6")
    found = json.loads(run("node", f"--env-file={path}", "-e", NATIVE))
    return {name: value for name, value in found.items() if os.environ.get(name) != value}


def read_by_compose(path: Path) -> dict[str, str | None]:
    """Return the variables that Docker Compose finds, by its library."""
    if shutil.which("go") is None:
        (pytest.fail if IN_CI else pytest.skip)("apt-get install golang-go")
    source = HERE / "compose"
    content = b"".join(each.read_bytes() for each in sorted(source.iterdir()))
    place = CACHE / f"compose-{sha256(content).hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "compose.lock"):
        if not place.exists():
            environ = {
                **os.environ,
                "GOPATH": str(CACHE / "go"),
                "GOCACHE": str(CACHE / "go-build"),
            }
            subprocess.run(["go", "build", "-o", place], cwd=source, env=environ, check=True)
    return dict(json.loads(run(place, path)))


READERS: dict[str, Callable[[Path], dict[str, str | None]]] = {
    "python": read_by_python,
    "npm": read_by_npm,
    "node": read_by_node,
    "compose": read_by_compose,
}
MARKS = [
    *string.punctuation,
    " ",
    "${HOME}",
    "$(id)",
    "\\n",
    "\\'",
    " #",
    "##",
    "=",
    "'\"",
    "export ",
]
VALUES = [
    shape.format(mark=mark)
    for mark in MARKS
    for shape in ("a{mark}b", "{mark}a", "a{mark}", "{mark}")
]


@pytest.mark.requirement(34)
@pytest.mark.parametrize("reader", READERS)
def test_values_are_read_back_or_refused(reader: str, tmp_path: Path) -> None:
    """No value that is written means something else to a reader."""
    expected = {"V_EMPTY": ""}
    for number, value in enumerate(VALUES):
        try:
            dotenv.render([("V", value)])
        except ReplyError:
            continue
        expected[f"V_{number}"] = value
    path = tmp_path / ".env"
    path.write_text(dotenv.render(list(expected.items())))
    assert len(expected) > 80
    assert READERS[reader](path) == expected


@pytest.mark.parametrize("reader", READERS)
def test_tokens_expire_during_a_script(
    reader: str, lasting_seconds: Sandbox, tokencli: Run, tmp_path: Path
) -> None:
    """Each program that is started gets a token that is fresh at that moment."""
    path = tmp_path / ".env"
    for _ in until_expired(lasting_seconds):
        done = tokencli("export", "oauth2", "--format", "dotenv", "--all-vars")
        assert (done.code, done.err) == (0, "")
        path.write_text(done.out)
        header = READERS[reader](path)["ACCESS_TOKEN_HEADER"] or ""
        name, _, value = header.partition(": ")
        reply = requests.get(
            f"{lasting_seconds.url}/oauth2/resource",
            headers={name: value},
            verify=lasting_seconds.ca_file,
            timeout=60,
        )
        assert reply.status_code == 200, reply.text
