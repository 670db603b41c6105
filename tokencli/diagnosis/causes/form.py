"""Causes that lie in what the token is: damaged, of another kind, or opaque."""

from collections.abc import Mapping

from tokencli.diagnosis.causes import facts, reply
from tokencli.diagnosis.causes.finding import Confidence, Finding, find
from tokencli.diagnosis.causes.reply import read_statements
from tokencli.diagnosis.evidence import Evidence, TokenRole
from tokencli.shell_words import user_shell

_OTHER_KINDS: Mapping[TokenRole, tuple[str, str]] = {
    "id": ("an ID token", "the client"),
    "refresh": ("a refresh token", "the token endpoint"),
    "client_assertion": ("a client assertion (RFC 7523)", "the token endpoint"),
    "dpop_proof": ("a DPoP proof (RFC 9449)", "the header DPoP beside a token"),
    "logout_token": ("a logout token", "the client"),
    "request_object": ("a request object (RFC 9101)", "the authorization endpoint"),
    "saml_assertion": ("a SAML assertion", "the token endpoint or a sign-in"),
    "authorization_code": ("an authorization code", "the token endpoint"),
    "client_secret": ("a client secret", "the token endpoint"),
    "api_key": ("an API key", "another header than a token's"),
}
"""Role -> what the token is, and whom it is for."""
_GUESSED_KINDS = frozenset({"saml_assertion", "authorization_code", "client_secret", "api_key"})
"""The roles that are recognized by the form of an opaque text alone."""


def judge_mangled(evidence: Evidence) -> Finding | None:
    """The token was changed on its way from the issuer to the API."""
    token, call = evidence.token or facts.UNKNOWN_TOKEN, evidence.call
    said = read_statements(call).get("mangled")
    is_accepted = bool(token.mangling) and reply.is_success(call)
    if call is not None and not is_accepted and not _may_be_about_form(evidence):
        return None
    answer = reply.describe_answer(call) if call else None
    signs = [f"something happened to the token on its way: {each}" for each in token.mangling]
    if token.part_of_stored is not None:
        signs.append(
            f"it is only a part of the stored token: {token.length:,} of {token.part_of_stored:,} characters"
        )
    if token.damage:
        signs.append(f"the token is damaged: {token.damage}")
    fix = _resend_command(evidence)
    if is_accepted:
        signs.append("the API accepts it without that")
    if signs:
        return find("mangled", "certain", (*signs, answer), fix=fix)
    if str(token.header.get("alg", "")).lower() == "none":
        return find(
            "mangled", "certain", ("the token isn't signed: its alg is none", answer), fix=fix
        )
    kid, keys = token.header.get("kid"), evidence.issuer.key_ids
    alg = str(token.header.get("alg", ""))
    if alg.upper().startswith("HS") and isinstance(kid, str) and kid in (keys or ()):
        return find(
            "mangled",
            "likely",
            (
                f"its alg is {alg[:20]}, and the issuer's key {kid} isn't for that: the header was changed",
                answer,
            ),
            fix=fix,
        )
    if token.signature == "invalid" and facts.has_own_issuer(evidence):
        if isinstance(kid, str) and keys is not None and kid not in keys:
            return None
        known = isinstance(kid, str) and keys is not None
        return find(
            "mangled",
            "possible" if facts.is_key_replaced(evidence) else "certain" if known else "likely",
            (
                f"the signature doesn't match the token's content, although the issuer publishes its key {kid}"
                if known
                else f"the signature can't be verified: {token.signature_problem or 'no key fits'}",
                answer,
            ),
            fix=fix,
        )
    if said is None or token.kind == "opaque" or token.signature == "valid":
        return None
    known = evidence.token is not None
    return find(
        "mangled",
        "possible" if "key_rotated" in read_statements(call) else "likely",
        (answer, "as tokencli has it, the token is complete" if known else None),
        fix=fix if known else None,
        question=f"Does the API receive all {token.length:,} characters of the token?"
        if known
        else "Is the token that was sent complete?",
    )


