"""Git with the credential helper `tokencli git-credential`."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import IN_CI
from tests.e2e.consumers.expiries import until_expired
from tests.e2e.consumers.token_server import TokenHandler, TokenServer, serve
from tokencli.sandbox.server import Sandbox

TOKENCLI = Path(sys.executable).with_name("tokencli")

pytestmark = pytest.mark.long


class GitHandler(TokenHandler):
    """Git over HTTPS: git's own `http-backend`, behind a token (gitprotocol-http(5))."""

    challenge = 'Basic realm="git"'

    def do_GET(self) -> None:
        """Run the backend as a CGI program."""
        if not self.is_authorized():
            return
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        environ = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.server.directory),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "alice",
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, capture_output=True, env=environ, check=True
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        """The same; a test may revoke the tokens before this."""
        if vars(self.server).pop("revoke_before_post", False):
            self.server.revoke_all()
        self.do_GET()


class BearerGitHandler(GitHandler):
    """The same, with the Bearer scheme alone."""

    challenge = 'Bearer realm="git"'
    schemes = ("Bearer",)


def git(*words: str | Path, cwd: Path | None = None, check: bool = True) -> str:
    """Run git; return what it printed."""
    done = subprocess.run(
        ["git", *words], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def find_newer_git(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `git` be one that can send a bearer token: 2.46 or later."""
    if directory := os.environ.get("NEWER_GIT"):
        monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
    version = re.search(r"(\d+)\.(\d+)", git("version"))
    if version is None or (int(version[1]), int(version[2])) < (2, 46):
        (pytest.fail if IN_CI else pytest.skip)(
            "git is older than 2.46; .ci/newer-git DIR gets one for NEWER_GIT=DIR"
        )


@pytest.fixture(params=[GitHandler, BearerGitHandler], ids=["Basic", "Bearer"])
def git_server(
    request: pytest.FixtureRequest,
    lasting_seconds: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[TokenServer]:
    """Run a server with a repository, and configure git as the manual's page says."""
    if request.param is BearerGitHandler:
        find_newer_git(monkeypatch)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Alice")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "alice@example.com")
    git("init", "-q", "--bare", "-b", "main", tmp_path / "project.git")
    git("config", "http.receivepack", "true", cwd=tmp_path / "project.git")
    with serve(request.param, lasting_seconds, tmp_path) as server:
        monkeypatch.setenv("GIT_SSL_CAINFO", server.ca_file)
        helper = f"!{TOKENCLI} git-credential oauth2 --host {server.host}"
        git("config", "--global", "credential.helper", "store")
        for value in ("", helper):
            git("config", "--global", "--add", f"credential.{server.url}.helper", value)
        yield server


def test_tokens_expire_between_clone_fetch_and_push(
    git_server: TokenServer, lasting_seconds: Sandbox, tmp_path: Path
) -> None:
    """Every command gets a token that is fresh at that moment, and none is refused."""
    url, work = f"{git_server.url}/project.git", tmp_path / "work"
    git("clone", "-q", url, work)
    for number in until_expired(lasting_seconds):
        (work / "file").write_text(str(number))
        git("add", "file", cwd=work)
        git("commit", "-q", "-m", str(number), cwd=work)
        git("push", "-q", "origin", "HEAD:main", cwd=work)
        git("fetch", "-q", "origin", cwd=work)
        git("clone", "-q", url, tmp_path / f"clone{number}")
        assert (tmp_path / f"clone{number}" / "file").read_text() == str(number)
    assert git_server.statuses.count(401) == git_server.credentials.count("")
    scheme = git_server.RequestHandlerClass.challenge.partition(" ")[0]
    assert not (Path(os.environ["HOME"]) / ".git-credentials").exists()
    assert {header.partition(" ")[0] for header in git_server.credentials} == {"", scheme}


def test_revoked_token_is_renewed(git_server: TokenServer, lasting_seconds: Sandbox) -> None:
    """Git erases the refused token, so the next command gets another one."""
    lasting_seconds.set_faults(lifetime="1h")
    url = f"{git_server.url}/project.git"
    git("ls-remote", url)
    git_server.revoke_all()
    issued = len(lasting_seconds.issued_tokens)
    git("ls-remote", url, check=False)
    git("ls-remote", url)
    assert len(lasting_seconds.issued_tokens) == issued + 1


def test_token_is_revoked_during_a_push(
    git_server: TokenServer, lasting_seconds: Sandbox, tmp_path: Path
) -> None:
    """That push fails, and the next one gets a new token."""
    lasting_seconds.set_faults(lifetime="1h")
    work = tmp_path / "work"
    git("clone", "-q", f"{git_server.url}/project.git", work)
    git("commit", "-q", "--allow-empty", "-m", "first", cwd=work)
    vars(git_server)["revoke_before_post"] = True
    git("push", "-q", "origin", "HEAD:main", cwd=work, check=False)
    assert "main" not in git("branch", cwd=tmp_path / "project.git")
    issued = len(lasting_seconds.issued_tokens)
    git("push", "-q", "origin", "HEAD:main", cwd=work)
    assert "main" in git("branch", cwd=tmp_path / "project.git")
    assert len(lasting_seconds.issued_tokens) == issued + 1


def test_other_servers_get_no_token(
    git_server: TokenServer, lasting_seconds: Sandbox, tmp_path: Path
) -> None:
    """A helper that is configured for all servers answers only for the one that it names."""
    git("config", "--global", "--remove-section", f"credential.{git_server.url}")
    git("config", "--global", "credential.helper", f"!{TOKENCLI} git-credential oauth2")
    found = git("ls-remote", f"{git_server.url}/project.git", check=False)
    assert "profile 'oauth2' is not for" in found
    assert not any(git_server.credentials)
    suggested = found.split("name the server: ")[1].splitlines()[0]
    suggested = suggested.replace("!tokencli", f"!{TOKENCLI}")
    subprocess.run(suggested, shell=True, check=True)
    git("ls-remote", f"{git_server.url}/project.git")


def test_git_does_not_prompt_without_a_token(
    git_server: TokenServer, monkeypatch: pytest.MonkeyPatch, lasting_seconds: Sandbox
) -> None:
    """If the token can't be obtained, git shows tokencli's error and stops."""
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "1")
    monkeypatch.setenv("TOKENCLI_CONFIG", lasting_seconds.config_file)
    git("config", "--global", "--remove-section", f"credential.{git_server.url}")
    helper = f"!{TOKENCLI} git-credential corp --host {git_server.host}"
    git("config", "--global", f"credential.{git_server.url}.helper", helper)
    found = git("ls-remote", f"{git_server.url}/project.git", check=False)
    assert "tokencli login corp" in found
    assert "told us to quit" in found
