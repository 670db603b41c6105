"""Read a Postman collection, v2.0 and v2.1."""

from collections.abc import Iterator, Mapping
from typing import Any

from tokencli.providers.recorded import tree
from tokencli.providers.recorded.kept import Kept, Pairs, found, graphql
from tokencli.providers.recorded.seen import Found

DEEPEST = 30
_RAW = {"json": "json", "xml": "xml", "html": "text", "text": "", "javascript": "text"}
"""What options.raw.language says -> the kind of body; `text` is what it says by default."""


def requests(data: Mapping[str, Any]) -> Iterator[Found]:
    """Yield the OAuth servers and the requests of a collection."""
    collection = tree.table(data.get("collection")) or dict(data)
    name = tree.text(tree.table(collection.get("info")).get("name"))
    variables = _variables(collection)
    auth = tree.table(collection.get("auth"))
    yield from found(_authenticated(Kept(variables=variables, name=name), auth))
    yield from _items(collection.get("item"), auth, variables, name, 0)


def _items(
    items: Any, auth: dict[str, Any], variables: Mapping[str, str], name: str, depth: int
) -> Iterator[Found]:
    if depth > DEEPEST:
        return
    for item in tree.rows(items):
        own = tree.table(item.get("auth")) or auth
        known = {**variables, **_variables(item)}
        if "item" in item:
            yield from found(_authenticated(Kept(variables=known, name=name), own))
            yield from _items(item["item"], own, known, name, depth + 1)
        asked = item.get("request")
        if isinstance(asked, str):
            asked = {"url": asked, "method": "GET"}
        if isinstance(asked, dict):
            yield from found(_kept(item, asked, own, known, name))


def _variables(holder: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: value
        for row in tree.rows(holder.get("variable"))
        if (key := tree.first(row.get("key"), row.get("id"))) and not row.get("disabled")
        if (value := tree.text(row.get("value")))
    }


def _kept(
    item: dict[str, Any],
    asked: dict[str, Any],
    auth: dict[str, Any],
    variables: Mapping[str, str],
    name: str,
) -> Kept:
    kept = Kept(tree.text(asked.get("method")) or "GET", variables=variables, name=name)
    kept.url, kept.query = _url(asked.get("url"))
    kept.headers = _headers(asked.get("header"))
    body = tree.table(asked.get("body"))
    if body and not body.get("disabled"):
        _body(body, kept)
    answers = tree.rows(item.get("response"))
    good = [each for each in answers if str(each.get("code", 200)).startswith("2")]
    for each in (good or answers)[:1]:
        kept.reply = tree.text(each.get("body"))
        kept.reply_headers = tuple(key for key, _ in _headers(each.get("header")))
    kept.script = _scripts(item)
    return _authenticated(kept, tree.table(asked.get("auth")) or auth)


def _authenticated(kept: Kept, auth: dict[str, Any]) -> Kept:
    kept.auth = tree.text(auth.get("type"))
    told = auth.get(kept.auth)
    kept.settings = dict(tree.pairs(told))
    rows = told if isinstance(told, list) else []
    further = next((row.get("value") for row in tree.rows(rows) if row.get("key") == "tokenRequestParams"), None)  # fmt: skip
    further = further or tree.table(told).get("tokenRequestParams")
    kept.params = [
        (key, tree.text(row.get("value")))
        for row in tree.rows(further)
        if (key := tree.text(row.get("key"))) and row.get("enabled", True)
        and tree.text(row.get("send_as")) in ("", "request_body")
    ]  # fmt: skip
    return kept


def _url(url: Any) -> tuple[str, Pairs]:
    """Return a URL and its query where that is kept apart; what is disabled is left out."""
    if not isinstance(url, dict):
        return tree.text(url), []
    raw = tree.text(url.get("raw"))
    if not raw:
        raw = _joined(url)
    if isinstance(url.get("query"), list):
        return raw.partition("?")[0], tree.pairs(url["query"])
    return raw, []


def _joined(url: dict[str, Any]) -> str:
    def parts(value: Any, sign: str) -> str:
        if isinstance(value, list):
            words = [tree.first(one, tree.table(one).get("value")) for one in value]
            return sign.join(words)
        return tree.text(value)

    host, path = parts(url.get("host"), "."), parts(url.get("path"), "/")
    if not host:
        return ""
    port = tree.text(url.get("port"))
    scheme = tree.text(url.get("protocol"))
    start = f"{scheme}://" if scheme else ""
    return f"{start}{host}{f':{port}' if port else ''}/{path.lstrip('/')}"


def _headers(value: Any) -> Pairs:
    if isinstance(value, str):  # v2.0
        lines = (line.partition(":") for line in value.splitlines())
        return [(key.strip(), word.strip()) for key, colon, word in lines if colon and key.strip()]
    return tree.pairs(value)


def _body(body: dict[str, Any], kept: Kept) -> None:
    mode = tree.text(body.get("mode"))
    if mode in ("urlencoded", "formdata"):
        kept.kind = "form" if mode == "urlencoded" else "multipart"
        rows = body.get(mode)
        if isinstance(rows, str):
            kept.kind, kept.body = "", rows
        else:
            kept.form = tree.pairs(rows)
    elif mode == "graphql":
        asked = tree.table(body.get("graphql"))
        kept.kind = "json"
        kept.body = graphql(tree.text(asked.get("query")), tree.text(asked.get("variables")))
    elif mode == "raw":
        options = tree.table(tree.table(body.get("options")).get("raw"))
        kept.kind = _RAW.get(tree.text(options.get("language")), "")
        kept.body = tree.text(body.get("raw"))


def _scripts(item: dict[str, Any]) -> str:
    """Return the text of the scripts that run after the reply."""
    lines: list[str] = []
    for event in tree.rows(item.get("event")):
        if event.get("listen") == "test":
            run = tree.table(event.get("script")).get("exec")
            lines += (
                [tree.text(line) for line in run] if isinstance(run, list) else [tree.text(run)]
            )
    return "\n".join(lines)
