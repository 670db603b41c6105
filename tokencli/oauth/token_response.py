"""Read a token reply (RFC 6749 sections 5.1 and 5.2, and what providers make of them)."""

import re
from collections.abc import Mapping
from typing import Any

from tokencli.errors import ReplyError
from tokencli.fast_dataclass import dataclass
from tokencli.jwt.decode import decode_token
from tokencli.models import HttpReply, HttpRequest, Profile, Secret, TokenSet
from tokencli.oauth import expires_in
from tokencli.oauth.refusals import MAX_QUOTE, malformed_reply_error, refusal_error
from tokencli.oauth.refusals import get_endpoint_host as get_endpoint_host
from tokencli.oauth.size_limits import (
    MAX_TOKEN_LENGTH,
    MAX_TOKEN_TYPE_LENGTH,
    drop_excess_outputs,
    drop_if_too_long,
    stored_length,
)
from tokencli.oauth.token_lifetime import compute_lifetime
from tokencli.provider_schema import Reply
from tokencli.providers import response_body, template
from tokencli.providers.redaction import mask_secrets, redact_text
from tokencli.providers.reply_locator import ReplyDocument
from tokencli.providers.reply_redaction import find_reply_tokens, redact_reply_text

EXCLUSIVE_MARGIN_S = 10.0
"""A token that dies of its successor is used until so shortly before its end."""
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_MEMBER_NAME = re.compile(r"[A-Za-z_@$][A-Za-z_@$.:0-9-]{0,39}")
"""What the name of a member looks like; anything else may be a secret that was sent as one."""
INVALID_TOKEN_TYPES: Mapping[type, str] = {
    str: "empty", list: "a list", dict: "an object", bool: "a boolean", int: "a number",
    float: "a number", type(None): "null",
}  # fmt: skip
"""What may stand in the place of a token type and is none -> how it is called; bool before int."""
TOKEN_TYPE_NOT_APPLICABLE = "n_a"
"""The type of what is traded for another token and is no access token (RFC 8693 section 2.2.1)."""


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """A token set, and what was odd about the reply."""

    token: TokenSet
    remarks: tuple[str, ...] = ()
    unusable_reason: str | None = None
    """Why the access token can't be used, though there may be a refresh token worth keeping."""
    refresh_lifetime: float | None = None
    """Seconds for which the refresh token is good, where the reply or the token itself says so."""


def read_token_response(
    profile: Profile,
    request: HttpRequest,
    reply: HttpReply,
    started: float,
    where: Reply | None = None,
) -> TokenResponse:
    """Return the token set of a reply to a request sent at `started` (epoch seconds).

    Once a reply carries token material nothing in it raises any more: a field that is wrong is left
    out and remarked upon, so that a refresh token is never lost to its neighbours.

    Raises:
        RefusedError: the server said no, in whatever words.
        ReplyError: it said neither yes nor no.
    """
    where = where or profile.provider.reply
    found = ReplyDocument(reply)
    raise_if_refused(profile, request, found, where)
    return _build_token_response(profile, request, found, where, started)


def read_object_response(
    profile: Profile, request: HttpRequest, reply: HttpReply
) -> Mapping[str, Any]:
    """Return the members of a reply that is no refusal and need bring no token; raises as `read` does."""
    raise_if_refused(profile, request, ReplyDocument(reply), Reply())
    try:
        return response_body.parse_object(reply)
    except response_body.UnreadableBodyError as error:
        raise malformed_reply_error(profile, request, reply, str(error), token=False) from None


def raise_if_refused(
    profile: Profile, request: HttpRequest, found: ReplyDocument, where: Reply
) -> None:
    """Raise unless the reply says yes, by its status and by what the provider says of its body."""
    reply, errors = found.reply, profile.provider.errors
    code = _to_error_code(found.first_match(errors.code))
    good = _is_present(found.first_match(where.success)) if where.success else code is None
    if good and (reply.status < 400 or reply.status in where.status):
        return
    text = found.first_match(errors.description)
    if isinstance(text, list):
        text = "; ".join(str(one) for one in text)
    if reply.status < 400 and code is None and text is None and (why := found.unreadable_reason):
        raise malformed_reply_error(profile, request, reply, why)
    own = find_reply_tokens(found, where, code, text)
    text = mask_secrets(text, own) if isinstance(text, str) else None
    raise refusal_error(profile, request, reply, mask_secrets(code, own) if code else None, text)


