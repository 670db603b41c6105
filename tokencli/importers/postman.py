"""Read Postman collections, v2.0 and v2.1."""

from collections.abc import Iterator, Mapping
from typing import Any

from tokencli.importers.document import as_pairs, as_rows, as_table, as_text, first_text
from tokencli.importers.model import Imported
from tokencli.importers.tool_request import (
    Pairs,
    ToolRequest,
    build_graphql_body,
    layer_variables,
    to_imported,
)

MAX_DEPTH = 30
_RAW_BODY_FORMATS = {"json": "json", "xml": "xml", "html": "text", "text": "", "javascript": "text"}
"""options.raw.language -> the body's format. `text` is the default, so it says nothing."""


def read_requests(data: Mapping[str, Any]) -> Iterator[Imported]:
    """Yield the OAuth servers and the requests of a collection."""
    collection = as_table(data.get("collection")) or dict(data)
    name = as_text(as_table(collection.get("info")).get("name"))
    variables = _read_variables(collection)
    auth = as_table(collection.get("auth"))
    yield from to_imported(_apply_auth(ToolRequest(variables=variables, name=name), auth))
    yield from _read_items(collection.get("item"), auth, variables, name, 0)


def _read_items(
    items: Any, auth: dict[str, Any], variables: Mapping[str, str], name: str, depth: int
) -> Iterator[Imported]:
    if depth > MAX_DEPTH:
        return
    for item in as_rows(items):
        own = as_table(item.get("auth")) or auth
        known = layer_variables(_read_variables(item), variables)
        if "item" in item:
            yield from to_imported(_apply_auth(ToolRequest(variables=known, name=name), own))
            yield from _read_items(item["item"], own, known, name, depth + 1)
        asked = item.get("request")
        if isinstance(asked, str):
            asked = {"url": asked, "method": "GET"}
        if isinstance(asked, dict):
            yield from to_imported(_read_tool_request(item, asked, own, known, name))


def _read_variables(holder: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: value
        for row in as_rows(holder.get("variable"))
        if (key := first_text(row.get("key"), row.get("id"))) and not row.get("disabled")
        if (value := as_text(row.get("value")))
    }


def _read_tool_request(
    item: dict[str, Any],
    asked: dict[str, Any],
    auth: dict[str, Any],
    variables: Mapping[str, str],
    name: str,
) -> ToolRequest:
    parsed = ToolRequest(as_text(asked.get("method")) or "GET", variables=variables, name=name)
    parsed.url, parsed.query = _read_url(asked.get("url"))
    parsed.headers = _read_headers(asked.get("header"))
    body = as_table(asked.get("body"))
    if body and not body.get("disabled"):
        _read_body(body, parsed)
    answers = as_rows(item.get("response"))
    good = [each for each in answers if str(each.get("code", 200)).startswith("2")]
    for each in (good or answers)[:1]:
        parsed.reply_body = as_text(each.get("body"))
        parsed.reply_headers = tuple(key for key, _ in _read_headers(each.get("header")))
    parsed.script = _read_scripts(item)
    return _apply_auth(parsed, as_table(asked.get("auth")) or auth)


def _apply_auth(parsed: ToolRequest, auth: dict[str, Any]) -> ToolRequest:
    parsed.auth = as_text(auth.get("type"))
    auth_value = auth.get(parsed.auth)
    parsed.auth_settings = dict(as_pairs(auth_value))
    rows = auth_value if isinstance(auth_value, list) else []
    further = next((row.get("value") for row in as_rows(rows) if row.get("key") == "tokenRequestParams"), None)  # fmt: skip
    further = further or as_table(auth_value).get("tokenRequestParams")
    parsed.token_params = [
        (key, as_text(row.get("value")))
        for row in as_rows(further)
        if (key := as_text(row.get("key"))) and row.get("enabled", True)
        and as_text(row.get("send_as")) in ("", "request_body")
    ]  # fmt: skip
    return parsed


def _read_url(url: Any) -> tuple[str, Pairs]:
    """Return a URL, and its query if that is stored separately, without disabled parameters."""
    if not isinstance(url, dict):
        return as_text(url), []
    raw = as_text(url.get("raw"))
    if not raw:
        raw = _join_url(url)
    if isinstance(url.get("query"), list):
        return raw.partition("?")[0], as_pairs(url["query"])
    return raw, []


def _join_url(url: dict[str, Any]) -> str:
    def parts(value: Any, sign: str) -> str:
        if isinstance(value, list):
            words = [first_text(one, as_table(one).get("value")) for one in value]
            return sign.join(words)
        return as_text(value)

    host, path = parts(url.get("host"), "."), parts(url.get("path"), "/")
    if not host:
        return ""
    port = as_text(url.get("port"))
    scheme = as_text(url.get("protocol"))
    start = f"{scheme}://" if scheme else ""
    return f"{start}{host}{f':{port}' if port else ''}/{path.lstrip('/')}"


def _read_headers(value: Any) -> Pairs:
    if isinstance(value, str):  # v2.0
        lines = (line.partition(":") for line in value.splitlines())
        return [(key.strip(), word.strip()) for key, colon, word in lines if colon and key.strip()]
    return as_pairs(value)


def _read_body(body: dict[str, Any], parsed: ToolRequest) -> None:
    mode = as_text(body.get("mode"))
    if mode in ("urlencoded", "formdata"):
        parsed.body_format = "form" if mode == "urlencoded" else "multipart"
        rows = body.get(mode)
        if isinstance(rows, str):
            parsed.body_format, parsed.body = "", rows
        else:
            parsed.form = as_pairs(rows)
    elif mode == "graphql":
        asked = as_table(body.get("graphql"))
        parsed.body_format = "json"
        parsed.body = build_graphql_body(
            as_text(asked.get("query")), as_text(asked.get("variables"))
        )
    elif mode == "raw":
        options = as_table(as_table(body.get("options")).get("raw"))
        parsed.body_format = _RAW_BODY_FORMATS.get(as_text(options.get("language")), "")
        parsed.body = as_text(body.get("raw"))


def _read_scripts(item: dict[str, Any]) -> str:
    """Return the scripts that run after the reply."""
    lines: list[str] = []
    for event in as_rows(item.get("event")):
        if event.get("listen") == "test":
            run = as_table(event.get("script")).get("exec")
            lines += [as_text(line) for line in run] if isinstance(run, list) else [as_text(run)]
    return "\n".join(lines)
