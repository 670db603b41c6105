"""Command lines that run without Typer do the same as with it."""

from collections.abc import Iterator

import pytest

from tests.fast_path_world import World, world
from tests.forking import Forks


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """Run one process, with the program loaded, for all tests."""
    with Forks() as running:
        yield running


@pytest.fixture
def place() -> Iterator[World]:
    """Prepare a configuration with cached tokens."""
    with world() as made:
        made.make()
        yield made


@pytest.mark.parametrize("command", ["get", "export", "refresh"])
@pytest.mark.parametrize("profile", [None, "p", "q.2", "missing", "", "../p"])
def test_fast_commands_equal_typer_commands(
    command: str, profile: str | None, forks: Forks, place: World
) -> None:
    """stdout, stderr and exit code; `--` sends the same words through Typer.

    A refresh fails because nothing listens at the token URL, with one of two messages.
    """
    words = [] if profile is None else [profile]
    direct = forks.run([command, *words], place.environ, long=True)
    place.make()
    parsed = forks.run([command, "--", *words], place.environ, long=True)
    assert (direct.code, direct.out) == (parsed.code, parsed.out)
    if direct.code != 6:
        assert direct.err == parsed.err
    assert direct.out or direct.err


@pytest.mark.parametrize(
    ("direct", "parsed"),
    [
        (["completion", "--profiles"], ["completion", "--profiles", "-q"]),
        (["completion", "--profiles", "q"], ["completion", "-q", "--profiles", "q"]),
        (["completion", "q", "--profiles"], ["completion", "--profiles", "--", "q"]),
        (["hook", "zsh", "--renew", "missing"], ["hook", "--renew", "--", "zsh", "missing"]),
        (["hook", "csh", "--renew"], ["hook", "--renew", "--", "csh"]),
    ],
    ids=lambda argv: " ".join(argv),
)
def test_completion_and_renewal_equal_typer_commands(
    direct: list[str], parsed: list[str], forks: Forks, place: World
) -> None:
    """With and without Typer."""
    one = forks.run(direct, place.environ, long=True)
    other = forks.run(parsed, place.environ, long=True)
    assert (one.code, one.err, len(one.out)) == (other.code, other.err, len(other.out))


def test_typer_completion_variable_disables_the_fast_path(forks: Forks, place: World) -> None:
    """If its variable is set, Typer answers, whether a token is cached or not."""
    environ = {**place.environ, "_TOKENCLI_COMPLETE": "bash_source"}
    assert forks.run(["get", "p"], environ) == forks.run(["get", "-v", "p"], environ)
