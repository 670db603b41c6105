"""Read requests of Bruno: a .bru file, or the folder of a collection.

A .bru file consists of blocks: dictionaries, texts and lists. A block begins at the start of a line
with its name and a brace, and ends with a brace at the start of a line.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tokencli.errors import ConfigError
from tokencli.importers.document import as_table, as_text, parse_document
from tokencli.importers.model import Imported
from tokencli.importers.tool_request import (
    InheritedSettings,
    Pairs,
    ToolRequest,
    build_graphql_body,
    find_shared_variables,
    is_environment_file,
    iter_with_settings,
    layer_variables,
    normalize_name,
    to_imported,
)

SETTINGS_FILES = ("collection.bru", "folder.bru")
"""Files with settings for every request in and below their folder."""
HTTP_METHODS = ("get", "post", "put", "patch", "delete", "options", "head", "connect", "trace")
BRU_BLOCK_PATTERN = re.compile(
    rf"(?m)^(?:{'|'.join(HTTP_METHODS)}|meta|headers|auth|auth:[\w-]+|vars|vars:[\w-]+|body:[\w:-]+)[ \t]*\{{[ \t]*\r?$"
)
"""Identifies a .bru file."""
_BLOCK_START = re.compile(r"([a-z][\w-]*(?::[\w:-]+)?)[ \t]*([{\[])[ \t]*")
_QUOTED_KEY = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:(.*)')
_TRIPLE_QUOTE = "'''"
_TEXT_BLOCK_NAME = re.compile(
    r"body(:(json|text|xml|sparql|graphql|graphql:vars))?|script(:.*)?|tests|docs|example"
)
_TEXT_BODY_FORMATS = {"": "json", ":json": "json", ":text": "text", ":xml": "xml"}
_FORM_BODY_FORMATS = {"form-urlencoded": "form", "multipart-form": "multipart"}
_FORM_MODES = {"formurlencoded": "form", "multipartform": "multipart", "none": ""}


@dataclass(slots=True)
class BruFile:
    """The blocks of one file by name."""

    text_blocks: dict[str, str] = field(default_factory=dict)
    pair_blocks: dict[str, Pairs] = field(default_factory=dict)

    def get_block_dict(self, name: str) -> dict[str, str]:
        """Return a dictionary block. If a key is repeated, its last value counts."""
        return dict(self.pair_blocks.get(name, ()))

    @property
    def method(self) -> str:
        """The name of the block with the request, or an empty text."""
        return next((name for name in HTTP_METHODS if name in self.pair_blocks), "")


def parse_bru(text: str) -> BruFile:
    """Return the blocks of a .bru file. Other lines are skipped."""
    bru = BruFile()
    lines = text.splitlines()
    position = 0
    while position < len(lines):
        start_line = _BLOCK_START.fullmatch(lines[position])
        position += 1
        if start_line is None:
            continue
        end = "}" if start_line[2] == "{" else "]"
        start, name = position, start_line[1]
        is_text = _TEXT_BLOCK_NAME.fullmatch(name) is not None
        in_quotes = False
        while position < len(lines) and (in_quotes or lines[position].rstrip() != end):
            line = lines[position]
            in_quotes = _TRIPLE_QUOTE not in line if in_quotes else _opens_quotes(line)
            in_quotes = in_quotes and not is_text
            position += 1
        inner = lines[start:position]
        position += 1
        if is_text:
            bru.text_blocks[name] = "\n".join(line.removeprefix("  ") for line in inner)
        elif end == "}":
            bru.pair_blocks.setdefault(name, []).extend(_parse_pairs(inner))
    return bru


def _opens_quotes(line: str) -> bool:
    """Return whether a pair's value begins a text in triple quotes that continues below."""
    pair = line.strip().removeprefix("~")
    quoted = _QUOTED_KEY.fullmatch(pair)
    value = (quoted[2] if quoted else pair.partition(":")[2]).strip()
    return value.startswith(_TRIPLE_QUOTE) and _TRIPLE_QUOTE not in value[3:]


def _parse_pairs(lines: list[str]) -> Pairs:
    """Return the pairs of a dictionary block that are not disabled."""
    pairs: Pairs = []
    position = 0
    while position < len(lines):
        line = lines[position].strip()
        position += 1
        is_disabled = line.startswith("~")
        quoted = _QUOTED_KEY.fullmatch(line.removeprefix("~"))
        name, colon, value = (
            (re.sub(r"\\(.)", r"\1", quoted[1]), ":", quoted[2])
            if quoted
            else line.removeprefix("~").partition(":")
        )
        if not colon or not name.strip() or line.startswith("@"):
            continue
        value = value.strip()
        if value.startswith(_TRIPLE_QUOTE):
            parts = [value[3:]]
            while _TRIPLE_QUOTE not in parts[-1] and position < len(lines):
                parts.append(lines[position].strip())
                position += 1
            value = "\n".join(parts).partition(_TRIPLE_QUOTE)[0].strip()
        if not is_disabled and not name.startswith("~"):
            pairs.append((name.strip(), value))
    return pairs


