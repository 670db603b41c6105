"""`tokencli get` as a process: where the token goes, and what is in the way."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run
from tokencli.sandbox.server import Sandbox

UNREACHABLE = """
[profiles.unreachable]
provider = "oauth2"
grant = "client_credentials"
token_url = "https://127.0.0.1:1/"
client_id = "x"
client_secret = { env = "SECRET" }
store = "none"
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    """Run one sandbox for all tests of this module."""
    with Sandbox() as server:
        yield server


@pytest.fixture
def sandbox(running: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Use the sandbox's configuration."""
    monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
    return running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty directory."""
    path = tmp_path / "folder"
    path.mkdir(mode=0o700)
    return path


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--json",),
        ("--format", "header"),
        ("--format", "curl"),
        ("--format", "netrc", "--url", "https://git.example.com"),
        ("--template", "x={{ access_token }}"),
    ],
    ids=" ".join,
)
def test_output_is_what_would_be_printed(
    words: tuple[str, ...], folder: Path, tokencli: Run, sandbox: Sandbox
) -> None:
    """The file has the same content, only this user can read it, and nothing is printed."""
    path = folder / "token"
    path.write_text("old")
    path.chmod(0o644)
    done = tokencli("get", *words, "--output", str(path))
    assert (done.code, done.out, done.err) == (0, "", "")
    printed = tokencli("get", *words).out
    if "--json" in words:
        found, expected = json.loads(path.read_text()), json.loads(printed)
        found.pop("expires_in")
        expected.pop("expires_in")
        assert found == expected
    else:
        assert path.read_text() == printed
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(folder.iterdir()) == [path]


def test_output_to_a_relative_path_and_to_stdout(
    folder: Path, tokencli: Run, sandbox: Sandbox
) -> None:
    """`-o` takes a path relative to the working directory; `-` is stdout."""
    assert tokencli("get", "-o", "token", cwd=folder).out == ""
    assert tokencli("get", "-o", "-").out == (folder / "token").read_text()


def test_a_failed_get_keeps_the_old_file(
    folder: Path, tokencli: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    """A reader goes on with the old token while no new one can be had."""
    config = tmp_path / "config.toml"
    config.write_text(Path(sandbox.config_file).read_text() + UNREACHABLE)
    config.chmod(0o600)
    path = folder / "token"
    path.write_text("old")
    done = tokencli(
        "get", "unreachable", "--config", str(config), "-o", str(path), env={"SECRET": "canary-7f"}
    )
    assert (done.code, done.out, path.read_text()) == (6, "", "old")
    assert list(folder.iterdir()) == [path]


def test_a_path_that_is_no_file_is_refused_before_a_request(
    folder: Path, tokencli: Run, sandbox: Sandbox
) -> None:
    """A link, a directory and a device are named, and no token is requested for nothing."""
    (folder / "link").symlink_to(folder / "target")
    asked = sandbox.database.token_requests
    for path, words in {
        folder / "link": f"it leads to {folder}/target; name the file itself",
        folder: "it is a directory",
        folder / "missing" / "token": f"fix: mkdir -p -m 700 {folder}/missing",
        Path(os.devnull): "it is not a regular file",
        Path("/dev/stdout"): "it is not a regular file",
    }.items():
        done = tokencli("get", "--force", "-o", str(path))
        assert (done.code, done.out) == (8, "")
        assert words in done.err
    assert sandbox.database.token_requests == asked
    assert [path.name for path in folder.iterdir()] == ["link"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--url https://x", "--url requires --format dpop or netrc"),
        ("--format curl --url https://x", "--url requires --format dpop or netrc"),
        ("--format netrc --nonce x", "--nonce requires --format dpop"),
        ("--json --template x", "--json and --template can't be combined"),
        ("--format netrc --template x", "--template requires --format template"),
        ("--template {access_token}", "the template has no placeholder"),
        ("--output=", "--output requires the name of a file, and '' has none"),
        ("--output missing/", "--output requires the name of a file, and 'missing/' has none"),
        ("--format template", "--format template requires --template"),
        ("tv --format netrc", "a netrc file is for one host: --url is required"),
        ("--template {{x}}", "unknown value 'x'"),
        ("--clip --output x", "--clip and --output can't be combined"),
        ("--dry-run -o x", "--output and --dry-run can't be combined"),
        ("--clip-clear 2s", "--clip-clear requires --clip"),
    ],
)
def test_options_that_do_not_belong_together(
    words: str, message: str, tokencli: Run, sandbox: Sandbox
) -> None:
    """The error says which format has the option."""
    done = tokencli("get", *words.split())
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_template_in_a_file(tokencli: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """The name of a file isn't a template; the fix reads the file."""
    path = tmp_path / "a template"
    path.write_text("token={{ access_token }}\n")
    done = tokencli("get", "oauth2", "--template", f"@{path}")
    assert (done.code, done.out) == (2, "")
    assert f"fix: tokencli get oauth2 --template \"$(cat '{path}')\"\n" in done.err
    missing = tokencli("get", "oauth2", "--template", f"@{path}.missing")
    assert missing.code == 2 and "fix:" not in missing.err
