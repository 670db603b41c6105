"""Kubernetes clients that run `tokencli get --format exec_credential` as an exec plugin."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import kubernetes.client
import kubernetes.config
import pytest
import yaml

from tests.conftest import IN_CI
from tests.e2e.consumers.expiries import until_expired
from tests.e2e.consumers.token_server import TokenHandler, TokenServer, serve
from tokencli.sandbox.server import Sandbox

TOKENCLI = Path(sys.executable).with_name("tokencli")
PAGE = Path(__file__).parents[3] / "tokencli" / "manual" / "kubernetes.md"
pytestmark = pytest.mark.long


class ApiHandler(TokenHandler):
    """The namespaces and the version of an API server."""

    def do_GET(self) -> None:
        """Answer with a list, or the version."""
        if not self.is_authorized():
            return
        value: dict[str, object] = {"major": "1", "minor": "32", "gitVersion": "v1.32.0"}
        if "namespaces" in self.path:
            value = {"kind": "NamespaceList", "apiVersion": "v1", "metadata": {}, "items": []}
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def api_server(lasting_seconds: Sandbox, tmp_path: Path) -> Iterator[TokenServer]:
    """Run an API server."""
    with serve(ApiHandler, lasting_seconds, tmp_path) as server:
        yield server


def write_kubeconfig(server: TokenServer, version: str = "v1", **settings: object) -> Path:
    """Write a kubeconfig with the manual's user, for another profile."""
    block = PAGE.read_text().split("```yaml\n")[1].split("```")[0]
    (user,) = yaml.safe_load(block)["users"]
    user["user"]["exec"] |= {
        "command": str(TOKENCLI),
        "args": ["oauth2" if word == "corp" else word for word in user["user"]["exec"]["args"]],
        "apiVersion": f"client.authentication.k8s.io/{version}",
        **settings,
    }
    cluster = {"server": server.url, "certificate-authority": server.ca_file}
    path = server.directory / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [user],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": user["name"]}}],
                "current-context": "x",
            }
        )
    )
    return path


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_python_client_outlives_its_tokens(
    api_server: TokenServer, lasting_seconds: Sandbox, version: str
) -> None:
    """One client runs on while tokens expire, and no request of it is refused."""
    path = write_kubeconfig(api_server, version, provideClusterInfo=True)
    client = kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(path)))
    for _ in until_expired(lasting_seconds):
        assert client.list_namespace().items == []
    assert set(api_server.statuses) == {200}
    assert all(header.startswith("Bearer ") for header in api_server.credentials)


@pytest.mark.skipif(
    shutil.which("kubectl") is None and not IN_CI, reason="apt-get install kubernetes-client"
)
def test_kubectl_gets_fresh_tokens(
    api_server: TokenServer, lasting_seconds: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command gets a token that is fresh at that moment; Debian's knows only v1beta1."""
    monkeypatch.setenv("KUBECONFIG", str(write_kubeconfig(api_server, "v1beta1")))
    for _ in until_expired(lasting_seconds):
        done = subprocess.run(
            ["kubectl", "get", "--raw", "/api/v1/namespaces"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["kind"] == "NamespaceList"
    assert set(api_server.statuses) == {200}


@pytest.mark.skipif(
    shutil.which("kubectl") is None and not IN_CI, reason="apt-get install kubernetes-client"
)
def test_kubectl_shows_why_there_is_no_token(
    api_server: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user reads tokencli's error and the command that helps."""
    path = write_kubeconfig(
        api_server, "v1beta1", args=["get", "corp", "--format", "exec_credential"]
    )
    monkeypatch.setenv("KUBECONFIG", str(path))
    done = subprocess.run(
        ["kubectl", "get", "--raw", "/version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "fix: tokencli login corp" in done.stderr
