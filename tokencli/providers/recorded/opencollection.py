"""Read OpenCollection, Bruno's YAML: one request, a bundle of them, or a folder.

The format: https://docs.usebruno.com/opencollection-yaml/structure-reference
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from tokencli.errors import ConfigError
from tokencli.providers.recorded import tree
from tokencli.providers.recorded.bruno import ENVIRONMENTS, Above
from tokencli.providers.recorded.document import parsed
from tokencli.providers.recorded.kept import Kept, Pairs, found
from tokencli.providers.recorded.seen import Found

DEEPEST = 30
FOLDERS = (
    "opencollection.yml",
    "opencollection.yaml",
    "collection.yml",
    "folder.yml",
    "folder.yaml",
)
_BODIES = {"json": "json", "xml": "xml", "text": "text", "form-urlencoded": "form", "multipart-form": "multipart"}  # fmt: skip


def requests(data: Mapping[str, Any]) -> Iterator[Found]:
    """Yield what one document holds: a collection with its items, or a request."""
    variables = _agreed(tree.rows(tree.table(data.get("config")).get("environments")))
    yield from _item(dict(data), Above(variables=variables), 0)


def folder(files: Mapping[str, str]) -> Iterator[Found]:
    """Yield what the files of a collection hold; each is named by its path inside the folder."""
    read: dict[PurePosixPath, dict[str, Any]] = {}
    for name, text in sorted(files.items()):
        if name.endswith((".yml", ".yaml")):
            try:
                read[PurePosixPath(name)] = tree.table(parsed(text))
            except ConfigError:
                continue  # one file of others that is broken takes nothing from the rest
    several = [data for path, data in read.items() if ENVIRONMENTS in path.parts[:-1]]
    top = Above(variables=_agreed(several))
    for path, data in read.items():
        if ENVIRONMENTS in path.parts[:-1]:
            continue
        above = top
        for place in reversed(path.parents):
            for each in FOLDERS:
                if place / each in read and place / each != path:
                    above = _below(read[place / each], above)
        yield from _item(data, above, 0)


def _agreed(several: list[dict[str, Any]]) -> dict[str, str]:
    """Return the variables on which every environment agrees: another one is a field."""
    tables = [dict(tree.pairs(each.get("variables"), name="name")) for each in several]
    return {
        name: value
        for name, value in (tables[0] if tables else {}).items()
        if value and all(each.get(name, value) == value for each in tables)
    }


def _below(data: dict[str, Any], above: Above) -> Above:
    """Return what holds below a collection or a folder: its `request` table, and its name."""
    base = tree.table(data.get("request"))
    auth, settings, params = _auth(base.get("auth"))
    own = auth not in ("", "inherit")
    name = tree.text(tree.table(data.get("info")).get("name"))
    return Above(
        auth if own else above.auth,
        settings if own else above.settings,
        params if own else above.params,
        [*above.headers, *tree.pairs(base.get("headers"), name="name")],
        {**above.variables, **_variables(base)},
        above.name or name,
    )


def _variables(holder: dict[str, Any]) -> dict[str, str]:
    rows = holder.get("variables")
    return {name: value for name, value in tree.pairs(rows, name="name") if value}


def _item(data: dict[str, Any], above: Above, depth: int) -> Iterator[Found]:
    if depth > DEEPEST:
        return
    if "items" in data or "opencollection" in data:
        inside = _below(data, above)
        base = Kept(auth=inside.auth, settings=inside.settings, params=inside.params,
                    variables=inside.variables, name=inside.name)  # fmt: skip
        yield from found(base)
        for item in tree.rows(data.get("items")):
            yield from _item(item, inside, depth + 1)
        return
    http = tree.table(data.get("http")) or ({} if "info" in data and "url" not in data else data)
    if http:
        yield from found(_kept(data, http, above))


def _kept(data: dict[str, Any], http: dict[str, Any], above: Above) -> Kept:
    runtime = tree.table(data.get("runtime"))
    auth, settings, params = _auth(http.get("auth") or runtime.get("auth"))
    inherited = auth in ("", "inherit")
    kept = Kept(
        (tree.text(http.get("method")) or "GET").upper(),
        tree.text(http.get("url")),
        [*above.headers, *tree.pairs(http.get("headers"), name="name")],
        auth=above.auth if inherited else auth,
        settings=above.settings if inherited else settings,
        params=list(above.params) if inherited else params,
        variables={**above.variables, **_variables(runtime)},
        name=above.name,
    )
    query = _query(http.get("params"))
    if query:
        kept.url, kept.query = kept.url.partition("?")[0], query
    body = http.get("body")
    _body(tree.rows(body)[0] if tree.rows(body) else tree.table(body), kept)
    scripts = [tree.text(row.get("code")) for row in tree.rows(runtime.get("scripts"))]
    kept.script = "\n".join([*scripts, *map(str, _expressions(runtime))])
    return kept


def _expressions(runtime: dict[str, Any]) -> Iterator[str]:
    """Yield the expressions by which variables are taken out of the reply."""
    for action in tree.rows(runtime.get("actions")):
        yield tree.text(tree.table(action.get("selector")).get("expression"))


def _query(params: Any) -> Pairs:
    if isinstance(params, dict):
        return tree.pairs(params.get("query"), name="name")
    rows = [row for row in tree.rows(params) if tree.text(row.get("type")) in ("", "query")]
    return tree.pairs(rows, name="name")


def _body(body: dict[str, Any], kept: Kept) -> None:
    body = tree.table(body.get("body")) or body  # where several are kept, each has a title
    kept.kind = _BODIES.get(tree.text(body.get("type")), "")
    data = body.get("data")
    if kept.kind in ("form", "multipart"):
        kept.form = tree.pairs(data, name="name")
    else:
        kept.body = tree.text(data)


def _auth(value: Any) -> tuple[str, dict[str, str], Pairs]:
    """Return the kind of an authentication, its settings and OAuth's further parameters."""
    if not isinstance(value, dict):
        return tree.text(value), {}, []
    kind = tree.text(value.get("type"))
    inner = {**value, **tree.table(value.get(kind))}
    settings = {
        key: word for key, one in inner.items() if (word := tree.text(one)) and key != "type"
    }
    for part in ("credentials", "resourceOwner"):
        settings |= {key: tree.text(one) for key, one in tree.table(inner.get(part)).items()}
    further = tree.table(inner.get("additionalParameters")).get("accessTokenRequest")
    rows = [row for row in tree.rows(further) if tree.text(row.get("placement")) in ("", "body")]
    return kind, settings, tree.pairs(rows, name="name")
