"""A provider that is being drafted, and how values of the request become references."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from tokencli.importers.model import Imported
from tokencli.importers.name_patterns import (
    CONSTANT_PARAMETERS,
    SECRET_NAME_PATTERN,
    STANDARD_VALUE_NAMES,
)
from tokencli.providers.template_values import GENERATED_VALUES, REPLY_VALUES
from tokencli.toml_writer import format_toml_value

MAX_CONSTANT_LENGTH = 100
MAX_NAME_LENGTH = 200
"""Characters of a member's name that are read."""
GENERATED_VARIABLES = {"$guid": "{uuid}", "$randomuuid": "{uuid}", "$timestamp": "{now}"}
"""Values that Postman and Bruno generate for each request -> their equivalents here."""
VARIABLE_PATTERN = re.compile(r"\{\{\s*+([^{}\s](?:[^{}]{0,98}[^{}\s])?+)\s*+\}\}")
_TYPED_VARIABLE = re.compile(r"\{\{[^{}|]*\|(number|bool)\}\}")
MAX_FIELD_NAME_LENGTH = 60


@dataclass(slots=True)
class ProviderDraft:
    """A provider that is being drafted: TOML lines, fields and open questions."""

    title: str
    reserved_names: Collection[str] = ()
    """Names that fields can't have."""
    top_level_lines: list[str] = field(default_factory=list)
    table_lines: list[str] = field(default_factory=list)
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    open_questions: dict[str, None] = field(default_factory=dict)
    """What the user has to check, in order."""
    variables: Mapping[str, str] = field(default_factory=dict)
    optional_members: frozenset[str] = frozenset()
    constant_members: frozenset[str] = frozenset()
    kept_constants: dict[str, None] = field(default_factory=dict)
    """The parts of the request that are kept as constants, in order."""
    source: Imported | None = None
    """What is drafted."""

    def add_open_question(self, what: str) -> None:
        """Record an open question, once."""
        what = re.sub(r"[^ -~\u00a1-\u1fff]+", " ", what)[:300]
        self.open_questions[what] = None

    def record_kept(self, what: str) -> None:
        """Record a part of the request that is kept as a constant, once."""
        self.kept_constants[what] = None

    def summarize(self) -> str:
        """Return one line with the request that it would send, or the grants that it supports."""
        words = dict(
            line.partition(" = ")[::2] for line in [*self.top_level_lines, *self.table_lines]
        )
        place = words.get("endpoints.token", "").strip('"')
        grants = [name.removeprefix("grants.") for name in words if name.startswith("grants.")]
        method = words.get("method", "POST").strip('"')
        return f"OAuth at {place}: {', '.join(grants)}" if grants else f"{method} {place}"

    def to_toml(self) -> str:
        """Return the provider as TOML, with a comment for each open question."""
        fields = ", ".join(
            f"{name}.{next(iter(about))} = {format_toml_value(next(iter(about.values())))}"
            if len(about) == 1
            else f"{name} = {format_toml_value(about)}"
            for name, about in self.fields.items()
        )
        head = [f"title = {format_toml_value(self.title)}", *self.top_level_lines]
        head += [f"fields = {{ {fields} }}"] if fields else []
        marks = [f"# OPEN: {what}" for what in self.open_questions]
        return "\n".join([*marks, *head, *self.table_lines]) + "\n"

    def draft_value(self, name: str, text: str, *, typed: bool = False) -> str:
        """Return the template for a member's text: a constant or a reference."""
        name = name[:MAX_NAME_LENGTH]
        vendors = (
            re.sub(r"[^a-z@-]", "_", name.lower()) in CONSTANT_PARAMETERS
            or name in self.constant_members
        )
        word = self.fill_variables(text) if vendors else None
        if word is not None and not VARIABLE_PATTERN.search(word):
            self.record_kept(name)
            return escape_template(word)
        whole = VARIABLE_PATTERN.fullmatch(text.strip())
        if whole and whole[1].lower() in GENERATED_VARIABLES:
            return GENERATED_VARIABLES[whole[1].lower()]
        found = self.add_reference(name)
        kind = _TYPED_VARIABLE.fullmatch(text)
        return found.replace("}", f"|{kind[1]}}}") if typed and kind else found

    def fill_variables(self, text: str, limit: int = MAX_CONSTANT_LENGTH) -> str | None:
        """Return a text with the known variables put in, or None if that is longer than the limit."""
        parts, length, start = [], 0, 0
        for found in VARIABLE_PATTERN.finditer(text):
            parts += [text[start : found.start()], self.variables.get(found[1], found[0])]
            length += len(parts[-2]) + len(parts[-1])
            start = found.end()
            if length > limit:
                return None
        parts.append(text[start:])
        return "".join(parts) if length + len(parts[-1]) <= limit else None

    def add_reference(self, name: str) -> str:
        """Return the placeholder for a value, adding its field."""
        key = to_snake_case(name)
        standard = STANDARD_VALUE_NAMES.get(key) or STANDARD_VALUE_NAMES.get(key.replace("_", ""))
        if standard:
            return f"{{{standard}}}"
        return self.add_field(
            key,
            "secret" if SECRET_NAME_PATTERN.search(key) else "text",
            name in self.optional_members,
        )

    def add_field(self, key: str, kind: str, optional: bool = False) -> str:
        """Return the placeholder for a field, adding the field."""
        key = key[:MAX_FIELD_NAME_LENGTH].strip("_")
        key = f"x_{key}" if key in (*self.reserved_names, *GENERATED_VALUES, *REPLY_VALUES) else key
        about: dict[str, Any] = {"kind": kind} if kind != "text" else {}
        if key not in self.fields:
            self.fields[key] = about | ({"optional": True} if optional else {})
        elif not optional:
            self.fields[key].pop("optional", None)
        return f"{{{key}}}"


def to_snake_case(name: str) -> str:
    """Return a name as a field name: lower-case letters, digits and underscores."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:MAX_NAME_LENGTH])
    key = re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_") or "value"
    return key if key[0].isalpha() else f"x_{key}"


def escape_template(text: str) -> str:
    """Return a template that produces the text."""
    return text.replace("{", "{{").replace("}", "}}")
