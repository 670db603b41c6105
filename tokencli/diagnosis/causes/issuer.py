"""Causes that lie at the issuer: it ended the token, changed its keys, or can't be reached."""

from tokencli.diagnosis.causes import facts, reply
from tokencli.diagnosis.causes.finding import Confidence, Finding, find
from tokencli.diagnosis.causes.reply import read_statements
from tokencli.diagnosis.evidence import Evidence
from tokencli.shell_words import quote

_STALE_KEYS = "the issuer publishes key {kid}; the API may have an old copy of its keys"

_KEYS_QUESTION = "Does the API accept the token after it has fetched the issuer's keys again?"
_UNKNOWN_KEY = "the API doesn't know the key that signed the token"


def _ask_owner(evidence: Evidence) -> str:
    """Say what the API's owner must do."""
    url = evidence.issuer.jwks_url
    source = f" from {url}" if url else ""
    return f"the API's owner must have it load the issuer's keys again{source}, and not pin a copy"


def judge_revoked(evidence: Evidence) -> Finding | None:
    """The issuer has ended the token or its session before it expired."""
    call, issuer, events = evidence.call, evidence.issuer, evidence.events
    said = read_statements(call).get("revoked")
    if call is not None and not reply.is_refused(call):
        return None
    expiry, moment = facts.find_expiry(evidence), facts.judge_moment(evidence)
    if expiry is not None and expiry <= moment.epoch and not facts.is_clock_off(evidence):
        return None
    answer = reply.describe_answer(call) if call else None
    inactive = (issuer.introspection or {}).get("active") is False and _is_of_issuer(evidence)
    if facts.fails_with_fresh_token(evidence) and not inactive and events.revoked_at is None:
        return None
    remaining = (
        f"its lifetime ends only in {facts.say_left(expiry - moment.epoch)}, at"
        f" {facts.say_time(expiry, moment.epoch)}"
        if expiry is not None and expiry > moment.epoch
        else None
    )
    host = facts.issuer_host(evidence)
    fix = (
        facts.renew_command(evidence)
        if facts.works_with_fresh_token(evidence) or not (evidence.token and evidence.token.stored)
        else facts.sign_in_command(evidence)
    )
    signs: list[str | None] = []
    if events.revoked_at is not None:
        signs.append(
            f"it was revoked from this computer at {facts.say_time(events.revoked_at, moment.epoch)}"
        )
    if inactive:
        signs.append(f"{host} says by introspection that the token isn't active")
    if issuer.userinfo_status == 401 and _is_of_issuer(evidence):
        scopes = facts.token_scopes(evidence)
        is_for_userinfo = scopes is None or "openid" in scopes
        if is_for_userinfo:
            signs.append(f"{host}'s UserInfo endpoint refuses it with 401")
    if (
        facts.works_with_fresh_token(evidence)
        and facts.same_audience(evidence)
        and reply.is_unspecific(call)
    ):
        signs.append("a fresh token for the same audience is accepted")
    if (
        evidence.fresh_error is not None
        and getattr(evidence.fresh_error, "error", None) == "invalid_grant"
    ):
        signs.append(f"the issuer refuses to renew it: {evidence.fresh_error.message}")
    if events.replaced_at is not None:
        replaced = f"a newer token was issued at {facts.say_time(events.replaced_at, moment.epoch)}"
        signs.append(replaced if signs or said else None)
    token = evidence.token
    is_known = token is not None and (
        token.stored or token.signature == "valid" or facts.is_from_here(evidence)
    )
    sure = events.revoked_at is not None or (inactive and is_known)
    alive = (issuer.introspection or {}).get("active") is True or facts.fails_with_fresh_token(
        evidence
    )
    if sure:
        return find("revoked", "certain", (*signs, remaining, answer), fix=fix)
    if said is not None and said.is_name:
        confidence: Confidence = "likely" if alive else "certain"
        return find("revoked", confidence, (answer, *signs, remaining), fix=fix)
    if alive:
        return None
    if inactive and not is_known and said is None:
        return find("revoked", "possible", (*signs, remaining, answer), fix=fix)
    if any(signs) or (said is not None):
        return find("revoked", "likely", (*signs, remaining, answer), fix=fix)
    if read_statements(call).get("expired") and moment.host is not None and remaining:
        return find(
            "revoked",
            "likely",
            (answer, f"yet by {facts.say_clock(moment)} {remaining}: the session may have ended"),
            fix=fix,
        )
    if call is None or not reply.is_unspecific(call):
        return None
    return find(
        "revoked",
        "possible",
        (
            answer,
            "nothing shows that the issuer still considers the token active"
            if evidence.token is not None
            else None,
            remaining,
        ),
        fix=fix,
        question=_fresh_question(evidence),
    )


def _fresh_question(evidence: Evidence) -> str:
    call, profile = evidence.call, evidence.profile
    if profile is None or call is None:
        return "Does a fresh token work?"
    command = f"tokencli why {profile.command_line_name} {quote(call.url)} --probe"
    return f"Does a fresh token work? `{command}` tries one"


