"""Read a token response (RFC 6749 sections 5.1 and 5.2) and its provider-specific variants."""

import json
import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

from tokencli.errors import TokencliError, UnreachableError
from tokencli.fast_dataclass import dataclass
from tokencli.jwt.decode import decode_token
from tokencli.models import HttpReply, HttpRequest, Profile, Secret, TokenSet
from tokencli.oauth import grants
from tokencli.oauth.refusals import (
    MAX_QUOTE,
    get_endpoint_host,
    malformed_reply_error,
    refusal_error,
)
from tokencli.oauth.token_lifetime import (
    compute_lifetime,
    get_expiry_margin,
    lifetime_from_claims,
    parse_expires_in,
)
from tokencli.provider_schema import Reply
from tokencli.providers import response_body, template
from tokencli.providers.redaction import redact_reply_text
from tokencli.providers.reply_locator import ReplyDocument
from tokencli.providers.request_writer import find_renewal_request

MAX_TOKEN_LENGTH = 64 * 1024
"""Characters of an access token or a refresh token in a stored record."""
MAX_TOKEN_TYPE_LENGTH = 100
"""Characters of a token type that are stored; a longer one can't be used in any case."""
MAX_MEMBER_LENGTHS = {"id_token": 48 * 1024, "scope": 16 * 1024}
"""Optional member -> its maximum length in a stored record."""
MAX_OUTPUTS_LENGTH = 48 * 1024
"""Maximum length of all further outputs together in a stored record."""
INVALID_TOKEN_TYPES: Mapping[type, str] = {
    str: "empty", list: "a list", dict: "an object", bool: "a boolean", int: "a number",
    float: "a number", type(None): "null",
}  # fmt: skip
"""Type of a `token_type` that isn't non-empty text -> how messages call it; bool before int."""

PLAIN_TOKEN_TYPE = r"[A-Za-z][A-Za-z _.:-]{0,49}"
"""A token type that may be shown; any other could be a token."""
NO_ERROR_CODES = ("null", "none", "false", "ok", "success", "no_error", "noerror", "no error")
"""Values of `error`, in lower case, with which some servers report that there is none; so is 0."""
BEARER_TYPE_VARIANT = "bearertoken"
"""The letters, in lower case, of a token type that means Bearer. Apigee sends BearerToken."""

_NAME_IN_TEXT = r"""["']([A-Za-z_]{1,40})["']\s*+:"""
_SCHEME_PREFIX = r"(?i)(?:bearer|dpop)\s+(?=\S)"


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """A token set, and what looked wrong about the reply."""

    token: TokenSet
    remarks: tuple[str, ...] = ()
    unusable_reason: str | None = None
    """Why one of the tokens can't be used; the other may still be worth storing."""
    refresh_lifetime: float | None = None
    """Seconds for which the refresh token is valid, if the reply or the token itself says so."""


def read_token_response(
    profile: Profile,
    request: HttpRequest,
    reply: HttpReply,
    started_at: float,
    places: Reply | None = None,
) -> TokenResponse:
    """Return the token set in the reply to a request sent at `started_at` (epoch seconds).

    Once a reply has brought a token nothing in it raises any more: a bad member is dropped with a
    remark, so that it never costs the refresh token. A damaged reply is read as far as it is certain.

    Raises:
        RefusedError: the server refused.
        ReplyError: it neither refused nor sent a token.
        UnreachableError: it broke off before a token.
    """
    places = places or profile.provider.reply
    document = ReplyDocument(reply)
    is_object = document.unreadable_reason is None and isinstance(document.parsed_body, dict)
    if reply.status < 400 and not is_object and not document.has_token(places):
        document.scan_for_tokens(places, profile.provider.errors)
    raise_if_refused(profile, request, document, places)
    return _build_token_response(profile, request, document, places, started_at)


def read_object_response(
    profile: Profile, request: HttpRequest, reply: HttpReply
) -> Mapping[str, Any]:
    """Return the members of a reply that need not contain a token.

    Raises:
        RefusedError: the server refused.
        ReplyError: the body is not an object.
    """
    raise_if_refused(profile, request, ReplyDocument(reply), Reply())
    try:
        return response_body.parse_object(reply)
    except response_body.UnreadableBodyError as error:
        problem = str(error)
    raise malformed_reply_error(profile, request, reply, problem, token=False)


