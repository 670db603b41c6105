"""Describe a token for the evidence: what it says, what it is, and what happened to it on the way."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import unquote

from tokencli.core.inspect import CLIENT_CLAIMS
from tokencli.core.pasted_token import decode_input, find_pasted_token
from tokencli.diagnosis.evidence import TokenFacts, TokenRole
from tokencli.errors import InvalidTokenError
from tokencli.jwt.decode import DecodedToken, decode_token, finite_number, strings_of_claim
from tokencli.jwt.explain import collect_scopes
from tokencli.models import Profile, Secret, TokenSet

MIN_PART_CHARS = 20
"""A text that is shorter isn't recognized as a part of another token."""
_SCHEME = re.compile(r"(?i)(bearer|dpop|token|basic)\s+")
_HEADER_NAME = re.compile(r"(?i)(?:proxy-)?authorization\s*:\s*")
_QUOTED = re.compile(
    r"""(["'`\u201c\u201d\u2018\u2019])(.*)["'`\u201c\u201d\u2018\u2019]""", re.DOTALL
)
_INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060]")
_TERMINAL_STYLE = re.compile(r"\x1b\[[\d;]*[mK]")
_JWT_IN_ONE_CASE = re.compile(r"(?:eyj[a-z0-9_-]{16,}|EYJ[A-Z0-9_-]{16,})\.[\w-]{16,}\.[\w-]*")
_TRAILING = "%$\\;,"
"""Characters that a shell, an editor or a list leaves behind a token."""
_ROLES_BY_TYPE: Mapping[str, TokenRole] = {
    "at+jwt": "access",
    "client-authentication+jwt": "client_assertion",
    "dpop+jwt": "dpop_proof",
    "logout+jwt": "logout_token",
    "oauth-authz-req+jwt": "request_object",
}
"""The `typ` of a JWT -> its role (RFC 9068, RFC 9449, RFC 9101, OpenID Connect Back-Channel Logout)."""
_LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_ROLES_BY_FORM: tuple[tuple[str, TokenRole, str], ...] = (
    (r"PHNhbWw|PD94bWwg|<saml|<\?xml", "saml_assertion", "it is XML, as SAML assertions are"),
    (r"GOCSPX-", "client_secret", "it begins as Google's client secrets do"),
    (
        r"[\w.~-]{3}[78]Q~[\w.~-]{30,36}$",
        "client_secret",
        "it has the form of Entra's client secrets",
    ),
    (r"AIza[\w-]{35}$", "api_key", "it begins as Google's API keys do"),
    (r"(?:AKIA|ASIA)[A-Z0-9]{16}$", "api_key", "it begins as AWS access key IDs do"),
    (r"4/0[A-Za-z][\w-]{20}", "authorization_code", "it begins as Google's authorization codes do"),
    (r"1//0[\w-]{20}", "refresh", "it begins as Google's refresh tokens do"),
)
"""The beginning of an opaque token -> its role, and by what it is recognized."""
_IDENTITY_CLAIMS = frozenset(("email", "name", "preferred_username", "given_name", "picture"))


@dataclass(frozen=True, slots=True)
class TokenText:
    """A token as it was pasted, piped, or found in a request."""

    sent: str
    """What a program sends that takes the text as it is for the token."""
    token: str
    """The token as it was issued, as far as that can be told."""
    mangling: tuple[str, ...] = ()
    """What happened to it, each as a clause."""
    damage: str | None = None
    """Why it isn't a complete token, as a clause."""
    has_scheme: bool = False
    """Whether a scheme stands before it, which a program may send twice; or it is part of a pasted header."""


