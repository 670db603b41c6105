"""Draft [reply]: the locators of the token, its lifetime and the refresh token."""

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
"""Seconds. A greater number is an epoch time, and a far greater one is in milliseconds."""
_MIN_EPOCH_MS = 10**11


def draft_reply(request: ImportedRequest, draft: ProviderDraft) -> None:
    """Draft the locators from the recorded reply, or record them as open questions."""
    tokens: dict[str, str] = {}
    found: dict[str, Any] = {}
    for place, key, value in iter_members(request.reply_body):
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
    told = request.token_locator if _is_valid_locator(request.token_locator) else ""
    best = (
        told
        or next((tokens[name] for name in TOKEN_MEMBERS if name in tokens), "")
        or _find_token_header(request)
    )
    if not best:
        draft.add_open_question("where the token is in the reply (reply.access_token)")
    found = {"access_token": best or TOKEN_MEMBERS[0], **found}
    if request.status in range(300, 400):
        found["status"] = [request.status]
        draft.add_open_question("whether the recorded redirect means success (reply.status)")
    if not {"expires_in", "expires_at"} & set(found):
        draft.add_open_question(
            "how long the token lives (reply.expires_in, reply.expires_at or reply.ttl)"
        )
    if "refresh_token" in found:
        draft.add_open_question("how the token is refreshed ([refresh])")
    draft.add_open_question(
        'how the token is used, if not as "Authorization: Bearer {token}" (use)'
    )
    draft.add_open_question(
        "where an error's code and text are, and what the codes mean ([errors])"
    )
    draft.table_lines += [
        "[reply]",
        *(f"{name} = {format_toml_value(place)}" for name, place in found.items()),
    ]


def _choose_expiry_key(key: str, place: str, value: Any) -> dict[str, Any]:
    """Return the key of [reply] that fits the value: a lifetime or a time."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        number = int(value)
    if number is None:
        dated = isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value)
        return {"expires_at" if dated else EXPIRY_MEMBERS[key]: place}
    if number < _MAX_LIFETIME_S:
        return {"expires_in" if number else EXPIRY_MEMBERS[key]: place}
    return {"expires_at": place} | ({"time_unit": "ms"} if number > _MIN_EPOCH_MS else {})


def _find_token_header(request: ImportedRequest) -> str:
    name = next((name for name in request.reply_headers if _TOKEN_HEADER.fullmatch(name)), "")
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
