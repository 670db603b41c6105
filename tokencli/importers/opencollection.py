"""Read OpenCollection, Bruno's YAML: one request, a bundle of them, or a folder.

The format: https://docs.usebruno.com/opencollection-yaml/structure-reference
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from tokencli.errors import ConfigError
from tokencli.importers import json_access
from tokencli.importers.bruno import ENVIRONMENTS_DIR, InheritedSettings
from tokencli.importers.model import Imported
from tokencli.importers.parse import parse_document
from tokencli.importers.tool_request import Pairs, ToolRequest, to_imported

MAX_DEPTH = 30
FOLDER_FILES = (
    "opencollection.yml",
    "opencollection.yaml",
    "collection.yml",
    "folder.yml",
    "folder.yaml",
)
_BODY_FORMATS = {"json": "json", "xml": "xml", "text": "text", "form-urlencoded": "form", "multipart-form": "multipart"}  # fmt: skip


def read_requests(data: Mapping[str, Any]) -> Iterator[Imported]:
    """Yield what one document holds: a collection with its items, or a request."""
    variables = _find_shared_variables(
        json_access.as_rows(json_access.as_table(data.get("config")).get("environments"))
    )
    yield from _read_item(dict(data), InheritedSettings(variables=variables), 0)


def read_folder(files: Mapping[str, str]) -> Iterator[Imported]:
    """Yield what the files of a collection hold; each is named by its path inside the folder."""
    read: dict[PurePosixPath, dict[str, Any]] = {}
    for name, text in sorted(files.items()):
        if name.endswith((".yml", ".yaml")):
            try:
                read[PurePosixPath(name)] = json_access.as_table(parse_document(text))
            except ConfigError:
                continue  # one file of others that is broken takes nothing from the rest
    several = [data for path, data in read.items() if ENVIRONMENTS_DIR in path.parts[:-1]]
    top = InheritedSettings(variables=_find_shared_variables(several))
    for path, data in read.items():
        if ENVIRONMENTS_DIR in path.parts[:-1]:
            continue
        above = top
        for place in reversed(path.parents):
            for each in FOLDER_FILES:
                if place / each in read and place / each != path:
                    above = _inherit_settings(read[place / each], above)
        yield from _read_item(data, above, 0)


def _find_shared_variables(several: list[dict[str, Any]]) -> dict[str, str]:
    """Return the variables on which every environment agrees: another one is a field."""
    tables = [dict(json_access.as_pairs(each.get("variables"), name="name")) for each in several]
    return {
        name: value
        for name, value in (tables[0] if tables else {}).items()
        if value and all(each.get(name, value) == value for each in tables)
    }


def _inherit_settings(data: dict[str, Any], above: InheritedSettings) -> InheritedSettings:
    """Return what holds below a collection or a folder: its `request` table, and its name."""
    base = json_access.as_table(data.get("request"))
    auth, settings, params = _read_auth(base.get("auth"))
    own = auth not in ("", "inherit")
    name = json_access.as_text(json_access.as_table(data.get("info")).get("name"))
    return InheritedSettings(
        auth if own else above.auth,
        settings if own else above.auth_settings,
        params if own else above.token_params,
        [*above.headers, *json_access.as_pairs(base.get("headers"), name="name")],
        {**above.variables, **_read_variables(base)},
        above.name or name,
    )


def _read_variables(holder: dict[str, Any]) -> dict[str, str]:
    rows = holder.get("variables")
    return {name: value for name, value in json_access.as_pairs(rows, name="name") if value}


def _read_item(data: dict[str, Any], above: InheritedSettings, depth: int) -> Iterator[Imported]:
    if depth > MAX_DEPTH:
        return
    if "items" in data or "opencollection" in data:
        inside = _inherit_settings(data, above)
        base = ToolRequest(auth=inside.auth, auth_settings=inside.auth_settings, token_params=inside.token_params,
                    variables=inside.variables, name=inside.name)  # fmt: skip
        yield from to_imported(base)
        for item in json_access.as_rows(data.get("items")):
            yield from _read_item(item, inside, depth + 1)
        return
    http = json_access.as_table(data.get("http")) or (
        {} if "info" in data and "url" not in data else data
    )
    if http:
        yield from to_imported(_read_tool_request(data, http, above))


def _read_tool_request(
    data: dict[str, Any], http: dict[str, Any], above: InheritedSettings
) -> ToolRequest:
    runtime = json_access.as_table(data.get("runtime"))
    auth, settings, params = _read_auth(http.get("auth") or runtime.get("auth"))
    inherited = auth in ("", "inherit")
    kept = ToolRequest(
        (json_access.as_text(http.get("method")) or "GET").upper(),
        json_access.as_text(http.get("url")),
        [*above.headers, *json_access.as_pairs(http.get("headers"), name="name")],
        auth=above.auth if inherited else auth,
        auth_settings=above.auth_settings if inherited else settings,
        token_params=list(above.token_params) if inherited else params,
        variables={**above.variables, **_read_variables(runtime)},
        name=above.name,
    )
    query = _read_query(http.get("params"))
    if query:
        kept.url, kept.query = kept.url.partition("?")[0], query
    body = http.get("body")
    _read_body(
        json_access.as_rows(body)[0] if json_access.as_rows(body) else json_access.as_table(body),
        kept,
    )
    scripts = [
        json_access.as_text(row.get("code")) for row in json_access.as_rows(runtime.get("scripts"))
    ]
    kept.script = "\n".join([*scripts, *map(str, _iter_expressions(runtime))])
    return kept


def _iter_expressions(runtime: dict[str, Any]) -> Iterator[str]:
    """Yield the expressions by which variables are taken out of the reply."""
    for action in json_access.as_rows(runtime.get("actions")):
        yield json_access.as_text(json_access.as_table(action.get("selector")).get("expression"))


def _read_query(params: Any) -> Pairs:
    if isinstance(params, dict):
        return json_access.as_pairs(params.get("query"), name="name")
    rows = [
        row
        for row in json_access.as_rows(params)
        if json_access.as_text(row.get("type")) in ("", "query")
    ]
    return json_access.as_pairs(rows, name="name")


def _read_body(body: dict[str, Any], kept: ToolRequest) -> None:
    body = (
        json_access.as_table(body.get("body")) or body
    )  # where several are kept, each has a title
    kept.body_format = _BODY_FORMATS.get(json_access.as_text(body.get("type")), "")
    data = body.get("data")
    if kept.body_format in ("form", "multipart"):
        kept.form = json_access.as_pairs(data, name="name")
    else:
        kept.body = json_access.as_text(data)


def _read_auth(value: Any) -> tuple[str, dict[str, str], Pairs]:
    """Return the kind of an authentication, its settings and OAuth's further parameters."""
    if not isinstance(value, dict):
        return json_access.as_text(value), {}, []
    kind = json_access.as_text(value.get("type"))
    inner = {**value, **json_access.as_table(value.get(kind))}
    settings = {
        key: word
        for key, one in inner.items()
        if (word := json_access.as_text(one)) and key != "type"
    }
    for part in ("credentials", "resourceOwner"):
        settings |= {
            key: json_access.as_text(one)
            for key, one in json_access.as_table(inner.get(part)).items()
        }
    further = json_access.as_table(inner.get("additionalParameters")).get("accessTokenRequest")
    rows = [
        row
        for row in json_access.as_rows(further)
        if json_access.as_text(row.get("placement")) in ("", "body")
    ]
    return kind, settings, json_access.as_pairs(rows, name="name")