def raise_if_refused(
    profile: Profile, request: HttpRequest, document: ReplyDocument, places: Reply
) -> None:
    """Raise unless the reply means success, by its status and by the provider's rules for its body."""
    reply, errors = document.reply, profile.provider.errors
    error = document.first_match(errors.code)
    code = _to_error_code(error)
    success = _is_present(document.first_match(places.success)) if places.success else code is None
    if isinstance(error, dict) and error and document.first_match(places.access_token) is None:
        success = False  # its members say why
    if success and (reply.status < 400 or reply.status in places.status):
        return
    if code is None and isinstance(reply.defect, UnreachableError):
        raise reply.defect
    text, problem = document.first_match(errors.description), document.unreadable_reason
    if reply.status < 400 and code is None and text is None and problem:
        raise malformed_reply_error(profile, request, reply, problem)
    from tokencli.oauth.server_reason import read_server_reason  # start-up cost: rarely needed

    secrets = (*request.secrets, *document.find_tokens(places, code, text))
    public = (*profile.values.values(), *(profile.scope or "").split())
    reason = read_server_reason(document, text, code, secrets, public)
    raise refusal_error(profile, request, reply, reason)


def _is_present(value: Any) -> bool:
    """Return whether a value counts as present: 0 does, an empty one doesn't (as in JMESPath)."""
    return value is not None and value is not False and value not in ("", [], {})


def _build_token_response(
    profile: Profile,
    request: HttpRequest,
    document: ReplyDocument,
    places: Reply,
    started_at: float,
) -> TokenResponse:
    remarks = list(document.parsed.remarks) if document.unreadable_reason is None else []
    access_token, access_problem = document.read_token(places.access_token)
    refresh_token, refresh_problem = document.read_token(places.refresh_token)
    if remarks and access_token in {secret.reveal() for secret in request.secrets}:
        access_token, access_problem = None, "its access token is a secret that was sent to it"
    id_token, _ = document.read_token(places.id_token)
    followup = profile.provider.then
    if refresh_token in places.no_refresh_token or not (followup or _can_refresh(profile)):
        refresh_token = None
    if (
        access_token is None
        and refresh_token is None
        and not (followup and places is profile.provider.reply)
    ):
        problem = access_problem or refresh_problem
        raise _missing_token_error(profile, request, document, places, problem)
    outputs = _read_outputs(document, places)
    if document.reply.defect is not None:
        remarks.append(_describe_defect(document.reply.defect, profile))
    if access_token is not None and (profile.dpop or not profile.provider.use):
        access_token = _strip_scheme(access_token, remarks)
    if access_token is not None and places.compose is not None:
        values = {**outputs, "token": access_token}
        try:
            names = template.list_value_names(places.compose)
            missing = ", ".join(name for name in names if name not in values)
            access_token = template.fill_template(places.compose, values)
            access_problem = (
                f"it has no {missing}, which is a part of the token" if missing else None
            )
        except TokencliError as error:
            access_token, access_problem = None, error.message
    token_type = (
        _non_empty_text(document.first_match(places.token_type))
        or _describe_invalid_type(profile, document, places)
        or "Bearer"
    )
    lifetime, lifetime_remarks = compute_lifetime(places, document, access_token, started_at)
    remarks += lifetime_remarks
    if refresh_token is not None and stored_length(refresh_token) > MAX_TOKEN_LENGTH:
        refresh_token = None
        remarks.append(
            f"its refresh token is longer than {MAX_TOKEN_LENGTH} characters, and was dropped"
        )
    scope = _read_scope(document, places, remarks)
    tokens = document.find_tokens(places)
    scope = redact_reply_text(profile, request, scope, tokens) if scope else scope
    scope = _drop_if_too_long("scope", scope, remarks)
    id_token = _drop_if_too_long("id_token", id_token, remarks)
    outputs = _drop_excess_outputs(outputs, remarks)
    token_type = redact_reply_text(profile, request, token_type, tokens)
    if re.sub("[^a-z]", "", token_type.lower()) == BEARER_TYPE_VARIANT:
        token_type = "Bearer"
    unusable_reason = access_problem or _find_unusable_reason(profile, access_token, token_type)
    if access_token is None or stored_length(access_token) > MAX_TOKEN_LENGTH:
        access_token = ""
    return TokenResponse(
        TokenSet(
            access_token=Secret(access_token),
            token_type=token_type[:MAX_TOKEN_TYPE_LENGTH],
            obtained_at=started_at,
            expires_at=None if lifetime is None or unusable_reason else started_at + lifetime,
            refresh_token=Secret(refresh_token) if refresh_token else None,
            refresh_issued_at=started_at if refresh_token else None,
            id_token=Secret(id_token) if id_token else None,
            scope=scope,
            outputs={name: Secret(value) for name, value in outputs.items()},
            margin=get_expiry_margin(profile),
            sliding_lifetime=lifetime if places.sliding else None,
            clock_skew=document.reply.clock_skew,
        ),
        tuple(remarks),
        unusable_reason or refresh_problem,
        _find_refresh_lifetime(document, refresh_token),
    )


