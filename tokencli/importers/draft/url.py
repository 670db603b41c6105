"""Turn the URL of a request into a template: hosts and variable parts become fields."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, unquote

from tokencli.errors import ConfigError
from tokencli.importers.draft.builder import (
    VARIABLE_PATTERN,
    ProviderDraft,
    escape_template,
    to_snake_case,
)
from tokencli.importers.name_patterns import SECRET_NAME_PATTERN
from tokencli.providers.endpoint_urls import check_endpoint_url
from tokencli.providers.template import fill_url

_HOST_OR_URL = re.compile(r"(?:https?://)?[A-Za-z0-9._-]+(?:\.|\[|:|/|$)[^\s?#@\\]*")
_VARIABLE_PART = re.compile(
    r"\$?\{\{?\s*+([^{}\s](?:[^{}]{0,98}[^{}\s])?+)\s*+\}\}?|<([A-Za-z][\w .-]{0,60})>"
)
"""How tools and documentation write a variable part: {{name}}, {name}, ${NAME}, <name>."""
_IDENTIFIER_LIKE = re.compile(r"[0-9a-fA-F-]{16,}|\d{5,}|^(?=.*\d)(?=.*[A-Za-z]).{10,}$|@|.{60}")
"""Matches what looks like an ID or a key."""
MAX_URL_LENGTH = 4096
MAX_VARIABLE_LENGTH = 300
_SAFE_CHARACTERS = "%:@!$&'()*+,=~"
_SAMPLE_VALUES = {"host": "h.example", "url": "https://h.example"}
QueryPairs = list[tuple[str, str]]


def draft_url(
    url: str, draft: ProviderDraft, defaults: Mapping[str, str] | None = None
) -> tuple[str, QueryPairs]:
    """Return the template of a URL without its query, and the query's pairs.

    Raises:
        ConfigError: credentials may not be sent to such a URL. The message does not quote it.
    """
    given = defaults or {}
    if len(url) > MAX_URL_LENGTH:
        raise ConfigError(f"the request's URL has more than {MAX_URL_LENGTH} characters")
    whole = _substitute_variables(url.strip(), draft.variables)
    rest, _, _ = whole.partition("#")
    rest, _, query = rest.partition("?")
    scheme, colons, after = rest.partition("://")
    if not colons:
        scheme, after = "https", rest
    netloc, slash, path = after.partition("/")
    begin = _VARIABLE_PART.fullmatch(netloc) if not colons else None
    if begin:
        base = _add_named_field(begin, draft, "url", given)
    elif not netloc:
        base = draft.add_field("base_url", "url")
    else:
        base = _draft_host(scheme.lower(), netloc, draft, given)
    parts = [_draft_path_segment(part, draft, given) for part in _resolve_dot_segments(path)]
    if re.search(r"\w", re.sub(r"\{\w+\}", "", "".join(parts))):
        draft.record_kept(f"the path /{'/'.join(parts)}")
    template = base + slash + "/".join(parts)
    _check_url_template(template, draft)
    return template, parse_qsl(query, keep_blank_values=True)


def _resolve_dot_segments(path: str) -> list[str]:
    """Return the segments of a path with `.` and `..` resolved."""
    found: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del found[-1:]
        elif part != ".":
            found.append(part)
    return found


def has_userinfo(url: str) -> bool:
    """Return whether the URL contains a user name or password."""
    return "@" in url.partition("://")[2].partition("/")[0]


def _substitute_variables(url: str, variables: Mapping[str, str]) -> str:
    """Replace known variables before the path."""
    for _ in range(5):
        start = url.partition("://")[0] if "://" in url else ""
        head = re.match(r"(?:[^/]*://)?[^/?#]*", url)
        end = head.end() if head else 0
        found = next(
            (
                each
                for each in VARIABLE_PATTERN.finditer(url, 0, end)
                if each[1] in variables and _is_url_value(variables[each[1]], start)
            ),
            None,
        )
        if found is None:
            return url
        word = variables[found[1]].strip()
        after = url[found.end() :]
        if "://" in word:
            after = after.removeprefix("/") if word.endswith("/") else after
            url = word + after
        else:
            url = url[: found.start()] + word + after
    return url


def _is_url_value(word: str, start: str) -> bool:
    """Return whether a variable's value is a URL or a part of one, and not a secret."""
    if len(word) > MAX_VARIABLE_LENGTH:
        return False
    word = word.strip()
    if VARIABLE_PATTERN.search(word):
        word = VARIABLE_PATTERN.sub("x", word)
    if start and "://" in word and not VARIABLE_PATTERN.match(start):
        return False
    return bool(
        word in ("https", "http")
        or word.isdigit()
        or word == "localhost"
        or (_HOST_OR_URL.fullmatch(word) and ("." in word or "://" in word or ":" in word))
    )


