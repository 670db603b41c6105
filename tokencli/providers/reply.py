"""Read a token reply (RFC 6749 sections 5.1 and 5.2, and what providers make of them)."""

import re
from collections.abc import Mapping
from typing import Any

from tokencli.errors import ReplyError
from tokencli.frozen import dataclass
from tokencli.jwt.decode import decode
from tokencli.model import Profile, Secret, TokenSet, WireReply, WireRequest
from tokencli.providers import body, expiry, template
from tokencli.providers.lifetime import lifetime
from tokencli.providers.places import Document
from tokencli.providers.quoted import clean, tokens
from tokencli.providers.redact import hide, redact
from tokencli.providers.refusal import QUOTE, nonsense, refused
from tokencli.providers.refusal import endpoint as endpoint
from tokencli.providers.sizes import LONGEST_TYPE, MAX_TOKEN, fitting, fitting_outputs, written
from tokencli.providers.spec import Reply

EXCLUSIVE_S = 10.0
"""A token that dies of its successor is used until so shortly before its end."""
_LONE = re.compile("[\ud800-\udfff]")
_NAME = re.compile(r"[A-Za-z_@$][A-Za-z_@$.:0-9-]{0,39}")
"""What the name of a member looks like; anything else may be a secret that was sent as one."""
NO_TYPE: Mapping[type, str] = {
    str: "empty", list: "a list", dict: "an object", bool: "a boolean", int: "a number",
    float: "a number", type(None): "null",
}  # fmt: skip
"""What may stand in the place of a token type and is none -> how it is called; bool before int."""
NOT_APPLICABLE = "n_a"
"""The type of what is traded for another token and is no access token (RFC 8693 section 2.2.1)."""


@dataclass(frozen=True, slots=True)
class Read:
    """A token set, and what was odd about the reply."""

    token: TokenSet
    remarks: tuple[str, ...] = ()
    unusable: str | None = None
    """Why the access token can't be used, though there may be a refresh token worth keeping."""
    refresh_life: float | None = None
    """Seconds for which the refresh token is good, where the reply or the token itself says so."""


def read(
    profile: Profile,
    request: WireRequest,
    reply: WireReply,
    started: float,
    where: Reply | None = None,
) -> Read:
    """Return the token set of a reply to a request sent at `started` (epoch seconds).

    Once a reply carries token material nothing in it raises any more: a field that is wrong is left
    out and remarked upon, so that a refresh token is never lost to its neighbours.

    Raises:
        RefusedError: the server said no, in whatever words.
        ReplyError: it said neither yes nor no.
    """
    where = where or profile.provider.reply
    found = Document(reply)
    judge(profile, request, found, where)
    return _token_set(profile, request, found, where, started)


def members(profile: Profile, request: WireRequest, reply: WireReply) -> Mapping[str, Any]:
    """Return the members of a reply that is no refusal and need bring no token; raises as `read` does."""
    judge(profile, request, Document(reply), Reply())
    try:
        return body.members(reply)
    except body.Unreadable as error:
        raise nonsense(profile, request, reply, str(error), token=False) from None


def judge(profile: Profile, request: WireRequest, found: Document, where: Reply) -> None:
    """Raise unless the reply says yes, by its status and by what the provider says of its body."""
    reply, errors = found.reply, profile.provider.errors
    code = _error_code(found.first(errors.code))
    good = _holds(found.first(where.success)) if where.success else code is None
    if good and (reply.status < 400 or reply.status in where.status):
        return
    text = found.first(errors.description)
    if isinstance(text, list):
        text = "; ".join(str(one) for one in text)
    if reply.status < 400 and code is None and text is None and (why := found.unreadable):
        raise nonsense(profile, request, reply, why)
    own = tokens(found, where, code, text)
    text = hide(text, own) if isinstance(text, str) else None
    raise refused(profile, request, reply, hide(code, own) if code else None, text)


def _holds(value: Any) -> bool:
    """Tell whether a value counts as there: a zero does, an emptiness doesn't (as in JMESPath)."""
    return value is not None and value is not False and value not in ("", [], {})