def _is_present(value: Any) -> bool:
    """Tell whether a value counts as there: a zero does, an emptiness doesn't (as in JMESPath)."""
    return value is not None and value is not False and value not in ("", [], {})


def _build_token_response(
    profile: Profile, request: HttpRequest, found: ReplyDocument, where: Reply, started: float
) -> TokenResponse:
    access, refresh, id_token = (
        _non_empty_text(found.first_match(places))
        for places in (where.access_token, where.refresh_token, where.id_token)
    )
    then = profile.provider.then
    if refresh in where.no_refresh_token or not (then or _can_refresh(profile)):
        refresh = None
    if access is None and refresh is None and not (then and where is profile.provider.reply):
        raise _missing_token_error(profile, request, found, where)
    outputs = {
        name: _to_output_text(found.first_match(places)) for name, places in where.outputs.items()
    }
    kept = {name: value for name, value in outputs.items() if value is not None}
    if access is not None and where.compose is not None:
        access = template.fill_template(where.compose, {**kept, "token": access}) or access
    kind = (
        _non_empty_text(found.first_match(where.token_type))
        or _describe_invalid_type(profile, found, where)
        or "Bearer"
    )
    life, said = compute_lifetime(where, found, access, started)
    remarks = list(said)
    if refresh is not None and stored_length(refresh) > MAX_TOKEN_LENGTH:
        refresh = None
        remarks.append(
            f"its refresh token is longer than {MAX_TOKEN_LENGTH} characters, and was left"
        )
    scope = found.first_match(where.scope)
    if isinstance(scope, list) and all(isinstance(one, str) for one in scope):
        scope = " ".join(scope)
    if isinstance(scope, str) and where.scope_separator != " ":
        scope = " ".join(scope.replace(where.scope_separator, " ").split())
    if scope is not None and not isinstance(scope, str):
        remarks.append("its scope is not text, and was left aside")
        scope = None
    own = find_reply_tokens(found, where)
    scope = redact_reply_text(profile, request, scope, own) if scope else scope
    scope, id_token = (
        drop_if_too_long(n, v, remarks) for n, v in (("scope", scope), ("id_token", id_token))
    )
    kept = drop_excess_outputs(kept, remarks)
    kind = redact_reply_text(profile, request, kind, own)
    unusable = _find_unusable_reason(profile, access, kind, redact_text(kind)[:40])
    return TokenResponse(
        TokenSet(
            access_token=Secret(
                access if access and stored_length(access) <= MAX_TOKEN_LENGTH else ""
            ),
            token_type=kind[:MAX_TOKEN_TYPE_LENGTH],
            obtained_at=started,
            expires_at=None if life is None or unusable else started + life,
            refresh_token=Secret(refresh) if refresh else None,
            id_token=Secret(id_token) if id_token else None,
            scope=scope,
            outputs={name: Secret(value) for name, value in kept.items()},
            margin=_get_expiry_margin(profile),
            sliding_lifetime=life if where.sliding else None,
        ),
        tuple(remarks),
        unusable,
        _find_refresh_lifetime(found, refresh),
    )


def _can_refresh(profile: Profile) -> bool:
    """Tell whether there is a use for a refresh token."""
    if profile.provider.refresh is not None or not profile.provider.request.is_custom:
        return True
    from tokencli.providers.custom_request_writer import find_renewal_request

    return find_renewal_request(profile.provider) is not None


