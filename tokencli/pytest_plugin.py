"""The pytest fixture `tokencli_sandbox`: an authorization server for the tests of other projects.

pytest imports this module in every run where tokencli is installed, so the rest of tokencli is
imported by the fixture only.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
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

    with ExitStack() as cleanup:
        sandbox = _start_sandbox(tokencli_sandbox_options, cleanup)
        patch = cleanup.enter_context(monkeypatch.context())
        patch.delenv("TOKENCLI_PROFILE", raising=False)
        for name, value in sandbox.variables.items():
            patch.setenv(name, value)
        yield sandbox
        App(AppOptions(config=sandbox.config_file)).fast_path_records.delete_all()


def _start_sandbox(options: Mapping[str, Any], cleanup: ExitStack) -> "Sandbox":
    """Start a sandbox; if the options are wrong, fail the test with what is wrong."""
    from tokencli.errors import TokencliError
    from tokencli.sandbox.server import Sandbox

    if not isinstance(options, Mapping):
        pytest.fail("tokencli_sandbox_options: must return a dictionary", pytrace=False)
    try:
        return cleanup.enter_context(Sandbox(**options))
    except TokencliError as error:
        problems = [
            f"{f'line {each.line}: ' if each.line else ''}{each.where}: {each.what}"
            f"{f'; {each.right}' if each.right else ''}"
            for each in getattr(error, "problems", ())
        ]
        lines = [f"tokencli_sandbox_options: {error.message}", error.cause, *problems, error.fix]
    pytest.fail("\n".join(line for line in lines if line), pytrace=False)
