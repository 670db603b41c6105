"""Many callers and many profiles: one request for all, and nothing that grows with the file."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.fast_path_world import World, world
from tests.forking import Forks
from tokencli.sandbox.server import Sandbox

pytestmark = pytest.mark.long

CALLERS = 500
MANY = 10_000


@pytest.fixture
def place() -> Iterator[World]:
    """Provide a warm world."""
    with world() as made:
        made.make()
        yield made


def write(place: World, text: str) -> None:
    """Write the configuration with a lock timeout that is long enough for all callers."""
    place.config.write_text(text)
    os.utime(place.config, (1, 1))


@pytest.mark.parametrize("warmed", [False, True], ids=["cold", "expired"])
def test_five_hundred_callers_cost_one_request(place: World, warmed: bool) -> None:
    """All get the same token, with and without an older one in the store."""
    with Sandbox(lifetime=600) as sandbox, Forks() as forks:
        slow = sandbox.render_config(
            {"groupid": {"lock_timeout": "250s"}}, state_dir=str(place.state)
        )
        write(place, slow)
        if warmed:
            sandbox.set_faults(lifetime=0)
            assert forks.run(["get", "groupid"], place.environ).code == 0
            sandbox.set_faults(lifetime=600)
        before = sandbox.database.token_requests
        results = forks.at_once([["get", "groupid"]] * CALLERS, place.environ)
        assert {one.code for one in results} == {0}, [one.err for one in results if one.code][:1]
        assert len({one.out for one in results}) == 1
        assert sandbox.database.token_requests - before == 1


def test_ten_thousand_profiles_cost_few_keyring_reads(
    tokencli: Run, tmp_path: Path, write_config: object
) -> None:
    """Listing them reads at most 100 keyring items."""
    (tmp_path / "counting_backend.py").write_text(
        f"""
from pathlib import Path
from keyring.backend import KeyringBackend

class Keyring(KeyringBackend):
    priority = 1
    def get_password(self, service, username):
        with Path({str(tmp_path / "asked")!r}).open("a") as file:
            file.write("x")
    def set_password(self, service, username, password): ...
    def delete_password(self, service, username): ...
"""
    )
    rows = [
        f'[profiles.n{number}]\nprovider = "oauth2"\ngrant = "client_credentials"\n'
        f'token_url = "https://127.0.0.1:9/token"\nclient_id = "c{number}"\nstore = "keyring"\n'
        for number in range(MANY)
    ]
    config = write_config("\n".join(rows))  # type: ignore[operator]
    done = tokencli(
        "profiles",
        env={
            "TOKENCLI_CONFIG": str(config),
            "PYTHONPATH": str(tmp_path),
            "PYTHON_KEYRING_BACKEND": "counting_backend.Keyring",
        },
        timeout=250,
    )
    assert done.code == 0, done.err
    assert f"n{MANY - 1}" in done.out
    assert len((tmp_path / "asked").read_text()) <= 100