def read_token_text(text: str, *, follows_scheme: bool = False) -> TokenText:
    """Tell a token from what was done to it.

    Spaces around it and a line break at its end are usual and mean nothing, and neither do a header's
    name and its scheme, unless the text `follows_scheme`, as in a header that was sent.
    """
    found = []
    if text.startswith("\ufeff"):
        found.append("it begins with a byte order mark (BOM)")
    if _INVISIBLE.search(text) or "\ufeff" in text[1:]:
        found.append("it contains invisible characters")
    if _TERMINAL_STYLE.search(text):
        found.append("it contains the color codes of a terminal")
    sent = text.strip()
    rest = _TERMINAL_STYLE.sub("", _INVISIBLE.sub("", text.replace("\ufeff", ""))).strip()
    if name := _HEADER_NAME.match(rest):
        rest = rest[name.end() :]
        follows_scheme = _SCHEME.match(rest) is not None
        sent = rest = _SCHEME.sub("", rest, count=1)
    if (decoded := unquote(rest)) != rest and not _is_whole_jwt(rest) and _holds_jwt(decoded):
        rest = decoded
        found.append("it is percent-encoded")
    has_scheme = False
    schemes = []
    while scheme := _SCHEME.match(rest):
        schemes.append(scheme[1])
        rest = rest[scheme.end() :]
    if schemes and (follows_scheme or len(schemes) > 1):
        found.append(f'it begins with "{" ".join(schemes[0 if follows_scheme else 1 :])} "')
    elif schemes:
        has_scheme = True
    if quoted := _QUOTED.fullmatch(rest):
        rest = quoted[2].strip()
        found.append("it is in quotation marks")
        if inner := _SCHEME.match(rest):
            found.append(f'it begins with "{inner[1]} "')
            rest = rest[inner.end() :]
    if escaped := re.search(r"\\[rnt]", rest):
        found.append(f"it contains the two characters {escaped[0]} instead of a line break")
        rest = re.sub(r"\\[rnt]", "", rest)
    joined = "".join(rest.split())
    if joined != rest and _holds_jwt(joined):
        lines = len(rest.splitlines())
        found.append(f"it is broken into {lines} lines" if lines > 1 else "it contains spaces")
        rest = joined
    bare = rest.rstrip(_TRAILING)
    if bare != rest and _is_whole_jwt(bare):
        found.append(f"it is followed by {rest[len(bare) :]!r}")
        rest = bare
    if _JWT_IN_ONE_CASE.fullmatch(rest) and (rest.islower() or rest.isupper()):
        found.append(f"its letters are all {'lower' if rest.islower() else 'upper'} case")
    if rest.startswith("ZXlK"):
        found.append("it is encoded in base64 once more")
    if _is_whole_jwt(rest):
        return TokenText(
            sent if found or has_scheme else rest, rest, tuple(found), None, has_scheme
        )
    try:
        token = find_pasted_token(rest).token
    except InvalidTokenError as error:
        return TokenText(
            sent, rest, tuple(found), error.message.removeprefix("not a token: "), has_scheme
        )
    # It may have been found in something else that was pasted, e.g. in a JSON reply.
    is_part = token != rest and token in rest
    return TokenText(
        token if is_part or not (found or has_scheme) else sent,
        token,
        () if is_part else tuple(found),
        decode_token(token).damage,
        has_scheme,
    )


def _holds_jwt(text: str) -> bool:
    """Tell whether a whole JWT is in the text, apart from a scheme, quotation marks and characters after it."""
    text = text.strip()
    while scheme := _SCHEME.match(text):
        text = text[scheme.end() :]
    return _is_whole_jwt("".join(text.strip("\"'` ").rstrip(_TRAILING).split()))


def read_raw_token(raw: bytes) -> tuple[str, tuple[str, ...]]:
    """Return the text of a token on stdin or in a file, and what happened to it by its encoding."""
    decoded = decode_input(raw)
    if any("UTF-8" in remark for remark in decoded.remarks):
        return f"\ufeff{decoded.token}", ()  # a program sends it as it is
    return decoded.token, ("it is in UTF-16",) if decoded.remarks else ()