def _draft_host(scheme: str, netloc: str, draft: ProviderDraft, given: Mapping[str, str]) -> str:
    host = netloc.rpartition("@")[2]
    name, colon, port = host.rpartition(":")
    if colon and _VARIABLE_PART.search(port):
        fixed = _VARIABLE_PART.fullmatch(port)
        number = given.get(fixed[1] or fixed[2], "") if fixed else ""
        host = f"{name}:{number}" if number.isdigit() else name
        host = name if number == "443" else host
        if not number.isdigit() and not _VARIABLE_PART.fullmatch(name):
            host = draft.add_field("host", "host")
            return f"https://{host}"
    alone = _VARIABLE_PART.match(host)
    if alone and host[alone.end() :].partition(":")[0] == "":
        host = _add_named_field(alone, draft, "host", given) + host[alone.end() :]
    else:
        host = _VARIABLE_PART.sub(lambda found: _add_named_field(found, draft, "text", given), host)
    try:
        check_endpoint_url(f"http://{host}")
        near = scheme == "http" and not _VARIABLE_PART.search(host)
    except ConfigError:
        near = False
    if scheme == "http" and not near:
        draft.add_open_question(
            "whether the server supports https, because credentials are not sent over http"
        )
    return f"{'http' if near else 'https'}://{host}"


def _add_named_field(
    found: re.Match[str], draft: ProviderDraft, kind: str, given: Mapping[str, str]
) -> str:
    """Return the placeholder for a named part of the URL."""
    name = found[1] or found[2]
    key = to_snake_case(name)
    if SECRET_NAME_PATTERN.search(key) or draft.fields.get(key, {}).get("kind", kind) != kind:
        return _add_numbered_field(draft, kind)
    placeholder = draft.add_field(key, kind)
    about = draft.fields[placeholder[1:-1]]
    default = given.get(name, "")
    if kind == "text" and re.fullmatch(r"[A-Za-z0-9._-]{1,40}", default):
        about["default"] = default
    return placeholder


def _add_numbered_field(draft: ProviderDraft, kind: str = "text") -> str:
    return draft.add_field(f"part_{sum(key.startswith('part_') for key in draft.fields) + 1}", kind)


def _draft_path_segment(part: str, draft: ProviderDraft, given: Mapping[str, str]) -> str:
    """Return the template of a path segment. What looks like an ID or a key becomes a field."""
    part = part if _VARIABLE_PART.search(part) else part.partition(";")[0]
    if re.fullmatch(r":[A-Za-z]\w*", part):
        part = f"{{{part[1:]}}}"
    pieces, start = [], 0
    for found in _VARIABLE_PART.finditer(part):
        pieces += [
            _draft_path_text(part[start : found.start()], draft),
            _add_named_field(found, draft, "text", given),
        ]
        start = found.end()
    return "".join([*pieces, _draft_path_text(part[start:], draft)])


def _draft_path_text(text: str, draft: ProviderDraft) -> str:
    if _IDENTIFIER_LIKE.search(unquote(text)):
        return _add_numbered_field(draft)
    return escape_template(quote(text, safe=_SAFE_CHARACTERS))


def _check_url_template(template: str, draft: ProviderDraft) -> None:
    sample = {
        name: _SAMPLE_VALUES.get(about.get("kind", "text"), "x")
        for name, about in draft.fields.items()
    }
    try:
        if fill_url(template, sample | {"client_id": "x", "username": "x"}) is None:
            raise ConfigError("it names a value that is not one of its fields")
    except ConfigError as error:
        raise ConfigError(
            f"credentials can't be sent to the request's URL: {error.message}",
            fix="tokencli providers new",
        ) from None
