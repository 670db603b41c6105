"""A provider that is being drafted, and how values of the request become references."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from tokencli.importers.name_patterns import (
    CONSTANT_PARAMETERS,
    SECRET_NAME_PATTERN,
    STANDARD_VALUE_NAMES,
)
from tokencli.providers.template_values import GENERATED_VALUES, REPLY_VALUES
from tokencli.toml_writer import format_toml_value

MAX_CONSTANT_LENGTH = 100
GENERATED_VARIABLES = {"$guid": "{uuid}", "$randomuuid": "{uuid}", "$timestamp": "{now}"}
"""Values that Postman and Bruno generate for each request -> their equivalents here."""
VARIABLE_PATTERN = re.compile(r"\{\{\s*([^{}]{1,100}?)\s*\}\}")
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
    open_questions: list[str] = field(default_factory=list)
    variables: Mapping[str, str] = field(default_factory=dict)
    optional_members: frozenset[str] = frozenset()
    constant_members: frozenset[str] = frozenset()
    kept_constants: list[str] = field(default_factory=list)
    """The parts of the request that are kept as constants."""

    def add_open_question(self, what: str) -> None:
        """Record an open question, once."""
        what = re.sub(r"[^ -~\u00a1-\u1fff]+", " ", what)[:300]
        if what not in self.open_questions:
            self.open_questions.append(what)

    def record_kept(self, what: str) -> None:
        """Record a part of the request that is kept as a constant, once."""
        if what not in self.kept_constants:
            self.kept_constants.append(what)

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
        word = VARIABLE_PATTERN.sub(lambda found: self.variables.get(found[1], found[0]), text)
        vendors = (
            re.sub(r"[^a-z@-]", "_", name.lower()) in CONSTANT_PARAMETERS
            or name in self.constant_members
        )
        if vendors and len(word) <= MAX_CONSTANT_LENGTH and not VARIABLE_PATTERN.search(word):
            self.record_kept(name)
            return escape_template(word)
        whole = VARIABLE_PATTERN.fullmatch(text.strip())
        if whole and whole[1].lower() in GENERATED_VARIABLES:
            return GENERATED_VARIABLES[whole[1].lower()]
        found = self.add_reference(name)
        kind = _TYPED_VARIABLE.fullmatch(text)
        return found.replace("}", f"|{kind[1]}}}") if typed and kind else found

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
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:200])
    key = re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_") or "value"
    return key if key[0].isalpha() else f"x_{key}"


def escape_template(text: str) -> str:
    """Return a template that produces the text."""
    return text.replace("{", "{{").replace("}", "}}")
