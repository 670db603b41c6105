"""Evaluate JMESPath expressions (https://jmespath.org) at a cost that is bounded for any reply.

An expression that copies or rewrites the reply again and again would take time and memory that grow
exponentially: `to_string(to_string(…))`, `join(to_string(@), @)` or `[@,@] | [@,@] | …`.
"""

import json
from functools import cache
from typing import Any

import jmespath
from jmespath import functions, visitor
from jmespath.exceptions import JMESPathError

from tokencli.errors import ConfigError
from tokencli.humanize import join_alternatives

MAX_EXPRESSION_LENGTH = 500
MAX_COPIES = 16
"""How often an expression may copy a part of the reply, over all its lists and tables."""
MAX_STEPS = 100_000
"""Parts of expressions that are evaluated for one reply, at about a microsecond each."""
_ITEMS_PER_STEP = 64
"""Items or characters that a function or a comparison reads in the time of one step."""


@cache
def compile_expression(expression: str, alternatives: tuple[str, ...] = ()) -> Any:
    """Return an expression as its syntax tree. The message of an error names the `alternatives` to one.

    Raises:
        ConfigError: it is not valid, or could make a result far larger than the reply.
    """
    shown = repr(expression[:80])
    try:
        tree: Any = jmespath.compile(expression[: MAX_EXPRESSION_LENGTH + 1]).parsed
    except (JMESPathError, ValueError, RecursionError):
        raise ConfigError(
            f"{shown} is not a valid locator",
            fix="write "
            + join_alternatives(
                ["""data.token, items[0].token or '"a-b"' (JMESPath)""", *alternatives]
            ),
        ) from None
    if len(expression) > MAX_EXPRESSION_LENGTH or _count_copies(tree) > MAX_COPIES:
        raise ConfigError(
            f"the locator {shown} could make a result far larger than the reply",
            fix="select one value, without building lists or tables",
        )
    return tree


def _count_copies(node: Any) -> int:
    """Return how often a node copies its input, at most."""
    children = [child for child in node["children"] if isinstance(child, dict)]
    product = len(children) if node["type"] in ("multi_select_list", "multi_select_dict") else 1
    for child in children:
        product = min(product * _count_copies(child), MAX_COPIES + 1)
    return max(product, 1)


class BoundedSearch:
    """Searches one reply with several expressions, which share its budget."""

    def __init__(self, reply_length: int) -> None:
        self._interpreter = _Interpreter(reply_length)
        self._found: dict[str, tuple[Any, Any]] = {}
        """Expression -> the document that was searched last, and the result."""

    def search(self, expression: str, document: Any) -> Any:
        """Return the value, or None if there is none or the budget is exhausted; raises ConfigError."""
        searched, result = self._found.get(expression, (None, None))
        if searched is None or searched is not document:
            try:
                result = self._interpreter.visit(compile_expression(expression), document)
            except (JMESPathError, RecursionError, _ExhaustedError):
                result = None  # e.g. a function applied to the wrong type
            self._found[expression] = document, result
        return result


class _ExhaustedError(Exception):
    """The evaluation would cost more than is allowed."""


class _Functions(functions.Functions):
    """The functions of JMESPath, with a limit for the text that they make."""

    def __init__(self, text_length: int) -> None:
        self._text_left = text_length

    @functions.signature({"types": []})
    def _func_to_string(self, value: Any) -> str | None:
        """Return a value as text; a missing value stays missing, instead of becoming `null`."""
        if value is None or isinstance(value, str):
            return value
        text = json.dumps(value, separators=(",", ":"))
        self._spend(len(text))
        return text

    @functions.signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, separator: str, texts: list[str]) -> str:
        self._spend(len(separator) * len(texts) + sum(map(len, texts)))
        return separator.join(texts)

    def _spend(self, length: int) -> None:
        self._text_left -= length
        if self._text_left < 0:
            raise _ExhaustedError


class _Interpreter(visitor.TreeInterpreter):
    """Evaluates syntax trees, counting its steps."""

    def __init__(self, reply_length: int) -> None:
        super().__init__(jmespath.Options(custom_functions=_Functions(2 * reply_length + 1024)))
        self._steps_left = MAX_STEPS

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        """Evaluate a node and charge for it and for the size of its result."""
        result = super().visit(node, *args, **kwargs)
        size = len(result) if isinstance(result, list | dict | str) else 0
        self._steps_left -= 1 + size // _ITEMS_PER_STEP
        if self._steps_left < 0:
            raise _ExhaustedError
        return result
