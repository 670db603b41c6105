"""`tokencli why --code`: what an error code of an identity provider means, whose job it is, what to do."""

import re
from collections.abc import Iterable, Iterator, Sequence

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.tables import MAX_TEXT_WIDTH, output_width, render_styled, wrap_text
from tokencli.commands.token_input import read_stdin
from tokencli.core.pasted_token import decode_input
from tokencli.errors import ConfigError, UsageError
from tokencli.formats.json import dump_json_line
from tokencli.provider_schema import Provider
from tokencli.providers.catalog import BUILTIN_NAMES
from tokencli.providers.error_codes import (
    MAX_TEXT,
    NUMBERED_WORD,
    ErrorCode,
    decode_text,
    find_error_codes,
    list_error_codes,
    load_builtin_providers,
    suggest_codes,
)
from tokencli.sanitize import sanitize_text

JOB_LABELS = {
    "you": "you",
    "administrator": "the administrator of the identity provider",
    "api_owner": "the owner of the API",
    "vendor": "the vendor",
    "nobody": "no one: it goes away by itself",
}
_LABEL_WIDTH = 11
_STATUS = r"\s*(?:HTTP(?:/[\d.]+)?\s+)?[1-5]\d\d\s*"


def explain_codes(app: App, text: str, profile_name: str | None, *, json_output: bool) -> None:
    """Print what the codes in a text mean. `-` reads the text from stdin.

    A profile chooses the provider whose codes are looked for first.

    Raises:
        UsageError: there is no documented code in the text.
    """
    if text == "-":
        text = _read_stdin(app)
    text = decode_text(text[:MAX_TEXT])
    profile = app.get_profile(profile_name) if profile_name is not None else None
    providers = _list_providers(app)
    chosen = [profile.provider] if profile is not None else []
    found = find_error_codes(text, chosen)
    names = {code.code for code in found}
    found += tuple(
        code
        for code in find_error_codes(text, providers)
        if not names or (code.is_numbered and code.code not in names)
    )
    unknown = _list_unknown_codes(text, found, providers)
    if not found:
        raise _unknown_code_error(text, unknown, chosen or providers)
    if unknown:
        app.terminal.print_note(f"not documented here: {', '.join(unknown)}")
    name = profile.name if profile is not None else "PROFILE"
    if json_output:
        objects = [error_code_to_dict(code, name) for code in found]
        output.write_stdout(dump_json_line({"codes": objects}))
    else:
        output.write_stdout("\n".join(_render_code(code, name) for code in found))


def _read_stdin(app: App) -> str:
    data = read_stdin("the message", MAX_TEXT + 1, app)
    if len(data) > MAX_TEXT:
        app.terminal.print_note(f"only the first {MAX_TEXT // 1024**2} MiB is searched for codes")
    return decode_input(data[:MAX_TEXT]).token


def _list_providers(app: App) -> tuple[Provider, ...]:
    """Return the user's valid providers and the built-in ones."""
    try:
        names = [name for name in app.config.provider_names() if name not in BUILTIN_NAMES]
    except ConfigError:
        names = []
    own = []
    for name in names:
        try:
            own.append(app.config.get_provider(name))
        except ConfigError:
            continue
    return (*own, *load_builtin_providers())


def _list_unknown_codes(
    text: str, found: Iterable[ErrorCode], providers: Iterable[Provider]
) -> tuple[str, ...]:
    """Return what looks like a vendor's code and is none that was found, e.g. `AADSTS1`.

    Other words with a number may be a password or a part of a token, so they are not repeated.
    """
    known = {code.code.casefold() for code in found}
    shapes = {
        _read_shape(code.code)
        for provider in providers
        for code in list_error_codes(provider)
        if code.is_numbered
    }
    words = re.findall(NUMBERED_WORD, text)
    return tuple(
        dict.fromkeys(
            word for word in words if word.casefold() not in known and _read_shape(word) in shapes
        )
    )[:5]


def _unknown_code_error(
    text: str, unknown: Sequence[str], providers: Sequence[Provider]
) -> UsageError:
    """Return the error for a text without a documented code. It quotes only what looks like a code."""
    near = suggest_codes(text, providers)
    vendor = next(
        (
            code
            for provider in providers
            for code in list_error_codes(provider)
            for word in unknown
            if code.is_numbered and _read_shape(code.code) == _read_shape(word)
        ),
        None,
    )
    cause = None
    if vendor is not None:
        cause = f"{vendor.provider.title} documents more codes: {vendor.doc}"
    elif near:
        names = [f"{code.code} ({code.provider.title})" for code in near]
        cause = f"similar codes are {', '.join(names)}"
    elif re.fullmatch(_STATUS, text, re.IGNORECASE):
        cause = (
            "a status alone says little; tokencli why PROFILE URL makes the call and finds out more"
        )
    if unknown:
        what = f"code {unknown[0]} is not documented here"
    else:
        what = "the text has no error code that is documented here"
    return UsageError(what, cause=cause, fix="tokencli help error-codes")


def _read_shape(code: str) -> tuple[str, int]:
    """Return the letters of a code with a number, and its length if they are too few to tell."""
    letters = code.rstrip("0123456789").casefold()
    return letters, len(code) if len(letters) < 4 else 0


def error_code_to_dict(code: ErrorCode, profile_name: str) -> dict[str, object]:
    """Return what a code means as a JSON object; the command in it is for a profile."""
    return {
        "code": code.code,
        "provider": code.provider.name,
        "title": sanitize_text(code.provider.title),
        "cause": sanitize_text(code.meaning.what),
        "whose": code.job,
        "do": _fill_action(code, profile_name),
        "doc": code.doc and sanitize_text(code.doc),
    }


def _fill_action(code: ErrorCode, profile_name: str) -> str | None:
    return code.action and sanitize_text(code.action.replace("{profile}", profile_name))


def _render_code(code: ErrorCode, profile_name: str) -> str:
    """Return what one code means as lines of text."""
    rows = {
        "cause": code.meaning.what,
        "whose job": JOB_LABELS[code.job],
        "do": _fill_action(code, profile_name),
        "page": code.doc,
    }
    lines = [render_styled(sanitize_text(f"{code.code} ({code.provider.title})"), "bold")]
    for label, value in rows.items():
        if value is not None:
            lines += _render_row(label, sanitize_text(value))
    return "".join(f"{line}\n" for line in lines)


def _render_row(label: str, value: str) -> Iterator[str]:
    """Yield a row; a command or a URL stays whole, so that it can be copied."""
    width = min(output_width(), MAX_TEXT_WIDTH) - _LABEL_WIDTH - 2
    is_whole = value.startswith(("tokencli ", "https://"))
    for number, part in enumerate([value] if is_whole else wrap_text(value, width)):
        yield f"  {label if number == 0 else '':{_LABEL_WIDTH}}{part}"
