"""Build examples from a JSON schema, with placeholders for values."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tokencli.importers.document import as_list, as_table, as_text, first_text
from tokencli.importers.name_patterns import CONSTANT_PARAMETERS

MAX_DEPTH = 8
MAX_NODES = 2000
MAX_REFERENCES = 20
PREFERRED_GRANTS = ("client_credentials", "password")
"""The grant types that an example uses if there are several."""
_FORMAT_EXAMPLES = {"date-time": "2030-01-01T00:00:00Z", "date": "2030-01-01"}


@dataclass(slots=True)
class SchemaExamples:
    """Builds examples from the schemas of one document."""

    root: Any
    visited_nodes: int = 0
    optional_members: set[str] = field(default_factory=set)
    """Members that a request may leave out."""
    constant_members: set[str] = field(default_factory=set)
    """Members that can have only one value."""

    def resolve_ref(self, node: Any) -> dict[str, Any]:
        """Return a table, or the table in this document that it refers to."""
        found = as_table(node)
        for _ in range(MAX_REFERENCES):
            where = found.get("$ref")
            if not isinstance(where, str) or not where.startswith("#/"):
                return found if where is None else {}
            here: Any = self.root
            for part in where[2:].split("/"):
                name = unquote(part).replace("~1", "/").replace("~0", "~")
                here = as_table(here).get(name)
            found = {
                **as_table(here),
                **{k: v for k, v in found.items() if k != "$ref"},
            }
        return {}

    def build_request_example(self, node: Any) -> Any:
        """Return an example of a request's body, with `{{name}}` for variable values."""
        return self._build_example(node, "", 0, True)

    def build_reply_example(self, node: Any) -> Any:
        """Return an example of a reply."""
        return self._build_example(node, "", 0, False)

    def _build_example(self, node: Any, name: str, depth: int, asked: bool) -> Any:
        self.visited_nodes += 1
        if depth > MAX_DEPTH or self.visited_nodes > MAX_NODES:
            return None
        schema = self._merge_subschemas(self.resolve_ref(node), depth)
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), None)
        properties = as_table(schema.get("properties"))
        if properties or kind == "object":
            return self._build_object(schema, properties, depth, asked)
        if kind == "array":
            inner = self._build_example(schema.get("items"), name, depth + 1, asked)
            return [] if inner is None else [inner]
        if asked:
            return self._build_request_value(schema, name, as_text(kind))
        if kind in ("integer", "number"):
            return 0
        if kind == "boolean":
            return True
        return _FORMAT_EXAMPLES.get(as_text(schema.get("format")), "x")

    def _build_object(
        self, schema: dict[str, Any], properties: dict[str, Any], depth: int, asked: bool
    ) -> dict[str, Any]:
        needed = schema.get("required")
        required = (
            {one for one in needed if isinstance(one, str)} if isinstance(needed, list) else set()
        )
        found: dict[str, Any] = {}
        for key, each in properties.items():
            if asked and self.resolve_ref(each).get("readOnly") is True:
                continue
            found[key] = self._build_example(each, key, depth + 1, asked)
            if asked and key not in required:
                self.optional_members.add(key)
        return found

    def _merge_subschemas(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        """Return a schema merged with its allOf parts and the first part of oneOf and anyOf."""
        parts = [one for key in ("oneOf", "anyOf") for one in _list_tables(schema, key)[:1]]
        parts = [*_list_tables(schema, "allOf"), *parts]
        self.visited_nodes += len(parts)
        if not parts or depth > MAX_DEPTH or self.visited_nodes > MAX_NODES:
            return schema
        whole = dict(schema)
        for part in parts:
            other = self._merge_subschemas(self.resolve_ref(part), depth + 1)
            inner = {
                **as_table(whole.get("properties")),
                **as_table(other.get("properties")),
            }
            needed = [*as_list(whole.get("required")), *as_list(other.get("required"))]
            whole = {**other, **whole, "properties": inner, "required": needed}
        return whole

    def _build_request_value(self, schema: dict[str, Any], name: str, kind: str) -> Any:
        """Return the value of a member in a request: a constant of the API, or a placeholder."""
        words = as_list(schema.get("enum"))
        only = [schema["const"]] if "const" in schema else words if len(words) == 1 else []
        if only and isinstance(only[0], str | int | float):
            self.constant_members.add(name)
            return only[0]
        if kind == "boolean":
            given = schema.get("default")
            return given if isinstance(given, bool) else f"{{{{{name}|bool}}}}"
        if kind in ("integer", "number"):
            return f"{{{{{name}|number}}}}"
        if name.lower() in CONSTANT_PARAMETERS:
            liked = [one for one in PREFERRED_GRANTS if one in words]
            given = first_text(*liked, schema.get("default"), schema.get("example"), *words[:1])
            return given or f"{{{{{name}}}}}"
        return f"{{{{{name}}}}}"


def _list_tables(schema: dict[str, Any], key: str) -> list[Any]:
    return [one for one in as_list(schema.get(key)) if isinstance(one, dict)]