def describe_token(
    token: Secret,
    *,
    fingerprint: str,
    profile: Profile | None = None,
    stored: TokenSet | None = None,
    mangling: tuple[str, ...] = (),
    damage: str | None = None,
    length: int | None = None,
    thumbprint: str | None = None,
) -> TokenFacts:
    """Return the facts about a token; `stored` is the profile's token set, which may have another one.

    `length` is that of what is sent, if it isn't the token alone. `thumbprint` is that of the profile's
    client certificate (`x5t#S256`, RFC 8705 section 3.1), if it is known.
    """
    text = token.reveal()
    decoded = decode_token(text)
    claims = decoded.claims
    is_stored = stored is not None and stored.access_token == token
    response = stored.in_server_time() if stored is not None and is_stored else None
    scopes = collect_scopes(claims) or (
        tuple(response.scope.split()) if response is not None and response.scope else None
    )
    role, sign = find_role(decoded, token, profile, stored)
    bound = _find_binding(claims)
    if bound is None and response is not None and response.token_type.lower() == "dpop":
        bound = "dpop"
    if (damage is None and decoded.kind != "opaque") or (damage is None and not is_stored):
        damage = decoded.damage
    return TokenFacts(
        kind=decoded.kind,
        length=len(text) if length is None else length,
        fingerprint=fingerprint,
        header=decoded.header,
        claims=claims,
        role=role,
        role_sign=sign,
        issued_at=finite_number(claims.get("iat")),
        not_before=finite_number(claims.get("nbf")),
        expires_at=finite_number(claims.get("exp")),
        stated_expiry=None if response is None else response.known_expiry,
        issuer=_text(claims.get("iss")),
        subject=_text(claims.get("sub")),
        client=next(filter(None, (_text(claims.get(name)) for name in CLIENT_CLAIMS)), None),
        audience=strings_of_claim(claims.get("aud")),
        scopes=scopes,
        bound_to=bound,
        thumbprint_of_profile=thumbprint if bound == "certificate" else None,
        holds_bound_key=_holds_key(bound, profile, response, claims, thumbprint),
        damage=damage,
        mangling=mangling,
        stored=is_stored,
        part_of_stored=_find_part(text, stored),
    )


def add_introspection(
    facts: TokenFacts,
    reply: Mapping[str, object] | None,
    profile: Profile | None,
    stored: TokenSet | None,
    thumbprint: str | None,
) -> TokenFacts:
    """Return the facts with what the introspection response (RFC 7662) says beyond the token itself.

    Its `exp` is left out: the token response may have said that. `profile`, `stored` and `thumbprint`
    are as in `describe_token`.
    """
    if not reply or reply.get("active") is not True:
        return facts
    claims, bound = facts.claims, facts.bound_to
    if bound is None and (bound := _find_binding(reply)) is not None:
        claims = {**claims, "cnf": reply["cnf"]}  # RFC 8705 section 3.2, RFC 9449 section 6.2
    if bound is None and str(reply.get("token_type")).lower() == "dpop":
        bound = "dpop"
    response = stored if facts.stored else None
    return replace(
        facts,
        claims=claims,
        bound_to=bound,
        thumbprint_of_profile=thumbprint if bound == "certificate" else None,
        holds_bound_key=_holds_key(bound, profile, response, claims, thumbprint),
        issued_at=facts.issued_at or finite_number(reply.get("iat")),
        not_before=facts.not_before or finite_number(reply.get("nbf")),
        issuer=facts.issuer or _text(reply.get("iss")),
        subject=facts.subject or _text(reply.get("sub")),
        client=facts.client or _text(reply.get("client_id")),
        audience=facts.audience or strings_of_claim(reply.get("aud")),
        scopes=facts.scopes if facts.scopes is not None else collect_scopes(reply) or None,
    )


