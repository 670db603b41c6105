"""The README's page of promises, line by line: each names tests, and each of those exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = re.compile(r"<!-- promises -->\n(.*?)<!-- /promises -->", re.DOTALL)
ROW = re.compile(r"^\| *(\d+) *\|(.*)\|(.*)\|$")
TEST = re.compile(r"`(tests/[^`:]+\.py)::(test_\w+)`")
PROMISED = (*range(6, 16), *range(20, 27), *range(29, 32), *range(33, 37))
"""Numbers of the requirements that the page answers to."""


def rows() -> dict[int, tuple[str, list[tuple[str, str]]]]:
    """Return the page's rows: number -> the promise, and its tests as (file, function)."""
    found = PAGE.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert found, "README.md has no page between <!-- promises --> and <!-- /promises -->"
    matched = [ROW.match(line) for line in found[1].splitlines()]
    return {int(row[1]): (row[2].strip(), TEST.findall(row[3])) for row in matched if row}


@cache
def requirements(path: str) -> dict[str, frozenset[int]]:
    """Return the tests of a file: name -> the numbers in its `requirement` markers."""
    place = ROOT / path
    if not place.is_file():
        return {}
    tree = ast.parse(place.read_text(encoding="utf-8"))
    return {
        node.name: frozenset(
            decorator.args[0].value
            for decorator in node.decorator_list
            if isinstance(decorator, ast.Call)
            and ast.unparse(decorator.func) == "pytest.mark.requirement"
            and isinstance(decorator.args[0], ast.Constant)
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }


def test_the_page_has_every_promise() -> None:
    """One row for each number, in order, none besides."""
    assert tuple(rows()) == PROMISED


@pytest.mark.parametrize("number", PROMISED)
def test_a_promise_is_a_sentence_with_tests_that_are_there(number: int) -> None:
    """Each test that a row names exists, and is marked with the row's number."""
    promise, tests = rows()[number]
    assert promise.endswith(".")
    assert tests
    for path, name in tests:
        assert name in requirements(path), f"{path} has no {name}"
        assert number in requirements(path)[name], name
