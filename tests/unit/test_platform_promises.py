"""The table of the platforms page: what tests say they show, and where."""

from pathlib import Path

import pytest

from tests.platform_promises import read_promises, render_table


def test_the_table_has_each_promise_and_its_places(tmp_path: Path) -> None:
    """Markers with the same text in several places are one row; without a known place they are refused."""
    mark = "@pytest.mark.promise"
    test = "def test_it() -> None: ...\n"
    (tmp_path / "test_a.py").write_text(f'{mark}("b works", "Wine")\n{test}', encoding="utf-8")
    (tmp_path / "test_b.py").write_text(
        f'{mark}("b works", "Linux")\n{mark}("A works", "Linux")\n{test}', encoding="utf-8"
    )
    assert render_table(read_promises(tmp_path)).splitlines()[2:4] == [
        "| A works | seen |  |  | not run |",
        "| b works | seen | seen |  | not run |",
    ]
    (tmp_path / "test_c.py").write_text(f'{mark}("c", "Windows")\n{test}', encoding="utf-8")
    with pytest.raises(AssertionError, match=r"test_c\.py:1"):
        read_promises(tmp_path)
