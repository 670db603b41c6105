"""Write the provider reference from the schema that validates providers."""

import ast
import inspect
import re
from collections.abc import Collection, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from tokencli.provider_schema import Provider
from tokencli.providers.template import FILTER_NAMES
from tokencli.providers.template_values import GENERATED_VALUES
from tokencli.toml_writer import format_toml_value

REFERENCE_SECTIONS = (
    ("Provider", "Top level"),
    ("Endpoints", "[endpoints]"),
    ("Field", "[fields.NAME]"),
    ("Grant", "[grants.NAME]"),
    ("Signed", "[signed.NAME]"),
    ("Request", "[request]"),
    ("Spellings", "[spellings.NAME]"),
    ("Reply", "[reply]"),
    ("Call", "[then], [refresh] and [logout]: all keys of [request], and"),
    ("Errors", "[errors]"),
    ("ErrorMeaning", "[errors.codes.CODE] and [errors.status.NUMBER]"),
    ("IssuanceRules", "[issuing]"),
)
"""The classes of the provider language in reading order, with the tables that they describe."""

INTRODUCTION = """\
A provider describes how one kind of token endpoint works. It is a TOML file, or a table
`[providers.NAME]` in the configuration. `tokencli providers show NAME` prints any of the built-in files.

    [providers.acme]
    title = "Acme"
    endpoints.token = "https://{{host}}/api/login"
    fields = {{ host.kind = "host", tenant.optional = true }}
    use = ["X-Auth-Token: {{token}}", "X-Tenant: {{tenant}}"]
    request = {{ body = "json", send = {{ user = "{{username}}", password = "{{password}}" }} }}
    reply = {{ access_token = "data.token", expires_at = "data.expires", time_unit = "ms" }}
    [providers.acme.errors]
    code = "error.code"
    description = "error.message"
    codes.E401 = {{ what = "the user name or the password is wrong", whose = "you" }}

    [profiles.acme]
    provider = "acme"
    host = "acme.example.com"
    username = "demo"

**Templates.** `{{name}}` inserts a value. It can be:

* a value from [fields], [values] or [signed];
* a standard value: `client_id`, `client_secret`, `username`, `password`, `scope`, `token_url` or
  `private_key`;
* a generated value: {generated}. Each stays the same throughout one request. `now` is in seconds,
  `now_ms` in milliseconds, `nonce` is 32 hex digits, and `device_id` is a UUID that never changes;
* in [values], [then], [refresh], [logout] and `use`: `token`, `refresh_token` and each of `outputs`.

Write `{{{{` and `}}}}` for literal braces. Every value is escaped for its place: one path segment, one
parameter, one JSON string or one XML text. A value that a header can't carry is refused. In [values]
and in text bodies, values are inserted unchanged.

**Filters.** `{{name|filter|filter}}` transforms a value. The filters are {filters}.

* A digest (md5, sha…, hmac…) must be followed by hex or base64.
* `{{text|hmac_sha256:key}}` uses the value named `key` as the key. To sign several values, first put
  them together in [values].
* `{{now|date:%Y-%m-%dT%H:%M:%SZ}}` writes a time in UTC. `{{now|plus:300}}` is five minutes later.
* `url` percent-encodes (RFC 3986).
* `int`, `number`, `bool` and `list` (of words) convert a placeholder that stands alone in a JSON body to
  that type.

**Secrets.** `password`, `client_secret`, `private_key` and fields of kind secret are stored in the OS
keyring unless the profile names another source: `api_key = {{ env = "KEY" }}`,
`{{ file = "key.txt" }}`, `{{ command = ["pass", "acme"] }}` or `{{ prompt = true }}`. All other values are
written in the profile as text.

**Field names.** These names are already keys of every profile, so a field can't use them: {taken}.

**Standard OAuth requests.** By default, tokencli sends the standard OAuth request: it adds `grant_type`, the scope
and the client authentication, together with your headers and the `params` of the grant. A flat JSON body
still counts as standard: set only `body = "json"`. The `password` grant also needs
`allow_password_grant = true` in the profile. Assertions of `private_key_jwt` and `jwt_bearer` contain iss
and sub = client_id (for `jwt_bearer`, sub is the profile's username if it has one),
aud = `assertion_audience`, iat, nbf, exp and jti. If a vendor needs other claims, describe them in
[signed] and send them.

**Other requests.** If [request] sets `send`, `basic`, `query`, a `method` other than POST, or a `body` of
none, text or xml, the request consists of exactly what [request] describes. There is then one grant,
`token`, and nothing is added.

**Two requests.** If getting a token takes two requests, [then] describes the second one. If the first
reply has a refresh token but no token, [refresh] is used as the second one. [then], [refresh] and [logout]
inherit nothing from [request]: each sets its own body and headers. Their replies are read according to
[reply], or according to their own `reply` alone. The outputs of both replies are stored; the token comes
from the last reply.

**Servers.** Requests go to the token endpoint's server, and to servers that the profile itself names: in a
field of kind url or host, or in a key such as `userinfo_url`. Requests to any other server that a
user-defined provider describes are refused. `tokencli providers check` and `tokencli profiles add` list all
of them. Requests use https. Plain http works only for a loopback address or a cloud metadata service, and
only if the profile sets `allow_http = true`.

**Success and failure.** A reply is successful if its status is below 400 or listed in `reply.status` and,
if `reply.success` is set, that locator finds a value. Without `reply.success`, a reply with a value at
`errors.code` is a failure. The first of two replies need not contain a token. Numeric error codes are
written as text: `codes.-22`. If neither the reply nor the provider gives a lifetime, tokencli fetches a new
token each time; set `reply.ttl` to avoid that.
"""