def read_requests(text: str) -> Iterator[Imported]:
    """Yield the request in a file, or the OAuth server of its authentication."""
    yield from _read_request(parse_bru(text), InheritedSettings())


def read_folder(files: Mapping[str, str]) -> Iterator[Imported]:
    """Yield what the files of a collection contain, given by their paths in the folder."""
    parsed = {
        PurePosixPath(path): parse_bru(text)
        for path, text in sorted(files.items())
        if path.endswith(".bru")
    }
    environments = [
        bru.get_block_dict("vars") for path, bru in parsed.items() if is_environment_file(path)
    ]
    collection = InheritedSettings(
        variables=find_shared_variables(environments),
        name=_read_collection_name(files.get("bruno.json", "")),
    )
    for bru, settings in iter_with_settings(parsed, SETTINGS_FILES, collection, _inherit_settings):
        yield from _read_request(bru, settings)


def _read_collection_name(text: str) -> str:
    try:
        return as_text(as_table(parse_document(text) if text else None).get("name"))
    except ConfigError:
        return ""


def _inherit_settings(bru: BruFile, parent: InheritedSettings) -> InheritedSettings:
    mode = bru.get_block_dict("auth").get("mode", "inherit")
    return parent.extend(
        mode,
        bru.get_block_dict(f"auth:{mode}"),
        _read_token_params(bru),
        bru.pair_blocks.get("headers", []),
        _read_variables(bru),
    )


def _read_variables(bru: BruFile) -> dict[str, str]:
    variables = {**bru.get_block_dict("vars"), **bru.get_block_dict("vars:pre-request")}
    return {name.removeprefix("@"): value for name, value in variables.items() if value}


def _read_token_params(bru: BruFile) -> Pairs:
    """Return the additional parameters of an OAuth token request."""
    return [
        pair
        for name in ("body", "body_urlencoded")
        for pair in bru.pair_blocks.get(
            f"auth:oauth2:additional_params:access_token_req:{name}", []
        )
    ]


def _read_request(bru: BruFile, settings: InheritedSettings) -> Iterator[Imported]:
    http = bru.get_block_dict(bru.method) if bru.method else {}
    auth_blocks = [
        name.removeprefix("auth:")
        for name in bru.pair_blocks
        if name.startswith("auth:") and name.count(":") == 1
    ]
    mode = http.get("auth", "") or bru.get_block_dict("auth").get("mode", "")
    mode = mode or next(iter(auth_blocks), "")
    inherits = mode == "inherit"
    request = ToolRequest(
        bru.method,
        http.get("url", ""),
        [*settings.headers, *bru.pair_blocks.get("headers", [])],
        auth=settings.auth if inherits else mode,
        auth_settings=settings.auth_settings if inherits else bru.get_block_dict(f"auth:{mode}"),
        token_params=list(settings.token_params) if inherits else _read_token_params(bru),
        variables=layer_variables(_read_variables(bru), settings.variables),
        name=settings.name,
    )
    query = bru.pair_blocks.get("params:query", bru.pair_blocks.get("query"))
    if query is not None:
        request.url, request.query = request.url.partition("?")[0], query
    _read_body(bru, normalize_name(http.get("body", "")), request)
    request.script = "\n".join(
        [
            *(value for _, value in bru.pair_blocks.get("vars:post-response", [])),
            bru.text_blocks.get("script:post-response", ""),
            bru.text_blocks.get("tests", ""),
        ]
    )
    yield from to_imported(request)


def _read_body(bru: BruFile, mode: str, request: ToolRequest) -> None:
    """Read the body that the request names, or the only one if it names none."""
    for name, body_format in _FORM_BODY_FORMATS.items():
        pairs = bru.pair_blocks.get(f"body:{name}")
        if pairs is not None and (not mode or _FORM_MODES.get(mode) == body_format):
            request.body_format, request.form = body_format, pairs
    for suffix, body_format in _TEXT_BODY_FORMATS.items():
        text = bru.text_blocks.get(f"body{suffix}")
        if text is not None and mode in ("", body_format):
            request.body_format, request.body = body_format, text
    graphql = bru.text_blocks.get("body:graphql")
    if graphql is not None and mode in ("", "graphql"):
        variables = bru.text_blocks.get("body:graphql:vars", "")
        request.body_format, request.body = "json", build_graphql_body(graphql, variables)
