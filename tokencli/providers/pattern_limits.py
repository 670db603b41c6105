"""Places in a reply that cost little, whatever the reply: regular expressions and JMESPath judged
by how they are built, before either is let loose upon anything."""

import re
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from tokencli.errors import ConfigError

MAX_CHOICES = 3
"""Choices that a pattern leaves open; with n characters it costs n to their power at most."""
MAX_INPUT_LENGTHS = (16 * 1024, 16 * 1024, 2048, 512)
"""Characters that a pattern with so many choices is let loose upon."""
_SINGLE_CHARACTER_OPS = (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN, op.CATEGORY)
_REPEAT_OPS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)
MAX_COPIES = 256
"""How often a JMESPath may write a part of the reply down anew, all its lists and tables together."""
MAX_PATH_LENGTH = 500


def check_regex(pattern: str) -> None:
    """Take a regular expression of one group that can't run away; raises ConfigError.

    One character may be repeated, and no group; the repeats of a changing number and the
    alternatives together are few; it neither looks around nor back.
    """
    try:
        tree = _parser.parse(pattern)
        groups = re.compile(pattern).groups
    except (re.error, OverflowError, RecursionError):
        raise ConfigError(f"{pattern[:80]!r} is no regular expression") from None
    if groups != 1:
        raise ConfigError(
            f"the regular expression {pattern[:80]!r} has {groups} groups and must have one",
            fix="put ( ) around the part that is wanted, (?: ) around others",
        )
    if _count_choices(tree) > MAX_CHOICES:
        raise ConfigError(
            f"the regular expression {pattern[:80]!r} might take for ever",
            fix="repeat no group, look neither ahead nor back, and leave open"
            f" {MAX_CHOICES} choices at most: * + ? {{m,n}} |",
        )


def get_max_input_length(pattern: str) -> int:
    """Return how many characters a pattern that was checked may be let loose upon."""
    return MAX_INPUT_LENGTHS[min(_count_choices(_parser.parse(pattern)), MAX_CHOICES)]


def _count_choices(tree: Any) -> int:
    """Count the choices that a parsed pattern leaves open; what is never allowed counts as too many."""
    count = 0
    for kind, told in tree:
        if kind in _REPEAT_OPS:
            least, most, inner = told
            if len(inner) != 1 or inner[0][0] not in _SINGLE_CHARACTER_OPS:
                return MAX_CHOICES + 1
            count += least != most
        elif kind is op.BRANCH:
            count += 1 + sum(map(_count_choices, told[1]))
        elif kind is op.SUBPATTERN:
            count += _count_choices(told[-1])
        elif kind not in (*_SINGLE_CHARACTER_OPS, op.AT):
            return MAX_CHOICES + 1
    return count


def check_jmespath(written: str, parsed: Any) -> None:
    """Take a compiled JMESPath that can't multiply what it is given; raises ConfigError."""
    if len(written) > MAX_PATH_LENGTH or _count_copies(parsed, 0) > MAX_COPIES:
        raise ConfigError(
            f"the place {written[:80]!r} might make far more of a reply than came",
            fix="name one value, without lists and tables of its own",
        )


def _count_copies(node: Any, depth: int) -> int:
    """Return how often a node may write its input down, at most."""
    if depth > MAX_PATH_LENGTH or not isinstance(node, dict):
        return 1
    children = [child for child in node.get("children", ()) if isinstance(child, dict)]
    product = 1
    for child in children:
        product = min(product * _count_copies(child, depth + 1), MAX_COPIES + 1)
    many = node.get("type") in ("multi_select_list", "multi_select_dict")
    return min(product * (len(children) if many else 1) or 1, MAX_COPIES + 1)
