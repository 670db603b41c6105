"""The report of `doctor --bundle`: what is in it, and what never is."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("character", "/?#@:")
def test_proxy_password_with_special_characters(
    write_config: Write, tokencli: Run, character: str
) -> None:
    """What looks like host and port may be the user's name and the beginning of a password."""
    write_config(
        '[profiles.p]\nprovider = "oauth2"\nclient_id = "c"\ntoken_url = "https://id.example.com/t"\n'
    )
    proxy = f"http://canaryuser:90817263{character}canary-proxy-password-1b@127.0.0.1:9"
    done = tokencli("doctor", "p", "--bundle", "-", env={"HTTPS_PROXY": proxy})
    assert done.code in (4, 6), done.err
    assert "90817263" not in done.out and "canary" not in done.out


def test_secret_in_place_of_a_name(write_config: Write, tokencli: Run) -> None:
    """A secret that was written instead of a variable's, a parameter's or a profile's name is masked."""
    token = "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOjF9.Y2FuYXJ5LTdi"  # made up
    write_config(f"""
        [providers.acme.request]
        url = "https://id.example.com/token"
        params = {{ "{token}" = "{{password}}" }}
        [profiles.p]
        provider = "oauth2"
        client_id = "c"
        token_url = "https://127.0.0.1:9/token"
        client_secret = {{ env = "canary-Secret-9d" }}
        [profiles."{token}"]
        provider = "oauth2"
        """)
    for form in ((), ("--json",)):
        done = tokencli("doctor", "--all", "--bundle", "-", *form)
        assert done.code in (3, 4), done.err
        assert "canary" not in done.out and "eyJ" not in done.out


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


def test_file_that_cannot_be_written(tokencli: Run, tmp_path: Path) -> None:
    """What the checks found is not lost, and a name that can't be a file's is refused at once."""
    with Sandbox() as sandbox:
        env = {"TOKENCLI_CONFIG": str(sandbox.config_file)}
        missing = tmp_path / "missing" / "report.txt"
        done = tokencli("doctor", "oauth2", "--json", "--bundle", str(missing), env=env)
        assert done.code == 8 and json.loads(done.out)["checks"]
        for name, words in (("", "needs the name of a file"), (str(tmp_path), "is a directory")):
            done = tokencli("doctor", "oauth2", "--bundle", name, env=env)
            assert (done.code, done.out) == (2, "") and words in done.err


def test_fix_for_an_existing_file_keeps_the_options(tokencli: Run, tmp_path: Path) -> None:
    """It writes the same report, under a name that is free."""
    for name in ("report.txt", "report-2.txt"):
        (tmp_path / name).touch()
    with Sandbox() as sandbox:
        env = {"TOKENCLI_CONFIG": str(sandbox.config_file)}
        args = ("doctor", "--json", "--timeout", "9s", "--bundle", str(tmp_path / "report.txt"))
        done = tokencli(*args, env=env)
        fix = json.loads(done.err)["error"]["fix"]
        assert str(fix).split()[1:] == [*args[:4], "--bundle", str(tmp_path / "report-3.txt")]


def test_broken_configuration(write_config: Write, tokencli: Run) -> None:
    """The report has the line of the mistake, and nothing of the file's text."""
    write_config('[profiles.p]\nclient_secret = "canary-secret-4e\n')
    done = tokencli("doctor", "--bundle", "-")
    assert done.code == 3
    assert "line 2" in done.out and "canary" not in done.out
