"""Read OpenCollection, the YAML format of Bruno: one request, a bundle of them, or a folder.

Format: https://docs.usebruno.com/opencollection-yaml/structure-reference
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from tokencli.errors import ConfigError
from tokencli.importers.document import as_pairs, as_rows, as_table, as_text, parse_document
from tokencli.importers.model import Imported
from tokencli.importers.tool_request import (
    InheritedSettings,
    Pairs,
    ToolRequest,
    find_shared_variables,
    is_environment_file,
    iter_with_settings,
    layer_variables,
    to_imported,
)

MAX_DEPTH = 30
SETTINGS_FILES = (
    "opencollection.yml",
    "opencollection.yaml",
    "collection.yml",
    "folder.yml",
    "folder.yaml",
)
_BODY_FORMATS = {"json": "json", "xml": "xml", "text": "text", "form-urlencoded": "form", "multipart-form": "multipart"}  # fmt: skip


def read_requests(data: Mapping[str, Any]) -> Iterator[Imported]:
    """Yield what one document contains: a collection with its items, or a request."""
    environments = as_rows(as_table(data.get("config")).get("environments"))
    variables = find_shared_variables([_read_environment(row) for row in environments])
    yield from _read_item(dict(data), InheritedSettings(variables=variables), 0)


def read_folder(files: Mapping[str, str]) -> Iterator[Imported]:
    """Yield what the files of a collection contain, given by their paths in the folder."""
    parsed: dict[PurePosixPath, dict[str, Any]] = {}
    for name, text in sorted(files.items()):
        if name.endswith((".yml", ".yaml")):
            try:
                parsed[PurePosixPath(name)] = as_table(parse_document(text))
            except ConfigError:
                continue  # a broken file does not affect the others
    environments = [
        _read_environment(data) for path, data in parsed.items() if is_environment_file(path)
    ]
    collection = InheritedSettings(variables=find_shared_variables(environments))
    for data, settings in iter_with_settings(parsed, SETTINGS_FILES, collection, _inherit_settings):
        yield from _read_item(data, settings, 0)


def _read_environment(data: Mapping[str, Any]) -> dict[str, str]:
    return dict(as_pairs(data.get("variables"), name="name"))


def _inherit_settings(data: dict[str, Any], parent: InheritedSettings) -> InheritedSettings:
    """Return the settings inside a collection or folder, from its `request` table and its name."""
    base = as_table(data.get("request"))
    auth, settings, params = _read_auth(base.get("auth"))
    return parent.extend(
        auth,
        settings,
        params,
        as_pairs(base.get("headers"), name="name"),
        _read_variables(base),
        as_text(as_table(data.get("info")).get("name")),
    )


def _read_variables(holder: dict[str, Any]) -> dict[str, str]:
    rows = holder.get("variables")
    return {name: value for name, value in as_pairs(rows, name="name") if value}


def _read_item(data: dict[str, Any], parent: InheritedSettings, depth: int) -> Iterator[Imported]:
    if depth > MAX_DEPTH:
        return
    if "items" in data or "opencollection" in data:
        inside = _inherit_settings(data, parent)
        base = ToolRequest(auth=inside.auth, auth_settings=inside.auth_settings, token_params=inside.token_params,
                    variables=inside.variables, name=inside.name)  # fmt: skip
        yield from to_imported(base)
        for item in as_rows(data.get("items")):
            yield from _read_item(item, inside, depth + 1)
        return
    http = as_table(data.get("http")) or ({} if "info" in data and "url" not in data else data)
    if http:
        yield from to_imported(_read_tool_request(data, http, parent))


def _read_tool_request(
    data: dict[str, Any], http: dict[str, Any], parent: InheritedSettings
) -> ToolRequest:
    runtime = as_table(data.get("runtime"))
    auth, settings, params = _read_auth(http.get("auth") or runtime.get("auth"))
    inherits = auth in ("", "inherit")
    request = ToolRequest(
        (as_text(http.get("method")) or "GET").upper(),
        as_text(http.get("url")),
        [*parent.headers, *as_pairs(http.get("headers"), name="name")],
        auth=parent.auth if inherits else auth,
        auth_settings=parent.auth_settings if inherits else settings,
        token_params=list(parent.token_params) if inherits else params,
        variables=layer_variables(_read_variables(runtime), parent.variables),
        name=parent.name,
    )
    query = _read_query(http.get("params"))
    if query:
        request.url, request.query = request.url.partition("?")[0], query
    body = http.get("body")
    _read_body(
        as_rows(body)[0] if as_rows(body) else as_table(body),
        request,
    )
    scripts = [as_text(row.get("code")) for row in as_rows(runtime.get("scripts"))]
    request.script = "\n".join([*scripts, *map(str, _iter_expressions(runtime))])
    return request


def _iter_expressions(runtime: dict[str, Any]) -> Iterator[str]:
    """Yield the expressions that read variables from the reply."""
    for action in as_rows(runtime.get("actions")):
        yield as_text(as_table(action.get("selector")).get("expression"))


def _read_query(params: Any) -> Pairs:
    if isinstance(params, dict):
        return as_pairs(params.get("query"), name="name")
    rows = [row for row in as_rows(params) if as_text(row.get("type")) in ("", "query")]
    return as_pairs(rows, name="name")


def _read_body(body: dict[str, Any], request: ToolRequest) -> None:
    body = as_table(body.get("body")) or body  # where several are request, each has a title
    request.body_format = _BODY_FORMATS.get(as_text(body.get("type")), "")
    data = body.get("data")
    if request.body_format in ("form", "multipart"):
        request.form = as_pairs(data, name="name")
    else:
        request.body = as_text(data)


def _read_auth(value: Any) -> tuple[str, dict[str, str], Pairs]:
    """Return the kind of an authentication, its settings and additional OAuth parameters."""
    if not isinstance(value, dict):
        return as_text(value), {}, []
    kind = as_text(value.get("type"))
    inner = {**value, **as_table(value.get(kind))}
    settings = {key: word for key, one in inner.items() if (word := as_text(one)) and key != "type"}
    for part in ("credentials", "resourceOwner"):
        settings |= {key: as_text(one) for key, one in as_table(inner.get(part)).items()}
    extra = as_table(inner.get("additionalParameters")).get("accessTokenRequest")
    rows = [row for row in as_rows(extra) if as_text(row.get("placement")) in ("", "body")]
    return kind, settings, as_pairs(rows, name="name")