def _describe_defect(defect: TokencliError, profile: Profile) -> str:
    """Return what the server did wrong in sending the reply, to follow "HOST sent a token, but"."""
    host, message = get_endpoint_host(profile), defect.message
    if message.startswith(f"{host} "):
        return message.removeprefix(f"{host} ")
    what = message.removeprefix(f"can't decode the reply of {host}: ")
    return what if what != message else f"the reply is incomplete: {message}"


def _strip_scheme(access_token: str, remarks: list[str]) -> str:
    """Return the token without what belongs to the Authorization header or is only white space."""
    stripped = re.sub(_SCHEME_PREFIX, "", access_token.strip(), count=1)
    if stripped != access_token and stripped:
        remarks.append(
            "its access token is surrounded by white space"
            if stripped == access_token.strip()
            else "its access token begins with the authentication scheme, which was removed"
        )
    return stripped or access_token


def _read_outputs(document: ReplyDocument, places: Reply) -> dict[str, str]:
    outputs = {
        name: _to_output_text(document.first_match(output_places))
        for name, output_places in places.outputs.items()
    }
    return {name: value for name, value in outputs.items() if value is not None}


def _read_scope(document: ReplyDocument, places: Reply, remarks: list[str]) -> str | None:
    """Return the granted scope, separated by spaces."""
    scope = document.first_match(places.scope)
    if isinstance(scope, list) and all(isinstance(name, str) for name in scope):
        scope = " ".join(scope)
    if isinstance(scope, str) and places.scope_separator != " ":
        scope = " ".join(scope.replace(places.scope_separator, " ").split())
    if scope is None or isinstance(scope, str):
        return scope
    remarks.append("its scope is not text, and was ignored")
    return None


def stored_length(text: str) -> int:
    """Return the characters that a text takes in a stored record, which is JSON in ASCII."""
    return len(json.dumps(text))


def _drop_if_too_long(name: str, value: str | None, remarks: list[str]) -> str | None:
    """Return an optional member, or None if it is too long to be stored."""
    if value is None or stored_length(value) <= MAX_MEMBER_LENGTHS[name]:
        return value
    remarks.append(
        f"its {name.replace('_', ' ')} is longer than {MAX_MEMBER_LENGTHS[name]} characters, and was"
        " dropped"
    )
    return None


def _drop_excess_outputs(outputs: Mapping[str, str], remarks: list[str]) -> dict[str, str]:
    """Return the first of the outputs that fit together into a stored record."""
    stored, left = {}, MAX_OUTPUTS_LENGTH
    for name, value in outputs.items():
        left -= stored_length(name) + stored_length(value) + 2
        if left < 0:
            remarks.append(
                f"its outputs are longer than {MAX_OUTPUTS_LENGTH} characters, and {name} was dropped"
            )
            break
        stored[name] = value
    return stored


def _can_refresh(profile: Profile) -> bool:
    """Return whether the profile's provider can spend a refresh token."""
    if profile.provider.refresh is not None or not profile.provider.request.is_custom:
        return True
    return find_renewal_request(profile.provider) is not None


