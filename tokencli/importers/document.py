"""Parse the JSON or YAML of other tools, and read expected values from it.

YAML is built from the events of the safe loader on a stack of our own: keys stay text, dates stay text,
no tag creates an object, and the size of aliases is counted before they are expanded.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tokencli.errors import ConfigError

MAX_DEPTH = 100
MAX_YAML_LENGTH = 16 * 1024 * 1024
MAX_ALIASED_NODES = 50_000
"""The most nodes that aliases may add: API descriptions need a few hundred, bombs billions."""
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?[0-9]{1,20}\.[0-9]{0,20}(?:[eE][-+]?[0-9]{1,2})?")
_YAML_CONSTANTS = {"": None, "~": None, "null": None, "true": True, "false": False}


def parse_document(text: str) -> Any:
    """Return the tree of a JSON or YAML text.

    Raises:
        ConfigError: it is neither, or too deeply nested, too large or too heavily aliased.
    """
    try:
        tree = json.loads(text)
    except ValueError as error:
        if text.lstrip()[:1] in ("{", "[") and isinstance(error, json.JSONDecodeError):
            return _parse_flow_yaml(text, error)
        return _parse_yaml(text)
    except RecursionError:
        raise _rejected_file_error("it is nested too deeply") from None
    _check_depth(tree)
    return tree


def _parse_flow_yaml(text: str, error: json.JSONDecodeError) -> Any:
    """Parse text that looks like JSON but is not, since YAML allows braces as well."""
    try:
        return _parse_yaml(text)
    except ConfigError:
        raise ConfigError(
            f"this is not valid JSON: error in line {error.lineno}",
            fix="export the file again; it may have been cut off",
        ) from None


def _check_depth(tree: Any) -> None:
    level = [tree] if isinstance(tree, dict | list) else []
    for _ in range(MAX_DEPTH):
        if not level:
            return
        below: list[Any] = []
        for node in level:
            below += node.values() if isinstance(node, dict) else node
        level = [node for node in below if isinstance(node, dict | list)]
    raise _rejected_file_error("it is nested too deeply")


def _rejected_file_error(why: str) -> ConfigError:
    return ConfigError(f"the file can't be imported: {why}", fix="check that it is the right file")


@dataclass(slots=True)
class _OpenNode:
    """A mapping or a list that is being read."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    size: int = 1
    key: str | None = None
    merge_sources: list[dict[str, Any]] = field(default_factory=list)

    def add_child(self, value: Any, word: str, size: int) -> None:
        """Add the next node. `word` is the text of a scalar, used if it is a key."""
        self.size += size
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.key is None:
            self.key = word
        else:
            if self.key == "<<" and isinstance(value, dict | list):
                several = value if isinstance(value, list) else [value]
                self.merge_sources += [one for one in several if isinstance(one, dict)]
            else:
                self.value[self.key] = value
            self.key = None

    def finish_node(self) -> Any:
        """Return the finished node. Keys of the mapping take precedence over merged ones."""
        for one in self.merge_sources:
            for key, value in one.items():
                self.value.setdefault(key, value)  # type: ignore[union-attr]
        return self.value


def _parse_yaml(text: str) -> Any:
    import yaml  # costs start-up time, and only YAML files need it

    if len(text) > MAX_YAML_LENGTH:
        raise _rejected_file_error("YAML of more than 16 MB")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _build_tree(yaml.parse(text, Loader=loader), yaml)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f": error in line {mark.line + 1}" if mark else ""
        raise ConfigError(f"this is neither JSON nor YAML{line}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError("this is neither JSON nor YAML") from None


def _build_tree(events: Iterable[Any], yaml: Any) -> Any:
    stack: list[_OpenNode] = [_OpenNode([], None)]
    anchors: dict[str, tuple[Any, int]] = {}
    aliased = 0
    for event in events:
        if isinstance(event, yaml.DocumentEndEvent):
            break
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise _rejected_file_error("it has an alias without an anchor before it")
            value, size = anchors[event.anchor]
            aliased += size
            if aliased > MAX_ALIASED_NODES:
                raise _rejected_file_error("its aliases expand too much")
            stack[-1].add_child(
                value, str(value)[:100] if isinstance(value, str | int) else "", size
            )
        elif isinstance(event, yaml.ScalarEvent):
            value = _parse_scalar(event)
            stack[-1].add_child(value, event.value, 1)
            if event.anchor:
                anchors[event.anchor] = value, 1
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if len(stack) > MAX_DEPTH:
                raise _rejected_file_error("it is nested too deeply")
            start: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            stack.append(_OpenNode(start, event.anchor))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            node = stack.pop()
            whole = node.finish_node()
            stack[-1].add_child(whole, "", node.size)
            if node.anchor:
                anchors[node.anchor] = whole, node.size
    top = stack[0].value
    return top[0] if isinstance(top, list) and top else None


def _parse_scalar(event: Any) -> Any:
    """Return the value of a plain scalar by the core schema of YAML 1.2. Other scalars are text."""
    word = event.value
    if event.tag is not None or not event.implicit[0]:
        return word
    if word.lower() in _YAML_CONSTANTS:
        return _YAML_CONSTANTS[word.lower()]
    if _INTEGER.fullmatch(word):
        return int(word)
    return float(word) if _FLOAT.fullmatch(word) else word


def as_table(value: Any) -> dict[str, Any]:
    """Return a table, or an empty one if it is something else."""
    return value if isinstance(value, dict) else {}


def as_rows(value: Any) -> list[dict[str, Any]]:
    """Return the tables of a list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def as_list(value: Any) -> list[Any]:
    """Return a list, or an empty one if it is something else."""
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """Return text, or a number or boolean as JSON writes it, else an empty text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else ""


def first_text(*values: Any) -> str:
    """Return the first value that is text and not empty, else an empty text."""
    return next((found for value in values if (found := as_text(value))), "")


def as_pairs(value: Any, *, name: str = "key") -> list[tuple[str, str]]:
    """Return the names and values of a table, or of the enabled rows of a list."""
    if isinstance(value, dict):
        return [(str(key), as_text(one)) for key, one in value.items()]
    return [
        (found, as_text(row.get("value")))
        for row in as_rows(value)
        if (found := as_text(row.get(name)))
        and not row.get("disabled")
        and row.get("enabled", True)
    ]
