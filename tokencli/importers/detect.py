"""Tell what kind of file it is, read it, and put what is most likely for a token first."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from tokencli.errors import ConfigError
from tokencli.importers import bru
from tokencli.importers.curl import parse_curl
from tokencli.importers.model import Imported, ImportedRequest, OAuthServer
from tokencli.importers.parse import parse_document

SUPPORTED_FORMATS_HINT = (
    "give a HAR file, a Postman collection, Bruno's .bru or YAML, or OpenAPI as JSON or YAML"
)
FORMAT_DETECTORS: tuple[tuple[Callable[[Mapping[str, Any]], bool], str], ...] = (
    (lambda tree: isinstance(tree.get("log"), dict), "har"),
    (lambda tree: "openapi" in tree or "swagger" in tree, "openapi"),
    (lambda tree: "opencollection" in tree or "http" in tree, "opencollection"),
    (lambda tree: "item" in tree or isinstance(tree.get("collection"), dict), "postman"),
    (lambda tree: "info" in tree and "request" in tree, "opencollection"),
)
"""What a tree looks like -> the module whose `requests` reads it."""
FOLDER_MARKERS = {"bruno.json": "bruno", "opencollection.yml": "opencollection", "opencollection.yaml": "opencollection"}  # fmt: skip
"""The file by which a collection's folder is known -> the module whose `folder` reads it."""
_LOGIN_PATH = re.compile(r"(?i)token|auth(?!ors?\b)|log-?in|log_in|sign-?in|session|ticket")
_NON_LOGIN_PATH = re.compile(
    r"(?i)log-?out|sign-?out|revoke|introspect|refresh|userinfo|register|reset|forgot|verify"
    r"|validate|callback|authorize|well-known|\.(?:js|css|png|svg|ico|woff2?|html?)$"
)
_CREDENTIAL_BODY = re.compile(r"(?i)passw|secret|grant_type|api_?key|credential|assertion")
_MIN_SCORE = 2


def parse_file(text: str) -> list[Imported]:
    """Return the requests for a token that a recorded or described collection holds, best first.

    Raises:
        ConfigError: it is none that is known here, or holds none.
    """
    text = text.removeprefix("\ufeff")
    if re.match(r"\s*(?:\$ )?curl(?:\.exe)?\s", text):
        return [parse_curl(text.strip().removeprefix("$ "))]
    if bru.BRU_BLOCK_PATTERN.search(text) and text.lstrip()[:1] not in ("{", "["):
        return _rank_candidates(_load_importer("bruno").read_requests(text))
    tree = parse_document(text)
    if isinstance(tree, dict):
        for fits, name in FORMAT_DETECTORS:
            if fits(tree):
                return _rank_candidates(_load_importer(name).read_requests(tree))
    raise ConfigError("this is no file of a kind that is known here", fix=SUPPORTED_FORMATS_HINT)


def parse_folder(files: Mapping[str, str]) -> list[Imported]:
    """Return the same of a collection's folder: its files' texts by their paths in it.

    Raises:
        ConfigError: it is no collection that is known here, or holds no request for a token.
    """
    for mark, name in FOLDER_MARKERS.items():
        if mark in files:
            return _rank_candidates(_load_importer(name).read_folder(files))
    raise ConfigError(
        "the folder is no collection of Bruno",
        fix=f"there is none of {', '.join(FOLDER_MARKERS)} in it",
    )


def _load_importer(name: str) -> Any:
    return import_module(f"tokencli.importers.{name}")


def _rank_candidates(found: Iterable[Imported]) -> list[Imported]:
    """Put what is most likely for a token first, each once; leave out what is not likely at all."""
    once = list(_deduplicate_candidates(found))
    scored = sorted(((_score_candidate(one), one) for one in once), key=lambda row: -row[0])
    likely = [one for score, one in scored if score >= _MIN_SCORE]
    if not likely and len(once) != 1:
        count = f"none of the {len(once)} requests in it looks like" if once else "there is no"
        what = "one for a token" if once else "request in it that could be for a token"
        raise ConfigError(
            f"{count} {what}", fix="give the one request alone, such as by --from-curl"
        )
    return likely or once


def _deduplicate_candidates(found: Iterable[Imported]) -> Iterator[Imported]:
    known = set()
    for one in found:
        key: tuple[Any, ...] = (one.token_url, one.issuer, one.grants) if isinstance(one, OAuthServer) else (
            one.method, one.url.partition("?")[0], re.sub(r"[^\"&=]*=[^&]*|:\s*\"[^\"]*\"", "", one.body[:2000]))  # fmt: skip
        if key not in known:
            known.add(key)
            yield one


def _score_candidate(one: Imported) -> int:
    """Weigh how likely it is that a token comes of it."""
    from tokencli.importers.draft.reply import has_token_member

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
    """Return the URL behind its server: the word may stand in the server's name, too."""
    try:
        parts = urlsplit(one.url)
    except ValueError:
        return one.url
    return f"{parts.netloc.partition('.')[0]}{parts.path}?{parts.query}"
