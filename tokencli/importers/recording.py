"""Read the token requests in a file or collection folder of any supported format."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tokencli.config.config_file import open_regular_file, read_text_stdin
from tokencli.errors import ConfigError
from tokencli.importers.bruno import BRU_BLOCK_PATTERN
from tokencli.importers.curl import parse_curl
from tokencli.importers.document import parse_document
from tokencli.importers.model import Imported, ImportedRequest, OAuthServer
from tokencli.importers.name_patterns import has_token_member

MAX_FILE_CHARS = 64 * 1024 * 1024
"""Characters. A one-minute recording of a browser has about 10 million."""
MAX_FOLDER_CHARS = 16 * 1024 * 1024
MAX_FILES = 5000
COLLECTION_SUFFIXES = (".bru", ".yml", ".yaml")


def read_token_requests(path: str) -> list[Imported]:
    """Return the token requests in a file, on stdin (`-`) or in a folder, most likely first.

    Raises:
        ConfigError: it can't be read, has no supported format, or contains no token request.
    """
    try:
        if path != "-" and Path(path).is_dir():
            files = dict(_read_collection_files(Path(path)))
        elif path == "-":
            files = {"": read_text_stdin(MAX_FILE_CHARS + 1)}
        else:
            with open_regular_file(Path(path)) as file:
                files = {"": file.read(MAX_FILE_CHARS + 1)}
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        which = str(getattr(error, "filename", None) or path)
        raise ConfigError(f"'{which[:200]}' can't be read: {reason}") from None
    return parse_file(_check_size(files[""])) if "" in files else parse_folder(files)


def _check_size(text: str) -> str:
    if len(text) > MAX_FILE_CHARS:
        raise ConfigError("the file is too large: more than 64 million characters")
    return text


def _read_collection_files(top: Path) -> Iterator[tuple[str, str]]:
    """Yield the files of a collection with their relative paths. Symbolic links are not followed."""
    left, count = MAX_FOLDER_CHARS, 0
    for place, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if name != "node_modules" and name[0] != ".")
        for name in sorted(names):
            path = Path(place, name)
            if (
                not (name.endswith(COLLECTION_SUFFIXES) or name == "bruno.json")
                or path.is_symlink()
            ):
                continue
            count += 1
            with open_regular_file(path, errors="replace") as file:
                text = file.read(left + 1)
            left -= len(text)
            if left < 0 or count > MAX_FILES:
                raise ConfigError("the folder is too large to be a collection")
            yield path.relative_to(top).as_posix(), text


SUPPORTED_FORMATS_HINT = (
    "use a HAR file, a Postman collection, a .bru or YAML file of Bruno, or an OpenAPI file"
)
FORMAT_DETECTORS: tuple[tuple[Callable[[Mapping[str, Any]], bool], str], ...] = (
    (lambda tree: isinstance(tree.get("log"), dict), "har"),
    (lambda tree: "openapi" in tree or "swagger" in tree, "openapi"),
    (lambda tree: "opencollection" in tree or "http" in tree, "opencollection"),
    (lambda tree: "item" in tree or isinstance(tree.get("collection"), dict), "postman"),
    (lambda tree: "info" in tree and "request" in tree, "opencollection"),
)
"""How to recognize a document -> the module whose `read_requests` reads it."""
FOLDER_MARKERS = {"bruno.json": "bruno", "opencollection.yml": "opencollection", "opencollection.yaml": "opencollection"}  # fmt: skip
"""File that identifies a collection's folder -> the module whose `read_folder` reads it."""
_LOGIN_PATH = re.compile(r"(?i)token|auth(?!ors?\b)|log-?in|log_in|sign-?in|session|ticket")
_NON_LOGIN_PATH = re.compile(
    r"(?i)log-?out|sign-?out|revoke|introspect|refresh|userinfo|register|reset|forgot|verify"
    r"|validate|callback|authorize|well-known|\.(?:js|css|png|svg|ico|woff2?|html?)$"
)
_CREDENTIAL_BODY = re.compile(r"(?i)passw|secret|grant_type|api_?key|credential|assertion")
_CURL_COMMAND = re.compile(r"\s*(?:[$%#>] ?)?curl(?:\.exe)?\s")
_MIN_SCORE = 2


