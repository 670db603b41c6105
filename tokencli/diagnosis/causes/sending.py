"""Causes that lie in how the token is sent."""

import json
from collections.abc import Mapping

from tokencli.diagnosis.causes import facts, reply
from tokencli.diagnosis.causes.finding import Confidence, Finding, find
from tokencli.diagnosis.causes.reply import read_statements
from tokencli.diagnosis.evidence import CallFacts, Evidence, TokenFacts
from tokencli.humanize import join_alternatives
from tokencli.shell_words import quote, user_shell

USUAL_HEADER_LIMIT = 8192
"""Bytes of a header that servers commonly accept: nginx, Apache httpd and Tomcat by default."""

_SCHEME_NAMES = {
    "basic": "Basic",
    "bearer": "Bearer",
    "digest": "Digest",
    "dpop": "DPoP",
    "negotiate": "Negotiate",
    "ntlm": "NTLM",
    "token": "Token",
    "apikey": "ApiKey",
    "aws4-hmac-sha256": "AWS4-HMAC-SHA256",
}


def judge_bound_token_sent_bare(evidence: Evidence) -> Finding | None:
    """The token is bound to a key, and the call doesn't prove its possession."""
    token, call = evidence.token or facts.UNKNOWN_TOKEN, evidence.call
    profile, said = evidence.profile, read_statements(call).get("bound_token_sent_bare")
    if call is None or not reply.is_refused(call):
        return None
    answer = reply.describe_answer(call)
    name = (
        "a DPoP key (cnf.jkt)"
        if token.bound_to == "dpop"
        else "a client certificate (cnf.x5t#S256)"
    )
    fix = _proof_command(evidence)
    if token.bound_to is not None and call.proof != token.bound_to:
        proof = "without a DPoP proof" if token.bound_to == "dpop" else "without that certificate"
        return find(
            "bound_token_sent_bare",
            "certain",
            (
                f"the token is bound to {name}, and the call was sent {proof}",
                answer,
                _describe_missing_key(evidence),
            ),
            fix=fix,
        )
    if token.bound_to is not None and token.holds_bound_key is False:
        owner = (
            f"profile {profile.name} has another one{_compare_thumbprints(token)}"
            if profile
            else "the call was made with another one"
        )
        return find(
            "bound_token_sent_bare",
            "certain",
            (f"the token is bound to {name}, and {owner}", answer),
            fix=facts.renew_command(evidence)
            if token.thumbprint_of_profile
            else facts.sign_in_command(evidence),
        )
    if said is None:
        return None
    if call.error_code == "use_dpop_nonce" and call.proof == "dpop":
        return find(
            "bound_token_sent_bare",
            "certain",
            (
                "the API requires a nonce in the DPoP proof, and the call had none or an old one",
                answer,
            ),
            fix=fix,
        )
    if call.proof is not None and facts.is_clock_off(evidence):
        return None
    if token.bound_to is None and token.kind != "opaque" and evidence.token is not None:
        return None  # the API requires a bound token: wrong_scheme
    return find(
        "bound_token_sent_bare",
        "likely",
        (answer, "the proof that was sent isn't accepted" if call.proof else None),
        fix=fix if profile is not None and profile.dpop else None,
    )


def _describe_missing_key(evidence: Evidence) -> str | None:
    """Say which key of its configuration the profile lacks for a call with its bound token."""
    token, profile = evidence.token, evidence.profile
    if token is None or profile is None or token.holds_bound_key is not False:
        return None
    if token.bound_to == "dpop":
        return f"profile {profile.name} doesn't have that key, so another program has it"
    return (
        f"profile {profile.name} doesn't have that certificate: whoever registered it for the client"
        " can tell where it is (client_cert and client_key name its files)"
    )


def _compare_thumbprints(token: TokenFacts) -> str:
    confirmation = token.claims.get("cnf")
    if token.thumbprint_of_profile is None or not isinstance(confirmation, Mapping):
        return ""
    bound = str(confirmation.get("x5t#S256"))
    return f" (thumbprint {bound[:12]}… in the token, {token.thumbprint_of_profile[:12]}… in the profile)"


def _proof_command(evidence: Evidence) -> str | None:
    call, profile, token = evidence.call, evidence.profile, evidence.token
    if call is None or profile is None or token is None or token.bound_to == "certificate":
        return None
    if not profile.dpop:
        return None
    url, nonce = quote(call.url), call.headers.get("dpop-nonce")
    method = "" if call.method == "GET" else f" --method {call.method}"
    request = "" if call.method == "GET" else f" -X {call.method}"
    extra = f" --nonce {quote(nonce)}" if nonce else ""
    shell = user_shell()
    return (
        f"tokencli get {profile.command_line_name} --format dpop{method} --url {url}{extra}"
        f" | {shell.curl}{request} -H {shell.quote('@-')} {url}"
    )


