"""The reference of the provider language, made of the words that pydantic validates it by."""

import re
from collections.abc import Collection
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from tokencli.provider_schema import Provider
from tokencli.providers import template_filters
from tokencli.providers.template_values import GENERATED_VALUES
from tokencli.toml_writer import format_toml_value

REFERENCE_SECTIONS = (
    ("Provider", "At the top"),
    ("Endpoints", "[endpoints]"),
    ("Field", "[fields.NAME]"),
    ("Grant", "[grants.NAME]"),
    ("Signed", "[signed.NAME]"),
    ("Request", "[request]"),
    ("Reply", "[reply]"),
    ("Call", "[then], [refresh] and [logout]: every key of [request], and"),
    ("Errors", "[errors]"),
    ("ErrorMeaning", "[errors.codes.CODE] and [errors.status.NUMBER]"),
    ("IssuanceRules", "[issuing]"),
)
"""The classes of the language in reading order, each with the table that it describes."""

INTRODUCTION = """\
A provider says how one kind of token endpoint speaks. It is a TOML file (`tokencli providers show
NAME` prints each that is built in), or a table `[providers.NAME]` of the configuration.

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

Templates. `{{name}}` stands for a value: one of [fields], of [values], of [signed]; or `client_id`,
`client_secret`, `username`, `password`, `scope`, `token_url`, `private_key`; or a generated one: {generated}
(each the same wherever it stands in one request; `now` in seconds, `now_ms` in milliseconds, `nonce`
32 hex digits, `device_id` a UUID that stays). In [values], [then], [refresh], [logout] and `use` also
`token`, `refresh_token` and each of `outputs`. `{{{{` and `}}}}` are braces. Each value is escaped for the
place it lands in: as one path segment, one parameter, one JSON string, one XML text; a header that
could not carry it is refused; [values] and text bodies take it as it is.

Secrets. `password`, `client_secret`, `private_key` and fields of kind secret rest in the OS keyring, or
where the profile says: `api_key = {{ env = "KEY" }}`, `{{ file = "key.txt" }}`, `{{ command = ["pass",
"acme"] }}`, `{{ prompt = true }}`. Everything else stands in the profile as text.

Names. A field can't be called what every profile has already: {taken}.

Filters. `{{name|filter|filter}}`: {filters}. A digest (md5, sha…, hmac…) is followed by hex or
base64; `{{text|hmac_sha256:key}}` takes the value named `key`; what is signed of several values is put
together in [values] first. `{{now|date:%Y-%m-%dT%H:%M:%SZ}}` writes a time in UTC, `{{now|plus:300}}` is five
minutes later; `url` is the percent-encoding of RFC 3986. int, number, bool and list (of words) give a
placeholder that stands alone in JSON that type.

OAuth or not. Without `send`, `basic`, `query`, another method or `body = "none"`, the request is
OAuth's own: grant_type, scope and the client's authentication are added, and headers and grants'
params stand beside them. With one of them it is exactly what stands in [request]; then there is one
grant, `token`, and nothing is added. A JSON body of one level without such extras can stay OAuth's
own: `body = "json"`. What `private_key_jwt` and `jwt_bearer` sign says iss = client_id, sub = client_id
(`jwt_bearer`: the profile's username, if it has one), aud = `assertion_audience`, iat, nbf, exp and jti;
where a vendor wants other claims, describe them in [signed] and send them. The `password` grant has to
be allowed in the profile: `allow_password_grant = true`.

Two requests. Where the first reply brings what a second one needs, [then] describes the second; where
it brings a refresh token and no token, [refresh] is the second. Nothing of [request] goes over into
[then], [refresh] or [logout]: each says its own body and headers. Their replies are read as [reply]
says, or wholly by a `reply` of their own. The outputs of both replies are kept, and the token is the
last reply's. Any request goes to the token endpoint's server, or to one that the profile itself names
in a field of kind url or host; over https, or http to this machine's own loopback address or a cloud's
metadata service where the profile says `allow_http = true`.

Yes or no. A reply is a success if its status is below 400 (or in `reply.status`) and, where there is
`success`, that holds something; without `success`, if nothing stands at `errors.code`. The first reply
of two need bring no token. Error codes that are numbers are written as text: `codes.-22`. Where nothing
says how long a token lives, it is fetched anew each time: say `ttl`.
"""


class TomlSchemaGenerator(GenerateJsonSchema):
    """TOML has no null: an optional key is one that may be left out."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Return the schema of what the key may hold, without the null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Return the schema without a default that is null."""
        if schema.get("default") is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def render_reference(reserved_names: Collection[str]) -> str:
    """Return the reference as Markdown: each key with its type, default and example.

    No field may have one of `reserved_names`.
    """
    schema = TypeAdapter(Provider).json_schema(
        ref_template="#/$defs/{model}", schema_generator=TomlSchemaGenerator
    )
    classes = {"Provider": schema, **schema["$defs"]}
    generated = ", ".join(f"`{name}`" for name in GENERATED_VALUES)
    taken = ", ".join(f"`{name}`" for name in sorted(reserved_names))
    said = INTRODUCTION.format(
        generated=generated, taken=taken, filters=", ".join(template_filters.FILTER_NAMES)
    )
    parts = [said]
    seen = set(classes["Request"]["properties"])
    for name, head in REFERENCE_SECTIONS:
        about = _collapse_whitespace(classes[name].get("description", ""))
        parts.append(f"### {head}\n\n{about}\n")
        for key, words in classes[name]["properties"].items():
            if (key == "name" and name == "Provider") or (name == "Call" and key in seen):
                continue
            required = key in classes[name].get("required", ())
            parts.append(_render_entry(key, words, required=required))
        parts.append("")
    return "\n".join(parts)


def _render_entry(key: str, words: dict[str, Any], *, required: bool) -> str:
    text, _, example = _collapse_whitespace(words.get("description", "")).partition(" Example: ")
    default = words.get("default")
    facts = [_toml_type_name(words)]
    if required:
        facts.append("required")
    elif default not in (None, [], {}, ""):
        facts.append(f"default {_format_default(default)}")
    line = f"- `{key}` ({', '.join(facts)}): {text}"
    return f"{line} Example: {example}" if example else line


def _toml_type_name(words: dict[str, Any]) -> str:
    """Name the type of a key as TOML has it."""
    if "enum" in words or "const" in words:
        return " | ".join(
            format_toml_value(choice) for choice in words.get("enum", [words.get("const")])
        )
    if "$ref" in words or "allOf" in words:
        return "table"
    if "anyOf" in words:
        return " | ".join(dict.fromkeys(_toml_type_name(one) for one in words["anyOf"]))
    kinds = {"string": "text", "object": "table", "array": "array", "number": "number"}
    kinds |= {"integer": "whole number", "boolean": "true | false"}
    return kinds.get(words.get("type", ""), "table | array | text")


def _format_default(value: Any) -> str:
    """Return a default as TOML; an array of one string can be written as the string."""
    return format_toml_value(value[0] if isinstance(value, list) and len(value) == 1 else value)


def _collapse_whitespace(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
