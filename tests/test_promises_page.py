"""The manual's security page: each promise names tests, and each of those exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "tokencli" / "manual" / "security.md"
PROMISE = re.compile(r"^- (.*\.) <!-- (\d+): ([^>]*) -->$", re.MULTILINE)
TEST = re.compile(r"(tests/[^:\s]+\.py)::(test_\w+)")
PROMISED = (*range(1, 28), *range(29, 37), 38)
"""Numbers of the requirements that are promises to users."""

MARKED = (*range(6, 16), *range(20, 27), *range(29, 32), *range(33, 37))
"""Those whose tests carry the marker `requirement(number)`."""


def promises() -> dict[int, tuple[str, list[tuple[str, str]]]]:
    """Return the promises: number -> its sentences, and its tests as (file, function)."""
    return {
        int(number): (text, TEST.findall(tests))
        for text, number, tests in PROMISE.findall(PAGE.read_text(encoding="utf-8"))
    }


@cache
def requirements(path: str) -> dict[str, frozenset[int]]:
    """Return the tests of a file: name -> the numbers in its `requirement` markers."""
    file = ROOT / path
    if not file.is_file():
        return {}
    tree = ast.parse(file.read_text(encoding="utf-8"))
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
    """One list item for each number, and no item without one before the last section."""
    assert tuple(sorted(promises())) == PROMISED
    listed = PAGE.read_text(encoding="utf-8").partition("## What tokencli can't protect")[0]
    assert listed.count("\n- ") == len(PROMISED)


@pytest.mark.parametrize("number", PROMISED)
def test_a_promise_has_tests_that_exist(number: int) -> None:
    """Each test that a promise names exists, and is marked with its number where they are."""
    _, tests = promises()[number]
    assert tests
    for path, name in tests:
        assert name in requirements(path), f"{path} has no {name}"
        if number in MARKED:
            assert number in requirements(path)[name], f"{path}::{name} lacks its marker"
