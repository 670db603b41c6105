"""A text of the user's with values of the token in it: `{{ access_token | base64 }}`.

A placeholder is one of the names in `get --json` and optional filters. There is no other syntax, so
a template can't run code. The filters are those of the providers' templates, and `json`.
"""

import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from tokencli.errors import ReplyError, UsageError
from tokencli.formats.json import build_token_object, dump_json
from tokencli.models import Profile, TokenSet
from tokencli.providers.template import apply_filters
from tokencli.shell_words import user_shell

FILTERS = ("json", "url", "base64", "base64url")
TOKEN_NAMES = (
    "profile", "access_token", "token_type", "scope", "expires_at", "expires_at_epoch",
    "expires_in", "obtained_at", "obtained_at_epoch",
)  # fmt: skip
"""The names that every profile has; those of its provider's outputs are `outputs.NAME`."""
_PLACEHOLDER = re.compile(r"\{\{\s*([\w.-]+)\s*((?:\|\s*\w+\s*)*)\}\}", re.ASCII)
_MAX_SHOWN = 60
"""Characters of a template that an error quotes."""


def render(profile: str, token: TokenSet, now: float, *, template: str) -> str:
    """Return the template with its values, ended by a newline. An unknown value is empty.

    Raises:
        ReplyError: a value isn't printable ASCII, and no filter makes it so.
    """
    values = build_token_object(profile, token, now)
    values |= {f"outputs.{name}": value.reveal() for name, value in token.outputs.items()}
    text = _PLACEHOLDER.sub(lambda match: _fill_placeholder(match, values), template)
    return text if text.endswith("\n") else f"{text}\n"


def check_options(profile: Profile, *, template: str | None = None) -> dict[str, str]:
    """Return the options for `render`; raises UsageError for a template that can't be filled."""
    if template is None:
        raise UsageError(
            "--format template requires --template",
            fix=f"tokencli get {profile.command_line_name} --template {user_shell().quote('{{ access_token }}')}",
        )
    if not template.isascii() and any("\udc80" <= each <= "\udcff" for each in template):
        raise UsageError("the template is not valid text in the encoding of this terminal")
    if "{{" in (rest := _PLACEHOLDER.sub("", template)):
        raise UsageError(
            f"can't read {rest[rest.index('{{') :][:_MAX_SHOWN]!r} in the template",
            cause="a placeholder is a name and filters, e.g. {{ access_token | base64 }}",
        )
    if rest == template:
        raise UsageError(
            f"the template has no placeholder: {template[:_MAX_SHOWN]!r}",
            cause="a placeholder has two braces on each side, e.g. {{ access_token }}",
            fix=_suggest_file_content(profile, template),
        )
    names = (*TOKEN_NAMES, *(f"outputs.{name}" for name in profile.provider.output_names))
    for match in _PLACEHOLDER.finditer(template):
        _require_known("value", match[1], names)
        for step in _list_filters(match):
            _require_known("filter", step, FILTERS)
    return {"template": template}


def _suggest_file_content(profile: Profile, template: str) -> str | None:
    """Return the command for a template that names a file as for curl, with @."""
    if not template.startswith("@") or not os.path.isfile(template[1:]):  # noqa: PTH113 - start-up cost
        return None
    content = user_shell().read_file(template[1:])
    return content and f"tokencli get {profile.command_line_name} --template {content}"


def _require_known(kind: str, name: str, known: tuple[str, ...]) -> None:
    if name in known:
        return
    ending = [each for each in known if each.endswith(("." + name, "_" + name))]
    matches = ending or get_close_matches(name, known, 1, 0.4)
    guess = f"did you mean {matches[0]}? " if matches else ""
    raise UsageError(
        f"the template has an unknown {kind} {name[:_MAX_SHOWN]!r}",
        cause=f"{guess}{kind}s: {', '.join(known)}",
    )


def _list_filters(match: re.Match[str]) -> Iterator[str]:
    return (step.strip() for step in match[2].split("|")[1:])


def _fill_placeholder(match: re.Match[str], values: Mapping[str, object]) -> str:
    value = values.get(match[1])
    for step in _list_filters(match):
        if step == "json":
            value = dump_json(value)
        else:
            value = apply_filters(_as_text(value), ((step, ""),), {})
    text = _as_text(value)
    if not text.isascii() or (text and not text.isprintable()):
        raise ReplyError(
            f"{match[1]} contains a character that isn't printable ASCII",
            cause=f"the value comes from the server's reply; {{{{ {match[1]} | json }}}} escapes it",
        )
    return text


def _as_text(value: object) -> str:
    return "" if value is None else str(value)
