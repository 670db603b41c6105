"""The tests that guard credentials fail when the code they guard is removed.

Each row removes one thing from a copy of the package and names the test that must fail.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import tokencli

ROOT = Path(tokencli.__file__).parent.parent


@dataclass(frozen=True)
class Mutant:
    """What is removed, and the test that must fail."""

    file: str
    old: str
    new: str
    test: str


MUTANTS = {
    "the second read under the lock": Mutant(
        "core/get_token.py",
        """                if stored is not None and is_usable(stored):
                    cache.fill_from_store(stored, store)
                    return use_stored(stored.token)
                if stored is not None and (
""",
        "                if stored is not None and (\n",
        "tests/unit/core/test_get_token.py::test_second_read_under_lock",
    ),
    "the flush before the rename": Mutant(
        "system/private_files.py",
        "            platforms.current().sync_file(self._fd)\n",
        "",
        "tests/unit/system/test_private_files.py::test_a_write_is_flushed_before_the_rename",
    ),
    "the order of flush and rename": Mutant(
        "system/private_files.py",
        """            platforms.current().sync_file(self._fd)
            fd, self._fd = self._fd, -1
            os.close(fd)
            _replace_file(self._temp_path, self.path)
""",
        """            _replace_file(self._temp_path, self.path)
            platforms.current().sync_file(self._fd)
            fd, self._fd = self._fd, -1
            os.close(fd)
""",
        "tests/unit/system/test_private_files.py::test_a_write_is_flushed_before_the_rename",
    ),
    "the comparison before clearing a file": Mutant(
        "token_store/locked_store.py",
        "if stored is None or stored.token.refresh_token != only:",
        "if stored is None:",
        "tests/contract/test_token_stores.py::test_delete_compares_the_refresh_token",
    ),
    "the comparison before clearing after a refusal": Mutant(
        "core/token_renewal.py",
        "if stored is not None and latest is not None and latest != spent:",
        "if False:",
        "tests/unit/core/test_get_token.py::test_refresh_race_loser_deletes_nothing",
    ),
    "the journal before sending": Mutant(
        "core/token_renewal.py",
        "            store.begin_refresh(key, spent)\n",
        "",
        "tests/unit/core/test_get_token.py::test_journal_before_refresh",
    ),
    "keeping the old refresh token": Mutant(
        "core/token_renewal.py",
        "old.refresh_token if is_kept else new.refresh_token",
        "new.refresh_token",
        "tests/unit/core/test_get_token.py::test_old_refresh_token_is_kept",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_applies(name: str) -> None:
    """The code that it removes and the test that must fail are there."""
    mutant = MUTANTS[name]
    text = (ROOT / "tokencli" / mutant.file).read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1
    path, _, test = mutant.test.partition("::")
    assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.long
@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_detected(name: str, tmp_path: Path) -> None:
    """The test passes on the original and fails on the mutant."""
    mutant = MUTANTS[name]
    shutil.copytree(
        ROOT / "tokencli", tmp_path / "tokencli", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(
        ROOT / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert run(tmp_path, mutant.test) == 0
    source = tmp_path / "tokencli" / mutant.file
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    assert run(tmp_path, mutant.test) == 1


def run(root: Path, test: str) -> int:
    """Run a test against the copy of the package in `root` and return pytest's exit code."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", test],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        check=False,
    ).returncode
