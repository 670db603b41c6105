"""Docker with the credential helper `docker-credential-tokencli`."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.conftest import IN_CI, Result, name_apis
from tests.e2e.consumers.expiries import until_expired
from tests.e2e.consumers.token_server import TokenHandler, TokenServer, serve
from tokencli.sandbox.server import Sandbox

MEDIA_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
LAYER = {
    "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "size": 1,
    "digest": f"sha256:{'1' * 64}",
}
CONFIG = json.dumps(
    {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
).encode()
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": MEDIA_TYPE,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": len(CONFIG),
            "digest": f"sha256:{sha256(CONFIG).hexdigest()}",
        },
        "layers": [LAYER],
    }
).encode()
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        shutil.which("docker") is None and not IN_CI, reason="apt-get install docker.io"
    ),
]


class RegistryHandler(TokenHandler):
    """A registry with one image (the distribution specification), behind HTTP Basic."""

    challenge = 'Basic realm="registry"'

    def do_GET(self) -> None:
        """Answer with the image's manifest or configuration."""
        if not self.is_authorized():
            return
        body = MANIFEST if "manifests" in self.path else CONFIG if "blobs" in self.path else b"{}"
        self.send_response(200)
        kind = MEDIA_TYPE if body == MANIFEST else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Docker-Distribution-API-Version", "registry/2.0")
        self.send_header("Docker-Content-Digest", f"sha256:{sha256(body).hexdigest()}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET


def docker(*words: str) -> Result:
    """Run Docker's client, which needs no engine for what is done here."""
    done = subprocess.run(
        ["docker", *words], capture_output=True, text=True, timeout=60, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def registry(
    lasting_seconds: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TokenServer]:
    """Run a registry, and configure tokencli and Docker as the manual's page says."""
    with serve(RegistryHandler, lasting_seconds, tmp_path) as server:
        path = Path(lasting_seconds.config_file)
        config = path.read_text()
        mine = tmp_path / "config.toml"
        mine.write_text(name_apis(config, {"oauth2": f"{server.url}/v2/"}))
        mine.chmod(0o600)
        monkeypatch.setenv("TOKENCLI_CONFIG", str(mine))
        monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
        programs = Path(sys.executable).parent
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        folder = Path(os.environ["HOME"]) / ".docker"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"credHelpers": {server.host: "tokencli"}}))
        yield server


def test_tokens_expire_between_requests_to_a_registry(
    registry: TokenServer, lasting_seconds: Sandbox
) -> None:
    """Every command gets a token that is fresh at that moment, and none is refused."""
    for _ in until_expired(lasting_seconds):
        found = docker("manifest", "inspect", f"{registry.host}/app:latest")
        assert found.code == 0, found.err
        assert json.loads(found.out)["layers"] == [LAYER]
    assert registry.statuses.count(401) == registry.credentials.count("")


def test_docker_logout_keeps_the_login(registry: TokenServer, lasting_seconds: Sandbox) -> None:
    """It asks the helper to erase the credential; how to end the login is said."""
    found = docker("logout", registry.host)
    assert (found.code, lasting_seconds.issued_tokens) == (0, ())
    assert "tokencli logout oauth2" in found.err


def test_docker_shows_why_there_is_no_token(registry: TokenServer) -> None:
    """The user reads tokencli's error."""
    path = Path(os.environ["TOKENCLI_CONFIG"])
    path.write_text(name_apis(path.read_text(), {"corp": f"{registry.url}/"}))
    found = docker("manifest", "inspect", f"{registry.host}/app:latest")
    assert found.code != 0
    assert "tokencli login corp" in found.err
