"""newman, Bruno and httpYac with the variables that `export` writes."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Run, script
from tests.e2e.consumers.expiries import set_lifetime, until_expired
from tests.servers import oidc_provider
from tokencli.sandbox.server import Sandbox

pytestmark = pytest.mark.long

POSTMAN_ITEM: dict[str, object] = {
    "name": "me",
    "request": {
        "method": "GET",
        "url": "{{URL}}",
        "header": [{"key": "Authorization", "value": "Bearer {{ACCESS_TOKEN}}"}],
    },
    "event": [
        {
            "listen": "test",
            "script": {"exec": ["pm.test('ok', () => pm.response.to.have.status(200))"]},
        }
    ],
}
POSTMAN_COLLECTION = {
    "info": {
        "name": "demo",
        "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
    },
    "item": [POSTMAN_ITEM],
}
BRUNO_REQUEST = """
meta {
  name: me
  type: http
}

get {
  url: {{URL}}
  auth: bearer
}

auth:bearer {
  token: {{ACCESS_TOKEN}}
}

assert {
  res.status: eq 200
}
"""
HTTP_REQUEST = """
GET {{URL}}
Authorization: Bearer {{ACCESS_TOKEN}}

?? status == 200
"""


@pytest.fixture(scope="session")
def programs() -> Path:
    """Return the directory of the programs."""
    oidc_provider.require()
    return oidc_provider.installed(Path(__file__).parent / "node") / "node_modules" / ".bin"


@pytest.mark.parametrize("client", ["newman", "bru", "httpyac"])
def test_tokens_expire_between_runs(
    client: str, programs: Path, short_lived: Sandbox, tokencli: Run, tmp_path: Path
) -> None:
    """Each run gets a file that was written just before it, and the API accepts the token in it."""
    set_lifetime(short_lived, 6)
    url, ca_file = f"{short_lived.url}/oauth2/resource", short_lived.ca_file
    (tmp_path / "demo.json").write_text(json.dumps(POSTMAN_COLLECTION))
    (tmp_path / "bruno.json").write_text('{"version": "1", "name": "demo", "type": "collection"}')
    (tmp_path / "me.bru").write_text(BRUNO_REQUEST)
    (tmp_path / "me.http").write_text(HTTP_REQUEST)
    form, file, command = {
        "newman": (
            "postman",
            "token.json",
            f"run demo.json -e token.json --env-var URL={url} --ssl-extra-ca-certs {ca_file}",
        ),
        "bru": (
            "bruno",
            "token.bru",
            f"run me.bru --sandbox developer --env-file token.bru --env-var URL={url} --cacert {ca_file}",
        ),
        "httpyac": (
            "http_client",
            "http-client.private.env.json",
            f"send me.http --all --env tokencli --output response --var URL={url}",
        ),
    }[client]
    for _ in until_expired(short_lived):
        exported = tokencli("export", "oauth2", "--format", form)
        assert exported.code == 0, exported.err
        (tmp_path / file).write_text(exported.out)
        done = subprocess.run(
            [programs / client, *command.split()],
            cwd=tmp_path,
            env={**os.environ, "NODE_EXTRA_CA_CERTS": ca_file},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Authorization: Bearer ey" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("command", "reference"),
    [
        ("bru run me.bru --sandbox developer --cacert {ca_file}", "{{process.env.ACCESS_TOKEN}}"),
        ("httpyac send me.http --all --output response", "{{$processEnv ACCESS_TOKEN}}"),
    ],
    ids=["bru", "httpyac"],
)
def test_variable_of_exec(
    command: str, reference: str, programs: Path, short_lived: Sandbox, tmp_path: Path
) -> None:
    """Each run gets the token in its environment, and no file has it."""
    set_lifetime(short_lived, 6)
    (tmp_path / "bruno.json").write_text('{"version": "1", "name": "demo", "type": "collection"}')
    for name, text in (("me.bru", BRUNO_REQUEST), ("me.http", HTTP_REQUEST)):
        text = text.replace("{{URL}}", f"{short_lived.url}/oauth2/resource")
        (tmp_path / name).write_text(text.replace("{{ACCESS_TOKEN}}", reference))
    program, *args = command.format(ca_file=short_lived.ca_file).split()

    for _ in until_expired(short_lived):
        done = subprocess.run(
            [script(), "exec", "oauth2", "--", programs / program, *args],
            cwd=tmp_path,
            env={**os.environ, "NODE_EXTRA_CA_CERTS": short_lived.ca_file},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Bearer ey" not in done.stdout + done.stderr


def test_tokens_expire_during_a_run_behind_the_proxy(
    programs: Path, short_lived: Sandbox, tmp_path: Path
) -> None:
    """The collection's own run is longer than a token is valid; it needs no variable with a token."""
    short_lived.set_faults(lifetime="2s")
    request = {"method": "GET", "url": "{{URL}}oauth2/resource"}
    collection = {**POSTMAN_COLLECTION, "item": [{**POSTMAN_ITEM, "request": request}]}
    (tmp_path / "demo.json").write_text(json.dumps(collection))
    proxy = subprocess.Popen(
        [script(), "proxy", "oauth2", "--to", short_lived.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert proxy.stdout is not None
        url = proxy.stdout.readline().strip().rstrip("/") + "/"
        done = subprocess.run(
            [
                *(programs / "newman", "run", "demo.json", "--env-var", f"URL={url}"),
                *("--iteration-count", "16", "--delay-request", "500"),
            ],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
    finally:
        proxy.terminate()
        proxy.communicate(timeout=30)
    assert done.returncode == 0, done.stdout
    states = [token.state for token in short_lived.issued_tokens]
    assert states.count("expired") >= 3
