"""npm with a token in the variable that its configuration names."""

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import script
from tests.e2e.consumers.expiries import set_lifetime, until_expired
from tests.e2e.consumers.registry import Registry, running_registry
from tests.servers import oidc_provider
from tokencli.commands.help import read_page
from tokencli.sandbox.server import Sandbox

pytestmark = pytest.mark.long


@pytest.fixture
def registry(short_lived: Sandbox, tmp_path: Path) -> Iterator[Registry]:
    """Run a registry with the package @acme/demo."""
    oidc_provider.require()
    set_lifetime(short_lived, 8)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        content = json.dumps({"name": "@acme/demo", "version": "1.0.0"}).encode()
        member = tarfile.TarInfo("package/package.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    digest = base64.b64encode(hashlib.sha512(buffer.getvalue()).digest()).decode()
    with running_registry(short_lived, tmp_path) as running:
        path = "/@acme/demo/-/demo-1.0.0.tgz"
        version = {
            "name": "@acme/demo",
            "version": "1.0.0",
            "dist": {"tarball": running.url + path, "integrity": f"sha512-{digest}"},
        }
        packument = {
            "name": "@acme/demo",
            "dist-tags": {"latest": "1.0.0"},
            "versions": {"1.0.0": version},
        }
        running.files[path] = ("application/octet-stream", buffer.getvalue())
        running.files["/@acme%2fdemo"] = ("application/json", json.dumps(packument).encode())
        yield running


@pytest.fixture
def project(registry: Registry, tmp_path: Path) -> Path:
    """Return a directory with the configuration of the manual's page."""
    directory = tmp_path / "project"
    directory.mkdir()
    text = read_page("npm").partition("```ini\n")[2].partition("```")[0]
    text = text.replace("//npm.example.com", registry.url.removeprefix("https:"))
    (directory / ".npmrc").write_text(f"{text}cafile={registry.ca_file}\n")
    (directory / "package.json").write_text('{"dependencies": {"@acme/demo": "1.0.0"}}')
    return directory


def npm_install(
    directory: Path, number: int, *before: str | Path
) -> subprocess.CompletedProcess[str]:
    """Install the project's packages, with a new cache and all logs."""
    cache = directory.parent / f"cache-{number}"
    command = ["npm", "install", "--no-audit", "--no-update-notifier", "--loglevel", "silly"]
    return subprocess.run(
        [*before, *command, "--fetch-retries=0", "--cache", cache, "--logs-dir", cache / "logs"],
        cwd=directory,
        env={key: value for key, value in os.environ.items() if key != "NODE_EXTRA_CA_CERTS"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_tokens_expire_between_installations(registry: Registry, project: Path) -> None:
    """Each one gets a token that lives long enough; it is in no output, log or file."""
    for number in until_expired(registry.sandbox):
        exec_command = (script(), "exec", "oauth2", "--var", "ACME_NPM_TOKEN")
        done = npm_install(project, number, *exec_command, "--")
        assert done.returncode == 0, done.stderr
        assert (project / "node_modules/@acme/demo/package.json").is_file()
        files = [path for path in project.parent.rglob("*") if path.is_file()]
        written = [
            path.read_bytes() for path in files if {"project", f"cache-{number}"} & {*path.parts}
        ]
        texts = [done.stdout.encode(), done.stderr.encode(), *written]
        for token in registry.sandbox.issued_tokens:
            assert not any(token.token.encode() in text for text in texts)
        (project / "package-lock.json").unlink()
        shutil.rmtree(project / "node_modules")  # with npm's list of what it has installed
    assert registry.refusals == 0


def test_npm_is_not_started_without_a_token(registry: Registry, project: Path) -> None:
    """The command fails with tokencli's message."""
    done = npm_install(project, 0, script(), "exec", "nosuch", "--var", "ACME_NPM_TOKEN", "--")
    assert done.returncode == 3
    assert "there is no profile 'nosuch'" in done.stderr
    assert not (project.parent / "cache-0").exists()


def test_without_the_variable(registry: Registry, project: Path) -> None:
    """The registry refuses what npm sends instead."""
    done = npm_install(project, 0)
    assert done.returncode != 0
    assert "401" in done.stderr
