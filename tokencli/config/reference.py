"""The reference of the provider language, made of the words that pydantic validates it by."""

import re
from typing import Any

from pydantic import TypeAdapter

from tokencli.config.json_schema import Toml
from tokencli.providers import filters
from tokencli.providers.spec import Provider
from tokencli.providers.values import GENERATED

TABLES = (
    ("Provider", "At the top"),
    ("Endpoints", "[endpoints]"),
    ("Field", "[fields.NAME]"),
    ("Grant", "[grants.NAME]"),
    ("Request", "[request]"),
    ("Reply", "[reply]"),
    ("Call", "[then], [refresh] and [logout]: every key of [request], and"),
    ("Errors", "[errors]"),
    ("Meaning", "[errors.codes.CODE] and [errors.status.NUMBER]"),
    ("Issuing", "[issuing]"),
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

Templates. `{{name}}` stands for a value: one of [fields], of [values], or `client_id`, `client_secret`,
`username`, `password`, `scope`; or a generated one: {generated}. In [then], [refresh],
[logout] and `use` also `token`, `refresh_token` and each of `outputs`. `{{{{` and `}}}}` are braces.
Each value is escaped for the place it lands in; a secret is one wherever it comes from the profile.

Filters. `{{name|filter|filter}}`: {filters}. A digest (md5, sha…, hmac…) is followed by hex or
base64; `{{text|hmac_sha256:key}}` takes the value named `key`; `{{now|date:%Y-%m-%d}}` writes a time in
UTC. int, number, bool and list (of words) give a placeholder that stands alone its JSON type.

OAuth or not. Without `send`, `basic`, `query`, another method or `body = "none"`, the request is
OAuth's own: grant_type, scope and the client's authentication are added. With one of them it is
exactly what stands in [request]; then there is one grant, `token`, and nothing is added.

Two requests. Where the first reply brings what a second one needs, [then] describes the second; where
it brings a refresh token and no token, [refresh] is the second. Any request goes to the token
endpoint's server, or to one that the profile itself names in a field of kind url or host.
"""


def reference() -> str:
    """Return the reference as Markdown: each key with its type, default and example."""
    schema = TypeAdapter(Provider).json_schema(
        ref_template="#/$defs/{model}", schema_generator=Toml
    )
    classes = {"Provider": schema, **schema["$defs"]}
    generated = ", ".join(f"`{name}`" for name in GENERATED)
    said = INTRODUCTION.format(generated=generated, filters=", ".join(filters.NAMES))
    parts = [said]
    seen = set(classes["Request"]["properties"])
    for name, head in TABLES:
        about = _prose(classes[name].get("description", ""))
        parts.append(f"### {head}\n\n{about}\n")
        for key, words in classes[name]["properties"].items():
            if (key == "name" and name == "Provider") or (name == "Call" and key in seen):
                continue
            required = key in classes[name].get("required", ())
            parts.append(_entry(key, words, required=required))
        parts.append("")
    return "\n".join(parts)


def _entry(key: str, words: dict[str, Any], *, required: bool) -> str:
    text, _, example = _prose(words.get("description", "")).partition(" Example: ")
    default = words.get("default")
    facts = [_type(words)]
    if required:
        facts.append("required")
    elif default not in (None, [], {}, ""):
        facts.append(f"default {_toml(default)}")
    line = f"- `{key}` ({', '.join(facts)}): {text}"
    return f"{line} Example: {example}" if example else line


def _type(words: dict[str, Any]) -> str:
    """Name the type of a key as TOML has it."""
    if "enum" in words or "const" in words:
        return " | ".join(_toml(one) for one in words.get("enum", [words.get("const")]))
    if "$ref" in words or "allOf" in words:
        return "table"
    if "anyOf" in words:
        return " | ".join(dict.fromkeys(_type(one) for one in words["anyOf"]))
    kinds = {"string": "text", "object": "table", "array": "array", "number": "number"}
    kinds |= {"integer": "whole number", "boolean": "true | false"}
    return kinds.get(words.get("type", ""), "table | array | text")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return _toml(value[0]) if len(value) == 1 else f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _prose(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
