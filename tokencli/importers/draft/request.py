"""Draft the provider for an imported request or OAuth server."""

import re
from collections.abc import Collection
from typing import Any

from tokencli.duration import parse_duration
from tokencli.errors import ConfigError
from tokencli.importers.draft.body import draft_body
from tokencli.importers.draft.builder import ProviderDraft, escape_template
from tokencli.importers.draft.url import QueryPairs, draft_url, has_userinfo
from tokencli.importers.model import Imported, ImportedRequest, OAuthServer
from tokencli.importers.name_patterns import (
    ERROR_CODE_MEMBERS,
    ERROR_TEXT_MEMBERS,
    EXPIRY_MEMBERS,
    REFRESH_TOKEN_MEMBERS,
    TOKEN_MEMBERS,
    iter_members,
)
from tokencli.providers.reply_locator import check_locator
from tokencli.toml_writer import format_toml_value

MAX_LISTED_LENGTH = 200
CONNECTION_HEADERS = frozenset(
    ("accept-encoding", "connection", "content-length", "expect", "host", "keep-alive",
     "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
)  # fmt: skip
"""Headers that tokencli sets itself, or needs no more than the tool's own connection did."""
LEFT_OUT_HEADERS = frozenset(
    ("cache-control", "dnt", "origin", "postman-token", "pragma", "priority", "proxy-authorization",
     "referer", "upgrade-insecure-requests", "user-agent")
)  # fmt: skip
"""Headers about the tool that sent the request, with those whose names begin with `sec-`."""
AUTH_SCHEMES = (
    "apikey",
    "basic",
    "bearer",
    "digest",
    "dpop",
    "hawk",
    "key",
    "oauth",
    "ssws",
    "token",
)
"""Words before a credential in a header, from IANA's registry and vendors' documentation."""
HTTP_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


UNKNOWN_TOKEN_PLACE = "where the token is in the reply (reply.access_token)"
UNKNOWN_LIFETIME = "the token's lifetime (reply.expires_in, reply.expires_at or reply.ttl)"
UNKNOWN_USAGE = 'how the token is used, if not as "Authorization: Bearer {token}" (use)'
UNKNOWN_ERRORS = "where an error's code and text are, and what the codes mean ([errors])"
"""The open questions about a request of which no reply is known."""
DEFAULT_USAGE = "Authorization: Bearer {token}"


def draft_provider(found: Imported, title: str = "", taken: Collection[str] = ()) -> ProviderDraft:
    """Return a provider for this request or OAuth server. No field gets a reserved name.

    Raises:
        ConfigError: credentials may not be sent to its URL.
    """
    draft = ProviderDraft(title or found.name, taken, variables=found.variables, source=found)
    for note in found.notes:
        draft.add_open_question(note)
    if isinstance(found, OAuthServer):
        draft_oauth_server(found, draft)
    else:
        _draft_request(found, draft)
    whole = ", ".join(draft.kept_constants)
    for kept in [whole] if 0 < len(whole) < MAX_LISTED_LENGTH else draft.kept_constants:
        draft.add_open_question(f"constants that may need to be fields: {kept}")
    if not draft.title:
        host = re.search(r"://([^/{}]+)/?", "".join(draft.top_level_lines[:1]))
        draft.title = host[1].strip('"') if host else "A server"
    return draft


def _draft_request(recorded: ImportedRequest, draft: ProviderDraft) -> None:
    draft.optional_members, draft.constant_members = (
        recorded.optional_members,
        recorded.constant_members,
    )
    url, pairs = draft_url(recorded.url, draft, recorded.defaults)
    draft.top_level_lines.append(f"endpoints.token = {format_toml_value(url)}")
    query = {name: draft.draft_value(name, text) for name, text in pairs if name}
    method = recorded.method.upper()
    if method not in HTTP_METHODS:
        draft.add_open_question(
            f"whether the server accepts POST, because {method} is not supported"
        )
        method = "POST"
    request: dict[str, Any] = {"method": method} if method != "POST" else {}
    headers = dict(_draft_headers(recorded, draft))
    kind, send = draft_body(recorded, draft)
    if recorded.uses_basic_auth or has_userinfo(recorded.url):
        user, _, password = _draft_basic(send, pairs, draft).partition(":")
        user, password = user * recorded.has_basic_user, password * recorded.has_basic_password
        request["basic"] = f"{user}:{password}"
    if method == "GET" and kind is not None:
        draft.add_open_question(
            "whether the members of the body belong in the query, because GET has no body"
        )
        query |= {name: text for name, text in send.items() if isinstance(text, str)} if isinstance(send, dict) else {}  # fmt: skip
        kind = send = None
    if kind is not None:
        request |= {"body": kind} if kind != "form" else {}
        request["send"] = send
    elif method != "GET":
        request["body"] = "none"
    if query and method == "GET":
        request["send"] = query
    elif query:
        request["query"] = query
    if headers:
        request["headers"] = headers
    draft.table_lines += [
        "[request]",
        *(f"{name} = {format_toml_value(value)}" for name, value in request.items()),
    ]
    draft_reply(recorded, draft)


def _draft_basic(send: Any, pairs: QueryPairs, draft: ProviderDraft) -> str:
    """Return the template of HTTP Basic: the client's credentials if the request has an OAuth grant."""
    members = {**dict(pairs), **(send if isinstance(send, dict) else {})}
    if "grant_type" in members and "client_secret" not in members:
        return "{client_id}:{client_secret}"
    draft.add_open_question(
        'whether HTTP Basic carries a client instead of a user: "{client_id}:{client_secret}"'
    )
    return "{username}:{password}"


def _draft_headers(recorded: ImportedRequest, draft: ProviderDraft) -> list[tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    left_out: list[str] = []
    for name, value in recorded.headers:
        low = name.lower()
        if low == "host" and value.strip().lower() not in recorded.url.lower():
            left_out.append(name)
        elif low in CONNECTION_HEADERS or low.startswith(":") or _is_default_header(low, value):
            continue
        elif low == "cookie":
            draft.add_open_question("the cookie, if the server requires one (request.headers)")
        elif low == "authorization" and recorded.uses_basic_auth:
            continue
        elif (
            low in found
            or low in LEFT_OUT_HEADERS
            or low.startswith("sec-")
            or not value.strip()
            or not _HEADER_NAME.fullmatch(name)
        ):
            left_out.append(name)
        elif low == "authorization":
            found[low] = name, _draft_authorization(value, draft)
        elif is_vendor_header(low, value):
            draft.record_kept(f"the header {name}")
            found[low] = name, escape_template(value)
        else:
            found[low] = name, draft.draft_value(name, value)
    if left_out:
        names = ", ".join(dict.fromkeys(left_out))
        draft.add_open_question(f"headers that were left out (request.headers): {names}")
    return list(found.values())


def _is_default_header(low: str, value: str) -> bool:
    """Return whether tokencli sends this header, or one for its own form of the body, anyway."""
    media_type, _, parameters = value.strip().lower().partition(";")
    if low == "accept":
        return value.strip().lower() == "application/json"
    return (
        low == "content-type"
        and media_type.strip()
        in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data", "")
        and (parameters.strip() in ("", "charset=utf-8") or media_type.startswith("multipart"))
    )


def _draft_authorization(value: str, draft: ProviderDraft) -> str:
    scheme, _, rest = value.partition(" ")
    known = rest and scheme.lower() in AUTH_SCHEMES  # any other word may itself be secret
    credential = draft.add_field("credential", "secret")
    return f"{scheme} {credential}" if known else credential


CLIENT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_PARAMETER_NAME = re.compile(r"[!-~]{1,200}")
MAX_SCOPE_LENGTH = 16 * 1024
_MAX_SCOPES = 3
"""If there are more scopes, probably not all are needed."""


def draft_oauth_server(found: OAuthServer, draft: ProviderDraft) -> None:
    """Draft the provider for an OAuth server."""
    grants = found.grants or (("authorization_code", "client_credentials") if found.issuer else ())
    issuer = draft_url(found.issuer, draft, found.defaults)[0] if found.issuer else ""
    if not found.token_url and not issuer:
        raise ConfigError("the OAuth server in the file has no token endpoint")
    if issuer:
        draft.top_level_lines.append(f"endpoints.issuer = {format_toml_value(issuer)}")
        draft.add_open_question("the token endpoint, if it is not the one in the issuer's metadata")
    token = draft_url(found.token_url, draft, found.defaults)[0] if found.token_url else issuer
    draft.top_level_lines.append(f"endpoints.token = {format_toml_value(token)}")
    for name, url, grant in (
        ("authorization", found.authorization_url, "authorization_code"),
        ("device_authorization", found.device_url, "device_code"),
    ):
        if url:
            place, _ = draft_url(url, draft, found.defaults)
            draft.top_level_lines.append(f"endpoints.{name} = {format_toml_value(place)}")
        elif grant in grants and not found.issuer:
            draft.add_open_question(
                f"where the {name.replace('_', ' ')} endpoint is (endpoints.{name})"
            )
    draft.top_level_lines.append(
        f"client_auth = {format_toml_value(found.client_auth or CLIENT_AUTH_METHODS)}"
    )
    if not found.client_auth:
        draft.add_open_question(
            f"which client_auth the server uses: {', '.join(CLIENT_AUTH_METHODS)}"
        )
    _draft_scope(found, draft)
    params = {
        name: draft.draft_value(name, text)
        for name, text in found.params
        if _PARAMETER_NAME.fullmatch(name)
    }
    for grant in grants:
        about = f"{{ params = {format_toml_value(params)} }}" if params else "{}"
        draft.top_level_lines.append(f"grants.{grant} = {about}")
    if not found.grants:
        draft.add_open_question("which grants the server supports (grants.NAME)")
    draft.add_open_question("what error codes mean that are not in RFC 6749 ([errors])")


def _draft_scope(found: OAuthServer, draft: ProviderDraft) -> None:
    told = draft.fill_variables(found.scope, MAX_SCOPE_LENGTH)
    if told is None:
        told = "{{scope}}"
    scopes = [word for word in told.split() if _SCOPE_TOKEN.fullmatch(word) and "{{" not in word]
    if "{{" in told:
        draft.add_open_question("the scope, which is a variable in the file (scope)")
    if scopes:
        draft.top_level_lines.append(
            f"scope = {format_toml_value(' '.join(dict.fromkeys(scopes)))}"
        )
    if len(scopes) > _MAX_SCOPES:
        draft.add_open_question("which of these scopes are needed (scope)")


MAX_VALUE_LENGTH = 200
_VERSION_PATTERN = (
    r"v?\d{1,8}(?:[.-]\d{1,4}){0,3}(?:[.-]?(?:alpha|beta|pre|preview|rc|rev|sp)[.-]?\d{0,3})?"
)
_MEDIA_TYPE_PATTERN = (
    r"[a-z*]{1,20}/[a-z0-9*][a-z0-9.*+-]{0,60}"
    r"(?:\s*;\s*[a-z][a-z.-]{0,30}=\"?(?:[a-z]{1,12}|utf-8|iso-8859-\d{1,2}|v?\d{1,4}(?:[.-]\d{1,4}){0,3})\"?)*"
)
_LANGUAGE_PATTERN = r"(?:[a-z]{1,8}(?:-[a-z0-9]{1,4}){0,2}|\*)(?:\s*;\s*q=[\d.]{1,5})?"
_VENDOR_HEADER_PATTERNS: tuple[tuple[str, str], ...] = (
    (r"accept|content-type", rf"{_MEDIA_TYPE_PATTERN}(?:\s*,\s*{_MEDIA_TYPE_PATTERN})*"),
    (r"accept-language", rf"{_LANGUAGE_PATTERN}(?:\s*,\s*{_LANGUAGE_PATTERN})*"),
    (r"soapaction", r"\"?(?:https?://|urn:)?[a-z]*(?:[./:#_-]+(?:[a-z]+|\d{1,8}))*/?\"?"),
    (r"x-.*target", r"[a-z]+(?:[._/-](?:[a-z]+|\d{1,8}))*"),
    (r"x-requested-with", r"[a-z]+(?:[._-][a-z]+)*"),
    (r"x-.*version|.*-version", _VERSION_PATTERN),
)
"""Pattern of a header's name in lower case -> pattern of values that are not secret."""


def is_vendor_header(name: str, value: str) -> bool:
    """Return whether a header (name in lower case) has a value that is the same for all clients."""
    form = next(
        (form for named, form in _VENDOR_HEADER_PATTERNS if re.fullmatch(named, name)), None
    )
    if form is None or len(value) > MAX_VALUE_LENGTH or not value.isascii():
        return False
    return re.fullmatch(form, value, re.IGNORECASE) is not None


_TOKEN_HEADER = re.compile(r"(?i)(x-)?(subject|auth|access|session|api|security|csrf|\w+-auth|\w+-session)?"
                     r"-?(token|session-id|sessionid)")  # fmt: skip
_MAX_LIFETIME_S = 10**9
"""Seconds. A greater number is an epoch time, and a far greater one is in milliseconds."""
_MIN_EPOCH_MS = 10**11


def draft_reply(request: ImportedRequest, draft: ProviderDraft) -> None:
    """Draft the locators from the recorded reply, or record them as open questions."""
    tokens: dict[str, str] = {}
    found: dict[str, Any] = {}
    for place, key, value in _list_members(request.reply_body):
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
            if not {*found} & {"expires_in", "expires_at"}:
                found |= _choose_expiry_key(low, place, value)
                unit = request.time_units.get(key, "")
                # "15 minutes after the login" describes a time, but isn't the unit of one.
                units = ("ms", "min", "h") if "expires_in" in found else ("ms",)
                if unit in units and not isinstance(value, str):
                    found["time_unit"] = unit
        else:
            found.setdefault("refresh_token", place)
    told = request.token_locator if _is_valid_locator(request.token_locator) else ""
    best = (
        told
        or next((tokens[name] for name in TOKEN_MEMBERS if name in tokens), "")
        or _find_token_header(request)
    )
    if not best:
        draft.add_open_question(UNKNOWN_TOKEN_PLACE)
    found = {"access_token": best or TOKEN_MEMBERS[0], **found}
    if request.status in range(300, 400):
        found["status"] = [request.status]
        draft.add_open_question("whether the recorded redirect means success (reply.status)")
    if not {"expires_in", "expires_at"} & set(found):
        found |= read_lifetime(request.lifetime, request.lifetime_unit)
        if not request.lifetime:
            draft.add_open_question(UNKNOWN_LIFETIME)
    if "refresh_token" in found:
        draft.add_open_question("how the token is refreshed ([refresh])")
    if not request.usage:
        draft.add_open_question(UNKNOWN_USAGE)
    elif request.usage != DEFAULT_USAGE:
        draft.top_level_lines.append(f"use = {format_toml_value(request.usage)}")
    errors = _find_error_places(request.refusal_body)
    errors |= {"code": request.error_locator} if request.error_locator else {}
    is_known = len(errors) == 2 or request.error_locator
    draft.add_open_question(
        "what the error codes mean ([errors.codes])" if is_known else UNKNOWN_ERRORS
    )
    for table, places in (("reply", found), ("errors", errors)):
        if places:
            lines = (f"{name} = {format_toml_value(place)}" for name, place in places.items())
            draft.table_lines += [f"[{table}]", *lines]


def read_lifetime(text: str, unit: str = "") -> dict[str, Any]:
    """Return the keys of [reply] that say how long the token is valid.

    See `ImportedRequest.lifetime` and `ImportedRequest.lifetime_unit`.
    """
    if text in ("", "never"):
        return {"ttl": text} if text else {}
    try:
        return {"ttl": int(parse_duration(text))}
    except ValueError:
        member = re.split(r"[.:\]]", text)[-1].lower().replace("-", "_")
        if unit:
            units = {} if unit in ("s", "time") else {"time_unit": unit}
            return {"expires_at" if unit == "time" else "expires_in": text} | units
        return {EXPIRY_MEMBERS.get(member, "expires_in"): text}


def _list_members(body: str) -> list[tuple[str, str, Any]]:
    """Return the members of a reply, those that are nested less first: a schema may contain itself."""
    return sorted(iter_members(body), key=lambda member: member[0].count("."))


def _find_error_places(refusal: str) -> dict[str, str]:
    """Return the locators of a refusal's code and text, as keys of [errors]."""
    places: dict[str, str] = {}
    for place, key, _ in _list_members(refusal):
        if _is_valid_locator(place):
            places.setdefault(key.lower().replace("-", "_"), place)
    found = {
        "code": next((places[name] for name in ERROR_CODE_MEMBERS if name in places), ""),
        "description": next((places[name] for name in ERROR_TEXT_MEMBERS if name in places), ""),
    }
    return {name: place for name, place in found.items() if place}


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