class TomlSchemaGenerator(GenerateJsonSchema):
    """Generates a JSON Schema in which each key is described by the docstring below it.

    It has no null, which TOML does not have: optional keys are left out.
    """

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Return the schema of a pydantic model, with descriptions."""
        return _describe_keys(super().model_schema(schema), schema["cls"])

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        """Return the schema of a dataclass, with descriptions."""
        return _describe_keys(super().dataclass_schema(schema), schema["cls"])

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Return the schema of the value without null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Return the schema without a default of null."""
        if schema.get("default") is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def _describe_keys(schema: JsonSchemaValue, cls: type) -> JsonSchemaValue:
    """Add the docstrings of the keys of `cls`, unless they have a description."""
    for base in cls.__mro__:
        for name, text in _read_key_docstrings(base).items():
            if name in schema["properties"]:
                schema["properties"][name].setdefault("description", text)
    return schema


@cache
def _read_key_docstrings(cls: type) -> Mapping[str, str]:
    """Return the docstrings below the attributes of a class, from its source if it has any.

    Pydantic's `use_attribute_docstrings` reads the source whenever a model is built, i.e. in commands
    that only validate.
    """
    if not cls.__module__.startswith("tokencli."):
        return {}
    try:
        (node,) = ast.parse(inspect.getsource(cls)).body
    except OSError:  # a model made at run time
        return {}
    assert isinstance(node, ast.ClassDef)
    return {
        ast.unparse(key.target): inspect.cleandoc(ast.literal_eval(text.value))
        for key, text in pairwise(node.body)
        if isinstance(key, ast.AnnAssign) and isinstance(text, ast.Expr)
    }


def render_reference(reserved_names: Collection[str]) -> str:
    """Return the reference as Markdown: each key with its type, default and example.

    No field may have one of `reserved_names`.
    """
    schema = TypeAdapter(Provider).json_schema(
        ref_template="#/$defs/{model}", schema_generator=TomlSchemaGenerator
    )
    classes = {"Provider": schema, **schema["$defs"]}
    introduction = INTRODUCTION.format(
        generated=", ".join(f"`{name}`" for name in GENERATED_VALUES),
        taken=", ".join(f"`{name}`" for name in sorted(reserved_names)),
        filters=", ".join(f"`{name}`" for name in FILTER_NAMES),
    )
    parts = [introduction]
    request_keys = set(classes["Request"]["properties"])
    for name, heading in REFERENCE_SECTIONS:
        parts.append(f"### {heading}\n\n{classes[name].get('description', '').strip()}\n")
        for key, entry in classes[name]["properties"].items():
            if (key == "name" and name == "Provider") or (name == "Call" and key in request_keys):
                continue
            required = key in classes[name].get("required", ())
            parts.append(_render_entry(key, entry, required=required))
        parts.append("")
    return "\n".join(parts)


def _render_entry(key: str, entry: dict[str, Any], *, required: bool) -> str:
    description = re.sub(r"\s+", " ", entry.get("description", "")).strip()
    text, _, example = description.partition(" Example: ")
    default = entry.get("default")
    facts = [_describe_type(entry)]
    if required:
        facts.append("required")
    elif default not in (None, [], {}, ""):
        facts.append(f"default {_format_toml(default)}")
    line = f"- `{key}` ({', '.join(facts)}): {text}"
    return f"{line} Example: {example}" if example else line


def _describe_type(entry: dict[str, Any]) -> str:
    """Return the TOML type of a key, or the values that it accepts."""
    if "enum" in entry or "const" in entry:
        return " | ".join(map(_format_toml, entry.get("enum", [entry.get("const")])))
    if "$ref" in entry or "allOf" in entry:
        return "table"
    if "anyOf" in entry:
        return " | ".join(dict.fromkeys(map(_describe_type, entry["anyOf"])))
    return _TYPE_NAMES.get(entry.get("type", ""), "table | array | text")


_TYPE_NAMES = {
    "string": "text",
    "object": "table",
    "array": "array",
    "number": "number",
    "integer": "whole number",
    "boolean": "true | false",
}
"""JSON Schema type -> its name in the reference."""


def _format_toml(value: Any) -> str:
    """Return a default as TOML. A list of one item is written as the item, which means the same."""
    return format_toml_value(value[0] if isinstance(value, list) and len(value) == 1 else value)