def judge_wrong_scheme(evidence: Evidence) -> Finding | None:
    """The API looks for the token elsewhere, or under another scheme."""
    call = evidence.call
    if call is None or not reply.is_refused(call) or call.withheld:
        return None
    if facts.works_with_fresh_token(evidence):
        return None  # it was sent in the same way
    said = read_statements(call).get("wrong_scheme")
    answer, fix = reply.describe_answer(call), _carrier_command(evidence)
    sent = f"the token was sent in {_describe_carrier(call.carrier)}" if call.carrier else None
    if call.carrier is None and evidence.token is not None and not call.is_saved:
        return find("wrong_scheme", "certain", ("the call carried no token", answer), fix=fix)
    if (reason := _find_need_of_dpop(evidence)) is not None:
        profile = evidence.profile
        can_bind = profile is not None and not profile.dpop
        return find(
            "wrong_scheme",
            "certain",
            (
                "the API accepts only DPoP-bound tokens, and the token isn't bound to a key",
                reason,
                answer,
            ),
            fix=f"tokencli profiles edit {profile.name} --set dpop=true"
            if profile is not None and can_bind
            else None,
        )
    mismatch = _describe_challenge_mismatch(call)
    if mismatch is not None:
        knows_tokens = set(reply.challenge_schemes(call)) & {"bearer", "dpop"}
        is_sure = call.carrier is not None and "Authorization" in call.carrier and knows_tokens
        confidence: Confidence = "certain" if is_sure or said else "likely"
        return find("wrong_scheme", confidence, (f"{sent}, and {mismatch}", answer), fix=fix)
    if (header := _find_key_header(call)) is not None:
        return find(
            "wrong_scheme",
            "likely",
            (
                f"{sent}, and the API requires a key of its own in the header {header}",
                "the challenge says so; whether it takes the token beside that is open",
                answer,
            ),
        )
    differs, unseen = _describe_other_carrier(evidence), facts.describe_same_answer(evidence)
    if said is None and differs is None:
        if unseen is None or call.status != 401 or not reply.is_unspecific(call):
            return None
        return find("wrong_scheme", "possible", (unseen, sent, answer), question=_ask_place(call))
    is_removable = facts.says_it_sees_none(evidence) and differs is None
    return find(
        "wrong_scheme",
        "certain" if said and differs else "likely",
        (
            f"{sent}, and {differs}" if differs else sent,
            _describe_signature(call),
            _describe_unknown_path(call),
            answer,
            unseen,
        ),
        fix=fix if differs else None,
        question=_ask_place(call) if is_removable else None,
    )


def _ask_place(call: CallFacts) -> str:
    return f"Where does {reply.name_host(call)} look for the token?"


def _find_key_header(call: CallFacts) -> str | None:
    """Return the header that must have the key, if the challenge names it, as Azure API Management's does."""
    for challenge in call.challenges:
        if challenge.params.get("type") == "header" and challenge.params.get("name"):
            return challenge.params["name"][:60]
    return None


def _describe_signature(call: CallFacts) -> str | None:
    """Say so if the API takes requests that are signed, not tokens."""
    text = f"{call.error_code} {call.error_text}"
    if "key=value pair" not in text and "IncompleteSignature" not in text:
        return None
    return (
        "the API expects a request that is signed with AWS credentials (Signature Version 4) in the"
        " header Authorization, not a token"
    )


def _describe_unknown_path(call: CallFacts) -> str | None:
    """Say so if the text is the one of Amazon API Gateway for a path that it doesn't have."""
    if call.status != 403 or "missing authentication token" not in (call.error_text or "").lower():
        return None
    return (
        f"Amazon API Gateway says that as well if it has no such path or no {call.method} there: compare"
        " the stage, the path and the method with the API's documentation"
    )


def _find_need_of_dpop(evidence: Evidence) -> str | None:
    """Say by what the API shows that it accepts only bound tokens, unless this token is one."""
    call, token, metadata = evidence.call, evidence.token, evidence.resource
    if token is None or token.bound_to is not None:
        return None
    if metadata is not None and metadata.dpop_bound_access_tokens_required:
        return f"its metadata says so ({metadata.url})"
    schemes = reply.challenge_schemes(call)
    if "dpop" in schemes and "bearer" not in schemes:
        return "its challenge offers DPoP and not Bearer"
    if token.kind != "opaque" and call is not None and call.proof is None:
        statement = read_statements(call).get("bound_token_sent_bare")
        return "it asks for a proof" if statement is not None and "dpop" in schemes else None
    return None


