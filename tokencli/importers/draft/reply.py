"""Where a recorded reply keeps what: the places of the token, of its life, of its successor."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tokencli.errors import ConfigError
from tokencli.importers.draft.builder import ProviderDraft
from tokencli.importers.model import ImportedRequest
from tokencli.providers.reply_locator import XmlElement, check_locator, parse_xml
from tokencli.toml_writer import format_toml_value

TOKEN_MEMBERS = ("access_token", "accesstoken", "token", "authtoken", "auth_token", "id_token", "idtoken",
         "bearertoken", "bearer_token", "jwt", "jwttoken", "sessiontoken", "session_token",
         "sessionid", "session_id", "ticket", "apitoken", "api_token", "tokenvalue")  # fmt: skip
EXPIRY_MEMBERS = {"ttl": "expires_in", "lifetime": "expires_in", "expires_in": "expires_in", "expiresin": "expires_in", "expires": "expires_in",
        "expires_at": "expires_at", "expiresat": "expires_at", "expiry": "expires_at",
        "expiration": "expires_at", "expirationdate": "expires_at", "expirydate": "expires_at",
        "expireson": "expires_at", "expires_on": "expires_at", "expirationtime": "expires_at",
        "validuntil": "expires_at", "valid_until": "expires_at"}  # fmt: skip
REFRESH_TOKEN_MEMBERS = ("refresh_token", "refreshtoken")
_TOKEN_HEADER = re.compile(r"(?i)(x-)?(subject|auth|access|session|api|security|csrf|\w+-auth|\w+-session)?"
                     r"-?(token|session-id|sessionid)")  # fmt: skip
IDENTIFIER_LIKE_NAME = re.compile(r"[0-9a-fA-F-]{16,}|[0-9]{5,}|@.*\.|.{60}")
"""Names of members that are no names but somebody's."""
_MAX_LIFETIME_S = 10**9
"""Seconds; a greater number is a time since 1970, and far greater ones are milliseconds."""
_MIN_EPOCH_MS = 10**11


def draft_reply(seen: ImportedRequest, made: ProviderDraft) -> None:
    """Say where the recorded reply keeps what, or that this is open."""
    tokens: dict[str, str] = {}
    found: dict[str, Any] = {}
    for place, key, value in _iter_members(seen.reply_body):
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


def has_token_member(text: str) -> bool:
    """Tell whether a reply has a member that is called as tokens are."""
    return any(key.lower().replace("-", "_") in TOKEN_MEMBERS for _, key, _ in _iter_members(text))


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


def _iter_members(text: str) -> Iterator[tuple[str, str, Any]]:
    """Yield the members of a reply that are no tables: place, name and value."""
    text = text.strip()
    try:
        tree = json.loads(text) if text else None
    except (ValueError, RecursionError):
        if text.startswith("<"):
            yield from _iter_xml_values(parse_xml(text.encode(errors="replace")), "xml:")
        elif re.fullmatch(r"[\w.~+/=:|-]{16,8192}", text, re.ASCII):
            yield "text:", "token", text
        return
    if isinstance(tree, str) and len(tree) >= 16:
        yield "@", "token", tree
    yield from _iter_json_leaves(tree, "", 0)


def _iter_json_leaves(tree: Any, path: str, depth: int) -> Iterator[tuple[str, str, Any]]:
    if depth > 20:
        return
    if isinstance(tree, list) and tree and path:
        yield from _iter_json_leaves(tree[0], f"{path}[0]", depth + 1)
    elif isinstance(tree, list) and tree:
        yield from _iter_json_leaves(tree[0], "[0]", depth + 1)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            if IDENTIFIER_LIKE_NAME.search(key):
                continue  # a table by people or by ids
            word = key if re.fullmatch(r"[A-Za-z_]\w*", key, re.ASCII) else json.dumps(key)
            inside = f"{path}.{word}" if path else word
            if isinstance(value, dict | list):
                yield from _iter_json_leaves(value, inside, depth + 1)
            else:
                yield inside, key, value


def _iter_xml_values(
    element: XmlElement | None, path: str, depth: int = 0
) -> Iterator[tuple[str, str, Any]]:
    if element is None or depth > 20:
        return
    inside = f"{path}/{element.name}" if depth else f"{path}{element.name}"
    for name, value in element.attributes.items():
        yield f"{inside}/@{name}", name, value
    if not element.children:
        yield inside, element.name, element.text.strip()
    for child in element.children:
        yield from _iter_xml_values(child, inside, depth + 1)
