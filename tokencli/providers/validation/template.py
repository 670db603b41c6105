"""Validate templates: the values that they name, and their filters."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tokencli.errors import ConfigError
from tokencli.problems import Finding, InvalidValueError, KeyPath, did_you_mean
from tokencli.provider_schema import Provider
from tokencli.providers.template import HMAC_FILTERS, Placeholder, parse_template
from tokencli.providers.validation.values import is_header_value

_DIGEST_FILTERS = frozenset(("md5", "sha1", "sha256", "sha512", *HMAC_FILTERS))
"""Filters that turn any bytes into bytes."""
_BYTES_TO_TEXT_FILTERS = frozenset(("hex", "base64", "base64url", "url"))
"""Filters that turn any bytes into text."""
_PLUS_ARGUMENT = re.compile(r"[+-]?[0-9]{1,15}")

MAX_COMPARED = 300
"""Values with which an unknown name is compared, as each comparison takes microseconds."""
_PLACEHOLDER = re.compile(r"(?<!\{)\{(\w+)[^{}]*\}")
_ALLOWED_SUFFIXES = {"host": ("", ":", "/", "?"), "url": ("", "/", "?")}
"""Kind of field -> what may follow its placeholder in a URL."""


def check_template(text: str, known: set[str], path: KeyPath) -> Iterator[Finding]:
    """Yield the problems in a template that can name the values in `known`."""
    try:
        holes = [piece for piece in parse_template(text) if isinstance(piece, Placeholder)]
    except ConfigError as error:
        yield Finding(path, error.message, error.fix)
        return
    for hole in holes:
        yield from _check_filters(hole, path)
    for name in dict.fromkeys(name for hole in holes for name in hole.value_names if name):
        yield from check_name(name, known, path)


def check_name(name: str, known: set[str], path: KeyPath) -> Iterator[Finding]:
    """Yield the problem of a name that is not one of the values in `known`."""
    if name not in known:
        right = f"describe it under [fields.{name}]"
        if len(known) <= MAX_COMPARED:
            right = f"{did_you_mean(name, sorted(known))} Otherwise {right}"
        yield Finding(path, f"names {name}, which is not a field or can't be used here", right)


def check_templates(tree: Any, known: set[str], path: KeyPath) -> Iterator[Finding]:
    """Yield the problems in the templates of a tree, each at its own key path."""
    if isinstance(tree, str):
        yield from check_template(tree, known, path)
    elif isinstance(tree, Mapping | list | tuple):
        for key, branch in tree.items() if isinstance(tree, Mapping) else enumerate(tree):
            yield from check_templates(branch, known, (*path, str(key)))


def check_header_template(text: str, known: set[str], path: KeyPath) -> Iterator[Finding]:
    """Yield the problems in a template for the value of a header."""
    wrong = list(check_template(text, known, path))
    if not wrong:
        # The values are checked when they are known; this checks the text around them.
        constant = "".join(
            "x" if isinstance(one, Placeholder) else one for one in parse_template(text)
        )
        if not is_header_value(constant):
            what = "is empty, or contains a character that headers can't carry"
            right = "use ASCII, without line breaks and surrounding spaces"
            wrong.append(Finding(path, what, right))
    yield from wrong


def check_server_placeholders(
    template: str, provider: Provider, path: KeyPath
) -> Iterator[Finding]:
    """Yield placeholders that would put a server named by the profile into another server's URL.

    A `host` is a whole authority, and a `url` is the beginning of a URL. With text next to it
    (`{host}.example.com`) or elsewhere (`https://example.com/{host}`), secrets would go to a server
    that the profile does not name.
    """
    for found in _PLACEHOLDER.finditer(template):
        field = provider.fields.get(found[1])
        if field is None or field.kind not in _ALLOWED_SUFFIXES:
            continue
        before, after = template[: found.start()], template[found.end() :]
        begins = before in ("https://", "http://") if field.kind == "host" else not before
        if not begins or after[:1] not in _ALLOWED_SUFFIXES[field.kind]:
            right = (
                'write it as "https://{%s}/…"' if field.kind == "host" else 'write it as "{%s}/…"'
            )
            yield Finding(
                path,
                f"inserts the server that the profile names in {found[1]} into another server's address",
                right % found[1] + ", or make it a field of kind text",
            )


def run_check(check: Callable[[Any], object], value: object, path: KeyPath) -> Iterator[Finding]:
    """Yield the problem that a check finds in a value."""
    try:
        check(value)
    except InvalidValueError as wrong:
        yield Finding(path, wrong.message, wrong.suggestion)
    except ConfigError as error:
        yield Finding(path, error.message, error.fix)


def _check_filters(hole: Placeholder, path: KeyPath) -> Iterator[Finding]:
    """Yield the problems in the filters of a placeholder, alone and in their order."""
    are_bytes = False
    for name, argument in hole.filter_steps:
        wrong = _check_filter_argument(name, argument)
        if wrong is not None:
            yield Finding(path, f"{{{hole.name}}}: |{name} {wrong[0]}", wrong[1])
        if are_bytes and name not in (*_DIGEST_FILTERS, *_BYTES_TO_TEXT_FILTERS):
            break
        are_bytes = name in _DIGEST_FILTERS
    if are_bytes:
        what = f"{{{hole.name}}}: a digest is bytes, not text"
        yield Finding(path, what, "add |hex or |base64 after it")


def _check_filter_argument(name: str, argument: str) -> tuple[str, str] | None:
    """Return the problem in a filter's argument and a suggestion, or None."""
    if name in HMAC_FILTERS:
        return None if argument else ("names no key", f"e.g. |{name}:client_secret")
    if name == "plus":
        fits = _PLUS_ARGUMENT.fullmatch(argument)
        return None if fits else ("needs a whole number", "e.g. |plus:3600")
    if name == "date":
        return None if _is_date_format(argument) else ("needs a format", "e.g. |date:%Y-%m-%d")
    return ("has no argument", f"write |{name}") if argument else None


def _is_date_format(text: str) -> bool:
    try:
        return "%" in text and bool(datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC).strftime(text))
    except ValueError:
        return False