def _describe_challenge_mismatch(call: CallFacts) -> str | None:
    """Say what the API accepts, if the token was sent in another way."""
    schemes, carrier = reply.challenge_schemes(call), call.carrier
    if not schemes or carrier is None or carrier.startswith("?") or _find_key_header(call):
        return None
    name, _, scheme = carrier.partition(": ")
    if name.casefold() == "cookie" or scheme.strip().lower() in schemes:
        return None
    return f"the API accepts {join_alternatives(map(_spell_scheme, schemes))}"


def _describe_other_carrier(evidence: Evidence) -> str | None:
    """Say how else the API expects the token: by its metadata, or by the profile's provider."""
    call, profile, metadata = evidence.call, evidence.profile, evidence.resource
    if call is None or call.carrier is None:
        return None
    if metadata is not None and metadata.bearer_methods_supported:
        method = "query" if call.carrier.startswith("?") else "header"
        if method not in metadata.bearer_methods_supported:
            methods = join_alternatives(metadata.bearer_methods_supported)
            return f"the API's metadata names {methods} (bearer_methods_supported)"
    if profile is None or not profile.carriers or call.carrier in profile.carriers:
        return None
    if call.proof == "dpop" and profile.dpop:
        return None
    expected = join_alternatives(map(_describe_carrier, profile.carriers))
    return f"the provider of profile {profile.name} sends it in {expected}"


def _describe_carrier(carrier: str) -> str:
    if carrier.startswith("?"):
        return f"the query parameter {carrier[1:]}"
    return f"the header {carrier}"


def _spell_scheme(scheme: str) -> str:
    return _SCHEME_NAMES.get(scheme, scheme)


def _carrier_command(evidence: Evidence) -> str | None:
    """Return the call with the token in the header that the provider uses, if that would be different."""
    call, profile = evidence.call, evidence.profile
    if call is None or profile is None or call.carrier in profile.carriers:
        return None
    shell = user_shell()
    method = "" if call.method == "GET" else f" -X {call.method}"
    return f"tokencli get {profile.command_line_name} --format header | {shell.curl}{method} -H {shell.quote('@-')} {shell.quote(call.url)}"


def judge_too_large(evidence: Evidence) -> Finding | None:
    """The request's headers exceed the server's limit."""
    call, token = evidence.call, evidence.token or facts.UNKNOWN_TOKEN
    if call is None or reply.is_success(call):
        return None
    said = read_statements(call).get("too_large")
    answer = reply.describe_answer(call) or (
        f"{reply.name_host(call)} closed the connection" if call.failure == "broken_off" else None
    )
    size = call.request_header_size
    sizes = f"the token has {token.length:,} characters" + (
        f", and the request's headers have {size:,} bytes" if size else ""
    )
    large = f"{sizes}; servers commonly accept {USUAL_HEADER_LIMIT:,}"
    evidence_of_size = (
        large if max(size or 0, token.length) > USUAL_HEADER_LIMIT * 3 // 4 else sizes
    )
    if call.status == 431 or (said is not None and call.status in (400, 413, 414, 494, 500, 502)):
        return find(
            "too_large",
            "certain",
            (answer, evidence_of_size, _describe_bulk(evidence), _advise_smaller(evidence)),
        )
    bare = evidence.bare_call
    is_big = max(size or 0, token.length) >= USUAL_HEADER_LIMIT // 2
    if not is_big or bare is None or bare.status is None or bare.status == call.status:
        return None
    if call.status in (400, 413, 414, 500, 502, 520) or call.failure == "broken_off":
        return find(
            "too_large",
            "likely",
            (
                evidence_of_size,
                f"without the token {reply.name_host(call)} answers {bare.status}",
                answer,
                _describe_bulk(evidence),
                _advise_smaller(evidence),
            ),
        )
    return None


def _advise_smaller(evidence: Evidence) -> str:
    """Say who can make the token smaller or the limit larger."""
    claim = _find_bulk(evidence)
    remedy = (
        "requesting fewer scopes makes it smaller"
        if claim is None or claim[0] in ("scope", "scp")
        else f"the issuer's administrator can leave the claim {claim[0][:40]} out of it, or shorten it"
    )
    return f"{remedy}; or the API's administrators raise the limit of their server"


def _find_bulk(evidence: Evidence) -> tuple[str, int] | None:
    """Return the claim that makes the token large, and its size in characters."""
    claims = evidence.token.claims if evidence.token else {}
    sizes = {name: len(json.dumps(value, default=str)) for name, value in claims.items()}
    name = max(sizes, key=lambda each: sizes[each], default=None)
    return None if name is None or sizes[name] < 1024 else (name, sizes[name])


def _describe_bulk(evidence: Evidence) -> str | None:
    """Name the claim that makes the token large."""
    found = _find_bulk(evidence)
    if found is None or evidence.token is None:
        return None
    name, size = found
    value = evidence.token.claims[name]
    count = f" has {len(value)} entries and" if isinstance(value, list | dict) else ""
    return f"its claim {name[:40]}{count} takes {size:,} characters"
