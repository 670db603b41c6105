"""Where a recorded reply keeps what: the places of the token, of its life, of its successor."""

import re
from typing import Any

from tokencli.errors import ConfigError
from tokencli.importers.draft.builder import ProviderDraft
from tokencli.importers.model import ImportedRequest
from tokencli.importers.name_patterns import (
    EXPIRY_MEMBERS,
    REFRESH_TOKEN_MEMBERS,
    TOKEN_MEMBERS,
    iter_members,
)
from tokencli.providers.reply_locator import check_locator
from tokencli.toml_writer import format_toml_value

_TOKEN_HEADER = re.compile(r"(?i)(x-)?(subject|auth|access|session|api|security|csrf|\w+-auth|\w+-session)?"
                     r"-?(token|session-id|sessionid)")  # fmt: skip
_MAX_LIFETIME_S = 10**9
"""Seconds; a greater number is a time since 1970, and far greater ones are milliseconds."""
_MIN_EPOCH_MS = 10**11


def draft_reply(seen: ImportedRequest, made: ProviderDraft) -> None:
    """Say where the recorded reply keeps what, or that this is open."""
    tokens: dict[str, str] = {}
    found: dict[str, Any] = {}
    for place, key, value in iter_members(seen.reply_body):
        low = key.lower().replace("-", "_")
        if low not in (
            *TOKEN_MEMBERS,
            *EXPIRY_MEMBERS,
            *REFRESH_TOKEN_MEMBERS,
        ) or not _is_valid_locator(place):
            continue
        if low in TOKEN_MEMBERS:
            tokens.setdefault(low, place)
        elif low in EXPIRY_MEMBERS:
            found |= (
                {}
                if {*found} & {"expires_in", "expires_at"}
                else _choose_expiry_key(low, place, value)
            )
        else:
            found.setdefault("refresh_token", place)
    told = seen.token_locator if _is_valid_locator(seen.token_locator) else ""
    best = (
        told
        or next((tokens[name] for name in TOKEN_MEMBERS if name in tokens), "")
        or _find_token_header(seen)
    )
    if not best:
        made.add_open_question("where the token is in the reply: reply.access_token")
    found = {"access_token": best or TOKEN_MEMBERS[0], **found}
    if seen.status in range(300, 400):
        found["status"] = [seen.status]
        made.add_open_question("whether the redirect that answered is the success: reply.status")
    if not {"expires_in", "expires_at"} & set(found):
        made.add_open_question(
            "how long the token lives: reply.expires_in, reply.expires_at or reply.ttl"
        )
    if "refresh_token" in found:
        made.add_open_question("how the token is refreshed: [refresh]")
    made.add_open_question(
        'how the token is used, where not as "Authorization: Bearer {token}": use'
    )
    made.add_open_question("where an error's code and text are, and what the codes mean: [errors]")
    made.table_lines += [
        "[reply]",
        *(f"{name} = {format_toml_value(place)}" for name, place in found.items()),
    ]


def _choose_expiry_key(key: str, place: str, value: Any) -> dict[str, Any]:
    """Return the key of [reply] that fits the value: a life, or a time."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        number = int(value)
    if number is None:
        dated = isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value)
        return {"expires_at" if dated else EXPIRY_MEMBERS[key]: place}
    if number < _MAX_LIFETIME_S:
        return {"expires_in" if number else EXPIRY_MEMBERS[key]: place}
    return {"expires_at": place} | ({"time_unit": "ms"} if number > _MIN_EPOCH_MS else {})


def _find_token_header(seen: ImportedRequest) -> str:
    name = next((name for name in seen.reply_headers if _TOKEN_HEADER.fullmatch(name)), "")
    place = f"header:{name}"
    return place if name and _is_valid_locator(place) else ""


def _is_valid_locator(place: str) -> bool:
    if not place:
        return False
    try:
        check_locator(place)
    except ConfigError:
        return False
    return True
