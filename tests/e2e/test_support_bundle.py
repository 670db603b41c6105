"""The report of `doctor --bundle`: what is in it, and what never is."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Run
from tests.faults import behaviours as b
from tests.faults.authority import ca_file
from tests.faults.server import Peer, running
from tokencli.sandbox.oauth2 import OAuth2
from tokencli.sandbox.server import Sandbox

Write = Callable[[str], Path]
CANARIES = """
state_dir = "{state}"

[providers.acme]
title = "canary-title-1a"
endpoints.token = "https://canary-user-2b:canary-password-3c@id.example.com/canary-path-4d?key=canary-query-5e"
request.headers = {{ X-Static = "canary-header-6f" }}
grants.client_credentials = {{}}

[profiles.p]
provider = "oauth2"
grant = "password"
allow_password_grant = true
client_id = "canary-client-7a"
username = "canary-user-8b"
client_secret = {{ env = "VARIABLE" }}
password = {{ command = ["/usr/bin/false", "--canary-argument-9c"] }}
token_url = "https://127.0.0.1:{port}/token/canary-1d-path?tenant=canary-query-2e"
introspection_url = "https://127.0.0.1:{port}/introspect"
scope = "read canary-scope-3f"
params = {{ api_key = "canary-param-4a", pin = "90817263" }}
ca_file = "{ca_file}"
store = "file"

[profiles.invalid]
provider = "oauth2"
username = "canary-user-5b"
client_secret = "canary-inline-6c"
host = "canary-long-7d{long}"
"""
ENVIRON = {
    "VARIABLE": "canary-client-secret-8e",
    "HTTPS_PROXY": "canary-proxy-user-9f:canary-proxy-password-1b@proxy.example.com:3128",
    "NO_PROXY": "127.0.0.1",
    "SOME_API_TOKEN": "canary-variable-2c",
    "USER": "canary-login-3d",
}


def test_nothing_secret_is_in_it(write_config: Write, tokencli: Run, tmp_path: Path) -> None:
    """Neither values of the configuration and the environment, nor what the server repeats."""
    echoes = (
        "invalid_client: canary-client-secret-8e of canary-client-7a, canary-user-8b is unknown"
    )
    body = json.dumps({"error": "invalid_client", "error_description": echoes}).encode()

    def refuse(peer: Peer) -> None:
        b.says(b.message("401 Unauthorized", body))(peer)

    with running(refuse) as server:
        text = CANARIES.format(
            state=tmp_path / "state", port=server.port, ca_file=ca_file(), long="x" * 100
        )
        write_config(text)
        for args in (("--all",), ("p",)):
            for form in ((), ("--json",)):
                done = tokencli("doctor", *args, "--bundle", "-", *form, env=ENVIRON)
                assert done.code in (3, 5)
                assert [line for line in done.out.splitlines() if "canary" in line] == []
                assert "90817263" not in done.out
                assert "proxy.example.com:3128" in done.out
                assert f"127.0.0.1:{server.port}" in done.out
                assert "invalid_client" in done.out


def test_equal_tokens_have_equal_fingerprints(tokencli: Run, tmp_path: Path) -> None:
    """A stored token and the event of its issue are recognized as the same, without showing it."""
    with Sandbox() as sandbox:
        env = {"TOKENCLI_CONFIG": str(sandbox.config_file)}
        token = tokencli("get", "oauth2", env=env).out.strip()
        reports = []
        for _ in range(2):
            done = tokencli("doctor", "oauth2", "--bundle", "-", "--json", env=env)
            assert done.code == 0
            assert token not in done.out and OAuth2.secrets["client_secret"] not in done.out
            reports.append(json.loads(done.out))
    first, second = (report["tokens"][0]["access_token"] for report in reports)
    assert first == reports[0]["events"][-1]["fingerprint"]
    assert first != second, "another report has another salt"
    report = reports[0]
    assert {check["id"] for check in report["checks"]} >= {"tls", "clock", "keyring"}
    assert report["versions"]["tokencli"]
    profile = report["configuration"]["profiles"]["oauth2"]
    assert (profile["provider"], profile["grant"]) == ("oauth2", "client_credentials")
    assert profile["issuer"].endswith("/oauth2")
    ids = {
        key: report["configuration"]["profiles"][key]["client_id"]
        for key in ("oauth2", "mtls", "dpop-demo")
    }
    assert ids["oauth2"] == ids["dpop-demo"] != ids["mtls"]


def test_file_is_private_and_not_replaced_without_asking(tokencli: Run, tmp_path: Path) -> None:
    """It has mode 0600, a note says what it contains, and an existing file stays."""
    file = tmp_path / "report.txt"
    with Sandbox() as sandbox:
        env = {"TOKENCLI_CONFIG": str(sandbox.config_file)}
        done = tokencli("doctor", "oauth2", "--bundle", str(file), env=env)
        assert done.code == 0
        assert "look at it before you send it" in done.err and "it contains:" in done.err
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        text = file.read_text()
        assert "Look at it before you send it" in text
        again = tokencli("doctor", "oauth2", "--bundle", str(file), env=env)
        assert again.code == 2 and file.read_text() == text
        fix = again.err.partition("fix: tokencli ")[2].split()
        assert fix[:2] == ["doctor", "oauth2"]
        assert tokencli(*fix, env=env).code == 0
        assert (tmp_path / "report-2.txt").exists()


def test_broken_configuration(write_config: Write, tokencli: Run) -> None:
    """The report has the line of the mistake, and nothing of the file's text."""
    write_config('[profiles.p]\nclient_secret = "canary-secret-4e\n')
    done = tokencli("doctor", "--bundle", "-")
    assert done.code == 3
    assert "line 2" in done.out and "canary" not in done.out
