"""The address of a request as a template: hosts and parts that vary become fields."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, unquote

from tokencli.errors import ConfigError
from tokencli.providers.address import endpoint
from tokencli.providers.draft.made import SECRET, VARIABLE, Draft, literal, snake
from tokencli.providers.url_template import fill_url

_ADDRESS = re.compile(r"(?:https?://)?[A-Za-z0-9._-]+(?:\.|\[|:|/|$)[^\s?#@\\]*")
_PLACE = re.compile(r"\$?\{\{?\s*([^{}]{1,100}?)\s*\}\}?|<([A-Za-z][\w .-]{0,60})>")
"""How tools and documents write a part that varies: {{name}}, {name}, ${NAME}, <name>."""
_SOMEBODYS = re.compile(r"[0-9a-fA-F-]{16,}|\d{5,}|^(?=.*\d)(?=.*[A-Za-z]).{10,}$|@|.{60}")
"""What looks like somebody's id or key."""
LONGEST = 4096
_SAFE = "%:@!$&'()*+,=~"
_SAMPLE = {"host": "h.example", "url": "https://h.example"}
Query = list[tuple[str, str]]


def address(url: str, made: Draft, defaults: Mapping[str, str] | None = None) -> tuple[str, Query]:
    """Return a URL as a template without its query, and the query's pairs.

    Raises:
        ConfigError: no credential may be sent to such a URL. The message does not quote it.
    """
    given = defaults or {}
    if len(url) > LONGEST:
        raise ConfigError("the request's URL is longer than any token endpoint's")
    whole = _known(url.strip(), made.variables)
    rest, _, _ = whole.partition("#")
    rest, _, query = rest.partition("?")
    scheme, colons, after = rest.partition("://")
    if not colons:
        scheme, after = "https", rest
    netloc, slash, path = after.partition("/")
    begin = _PLACE.fullmatch(netloc) if not colons else None
    if begin:
        base = _named(begin, made, "url", given)
    elif not netloc:
        base = made.field("base_url", "url")
    else:
        base = _server(scheme.lower(), netloc, made, given)
    parts = [_segment(part, made, given) for part in _straight(path)]
    if re.search(r"\w", re.sub(r"\{\w+\}", "", "".join(parts))):
        made.keep(f"the path /{'/'.join(parts)}")
    template = base + slash + "/".join(parts)
    _check(template, made)
    return template, parse_qsl(query, keep_blank_values=True)


def _straight(path: str) -> list[str]:
    """Return the parts of a path without detours: `..` takes back the part before it."""
    found: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del found[-1:]
        elif part != ".":
            found.append(part)
    return found


def hidden(url: str) -> bool:
    """Tell whether the URL carries a user name or password."""
    return "@" in url.partition("://")[2].partition("/")[0]


def _known(url: str, variables: Mapping[str, str]) -> str:
    """Put in the variables of the address that are known, before the path begins."""
    for _ in range(5):
        start = url.partition("://")[0] if "://" in url else ""
        head = re.match(r"(?:[^/]*://)?[^/?#]*", url)
        end = head.end() if head else 0
        found = next(
            (
                each
                for each in VARIABLE.finditer(url, 0, end)
                if each[1] in variables and _fits(variables[each[1]], start)
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


def _fits(word: str, start: str) -> bool:
    """Tell whether a variable's value may stand in an address: it is one, and not a secret."""
    word = word.strip()
    if len(word) > 300:
        return False
    if VARIABLE.search(word):
        word = VARIABLE.sub("x", word)
    if start and "://" in word and not VARIABLE.match(start):
        return False
    return bool(
        word in ("https", "http")
        or word.isdigit()
        or word == "localhost"
        or (_ADDRESS.fullmatch(word) and ("." in word or "://" in word or ":" in word))
    )


def _server(scheme: str, netloc: str, made: Draft, given: Mapping[str, str]) -> str:
    host = netloc.rpartition("@")[2]
    name, colon, port = host.rpartition(":")
    if colon and _PLACE.search(port):
        fixed = _PLACE.fullmatch(port)
        number = given.get(fixed[1] or fixed[2], "") if fixed else ""
        host = f"{name}:{number}" if number.isdigit() else name
        host = name if number == "443" else host
        if not number.isdigit() and not _PLACE.fullmatch(name):
            host = made.field("host", "host")
            return f"https://{host}"
    alone = _PLACE.match(host)
    if alone and host[alone.end() :].partition(":")[0] == "":
        host = _named(alone, made, "host", given) + host[alone.end() :]
    else:
        host = _PLACE.sub(lambda found: _named(found, made, "text", given), host)
    try:
        endpoint(f"http://{host}")
        near = scheme == "http" and not _PLACE.search(host)
    except ConfigError:
        near = False
    if scheme == "http" and not near:
        made.leave("the address has http, and credentials go over https alone: is there https?")
    return f"{'http' if near else 'https'}://{host}"


def _named(found: re.Match[str], made: Draft, kind: str, given: Mapping[str, str]) -> str:
    """Return the placeholder for a part of the address that has a name."""
    name = found[1] or found[2]
    key = snake(name)
    if SECRET.search(key) or made.fields.get(key, {}).get("kind", kind) != kind:
        return _part(made)
    placeholder = made.field(key, kind)
    about = made.fields[placeholder[1:-1]]
    default = given.get(name, "")
    if kind == "text" and re.fullmatch(r"[A-Za-z0-9._-]{1,40}", default):
        about["default"] = default
    return placeholder


def _part(made: Draft) -> str:
    return made.field(f"part_{sum(key.startswith('part_') for key in made.fields) + 1}", "text")


def _segment(part: str, made: Draft, given: Mapping[str, str]) -> str:
    """Return a part of the path; what looks like somebody's id or key becomes a field."""
    part = part if _PLACE.search(part) else part.partition(";")[0]
    if re.fullmatch(r":[A-Za-z]\w*", part):
        part = f"{{{part[1:]}}}"
    pieces, start = [], 0
    for found in _PLACE.finditer(part):
        pieces += [_text(part[start : found.start()], made), _named(found, made, "text", given)]
        start = found.end()
    return "".join([*pieces, _text(part[start:], made)])


def _text(text: str, made: Draft) -> str:
    if _SOMEBODYS.search(unquote(text)):
        return _part(made)
    return literal(quote(text, safe=_SAFE))


def _check(template: str, made: Draft) -> None:
    sample = {
        name: _SAMPLE.get(about.get("kind", "text"), "x") for name, about in made.fields.items()
    }
    try:
        if fill_url(template, sample | {"client_id": "x", "username": "x"}) is None:
            raise ConfigError("it names a value that is none of its fields")
    except ConfigError as error:
        raise ConfigError(
            f"the request's URL is none that a credential may be sent to: {error.message}",
            hint="mend the URL in the file, or answer the questions: tokencli providers new",
        ) from None
