"""The pytest fixture `tokencli_sandbox`: an authorization server for the tests of other projects.

pytest imports this module in every run where tokencli is installed, so the rest of tokencli is
imported by the fixture only.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tokencli.sandbox.server import Sandbox


@pytest.fixture
def tokencli_sandbox_options() -> Mapping[str, Any]:
    """Return the options of `tokencli_sandbox`; override this fixture to set some."""
    return {}


@pytest.fixture
def tokencli_sandbox(
    tokencli_sandbox_options: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> "Iterator[Sandbox]":
    """Run a sandbox for one test; during the test, tokencli uses its configuration."""
    from tokencli.app import App, AppOptions
    from tokencli.errors import ConfigError
    from tokencli.sandbox.server import Sandbox

    try:
        server = Sandbox(**tokencli_sandbox_options)
    except ConfigError as error:
        found = [
            f"{each.where}: {each.what} ({each.right or 'see the manual'})"
            for each in error.problems
        ]
        pytest.fail("\n".join([f"tokencli_sandbox: {error.message}", *found]), pytrace=False)
    with server as sandbox, monkeypatch.context() as patch:
        patch.delenv("TOKENCLI_PROFILE", raising=False)
        for name, value in sandbox.variables.items():
            patch.setenv(name, value)
        yield sandbox
        App(AppOptions(config=sandbox.config_file)).fast_path_records.delete_all()
