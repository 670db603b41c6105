"""The marker `long`: suites that a plain `pytest` leaves out, and the line that says so.

`pytest -m long` runs them, and so does naming their file or a test in it.
"""

from pathlib import Path
from typing import Any

import pytest

DESELECT = "not long"
"""The marker expression in pyproject.toml's `addopts`."""
LEFT_OUT = pytest.StashKey[dict[str, int]]()
"""Test file -> how many of its long tests were left out."""


def pytest_configure(config: pytest.Config) -> None:
    """Run everything in files that are named on the command line, long or not."""
    config.stash[LEFT_OUT] = {}
    named = config.invocation_params.args if config.args_source is config.ArgsSource.ARGS else ()
    files = [arg for arg in config.args if arg in named]
    if (
        files
        and config.option.markexpr == DESELECT
        and all(Path(arg.partition("::")[0]).is_file() for arg in files)
    ):
        config.option.markexpr = ""


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count the long tests that are left out."""
    for item in items:
        if item.config.option.markexpr == DESELECT and item.get_closest_marker("long"):
            left_out = item.config.stash[LEFT_OUT]
            left_out[item.path.name] = left_out.get(item.path.name, 0) + 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the counts of an xdist worker to its controller."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["long_left_out"] = session.config.stash[LEFT_OUT]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over the counts of an xdist worker; all workers collect the same tests."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("long_left_out", {})


def summary(config: pytest.Config) -> str | None:
    """Return one line about the long tests that were left out, and how to run them."""
    left_out = config.stash[LEFT_OUT]
    if not left_out:
        return None
    files = ", ".join(sorted(name.removeprefix("test_").removesuffix(".py") for name in left_out))
    return f"left out: {sum(left_out.values())} long tests ({files}); run them with: pytest -m long"
