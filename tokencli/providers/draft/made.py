"""A provider on its way, and how a value of the request becomes a reference in it."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from tokencli.providers.inline import toml
from tokencli.providers.values import FROM_REPLY, GENERATED

CONSTANT = frozenset(
    ("grant_type", "granttype", "scope", "scopes", "audience", "resource", "response_type", "f",
     "format", "output", "action", "method", "jsonrpc", "version", "api-version", "client_version",
     "authflow", "loginmode", "type", "@type", "connection", "requested_token_use", "@version")
)  # fmt: skip
"""Parameters whose value is the vendor's word and no secret."""
LONGEST_CONSTANT = 100
SECRET = re.compile(r"(?i)pass|secret|token|key|pwd|credential|assertion|jwt|pin\b|otp|code\b|sign")
LIFE = re.compile(r"(?i)ttl|expir|timeout|duration|life|minutes|seconds|hours|days|validity")
KNOWN = {
    "username": "username", "user": "username", "user_name": "username", "userid": "username",
    "login": "username", "password": "password", "passwd": "password", "pwd": "password",
    "pass": "password", "client_id": "client_id", "clientid": "client_id",
    "client_secret": "client_secret", "clientsecret": "client_secret", "scope": "scope",
}  # fmt: skip
"""What a parameter is called, without case and dashes -> the standard value behind it."""
MADE = {"$guid": "{uuid}", "$randomuuid": "{uuid}", "$timestamp": "{now}"}
"""What Postman and Bruno make for each request -> what is made here."""
VARIABLE = re.compile(r"\{\{\s*([^{}]{1,100}?)\s*\}\}")
_TYPED = re.compile(r"\{\{[^{}|]*\|(number|bool)\}\}")
LONGEST_NAME = 60


@dataclass(slots=True)
class Draft:
    """A provider on its way: TOML lines, its fields, and what is still open."""

    title: str
    taken: Collection[str] = ()
    """Names that no field may have."""
    lines: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    variables: Mapping[str, str] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    constants: frozenset[str] = frozenset()
    kept: list[str] = field(default_factory=list)
    """What of the request stays as it stood."""

    def leave(self, what: str) -> None:
        """Note something that is open, once."""
        what = re.sub(r"[^ -~\u00a1-\u1fff]+", " ", what)[:300]
        if what not in self.open:
            self.open.append(what)

    def keep(self, what: str) -> None:
        """Note something of the request that stays as it stood, once."""
        if what not in self.kept:
            self.kept.append(what)

    def about(self) -> str:
        """Say in one line what it would send, or which grants it is for."""
        words = dict(line.partition(" = ")[::2] for line in [*self.lines, *self.tables])
        place = words.get("endpoints.token", "").strip('"')
        grants = [name.removeprefix("grants.") for name in words if name.startswith("grants.")]
        method = words.get("method", "POST").strip('"')
        return f"OAuth at {place}: {', '.join(grants)}" if grants else f"{method} {place}"

    def text(self) -> str:
        """Return the provider as TOML, with a comment for each thing that is open."""
        fields = ", ".join(
            f"{name}.{next(iter(about))} = {toml(next(iter(about.values())))}"
            if len(about) == 1
            else f"{name} = {toml(about)}"
            for name, about in self.fields.items()
        )
        head = [f"title = {toml(self.title)}", *self.lines]
        head += [f"fields = {{ {fields} }}"] if fields else []
        marks = [f"# OPEN: {what}" for what in self.open]
        return "\n".join([*marks, *head, *self.tables]) + "\n"

    def value(self, name: str, text: str, *, typed: bool = False) -> str:
        """Return what stands for a member's text: a constant, or a reference."""
        word = VARIABLE.sub(lambda found: self.variables.get(found[1], found[0]), text)
        vendors = re.sub(r"[^a-z@-]", "_", name.lower()) in CONSTANT or name in self.constants
        if vendors and len(word) <= LONGEST_CONSTANT and not VARIABLE.search(word):
            self.keep(name)
            return literal(word)
        whole = VARIABLE.fullmatch(text.strip())
        if whole and whole[1].lower() in MADE:
            return MADE[whole[1].lower()]
        found = self.reference(name)
        kind = _TYPED.fullmatch(text)
        return found.replace("}", f"|{kind[1]}}}") if typed and kind else found

    def reference(self, name: str) -> str:
        """Return the placeholder for a value, and note the field behind it."""
        key = snake(name)
        standard = KNOWN.get(key) or KNOWN.get(key.replace("_", ""))
        if standard:
            return f"{{{standard}}}"
        return self.field(key, "secret" if SECRET.search(key) else "text", name in self.optional)

    def field(self, key: str, kind: str, optional: bool = False) -> str:
        """Return the placeholder for a field, and note the field."""
        key = key[:LONGEST_NAME].strip("_")
        key = f"x_{key}" if key in (*self.taken, *GENERATED, *FROM_REPLY) else key
        about: dict[str, Any] = {"kind": kind} if kind != "text" else {}
        if key not in self.fields:
            self.fields[key] = about | ({"optional": True} if optional else {})
        elif not optional:
            self.fields[key].pop("optional", None)
        return f"{{{key}}}"


def snake(name: str) -> str:
    """Return a name as one of a field: small letters, digits and underscores."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:200])
    key = re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_") or "value"
    return key if key[0].isalpha() else f"x_{key}"


def literal(text: str) -> str:
    """Return text as a template of itself."""
    return text.replace("{", "{{").replace("}", "}}")