def parse_file(text: str) -> list[Imported]:
    """Return the token requests in the text of a file, most likely first.

    Raises:
        ConfigError: the format is not supported, or it contains no token request.
    """
    text = text.removeprefix("\ufeff")
    if _CURL_COMMAND.match(text):
        return [*parse_curl(text)]
    if BRU_BLOCK_PATTERN.search(text) and text.lstrip()[:1] not in ("{", "["):
        return _rank_candidates(_load_importer("bruno").read_requests(text))
    tree = parse_document(text)
    if isinstance(tree, dict):
        for fits, name in FORMAT_DETECTORS:
            if fits(tree):
                return _rank_candidates(_load_importer(name).read_requests(tree))
    raise ConfigError("the format of the file is not supported", fix=SUPPORTED_FORMATS_HINT)


_FORMAT_NAMES = {
    "har": "a HAR file",
    "openapi": "an OpenAPI description",
    "opencollection": "a Bruno collection",
    "postman": "a Postman collection",
}


def name_format(text: str) -> str | None:
    """Return what kind of file that can be imported a text is, e.g. `a HAR file`, or None."""
    text = text.removeprefix("\ufeff")
    if _CURL_COMMAND.match(text):
        return "a curl command line"
    if BRU_BLOCK_PATTERN.search(text) and text.lstrip()[:1] not in ("{", "["):
        return "a Bruno request"
    try:
        tree = parse_document(text)
    except ConfigError:
        return None
    names = (name for fits, name in FORMAT_DETECTORS if isinstance(tree, dict) and fits(tree))
    return _FORMAT_NAMES.get(next(names, ""))


def parse_folder(files: Mapping[str, str]) -> list[Imported]:
    """Return the token requests of a collection, given its files' texts by relative path.

    Raises:
        ConfigError: it is not a known collection, or it contains no token request.
    """
    for mark, name in FOLDER_MARKERS.items():
        if mark in files:
            return _rank_candidates(_load_importer(name).read_folder(files))
    raise ConfigError(
        "the folder is not a Bruno collection",
        cause=f"it contains none of {', '.join(FOLDER_MARKERS)}",
    )


def _load_importer(name: str) -> Any:
    return import_module(f"tokencli.importers.{name}")


def _rank_candidates(found: Iterable[Imported]) -> list[Imported]:
    """Return the likely token requests without duplicates, most likely first."""
    once = list(_deduplicate_candidates(found))
    scored = sorted(((_score_candidate(one), one) for one in once), key=lambda row: -row[0])
    likely = [one for score, one in scored if score >= _MIN_SCORE]
    if not likely and len(once) != 1:
        message = f"none of the {len(once)} requests looks like a token request"
        raise ConfigError(
            message if once else "it contains no token request",
            fix="import the request alone, e.g. with --from-curl",
        )
    return likely or once


def _deduplicate_candidates(found: Iterable[Imported]) -> Iterator[Imported]:
    known = set()
    for one in found:
        key: tuple[Any, ...] = (one.token_url, one.issuer, one.grants) if isinstance(one, OAuthServer) else (
            one.method, one.url.partition("?")[0], re.sub(r"(?<![^\"&=])[^\"&=]*=[^&]*|:\s*\"[^\"]*\"", "", one.body[:2000]))  # fmt: skip
        if key not in known:
            known.add(key)
            yield one


def _score_candidate(one: Imported) -> int:
    """Score how likely it is a token request."""
    if isinstance(one, OAuthServer):
        return 9
    path, _, query = _get_scored_path(one).partition("?")
    score = 2 * bool(_LOGIN_PATH.search(path)) - 3 * bool(_NON_LOGIN_PATH.search(path))
    score += (
        2 * bool(_CREDENTIAL_BODY.search(one.body) or _CREDENTIAL_BODY.search(query))
        + 2 * one.uses_basic_auth
    )
    score += 4 * bool(one.reply_body and has_token_member(one.reply_body)) + 3 * bool(
        one.token_locator
    )
    score -= 2 * (one.method == "GET") + 3 * (one.status >= 400 or one.status < 200)
    bearer = (
        any(name.lower() == "authorization" for name, _ in one.headers) and not one.uses_basic_auth
    )
    return score - 2 * bearer - 3 * ("refresh_token" in one.body.split("grant_type")[-1][:40])


def _get_scored_path(one: ImportedRequest) -> str:
    """Return the part of the URL to search for login words: first host label, path and query."""
    try:
        parts = urlsplit(one.url)
    except ValueError:
        return one.url
    return f"{parts.netloc.partition('.')[0]}{parts.path}?{parts.query}"