def _missing_token_error(
    profile: Profile, request: HttpRequest, found: ReplyDocument, where: Reply
) -> ReplyError:
    if found.unreadable_reason and not any(":" in place for place in where.access_token):
        return malformed_reply_error(profile, request, found.reply, found.unreadable_reason)
    members = ""
    if found.unreadable_reason is None and isinstance(found.parsed_body, dict):
        shown = (
            name if _MEMBER_NAME.fullmatch(name) else "***" for name in map(str, found.parsed_body)
        )
        names = ", ".join(sorted(shown))[:MAX_QUOTE] or "none at all"
        members = f" (its members: {names})"
    elif found.unreadable_reason is None and where.access_token == Reply().access_token:
        return malformed_reply_error(profile, request, found.reply, "JSON that is not an object")
    wanted = (*where.access_token, *where.refresh_token)
    what = f"nothing at {wanted[0]!r}{members}" if wanted else "nothing that is looked for"
    return malformed_reply_error(profile, request, found.reply, what, quote=False)


def _get_expiry_margin(profile: Profile) -> float | None:
    """Return the seconds before its end at which the token is given up, where issuing decides it."""
    issuing = profile.provider.issuing
    scarce = issuing.exclusive or issuing.max_sessions is not None
    return (
        min(EXCLUSIVE_MARGIN_S, issuing.sticky or EXCLUSIVE_MARGIN_S) if scarce else issuing.sticky
    )


def _to_output_text(value: Any) -> str | None:
    """Return a further output as text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value)
    return (
        None if _LONE_SURROGATE.search(text) else text
    )  # half a character is none, and nobody can send it


def _find_refresh_lifetime(found: ReplyDocument, refresh: str | None) -> float | None:
    """Return what is said of the refresh token's life; no RFC has a name for it, servers have two."""
    said, _ = expires_in.parse_expires_in(
        found.first_match(("refresh_expires_in", "refresh_token_expires_in"))
    )
    claimed = expires_in.lifetime_from_claims(decode_token(refresh).claims) if refresh else None
    return said or claimed or None


def _find_unusable_reason(
    profile: Profile, access: str | None, kind: str, shown: str
) -> str | None:
    if access is None:
        return "it brings no access token"
    if stored_length(access) > MAX_TOKEN_LENGTH:
        return f"its access token is longer than {MAX_TOKEN_LENGTH} characters"
    if not all("\x21" <= char <= "\x7e" for char in access):
        return "its access token holds characters that no HTTP header can carry"
    named = profile.provider.use and not profile.dpop
    if not named and kind.lower() not in _usable_types(profile):
        if kind in INVALID_TOKEN_TYPES.values():
            return f"its token type is {kind}, where a text belongs (RFC 6749 section 5.1)"
        if profile.dpop:  # RFC 9449 section 5: a token that is not bound must not pass for one
            return f"its token type is {shown!r}, so it is not bound to this program's key"
        return f"its token type {shown!r} is not one that this program can use"
    return None


def _describe_invalid_type(profile: Profile, found: ReplyDocument, where: Reply) -> str | None:
    """Name what stands where RFC 6749 section 5.1 wants the type as text; None where nothing does.

    A provider that says itself where the type is, or how the token is used, is not held to that.
    """
    if where.token_type != Reply().token_type or (profile.provider.use and not profile.dpop):
        return None
    if (
        found.unreadable_reason
        or not isinstance(found.parsed_body, dict)
        or "token_type" not in found.parsed_body
    ):
        return None
    value = found.parsed_body["token_type"]
    return next(called for kind, called in INVALID_TOKEN_TYPES.items() if isinstance(value, kind))


def _usable_types(profile: Profile) -> tuple[str, ...]:
    """Return the token types that the profile has a use for (RFC 6749 section 7.1)."""
    traded = (TOKEN_TYPE_NOT_APPLICABLE,) if profile.grant == "token_exchange" else ()
    return ("dpop" if profile.dpop else "bearer", *traded)


def _non_empty_text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _to_error_code(value: Any) -> str | None:
    if isinstance(value, str) and value:
        return value
    return str(value) if isinstance(value, int) and value is not False and value != 0 else None
