"""The documented systems under Wine, end to end over HTTPS, with the Credential Manager."""

import pytest

from tests.windows.wine import Windows
from tokencli.sandbox.groupid import GroupId
from tokencli.sandbox.screening_eagle import ScreeningEagle
from tokencli.sandbox.server import Sandbox
from tokencli.sandbox.socialid import SocialId

SYSTEMS = {system.name: system.resource_path for system in (GroupId, ScreeningEagle, SocialId)}
"""Profile -> path of an API."""


@pytest.mark.promise(
    "GroupID, Screening Eagle and Social-ID NOW over HTTPS, tokens in the platform's keyring",
    "Wine",
)
@pytest.mark.parametrize("system", SYSTEMS)
def test_systems_work_end_to_end(system: str, windows: Windows, sandbox: Sandbox) -> None:
    """A token is fetched once, stored in the Credential Manager, accepted by the API, and revoked."""
    env = windows.configure(sandbox, "keyring")
    first = windows.tokencli("get", system, env=env)
    assert first.code == 0, first
    requests = sandbox.database.token_requests
    stored = windows.tokencli("get", system, env=env)
    assert (stored.code, stored.out) == (0, first.out), stored
    assert sandbox.database.token_requests == requests
    shown = windows.tokencli("request", system, sandbox.url + SYSTEMS[system], "--fail", env=env)
    assert shown.code == 0, shown
    assert windows.tokencli("logout", system, env=env).code == 0
    again = windows.tokencli("get", system, env=env)
    assert again.code == 0, again
    assert sandbox.database.token_requests > requests
    assert again.out != first.out
