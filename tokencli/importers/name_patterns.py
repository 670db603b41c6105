"""Names of parameters and members, and what they say about the value."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tokencli.providers.reply_locator import XmlElement, parse_xml

CONSTANT_PARAMETERS = frozenset(
    ("grant_type", "granttype", "scope", "scopes", "audience", "resource", "response_type", "f",
     "format", "output", "action", "method", "jsonrpc", "version", "api-version", "client_version",
     "authflow", "loginmode", "type", "@type", "connection", "requested_token_use", "@version")
)  # fmt: skip
"""Parameters whose values are constants of the API, not secrets."""
SECRET_NAME_PATTERN = re.compile(
    r"(?i)pass|secret|token|key|pwd|credential|assertion|jwt|pin\b|otp|code\b|sign"
)
LIFETIME_NAME_PATTERN = re.compile(
    r"(?i)ttl|expir|timeout|duration|life|minutes|seconds|hours|days|validity"
)
STANDARD_VALUE_NAMES = {
    "username": "username", "user": "username", "user_name": "username", "userid": "username",
    "login": "username", "password": "password", "passwd": "password", "pwd": "password",
    "pass": "password", "client_id": "client_id", "clientid": "client_id",
    "client_secret": "client_secret", "clientsecret": "client_secret", "scope": "scope",
}  # fmt: skip
"""Name of a parameter in lower case, without dashes -> the standard value that it carries."""
TOKEN_MEMBERS = ("access_token", "accesstoken", "token", "authtoken", "auth_token", "id_token", "idtoken",
         "bearertoken", "bearer_token", "jwt", "jwttoken", "sessiontoken", "session_token",
         "sessionid", "session_id", "ticket", "apitoken", "api_token", "tokenvalue")  # fmt: skip
EXPIRY_MEMBERS = {"ttl": "expires_in", "lifetime": "expires_in", "expires_in": "expires_in", "expiresin": "expires_in", "expires": "expires_in",
        "expires_at": "expires_at", "expiresat": "expires_at", "expiry": "expires_at",
        "expiration": "expires_at", "expirationdate": "expires_at", "expirydate": "expires_at",
        "expireson": "expires_at", "expires_on": "expires_at", "expirationtime": "expires_at",
        "validuntil": "expires_at", "valid_until": "expires_at"}  # fmt: skip
REFRESH_TOKEN_MEMBERS = ("refresh_token", "refreshtoken")
ERROR_CODE_MEMBERS = ("error", "error_code", "errorcode", "code")
"""Names of a refusal's code, the most specific first."""
ERROR_TEXT_MEMBERS = ("error_description", "error_message", "errormessage", "message", "detail",
                      "description", "reason")  # fmt: skip
MAX_NAME_LENGTH = 60
"""A longer name is no name of the API's."""
IDENTIFIER_LIKE_NAME = re.compile(r"[0-9a-fA-F-]{16,}|[0-9]{5,}|@.*\.|.{60}")
"""Matches member names that are IDs rather than names."""


def has_token_member(text: str) -> bool:
    """Return whether a reply has a member with a name of tokens."""
    return any(key.lower().replace("-", "_") in TOKEN_MEMBERS for _, key, _ in iter_members(text))


def iter_members(text: str) -> Iterator[tuple[str, str, Any]]:
    """Yield the locator, name and value of each member of a reply that is not a table."""
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
            if len(key) > MAX_NAME_LENGTH or IDENTIFIER_LIKE_NAME.search(key):
                continue  # a table keyed by IDs
            word = key if re.fullmatch(r"[A-Za-z_]\w*", key, re.ASCII) else json.dumps(key)
            inside = f"{path}.{word}" if path else word
            if isinstance(value, dict | list):
                yield from _iter_json_leaves(value, inside, depth + 1)
            else:
                yield inside, key, value


def _iter_xml_values(
    element: XmlElement | None, path: str, depth: int = 0
) -> Iterator[tuple[str, str, Any]]:
    if element is None or depth > 20 or len(element.name) > MAX_NAME_LENGTH:
        return
    inside = f"{path}/{element.name}" if depth else f"{path}{element.name}"
    for name, value in element.attributes.items():
        yield f"{inside}/@{name}", name, value
    if not element.children:
        yield inside, element.name, element.text.strip()
    for child in element.children:
        yield from _iter_xml_values(child, inside, depth + 1)