def _resend_command(evidence: Evidence) -> str | None:
    """Return the command that uses the profile's token as it was issued, or gets a new one."""
    profile, token, call = evidence.profile, evidence.token, evidence.call
    if profile is None or token is None or (token.stored and not token.mangling):
        return facts.renew_command(evidence)
    get = f"tokencli get {profile.command_line_name}"
    if call is None or call.method != "GET":
        return get
    shell = user_shell()
    return f"{get} --format header | {shell.curl} -H {shell.quote('@-')} {shell.quote(call.url)}"


def _may_be_about_form(evidence: Evidence) -> bool:
    """Tell whether a damaged token can have caused the reply; some servers answer it with 400 or 500."""
    call = evidence.call
    return call is not None and (
        reply.is_refused(call)
        or call.status in (400, 422, 500)
        or call.failure in ("broken_off", "other")
    )


def judge_wrong_token_kind(evidence: Evidence) -> Finding | None:
    """It is an ID token, a client assertion or the like, and the API takes access tokens."""
    token, call = evidence.token or facts.UNKNOWN_TOKEN, evidence.call
    said = read_statements(call).get("wrong_token_kind")
    if call is not None and not reply.is_refused(call):
        return None
    answer = reply.describe_answer(call) if call else None
    profile = evidence.profile
    fix = None  # `get` returns the stored token, which is this one
    if profile is not None and not token.stored:
        fix = f"tokencli get {profile.command_line_name}"
    if token.role in _OTHER_KINDS:
        name, receiver = _OTHER_KINDS[token.role]
        sign = f": {token.role_sign}" if token.role_sign else ""
        client = f" {token.client}" if token.role == "id" and token.client else ""
        purpose = f"it is for {receiver}{client}, and APIs take access tokens"
        is_sure = token.role != "id" or reply.is_refused(call)
        if token.role in _GUESSED_KINDS:
            is_sure = False
        return find(
            "wrong_token_kind",
            "certain" if is_sure else "likely",
            (f"the token is {name}{sign}", purpose, answer),
            fix=fix,
        )
    if said is not None:
        confidence: Confidence = "likely" if token.role == "access" else "certain"
        return find("wrong_token_kind", confidence, (answer,), fix=None)
    return None


def judge_opaque_at_jwt_api(evidence: Evidence) -> Finding | None:
    """The API takes JWTs, and the token is opaque."""
    token, call = evidence.token, evidence.call
    statements = read_statements(call)
    if token is None or token.kind not in ("opaque", "jwe") or call is None:
        return None
    if token.damage or token.mangling or token.part_of_stored or not reply.is_refused(call):
        return None
    answer = reply.describe_answer(call)
    kind = "opaque" if token.kind == "opaque" else "encrypted (JWE)"
    form = f"the token is {kind}: {token.length:,} characters that aren't a JWT"
    if token.kind == "jwe":
        form = f"the token is {kind}"
    resource = evidence.resource.resource if evidence.resource else None
    profile = evidence.profile
    requests_it = profile is not None and resource is not None and resource in profile.audiences
    fix = None if requests_it else facts.audience_command(evidence, resource)
    if "opaque_at_jwt_api" in statements:
        return find(
            "opaque_at_jwt_api", "certain", (answer, form, _auth0_remark(evidence)), fix=fix
        )
    fresh = evidence.fresh_token
    if facts.works_with_fresh_token(evidence) and fresh is not None and fresh.kind == "jwt":
        return find(
            "opaque_at_jwt_api",
            "likely",
            (form, "a fresh token, which is a JWT, is accepted", answer),
        )
    parses = statements.keys() & {"key_rotated", "wrong_audience", "mangled"}
    if not reply.is_unspecific(call) and not parses:
        return None
    alive = facts.is_alive(evidence) or _auth0_remark(evidence) is not None
    return find(
        "opaque_at_jwt_api",
        "likely" if alive else "possible",
        (
            form,
            "the token is otherwise valid" if facts.is_alive(evidence) else None,
            _auth0_remark(evidence),
            answer,
        ),
        fix=fix,
        question=f"Does {reply.name_host(call)} accept opaque tokens?",
    )


def _auth0_remark(evidence: Evidence) -> str | None:
    profile = evidence.profile
    if profile is None or profile.provider != "auth0" or profile.audiences:
        return None
    return (
        f"Auth0 issues opaque tokens without an audience, and profile {profile.name} requests none"
    )
