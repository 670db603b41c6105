"""Many processes at once: one token request per expiry, and no refresh token is lost."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.conftest import script
from tokencli.sandbox.server import Sandbox

MANY = 50


def run_all_at_once(
    commands: Sequence[Sequence[str]], environments: Sequence[Mapping[str, str]]
) -> list[tuple[int, str, str]]:
    """Start all processes, wait for them, and return exit code, stdout and stderr of each."""
    running = [
        subprocess.Popen(
            [script(), *command],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command, environment in zip(commands, environments, strict=True)
    ]
    ended = [(process, *process.communicate(timeout=250)) for process in running]
    return [(process.returncode, out, err) for process, out, err in ended]


def configure(sandbox: Sandbox, path: Path, **changes: object) -> Path:
    """Write a configuration with changed keys in its groupid profile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(sandbox.render_config({"groupid": changes}))  # type: ignore[dict-item]  # tables, too
    path.chmod(0o600)
    return path


def expire(sandbox: Sandbox, environment: Mapping[str, str]) -> str:
    """Fetch a token that has expired already, with a rotating refresh token, and return the latter.

    Tokens issued from then on live for 10 minutes, so one more request is enough.
    """
    sandbox.set_faults(lifetime=0)
    ((code, _, err),) = run_all_at_once([["get", "groupid"]], [environment])
    assert code == 0, err
    spent = sandbox.current_refresh_token("groupid")
    assert spent is not None
    sandbox.set_faults(lifetime=600)
    return spent


def expect_one_request(
    sandbox: Sandbox, environments: Sequence[Mapping[str, str]], spent: str
) -> None:
    """Run all processes at once: all succeed with one token and one request, and the family stays active."""
    before = sandbox.database.token_requests
    results = run_all_at_once(
        [["get", "groupid", "--lock-timeout", "200"]] * len(environments), environments
    )
    assert [code for code, _, _ in results] == [0] * len(results), results
    assert len({out for _, out, _ in results}) == 1
    assert sandbox.database.token_requests - before == 1
    assert sandbox.is_family_active(spent)
    current = sandbox.current_refresh_token("groupid")
    assert current not in (None, spent)


@pytest.mark.promise("many processes at expiry: one token request", "Linux")
@pytest.mark.requirement(1)
@pytest.mark.parametrize("processes", [8, pytest.param(MANY, marks=pytest.mark.long)])
def test_simultaneous_gets_cost_one_request(processes: int, tmp_path: Path) -> None:
    """With reuse detection and no grace period: all succeed, 1 token request, active family."""
    with Sandbox() as sandbox:
        config = configure(sandbox, tmp_path / "c.toml")
        environment = {"TOKENCLI_CONFIG": str(config)}
        spent = expire(sandbox, environment)
        expect_one_request(sandbox, [environment] * processes, spent)


@pytest.mark.long
@pytest.mark.requirement(1)
def test_fifty_processes_and_a_slow_server(tmp_path: Path) -> None:
    """Still one request if the server takes 3 s to respond after rotating."""
    with Sandbox() as sandbox:
        config = configure(sandbox, tmp_path / "c.toml")
        environment = {"TOKENCLI_CONFIG": str(config)}
        spent = expire(sandbox, environment)
        sandbox.set_faults(lifetime=600, slow=3)
        expect_one_request(sandbox, [environment] * MANY, spent)


@pytest.mark.long
def test_a_token_that_lives_four_seconds(tmp_path: Path) -> None:
    """All of fifty processes succeed, with at most one request per time for which a token is fresh."""
    with Sandbox() as sandbox:
        config = configure(sandbox, tmp_path / "c.toml")
        environment = {"TOKENCLI_CONFIG": str(config)}
        expire(sandbox, environment)
        sandbox.set_faults(lifetime=4)
        before, start = sandbox.database.token_requests, time.monotonic()
        results = run_all_at_once([["get", "groupid"]] * MANY, [environment] * MANY)
        elapsed = time.monotonic() - start
        requests = sandbox.database.token_requests - before
        assert [code for code, _, _ in results] == [0] * MANY, results
        assert requests == len({out for _, out, _ in results})
        assert requests <= 1 + elapsed / 3.5


@pytest.mark.long
@pytest.mark.requirement(2)
@pytest.mark.usefixtures("keyring_env")
def test_two_environments_share_one_keyring(
    tmp_path: Path,
) -> None:
    """One request for one keyring, despite different HOME, XDG_* and TMPDIR."""
    with Sandbox() as sandbox:
        config = configure(sandbox, tmp_path / "c.toml", store="keyring")
        environments = []
        for which in ("one", "two"):
            home = tmp_path / which
            folders = {
                name: home / name.lower()
                for name in (
                    "HOME",
                    "XDG_CONFIG_HOME",
                    "XDG_CACHE_HOME",
                    "XDG_STATE_HOME",
                    "XDG_RUNTIME_DIR",
                    "TMPDIR",
                )
            }
            for folder in folders.values():
                folder.mkdir(parents=True, mode=0o700)
            environments.append(
                {k: str(v) for k, v in folders.items()} | {"TOKENCLI_CONFIG": str(config)}
            )
        spent = expire(sandbox, environments[0])
        expect_one_request(sandbox, environments * (MANY // 2), spent)


@pytest.mark.requirement(3)
def test_simultaneous_forced_refreshes(tmp_path: Path) -> None:
    """All eight succeed, and the stored refresh token is the current one."""
    with Sandbox() as sandbox:
        config = configure(sandbox, tmp_path / "c.toml")
        environment = {"TOKENCLI_CONFIG": str(config)}
        expire(sandbox, environment)
        results = run_all_at_once([["refresh", "groupid"]] * 8, [environment] * 8)
        assert [code for code, _, _ in results] == [0] * 8, results
        current = sandbox.current_refresh_token("groupid")
        assert current is not None
        assert sandbox.is_family_active(current)
        files = (sandbox.directory / "state").rglob("*")
        assert any(current in file.read_text() for file in files if file.is_file())