def find_role(
    decoded: DecodedToken, token: Secret, profile: Profile | None, stored: TokenSet | None
) -> tuple[TokenRole, str | None]:
    """Return whether a token is an access, ID or refresh token, and by what that is recognized."""
    if stored is not None and token == stored.id_token:
        return "id", "it is the ID token that the profile has stored"
    if stored is not None and token == stored.refresh_token:
        return "refresh", "it is the refresh token that the profile has stored"
    claims, header = decoded.claims, decoded.header
    media_type = str(header.get("typ", "")).lower().removeprefix("application/")
    if media_type in _ROLES_BY_TYPE:
        source = " (RFC 9068)" if media_type == "at+jwt" else ""
        return _ROLES_BY_TYPE[media_type], f"its typ is {media_type}{source}"
    if isinstance(events := claims.get("events"), dict) and _LOGOUT_EVENT in events:
        return "logout_token", "its events name a back-channel logout"
    if _is_client_assertion(claims, profile):
        return (
            "client_assertion",
            "its issuer and its subject are the client, and it is for the issuer",
        )
    if decoded.kind == "opaque":
        for pattern, role, sign in _ROLES_BY_FORM:
            if re.match(pattern, token.reveal()):
                return role, sign
    kind = claims.get("typ")  # Keycloak
    if kind == "ID":
        return "id", 'its typ is "ID"'
    if kind in ("Refresh", "Offline"):
        return "refresh", f'its typ is "{kind}"'
    if kind == "Bearer":
        return "access", 'its typ is "Bearer"'
    use = claims.get("token_use")  # Amazon Cognito
    if use == "id" or use == "access":
        return use, f'its token_use is "{use}"'
    signs = [name for name in ("nonce", "at_hash", "c_hash") if name in claims]
    if signs:
        return "id", f"it has {' and '.join(signs)}, which only ID tokens have"
    client = profile.values.get("client_id") if profile is not None else None
    audience = strings_of_claim(claims.get("aud"))
    clients = {client, claims.get("azp")} - {None}
    if (
        audience
        and clients.issuperset(audience)
        and not collect_scopes(claims)
        and not {"roles", "permissions"} & claims.keys()
        and _IDENTITY_CLAIMS & claims.keys()
    ):
        return "id", "its audience is the client itself, and it has no scope"
    if collect_scopes(claims):
        return "access", "it has a scope"
    is_stored = stored is not None and stored.access_token == token
    return ("access" if is_stored else "unknown"), None


def _is_client_assertion(claims: Mapping[str, object], profile: Profile | None) -> bool:
    """Tell whether a client authenticates with it at the issuer (RFC 7523 section 3)."""
    issuer = _text(claims.get("iss"))
    if not issuer or issuer != claims.get("sub") or collect_scopes(claims):
        return False
    places = {
        value.rstrip("/")
        for value in (
            (profile.token_url, profile.issuer, *profile.endpoints.values()) if profile else ()
        )
        if value
    }
    audience = strings_of_claim(claims.get("aud"))
    is_client = profile is not None and issuer == profile.values.get("client_id")
    is_for_issuer = any(
        each.rstrip("/") in places or re.search(r"/(?:oauth2?/(?:v\d/)?)?token$", each)
        for each in audience
    )
    return is_for_issuer or (is_client and not audience)


def _is_whole_jwt(text: str) -> bool:
    decoded = decode_token(text)
    return decoded.kind != "opaque" and decoded.damage is None


def _find_binding(claims: Mapping[str, object]) -> Literal["dpop", "certificate"] | None:
    confirmation = claims.get("cnf")
    if not isinstance(confirmation, dict):
        return None
    if "jkt" in confirmation:  # RFC 9449 section 6.1
        return "dpop"
    return "certificate" if "x5t#S256" in confirmation else None  # RFC 8705 section 3.1


def _holds_key(
    bound: str | None,
    profile: Profile | None,
    response: TokenSet | None,
    claims: Mapping[str, object],
    thumbprint: str | None,
) -> bool | None:
    if bound is None or profile is None:
        return None
    if bound == "dpop":
        return response is not None and response.dpop_key is not None
    confirmation = claims.get("cnf")
    if thumbprint is not None and isinstance(confirmation, dict):
        return confirmation.get("x5t#S256") == thumbprint
    return profile.client_cert is not None


def _find_part(text: str, stored: TokenSet | None) -> int | None:
    """Return the length of the stored token if the text is a part of it, and not the whole."""
    if stored is None or len(text) < MIN_PART_CHARS:
        return None
    whole = stored.access_token.reveal()
    return len(whole) if text != whole and text in whole else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
