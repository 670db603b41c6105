"""The fast path prints what the full program prints, or nothing, for any configuration and damage.

Each example runs three times in a fresh environment: with the fast path, without it, and without any
cached token, so that only the store answers. All three must agree in stdout and exit code.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.conftest import Result
from tests.fast_path_world import TOKENS, World, world
from tests.forking import Forks
from tokencli.fastpath import reader

Damage = Callable[[World, int], None]


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """Run one process, with the program loaded, for all examples."""
    with Forks() as running:
        yield running


@pytest.fixture(scope="module")
def place() -> Iterator[World]:
    """Create one folder in memory for all examples."""
    with world() as made:
        yield made


def copy(place: World) -> Path:
    """Return the cached token record of profile p."""
    return place.hot / "p"


def cut(place: World, at: int) -> None:
    """Truncate the record."""
    data = copy(place).read_bytes()
    copy(place).write_bytes(data[: at % len(data)])


def flip(place: World, at: int) -> None:
    """Flip one bit of the record."""
    data = bytearray(copy(place).read_bytes())
    data[at % len(data)] ^= 1 << at % 7
    copy(place).write_bytes(data)


def relink(place: World, at: int) -> None:
    """Replace the record, or a folder above it, by a symbolic link."""
    targets = [copy(place), place.hot, place.hot.parent, place.app_dir]
    target = targets[at % len(targets)]
    moved = place.root / "moved"
    target.rename(moved)
    target.symlink_to(moved)


def open_up(place: World, at: int) -> None:
    """Give others access to the record or a folder above it."""
    targets = [copy(place), place.hot, place.hot.parent, place.app_dir, place.run]
    target = targets[at % len(targets)]
    target.chmod(target.stat().st_mode | (0o004, 0o020, 0o040, 0o002)[at % 4])


def give_away(place: World, at: int) -> None:
    """Give the record, a folder above it or the configuration to another owner."""
    if os.geteuid() == 0:
        targets = [copy(place), place.hot, place.run, place.config]
        os.chown(targets[at % len(targets)], 65534, 65534)


def replace(place: World, at: int) -> None:
    """Replace the record by something else."""
    text = copy(place).read_bytes()
    copy(place).unlink()
    kinds: list[Callable[[], object]] = [
        lambda: os.mkfifo(copy(place)),
        lambda: copy(place).mkdir(),
        lambda: copy(place).write_bytes(b""),
        lambda: shutil.copy(place.hot / "q.2", copy(place)),
        lambda: shutil.copy(place.hot / ".default", copy(place)),
        lambda: (place.root / "other").write_bytes(text),
    ]
    kinds[at % len(kinds)]()
    if (place.root / "other").exists():
        copy(place).hardlink_to(place.root / "other")
    if copy(place).is_file():
        copy(place).chmod(0o600)


def edit(place: World, at: int) -> None:
    """Change the configuration: its text, times, mode, inode, or all of it."""
    text = place.config.read_text()
    kinds: list[Callable[[], object]] = [
        lambda: place.write(text.replace('"batch"', '"hctab"')),
        lambda: place.write(text.replace('default_profile = "p"', 'default_profile = "q.2"')),
        lambda: place.write(text.replace('"P_TOKEN"', '"Q_TOKEN"')),
        lambda: place.write(text.replace('export = "P_TOKEN"', "hot_copy = false")),
        lambda: place.write(text + "nonsense"),
        lambda: place.config.touch(),
        lambda: place.config.chmod(0o666),
        lambda: place.config.chmod(0o620),
        lambda: place.config.unlink(),
        lambda: place.config.rename(place.config.with_name("moved")),
        lambda: Path(shutil.copy2(place.config, place.root / "c")).replace(place.config),
    ]
    kinds[at % len(kinds)]()


def swap_default(place: World, at: int) -> None:
    """Damage the record of the default profile."""
    path = place.hot / ".default"
    data = path.read_bytes()
    path.write_bytes((data[: at % len(data)], data.replace(b"\np\n", b"\nq\n", 1), b"\0")[at % 3])


def nothing(place: World, at: int) -> None:
    """Change nothing."""


DAMAGE: list[Damage] = [
    nothing, cut, flip, relink, open_up, give_away, replace, edit, swap_default,
]  # fmt: skip
ARGUMENTS = [
    ["get"], ["get", "p"], ["get", "q.2"], ["get", "missing"], ["get", ""], ["get", "../q"],
    ["get", "p", "q"], ["get", "-v"], ["get", "p", "--format", "header"], ["get", "--", "p"],
    ["export"], ["export", "p"], ["export", "q.2"], ["export", "p", "--shell", "fish"],
    ["completion", "--profiles"], ["completion", "--profiles", "q"], ["completion", "--profiles", "*"],
    ["completion", "--profiles", "-x"],
]  # fmt: skip
NAMES = ["TOKENCLI_PROFILE", "TOKENCLI_CONFIG", "XDG_CONFIG_HOME", "HOME", "TOKENCLI_X", "CI"]
VALUES = ["", "p", "q.2", "missing", "/", "{config}", "{folder}//config.toml", "~/x", "relative"]
ENVIRONMENT = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from([*VALUES, "{home}", "{home}/.config"]), max_size=2
)


@settings(max_examples=80, deadline=None)
@given(
    argv=st.sampled_from(ARGUMENTS),
    changes=ENVIRONMENT,
    damage=st.sampled_from(DAMAGE),
    at=st.integers(0, 5000),
    later=st.sampled_from([0.0] * 4 + [-5.0, -40.0, -4000.0, 1000.0, 1139.0, 1141.0, 5000.0]),
    stdout=st.sampled_from(["file"] * 5 + ["full", "gone", "closed"]),
)
@example(["get"], {}, nothing, 0, 0.0, "file")
@example(["export", "q.2"], {}, nothing, 0, 1100.0, "file")
@example(["get", "p"], {"TOKENCLI_PROFILE": "q.2"}, edit, 1, 0.0, "file")
@example(["get", "p"], {}, nothing, 0, 0.0, "closed")
@example(["get", "p"], {}, nothing, 0, 0.0, "full")
@example(["get", "p"], {}, nothing, 0, 0.0, "gone")
@pytest.mark.timeout(900)
def test_three_paths_print_the_same(
    forks: Forks,
    place: World,
    argv: list[str],
    changes: dict[str, str],
    damage: Damage,
    at: int,
    later: float,
    stdout: str,
) -> None:
    """Hot, long, and long without a copy: the same bytes and the same exit code."""
    words = {
        "config": place.config,
        "folder": place.config.parent,
        "home": place.root / "home",
    }
    filled = {name: value.format(**words) for name, value in changes.items()}

    def run(*, long: bool, copies: bool) -> Result:
        place.make()
        damage(place, at)
        environ = {**(place.environ if copies else place.without_copies()), **filled}
        home = str(words["home"])
        return forks.run(argv, environ, long=long, stdout=stdout, later=later, home=home)

    quick = run(long=False, copies=True)
    slow = run(long=True, copies=True)
    stored = run(long=True, copies=False)
    assert (quick.code, quick.out) == (slow.code, slow.out), (quick.err, slow.err)
    assert (slow.code, slow.out) == (stored.code, stored.out), (slow.err, stored.err)
    if quick.code == 0:
        assert quick.err == slow.err


@pytest.mark.parametrize(
    "argv", [["get"], ["get", "p"], ["export", "q.2"], ["completion", "--profiles"]]
)
def test_fast_path_answers_if_nothing_is_wrong(place: World, argv: list[str]) -> None:
    """Agreement would be easy if it never answered."""
    place.make()
    assert reader.fast_path_output(argv, place.environ) is not None


@pytest.mark.parametrize("damage", [cut, flip, relink, open_up, replace], ids=lambda d: d.__name__)
@given(at=st.integers(0, 5000))
@settings(max_examples=40, deadline=None)
def test_damaged_record_is_never_used(place: World, damage: Damage, at: int) -> None:
    """Whatever happens to a record: its original token, or no answer."""
    place.make()
    damage(place, at)
    assert reader.fast_path_output(["get", "p"], place.environ) in (None, TOKENS["p"] + "\n")


def test_fast_path_writes_nothing(place: World, forks: Forks) -> None:
    """A warm run leaves every file and folder as it was, including times of change."""
    place.make()

    def seen() -> list[tuple[str, int, int]]:
        paths = sorted([place.root, *place.root.rglob("*")])
        return [(str(path), path.stat().st_ctime_ns, path.stat().st_mtime_ns) for path in paths]

    before = seen()
    assert forks.run(["get", "p"], place.environ).out == TOKENS["p"] + "\n"
    assert seen() == before


@pytest.mark.parametrize("argv", [["get"], ["export", "q.2"], ["completion", "--profiles"]])
@pytest.mark.parametrize("folder", [None, "", "relative"])
@pytest.mark.parametrize("home", [None, "", "relative", "~"])
def test_invalid_home_uses_the_user_database(
    home: str | None, folder: str | None, argv: list[str], forks: Forks, place: World
) -> None:
    """If HOME is not an absolute path, the full program runs and finds the same file."""
    place.make()
    usual = forks.run(argv, place.environ, long=True)
    named = {"HOME": home, "XDG_CONFIG_HOME": folder}
    environ = {name: value for name, value in place.environ.items() if name not in named}
    environ |= {name: value for name, value in named.items() if value is not None}
    assert reader.config_file_path(environ) is None
    at_home = str(place.root / "home")
    for long in (False, True):
        assert forks.run(argv, environ, long=long, home=at_home) == usual
    assert usual.code == 0 and usual.out
