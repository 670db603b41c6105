"""Read requests of Bruno: one .bru file, or a collection's folder of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tokencli.errors import ConfigError
from tokencli.importers import json_access, oauth_settings
from tokencli.importers.bru import BruFile, parse_bru
from tokencli.importers.model import Imported
from tokencli.importers.parse import parse_document
from tokencli.importers.tool_request import Pairs, ToolRequest, build_graphql_body, to_imported

FOLDER_FILES = ("collection.bru", "folder.bru")
"""Files that say what holds for every request beside and below them."""
ENVIRONMENTS_DIR = "environments"
_TEXT_BODY_FORMATS = {"": "json", ":json": "json", ":text": "text", ":xml": "xml"}
_FORM_BODY_FORMATS = {"form-urlencoded": "form", "multipart-form": "multipart"}
_FORM_MODES = {"formurlencoded": "form", "multipartform": "multipart", "none": ""}


@dataclass(frozen=True, slots=True)
class InheritedSettings:
    """What the collection and the folders say of every request in them."""

    auth: str = ""
    auth_settings: Mapping[str, str] = field(default_factory=dict)
    token_params: Pairs = field(default_factory=list)
    headers: Pairs = field(default_factory=list)
    variables: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


def read_requests(text: str) -> Iterator[Imported]:
    """Yield what one file holds: a request, or the OAuth server of its authentication."""
    yield from _read_request(parse_bru(text), InheritedSettings())


def read_folder(files: Mapping[str, str]) -> Iterator[Imported]:
    """Yield what the files of a collection hold; each is named by its path inside the folder."""
    read = {PurePosixPath(path): parse_bru(text) for path, text in sorted(files.items()) if path.endswith(".bru")}  # fmt: skip
    top = InheritedSettings(
        variables=_find_shared_variables(read),
        name=_read_collection_name(files.get("bruno.json", "")),
    )
    for path, bru in read.items():
        if ENVIRONMENTS_DIR in path.parts[:-1]:
            continue
        above = top
        for place in (*reversed(path.parents),):
            for each in FOLDER_FILES:
                if place / each in read and place / each != path:
                    above = _inherit_settings(read[place / each], above)
        yield from _read_request(bru, above)


def _read_collection_name(text: str) -> str:
    try:
        return json_access.as_text(
            json_access.as_table(parse_document(text) if text else None).get("name")
        )
    except ConfigError:
        return ""


def _find_shared_variables(read: Mapping[PurePosixPath, BruFile]) -> dict[str, str]:
    """Return the variables on which every environment agrees: another one is a field."""
    several = [
        bru.get_block_dict("vars")
        for path, bru in read.items()
        if ENVIRONMENTS_DIR in path.parts[:-1]
    ]
    return {
        name: value
        for name, value in (several[0] if several else {}).items()
        if value and all(each.get(name, value) == value for each in several)
    }


def _inherit_settings(bru: BruFile, above: InheritedSettings) -> InheritedSettings:
    mode = bru.get_block_dict("auth").get("mode", "inherit")
    own = mode not in ("inherit", "")
    return InheritedSettings(
        mode if own else above.auth,
        bru.get_block_dict(f"auth:{mode}") if own else above.auth_settings,
        _read_token_params(bru) if own else above.token_params,
        [*above.headers, *bru.pair_blocks.get("headers", [])],
        {**above.variables, **_read_variables(bru)},
        above.name,
    )


def _read_variables(bru: BruFile) -> dict[str, str]:
    told = {**bru.get_block_dict("vars"), **bru.get_block_dict("vars:pre-request")}
    return {name.removeprefix("@"): value for name, value in told.items() if value}


def _read_token_params(bru: BruFile) -> Pairs:
    """Return what goes along with an OAuth token request."""
    return [
        pair
        for name in ("body", "body_urlencoded")
        for pair in bru.pair_blocks.get(
            f"auth:oauth2:additional_params:access_token_req:{name}", []
        )
    ]


def _read_request(bru: BruFile, above: InheritedSettings) -> Iterator[Imported]:
    http = bru.get_block_dict(bru.method) if bru.method else {}
    known = next((name[5:] for name in bru.pair_blocks if name.startswith("auth:") and name.count(":") == 1), "")  # fmt: skip
    mode = http.get("auth", "") or bru.get_block_dict("auth").get("mode", "") or known
    inherited = mode == "inherit"
    kept = ToolRequest(
        bru.method,
        http.get("url", ""),
        [*above.headers, *bru.pair_blocks.get("headers", [])],
        auth=above.auth if inherited else mode,
        auth_settings=above.auth_settings if inherited else bru.get_block_dict(f"auth:{mode}"),
        token_params=list(above.token_params) if inherited else _read_token_params(bru),
        variables={**above.variables, **_read_variables(bru)},
        name=above.name,
    )
    query = bru.pair_blocks.get("params:query", bru.pair_blocks.get("query"))
    if query is not None:
        kept.url, kept.query = kept.url.partition("?")[0], query
    _read_body(bru, oauth_settings.normalize_name(http.get("body", "")), kept)
    taken = "\n".join(value for _, value in bru.pair_blocks.get("vars:post-response", []))
    kept.script = "\n".join([taken, bru.text_blocks.get("script:post-response", ""), bru.text_blocks.get("tests", "")])  # fmt: skip
    yield from to_imported(kept)


def _read_body(bru: BruFile, mode: str, kept: ToolRequest) -> None:
    """Take the body that the request names, or the only one where it names none."""
    for name, kind in _FORM_BODY_FORMATS.items():
        pairs = bru.pair_blocks.get(f"body:{name}")
        if pairs is not None and (not mode or _FORM_MODES.get(mode) == kind):
            kept.body_format, kept.form = kind, pairs
    for suffix, kind in _TEXT_BODY_FORMATS.items():
        text = bru.text_blocks.get(f"body{suffix}")
        if text is not None and (not mode or mode == kind):
            kept.body_format, kept.body = kind, text
    asked = bru.text_blocks.get("body:graphql")
    if asked is not None and (not mode or mode == "graphql"):
        kept.body_format, kept.body = (
            "json",
            build_graphql_body(asked, bru.text_blocks.get("body:graphql:vars", "")),
        )