def _missing_token_error(
    profile: Profile,
    request: HttpRequest,
    document: ReplyDocument,
    places: Reply,
    problem: str | None,
) -> TokencliError:
    if problem is not None:
        ambiguous = document.reply.defect is None
        return malformed_reply_error(profile, request, document.reply, problem, ambiguous=ambiguous)
    if document.reply.defect is not None:
        return document.reply.defect
    if document.unreadable_reason and not any(":" in place for place in places.access_token):
        names = response_body.list_names(re.findall(_NAME_IN_TEXT, document.body_text))[:MAX_QUOTE]
        listed = f" (it names {names})" if names else ""
        reason = f"{document.unreadable_reason}{listed}"
        return malformed_reply_error(profile, request, document.reply, reason)
    members = ""
    if document.unreadable_reason is None and isinstance(document.parsed_body, dict):
        listed = _list_members(document.parsed_body, (*places.access_token, "")[0])
        members = f" ({'; '.join((listed, *document.parsed.remarks))})"
    elif document.unreadable_reason is None and places.access_token == Reply().access_token:
        return malformed_reply_error(profile, request, document.reply, "JSON that is not an object")
    token_places = (*places.access_token, *places.refresh_token)
    what = f"nothing at {token_places[0]!r}{members}" if token_places else "no token"
    return malformed_reply_error(profile, request, document.reply, what)


def _list_members(body: dict[str, Any], place: str) -> str:
    """List the members of the innermost object on the way to a place, e.g. of `data` for `data.token`."""
    path: list[str] = []
    for name in place.split(".")[:-1]:
        if not isinstance(body.get(name), dict):
            break
        body = body[name]
        path.append(name)
    owner = f"the members of {'.'.join(path)}" if path else "its members"
    return f"{owner}: {response_body.list_names(body)[:MAX_QUOTE] or 'none at all'}"


def _to_output_text(value: Any) -> str | None:
    """Return a further output as text, or None if it is missing or of another type."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if not (is_number or isinstance(value, str)):
        return None
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which could not be sent
        return None
    return text


def _find_refresh_lifetime(document: ReplyDocument, refresh_token: str | None) -> float | None:
    """Return the refresh token's lifetime; no RFC names a member for it, servers use two names."""
    stated, _ = parse_expires_in(
        document.first_match(("refresh_expires_in", "refresh_token_expires_in"))
    )
    claimed = lifetime_from_claims(decode_token(refresh_token).claims) if refresh_token else None
    return stated or claimed or None


def _find_unusable_reason(
    profile: Profile, access_token: str | None, token_type: str
) -> str | None:
    if access_token is None:
        return "it contains no access token"
    if stored_length(access_token) > MAX_TOKEN_LENGTH:
        return f"its access token is longer than {MAX_TOKEN_LENGTH} characters"
    if not all("\x21" <= char <= "\x7e" for char in access_token):
        return "its access token contains characters that an HTTP header can't carry"
    uses_type = profile.dpop or not profile.provider.use
    if uses_type and token_type.lower() not in _list_usable_types(profile):
        if token_type in INVALID_TOKEN_TYPES.values():
            return f"its token type is {token_type} instead of text (RFC 6749 section 5.1)"
        shown = f" {token_type!r}" if re.fullmatch(PLAIN_TOKEN_TYPE, token_type) else ""
        if profile.dpop:  # RFC 9449 section 5: a token that isn't bound must not pass for one
            return f"its token type{shown} is not DPoP, so it is not bound to the DPoP key"
        return f"its token type{shown} is not supported"
    return None


def _describe_invalid_type(profile: Profile, document: ReplyDocument, places: Reply) -> str | None:
    """Describe a `token_type` that is not text, as RFC 6749 section 5.1 requires; None if absent.

    Not checked if the provider has its own place for the type, or its own `use` of the token.
    """
    if places.token_type != Reply().token_type or (profile.provider.use and not profile.dpop):
        return None
    if (
        document.unreadable_reason
        or not isinstance(document.parsed_body, dict)
        or "token_type" not in document.parsed_body
    ):
        return None
    value = document.parsed_body["token_type"]
    return next(
        description for kind, description in INVALID_TOKEN_TYPES.items() if isinstance(value, kind)
    )


def _list_usable_types(profile: Profile) -> tuple[str, ...]:
    """Return the token types that the profile can use, in lower case (RFC 6749 section 7.1)."""
    expected = "dpop" if profile.dpop else "bearer"
    return (expected, *grants.load_grant(profile.grant).extra_token_types)


def _non_empty_text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _to_error_code(value: Any) -> str | None:
    if isinstance(value, str):
        return value if value.strip(" 0") and value.lower() not in NO_ERROR_CODES else None
    return str(value) if isinstance(value, int) and value is not False and value != 0 else None
