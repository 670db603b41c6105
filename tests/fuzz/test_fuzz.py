"""Every reader of what others wrote, against bytes: only the project's own errors escape."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.__main__ import mutated
from tests.fuzz.targets import TARGETS


@pytest.mark.requirement(24)
@pytest.mark.parametrize("name", TARGETS)
@given(st.data())
def test_any_bytes_are_read_or_refused(name: str, data: st.DataObject) -> None:
    """Bytes of any kind, and good inputs that were changed a little."""
    target = TARGETS[name]
    changed = st.integers(0).map(lambda seed: mutated(random.Random(seed), target.seeds))
    target.check(data.draw(st.one_of(st.binary(max_size=300), changed)))


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_worth_starting_from(name: str) -> None:
    """Each seed passes."""
    for seed in TARGETS[name].seeds:
        TARGETS[name].check(seed)


def test_the_warm_record_that_the_fuzzer_changes_is_one_that_is_believed() -> None:
    """Unchanged it is answered, so that changes to it reach all of the reader."""
    from tests.fuzz.targets import _record, _records
    from tokencli.fastpath import reader

    _, environ, place = _records()
    place.write_bytes(_record(TARGETS["hot"].seeds[0] + b"\n"))
    place.chmod(0o600)
    assert reader.fast_path_output(["get", "p"], environ) == "token\n"


def test_the_long_run_is_one_command() -> None:
    """As the README gives it; it says how many inputs it tried."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "challenge", "--seconds", "0.2", "--random"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "nothing broke" in done.stdout
