"""Read requests of Bruno: one .bru file, or a collection's folder of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tokencli.errors import ConfigError
from tokencli.providers.recorded import oauth, tree
from tokencli.providers.recorded.bru import Bru, blocks
from tokencli.providers.recorded.document import parsed
from tokencli.providers.recorded.kept import Kept, Pairs, found, graphql
from tokencli.providers.recorded.seen import Found

FOLDERS = ("collection.bru", "folder.bru")
"""Files that say what holds for every request beside and below them."""
ENVIRONMENTS = "environments"
_BODIES = {"": "json", ":json": "json", ":text": "text", ":xml": "xml"}
_FORMS = {"form-urlencoded": "form", "multipart-form": "multipart"}
_MODES = {"formurlencoded": "form", "multipartform": "multipart", "none": ""}


@dataclass(frozen=True, slots=True)
class Above:
    """What the collection and the folders say of every request in them."""

    auth: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    params: Pairs = field(default_factory=list)
    headers: Pairs = field(default_factory=list)
    variables: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


def requests(text: str) -> Iterator[Found]:
    """Yield what one file holds: a request, or the OAuth server of its authentication."""
    yield from _request(blocks(text), Above())


def folder(files: Mapping[str, str]) -> Iterator[Found]:
    """Yield what the files of a collection hold; each is named by its path inside the folder."""
    read = {PurePosixPath(path): blocks(text) for path, text in sorted(files.items()) if path.endswith(".bru")}  # fmt: skip
    top = Above(variables=_environment(read), name=_name(files.get("bruno.json", "")))
    for path, bru in read.items():
        if ENVIRONMENTS in path.parts[:-1]:
            continue
        above = top
        for place in (*reversed(path.parents),):
            for each in FOLDERS:
                if place / each in read and place / each != path:
                    above = _below(read[place / each], above)
        yield from _request(bru, above)


def _name(text: str) -> str:
    try:
        return tree.text(tree.table(parsed(text) if text else None).get("name"))
    except ConfigError:
        return ""


def _environment(read: Mapping[PurePosixPath, Bru]) -> dict[str, str]:
    """Return the variables on which every environment agrees: another one is a field."""
    several = [bru.table("vars") for path, bru in read.items() if ENVIRONMENTS in path.parts[:-1]]
    return {
        name: value
        for name, value in (several[0] if several else {}).items()
        if value and all(each.get(name, value) == value for each in several)
    }


def _below(bru: Bru, above: Above) -> Above:
    mode = bru.table("auth").get("mode", "inherit")
    own = mode not in ("inherit", "")
    return Above(
        mode if own else above.auth,
        bru.table(f"auth:{mode}") if own else above.settings,
        _params(bru) if own else above.params,
        [*above.headers, *bru.pairs.get("headers", [])],
        {**above.variables, **_variables(bru)},
        above.name,
    )


def _variables(bru: Bru) -> dict[str, str]:
    told = {**bru.table("vars"), **bru.table("vars:pre-request")}
    return {name.removeprefix("@"): value for name, value in told.items() if value}


def _params(bru: Bru) -> Pairs:
    """Return what goes along with an OAuth token request."""
    return [
        pair
        for name in ("body", "body_urlencoded")
        for pair in bru.pairs.get(f"auth:oauth2:additional_params:access_token_req:{name}", [])
    ]


def _request(bru: Bru, above: Above) -> Iterator[Found]:
    http = bru.table(bru.method) if bru.method else {}
    known = next((name[5:] for name in bru.pairs if name.startswith("auth:") and name.count(":") == 1), "")  # fmt: skip
    mode = http.get("auth", "") or bru.table("auth").get("mode", "") or known
    inherited = mode == "inherit"
    kept = Kept(
        bru.method,
        http.get("url", ""),
        [*above.headers, *bru.pairs.get("headers", [])],
        auth=above.auth if inherited else mode,
        settings=above.settings if inherited else bru.table(f"auth:{mode}"),
        params=list(above.params) if inherited else _params(bru),
        variables={**above.variables, **_variables(bru)},
        name=above.name,
    )
    query = bru.pairs.get("params:query", bru.pairs.get("query"))
    if query is not None:
        kept.url, kept.query = kept.url.partition("?")[0], query
    _body(bru, oauth.plain(http.get("body", "")), kept)
    taken = "\n".join(value for _, value in bru.pairs.get("vars:post-response", []))
    kept.script = "\n".join([taken, bru.texts.get("script:post-response", ""), bru.texts.get("tests", "")])  # fmt: skip
    yield from found(kept)


def _body(bru: Bru, mode: str, kept: Kept) -> None:
    """Take the body that the request names, or the only one where it names none."""
    for name, kind in _FORMS.items():
        pairs = bru.pairs.get(f"body:{name}")
        if pairs is not None and (not mode or _MODES.get(mode) == kind):
            kept.kind, kept.form = kind, pairs
    for suffix, kind in _BODIES.items():
        text = bru.texts.get(f"body{suffix}")
        if text is not None and (not mode or mode == kind):
            kept.kind, kept.body = kind, text
    asked = bru.texts.get("body:graphql")
    if asked is not None and (not mode or mode == "graphql"):
        kept.kind, kept.body = "json", graphql(asked, bru.texts.get("body:graphql:vars", ""))
