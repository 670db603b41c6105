"""Make an example of a JSON schema: its members, and placeholders where values belong."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tokencli.providers.draft.made import CONSTANT
from tokencli.providers.recorded import tree

DEEPEST = 8
MOST_NODES = 2000
MOST_REFERENCES = 20
GRANTS = ("client_credentials", "password")
"""Which of several grant types an example takes."""
_EXAMPLES = {"date-time": "2030-01-01T00:00:00Z", "date": "2030-01-01"}


@dataclass(slots=True)
class Schemas:
    """The schemas of one document, whose references are looked up in it."""

    root: Any
    nodes: int = 0
    optional: set[str] = field(default_factory=set)
    """Members that a request may leave out."""
    constants: set[str] = field(default_factory=set)
    """Members that have one value only."""

    def resolved(self, node: Any) -> dict[str, Any]:
        """Return a table, or the one in this document that it refers to."""
        found = tree.table(node)
        for _ in range(MOST_REFERENCES):
            where = found.get("$ref")
            if not isinstance(where, str) or not where.startswith("#/"):
                return found if where is None else {}
            here: Any = self.root
            for part in where[2:].split("/"):
                name = unquote(part).replace("~1", "/").replace("~0", "~")
                here = tree.table(here).get(name)
            found = {**tree.table(here), **{k: v for k, v in found.items() if k != "$ref"}}
        return {}

    def request(self, node: Any) -> Any:
        """Return an example of a request's body; what varies stands as `{{name}}`."""
        return self._example(node, "", 0, True)

    def reply(self, node: Any) -> Any:
        """Return an example of a reply."""
        return self._example(node, "", 0, False)

    def _example(self, node: Any, name: str, depth: int, asked: bool) -> Any:
        self.nodes += 1
        if depth > DEEPEST or self.nodes > MOST_NODES:
            return None
        schema = self._merged(self.resolved(node), depth)
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), None)
        properties = tree.table(schema.get("properties"))
        if properties or kind == "object":
            return self._members(schema, properties, depth, asked)
        if kind == "array":
            inner = self._example(schema.get("items"), name, depth + 1, asked)
            return [] if inner is None else [inner]
        if asked:
            return self._asked(schema, name, tree.text(kind))
        if kind in ("integer", "number"):
            return 0
        if kind == "boolean":
            return True
        return _EXAMPLES.get(tree.text(schema.get("format")), "x")

    def _members(
        self, schema: dict[str, Any], properties: dict[str, Any], depth: int, asked: bool
    ) -> dict[str, Any]:
        needed = schema.get("required")
        required = (
            {one for one in needed if isinstance(one, str)} if isinstance(needed, list) else set()
        )
        found: dict[str, Any] = {}
        for key, each in properties.items():
            if asked and self.resolved(each).get("readOnly") is True:
                continue
            found[key] = self._example(each, key, depth + 1, asked)
            if asked and key not in required:
                self.optional.add(key)
        return found

    def _merged(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        """Return a schema with the parts of allOf, and the first of oneOf or anyOf, put together."""
        parts = [one for key in ("oneOf", "anyOf") for one in _several(schema, key)[:1]]
        parts = [*_several(schema, "allOf"), *parts]
        self.nodes += len(parts)
        if not parts or depth > DEEPEST or self.nodes > MOST_NODES:
            return schema
        whole = dict(schema)
        for part in parts:
            other = self._merged(self.resolved(part), depth + 1)
            inner = {**tree.table(whole.get("properties")), **tree.table(other.get("properties"))}
            needed = [*_list(whole.get("required")), *_list(other.get("required"))]
            whole = {**other, **whole, "properties": inner, "required": needed}
        return whole

    def _asked(self, schema: dict[str, Any], name: str, kind: str) -> Any:
        """Return what a request sends for a member: the vendor's constant, or a placeholder."""
        words = _list(schema.get("enum"))
        only = [schema["const"]] if "const" in schema else words if len(words) == 1 else []
        if only and isinstance(only[0], str | int | float):
            self.constants.add(name)
            return only[0]
        if kind == "boolean":
            given = schema.get("default")
            return given if isinstance(given, bool) else f"{{{{{name}|bool}}}}"
        if kind in ("integer", "number"):
            return f"{{{{{name}|number}}}}"
        if name.lower() in CONSTANT:
            liked = [one for one in GRANTS if one in words]
            given = tree.first(*liked, schema.get("default"), schema.get("example"), *words[:1])
            return given or f"{{{{{name}}}}}"
        return f"{{{{{name}}}}}"


def _several(schema: dict[str, Any], key: str) -> list[Any]:
    return [one for one in _list(schema.get(key)) if isinstance(one, dict)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