def _token_set(
    profile: Profile, request: WireRequest, found: Document, where: Reply, started: float
) -> Read:
    access, refresh, id_token = (
        _text(found.first(places))
        for places in (where.access_token, where.refresh_token, where.id_token)
    )
    then = profile.provider.then
    if refresh in where.no_refresh_token or not (then or _renews(profile)):
        refresh = None
    if access is None and refresh is None and not (then and where is profile.provider.reply):
        raise _without_token(profile, request, found, where)
    outputs = {name: _plain(found.first(places)) for name, places in where.outputs.items()}
    kept = {name: value for name, value in outputs.items() if value is not None}
    if access is not None and where.compose is not None:
        access = template.fill(where.compose, {**kept, "token": access}) or access
    kind = _text(found.first(where.token_type)) or _no_type(profile, found, where) or "Bearer"
    life, said = lifetime(where, found, access, started)
    remarks = list(said)
    if refresh is not None and written(refresh) > MAX_TOKEN:
        refresh = None
        remarks.append(f"its refresh token is longer than {MAX_TOKEN} characters, and was left")
    scope = found.first(where.scope)
    if isinstance(scope, list) and all(isinstance(one, str) for one in scope):
        scope = " ".join(scope)
    if isinstance(scope, str) and where.scope_separator != " ":
        scope = " ".join(scope.replace(where.scope_separator, " ").split())
    if scope is not None and not isinstance(scope, str):
        remarks.append("its scope is not text, and was left aside")
        scope = None
    own = tokens(found, where)
    scope = clean(profile, request, scope, own) if scope else scope
    scope, id_token = (
        fitting(n, v, remarks) for n, v in (("scope", scope), ("id_token", id_token))
    )
    kept = fitting_outputs(kept, remarks)
    kind = clean(profile, request, kind, own)
    unusable = _unusable(profile, access, kind, redact(kind)[:40])
    return Read(
        TokenSet(
            access_token=Secret(access if access and written(access) <= MAX_TOKEN else ""),
            token_type=kind[:LONGEST_TYPE],
            obtained_at=started,
            expires_at=None if life is None or unusable else started + life,
            refresh_token=Secret(refresh) if refresh else None,
            id_token=Secret(id_token) if id_token else None,
            scope=scope,
            outputs={name: Secret(value) for name, value in kept.items()},
            margin=_margin(profile),
            idle=life if where.sliding else None,
        ),
        tuple(remarks),
        unusable,
        _refresh_life(found, refresh),
    )


def _renews(profile: Profile) -> bool:
    """Tell whether there is a use for a refresh token."""
    if profile.provider.refresh is not None or not profile.provider.request.whole:
        return True
    from tokencli.providers.call import renewal

    return renewal(profile.provider) is not None


def _without_token(
    profile: Profile, request: WireRequest, found: Document, where: Reply
) -> ReplyError:
    if found.unreadable and not any(":" in place for place in where.access_token):
        return nonsense(profile, request, found.reply, found.unreadable)
    members = ""
    if found.unreadable is None and isinstance(found.parsed, dict):
        shown = (name if _NAME.fullmatch(name) else "***" for name in map(str, found.parsed))
        names = ", ".join(sorted(shown))[:QUOTE] or "none at all"
        members = f" (its members: {names})"
    elif found.unreadable is None and where.access_token == Reply().access_token:
        return nonsense(profile, request, found.reply, "JSON that is not an object")
    wanted = (*where.access_token, *where.refresh_token)
    what = f"nothing at {wanted[0]!r}{members}" if wanted else "nothing that is looked for"
    return nonsense(profile, request, found.reply, what, quote=False)


def _margin(profile: Profile) -> float | None:
    """Return the seconds before its end at which the token is given up, where issuing decides it."""
    issuing = profile.provider.issuing
    scarce = issuing.exclusive or issuing.max_sessions is not None
    return min(EXCLUSIVE_S, issuing.sticky or EXCLUSIVE_S) if scarce else issuing.sticky


def _plain(value: Any) -> str | None:
    """Return a further output as text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value)
    return None if _LONE.search(text) else text  # half a character is none, and nobody can send it


def _refresh_life(found: Document, refresh: str | None) -> float | None:
    """Return what is said of the refresh token's life; no RFC has a name for it, servers have two."""
    said, _ = expiry.seconds(found.first(("refresh_expires_in", "refresh_token_expires_in")))
    claimed = expiry.from_claims(decode(refresh).claims) if refresh else None
    return said or claimed or None


def _unusable(profile: Profile, access: str | None, kind: str, shown: str) -> str | None:
    if access is None:
        return "it brings no access token"
    if written(access) > MAX_TOKEN:
        return f"its access token is longer than {MAX_TOKEN} characters"
    if not all("\x21" <= char <= "\x7e" for char in access):
        return "its access token holds characters that no HTTP header can carry"
    named = profile.provider.use and not profile.dpop
    if not named and kind.lower() not in _usable_types(profile):
        if kind in NO_TYPE.values():
            return f"its token type is {kind}, where a text belongs (RFC 6749 section 5.1)"
        if profile.dpop:  # RFC 9449 section 5: a token that is not bound must not pass for one
            return f"its token type is {shown!r}, so it is not bound to this program's key"
        return f"its token type {shown!r} is not one that this program can use"
    return None


def _no_type(profile: Profile, found: Document, where: Reply) -> str | None:
    """Name what stands where RFC 6749 section 5.1 wants the type as text; None where nothing does.

    A provider that says itself where the type is, or how the token is used, is not held to that.
    """
    if where.token_type != Reply().token_type or (profile.provider.use and not profile.dpop):
        return None
    if found.unreadable or not isinstance(found.parsed, dict) or "token_type" not in found.parsed:
        return None
    value = found.parsed["token_type"]
    return next(called for kind, called in NO_TYPE.items() if isinstance(value, kind))


def _usable_types(profile: Profile) -> tuple[str, ...]:
    """Return the token types that the profile has a use for (RFC 6749 section 7.1)."""
    traded = (NOT_APPLICABLE,) if profile.grant == "token_exchange" else ()
    return ("dpop" if profile.dpop else "bearer", *traded)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _error_code(value: Any) -> str | None:
    if isinstance(value, str) and value:
        return value
    return str(value) if isinstance(value, int) and value is not False and value != 0 else None
