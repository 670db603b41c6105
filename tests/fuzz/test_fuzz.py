"""Every parser of untrusted input, fed with arbitrary bytes, raises only the project's own errors."""

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
def test_any_bytes(name: str, data: st.DataObject) -> None:
    """Arbitrary bytes, and valid inputs with small changes."""
    target = TARGETS[name]
    changed = st.integers(0).map(lambda seed: mutated(random.Random(seed), target.seeds))
    target.check(data.draw(st.one_of(st.binary(max_size=300), changed)))


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_pass(name: str) -> None:
    """Each seed is accepted."""
    for seed in TARGETS[name].seeds:
        TARGETS[name].check(seed)


def test_fast_path_seed_is_valid() -> None:
    """Unchanged it gives a token, so changes to it reach the whole reader."""
    from tests.fuzz.targets import _record, _records
    from tokencli.fastpath import reader

    _, environ, place = _records()
    place.write_bytes(_record(TARGETS["hot"].seeds[0] + b"\n"))
    place.chmod(0o600)
    assert reader.fast_path_output(["get", "p"], environ) == "token\n"


def test_fuzz_command() -> None:
    """`python -m tests.fuzz` reports the number of inputs."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "challenge", "--seconds", "0.2", "--random"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "nothing broke" in done.stdout