def _is_of_issuer(evidence: Evidence) -> bool:
    """Tell whether the questioned issuer can know the token at all."""
    token = evidence.token
    if token is None or token.mangling or token.damage or token.signature == "invalid":
        return False
    if token.issuer is None or token.role not in ("access", "unknown"):
        return token.role in ("access", "unknown")
    known = [evidence.issuer.issuer, evidence.profile.issuer if evidence.profile else None]
    return not any(known) or any(
        each is not None and reply.same_url(token.issuer, each) for each in known
    )


def judge_key_rotated(evidence: Evidence) -> Finding | None:
    """The key that signed the token is gone, or the API doesn't have it."""
    token, call = evidence.token or facts.UNKNOWN_TOKEN, evidence.call
    said, keys = read_statements(call).get("key_rotated"), evidence.issuer.key_ids
    if call is not None and not reply.is_refused(call):
        return None
    kid = token.header.get("kid")
    answer = reply.describe_answer(call) if call else None
    fix = facts.renew_command(evidence)
    if isinstance(kid, str) and keys is not None and kid not in keys:
        if not facts.has_own_issuer(evidence):
            return None
        published = f"it publishes {facts.list_names(keys)}" if keys else "it publishes none"
        return find(
            "key_rotated",
            "certain" if reply.is_refused(call) or call is None else "likely",
            (
                f"the token is signed with key {kid}, which {facts.issuer_host(evidence)} no longer"
                f" publishes: {published}",
                answer,
                facts.describe_renewal(evidence),
            ),
            fix=fix,
        )
    if facts.is_key_replaced(evidence):
        return find(
            "key_rotated",
            "likely",
            (
                f"the signature doesn't fit key {kid} as {facts.issuer_host(evidence)} publishes it now",
                "the token is stored as the issuer sent it, so the key was probably replaced by"
                " another one with the same ID",
                answer,
            ),
            fix=fix,
        )
    if said is None and token.signature == "valid" and reply.is_unspecific(call):
        if not facts.is_sound(evidence):
            return None
        return find(
            "key_rotated",
            "possible",
            (
                "everything that was checked speaks for the token",
                answer,
                _STALE_KEYS.format(kid=kid),
                _ask_owner(evidence),
            ),
            question=_KEYS_QUESTION,
            title=_UNKNOWN_KEY,
        )
    if said is None or token.kind == "opaque":
        return None
    if token.signature == "invalid" and isinstance(kid, str) and keys is not None:
        return None  # the key is there: the token was changed
    if token.signature == "valid" or (isinstance(kid, str) and keys is not None):
        is_published = isinstance(kid, str) and kid in (keys or ())
        return find(
            "key_rotated",
            "likely" if said.is_name or token.signature == "valid" else "possible",
            (
                "the signature is valid by the issuer's published keys"
                if token.signature == "valid"
                else None,
                answer,
                _STALE_KEYS.format(kid=kid) if is_published else None,
                "a fresh token is refused in the same way"
                if facts.fails_with_fresh_token(evidence)
                else None,
                _ask_owner(evidence),
            ),
            question=_KEYS_QUESTION,
            title=_UNKNOWN_KEY,
        )
    return find(
        "key_rotated",
        "likely" if said.is_name else "possible",
        (
            answer,
            f"the token is signed with key {kid}"
            if kid
            else "the token doesn't name its key"
            if evidence.token is not None
            else None,
        ),
        fix=fix,
        question="Is the key still in the issuer's key set (jwks_uri)?",
    )


def judge_jwks_unreachable(evidence: Evidence) -> Finding | None:
    """The issuer's keys can't be fetched, so the API can't verify a signature."""
    token, call, issuer = evidence.token, evidence.call, evidence.issuer
    statements = read_statements(call)
    said = statements.get("jwks_unreachable")
    is_failure = reply.is_refused(call) or (call is not None and (call.status or 0) >= 500)
    if call is not None and not is_failure and said is None:
        return None
    error = issuer.jwks_error or issuer.metadata_error
    unreachable = facts.is_outage(error)
    answer = reply.describe_answer(call) if call else None
    where = issuer.jwks_url or facts.issuer_host(evidence)
    local = f"they can't be fetched from here either ({where}): {error.message}" if error else None
    if said is not None:
        return find(
            "jwks_unreachable",
            "certain" if unreachable else "likely",
            (
                answer,
                local
                if unreachable
                else "they can be fetched from here, so the API's own way to them is broken"
                if issuer.key_ids
                else None,
            ),
        )
    if unreachable and token is not None and token.kind != "opaque" and error is not None:
        return find(
            "jwks_unreachable",
            "likely" if call is not None else "possible",
            (f"the issuer's keys can't be fetched ({where}): {error.message}", answer),
            question="Can the API fetch them? It may be in another network" if call else None,
        )
    key = statements.get("key_rotated")
    kid = token.header.get("kid") if token else None
    is_published = isinstance(kid, str) and issuer.key_ids is not None and kid in issuer.key_ids
    is_named = key is not None and key.is_name
    if not is_published or not (
        is_named or (reply.is_unspecific(call) and facts.is_sound(evidence))
    ):
        return None
    return find(
        "jwks_unreachable",
        "likely" if is_named else "possible",
        (answer, f"the issuer publishes key {kid}; the API may be unable to fetch its keys"),
        question="Does the API's log show a failed request to the issuer's keys?",
    )
