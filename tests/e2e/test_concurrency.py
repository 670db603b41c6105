"""Requirements 1 to 3 with real processes: one token request per expiry, and the chain stays alive."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.conftest import script
from tokencli.sandbox.server import Sandbox

MANY = 50


def all_at_once(
    commands: Sequence[Sequence[str]], environments: Sequence[Mapping[str, str]]
) -> list[tuple[int, str, str]]:
    """Start all processes, then wait for all of them: exit code, stdout and stderr of each."""
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
    """Write a configuration whose groupid profile is changed that way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(sandbox.render_config({"groupid": changes}))  # type: ignore[dict-item]
    path.chmod(0o600)
    return path


def expire(sandbox: Sandbox, environment: Mapping[str, str]) -> str:
    """Get a token of no life with a rotating refresh token; return the refresh token.

    From then on tokens live, so that the next request is the last one needed.
    """
    sandbox.set_faults(lifetime=0)
    ((code, _, err),) = all_at_once([["get", "groupid"]], [environment])
    assert code == 0, err
    spent = sandbox.current_refresh_token("groupid")
    assert spent is not None
    sandbox.set_faults(lifetime=600)
    return spent


def expect_one_request(
    sandbox: Sandbox, environments: Sequence[Mapping[str, str]], spent: str
) -> None:
    """Let everybody ask at once: all succeed with one token, one request, and a living chain."""
    before = sandbox.database.token_requests
    results = all_at_once(
        [["get", "groupid", "--lock-timeout", "200"]] * len(environments), environments
    )
    assert [code for code, _, _ in results] == [0] * len(results), results
    assert len({out for _, out, _ in results}) == 1
    assert sandbox.database.token_requests - before == 1
    assert sandbox.is_family_active(spent)
    current = sandbox.current_refresh_token("groupid")
    assert current not in (None, spent)


@pytest.mark.requirement(1)
def test_fifty_processes_cost_one_request_with_the_file_store(tmp_path: Path) -> None:
    """Grace 0 and reuse detection: 50 successes, 1 token request, chain alive."""
    with Sandbox() as sandbox:
        config = configure(sandbox, tmp_path / "c.toml")
        environment = {"TOKENCLI_CONFIG": str(config)}
        spent = expire(sandbox, environment)
        expect_one_request(sandbox, [environment] * MANY, spent)


@pytest.mark.long
@pytest.mark.requirement(1)
def test_fifty_processes_cost_one_request_while_the_server_is_slow(tmp_path: Path) -> None:
    """The same against a server that takes 3 s to answer, after it has rotated."""
    with Sandbox() as sandbox:
        config = configure(sandbox, tmp_path / "c.toml")
        environment = {"TOKENCLI_CONFIG": str(config)}
        spent = expire(sandbox, environment)
        sandbox.set_faults(lifetime=600, slow=3)
        expect_one_request(sandbox, [environment] * MANY, spent)


@pytest.mark.long
@pytest.mark.requirement(2)
@pytest.mark.usefixtures("keyring_env")
def test_fifty_processes_of_two_environments_share_one_keyring_and_one_lock(
    tmp_path: Path,
) -> None:
    """Different HOME, XDG_* and TMPDIR, one keyring: still one request."""
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
def test_forced_refreshes_at_once_keep_the_chain_alive(tmp_path: Path) -> None:
    """Eight forced refreshes at once: all succeed, and what is stored is the living refresh token."""
    with Sandbox() as sandbox:
        config = configure(sandbox, tmp_path / "c.toml")
        environment = {"TOKENCLI_CONFIG": str(config)}
        expire(sandbox, environment)
        results = all_at_once([["refresh", "groupid"]] * 8, [environment] * 8)
        assert [code for code, _, _ in results] == [0] * 8, results
        current = sandbox.current_refresh_token("groupid")
        assert current is not None
        assert sandbox.is_family_active(current)
        files = (sandbox.directory / "state").rglob("*")
        assert any(current in file.read_text() for file in files if file.is_file())
