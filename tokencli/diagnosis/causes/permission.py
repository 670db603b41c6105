"""Causes that lie in what the token may do: its scopes, its account, its sign-in, and how often."""

import base64
import json
import re
from collections.abc import Mapping

from tokencli.diagnosis.causes import facts, reply
from tokencli.diagnosis.causes.finding import Confidence, Finding, find
from tokencli.diagnosis.causes.reply import read_statements
from tokencli.diagnosis.evidence import CallFacts, Evidence
from tokencli.jwt.decode import finite_number, strings_of_claim
from tokencli.shell_words import quote, user_shell

PERMISSION_QUESTION = (
    "Which scope does the call require, and does the account have the role? The API's documentation"
    " or its administrator can tell"
)
_SWITCHED_OFF = re.compile(r"(?i)SERVICE_DISABLED|has not been used in project|accessNotConfigured")
"""What Google's APIs say if a project hasn't enabled them."""
_HIDDEN = "some APIs hide with 404 what a token or an account may not see"


def judge_missing_scope(evidence: Evidence) -> Finding | None:
    """The token lacks a scope that the call requires."""
    call, profile = evidence.call, evidence.profile
    if call is None or not (reply.is_refused(call) or reply.may_hide(call)):
        return None
    said = read_statements(call).get("missing_scope")
    required, granted = _required_scopes(call), _granted_scopes(evidence)
    missing = [scope for scope in required if scope not in (granted or ())]
    is_named = said is not None and said.is_name
    if granted is not None and required and not missing:
        return None
    answer = reply.describe_answer(call)
    has = (
        f"the token has {' '.join(granted)}"
        if granted
        else "the token has no scope"
        if granted is not None
        else None
    )
    lacks = f"the call requires the scope {' '.join(missing)}; {has or 'which scopes the token has is unknown'}"
    fix = _scope_command(evidence, missing)
    refused = _describe_refused_scopes(evidence, missing)
    if missing and (is_named or (call.status in (403, 404) and granted is not None)):
        return find(
            "missing_scope",
            "certain" if is_named else "likely",
            (lacks, refused, answer, _HIDDEN if call.status == 404 else None),
            fix=fix,
        )
    if is_named:
        return find("missing_scope", "certain", (answer, has), fix=None)
    if call.status != 403 and said is None:
        return None
    if profile is not None and granted is not None and refused is not None:
        return find(
            "missing_scope", "likely", (refused, answer), fix=fix, question=PERMISSION_QUESTION
        )
    lost = _describe_lost_scopes(evidence, granted)
    if said is None and not _is_bare_403(evidence):
        return None
    supported = evidence.resource.scopes_supported if evidence.resource else ()
    unsupported = (
        f"the API knows the scopes {' '.join(supported[:8])}, of which the token has none"
        if supported and granted is not None and not set(supported) & set(granted)
        else None
    )
    return find(
        "missing_scope",
        "likely" if lost or unsupported else "possible",
        (answer, unsupported, lost, has),
        question=PERMISSION_QUESTION,
    )


def _required_scopes(call: CallFacts) -> tuple[str, ...]:
    """Return the scopes of the challenge, of the body, and of GitHub's X-Accepted-OAuth-Scopes."""
    names = [*call.required_scopes]
    for challenge in call.challenges:
        names += challenge.params.get("scope", "").split()
    if not names:
        accepted = call.headers.get("x-accepted-oauth-scopes", "")
        held = call.headers.get("x-oauth-scopes", "")
        options = [each.strip() for each in accepted.split(",") if each.strip()]
        if options and not {each.strip() for each in held.split(",")} & set(options):
            names += options[:1]
    return tuple(dict.fromkeys(names))


def _granted_scopes(evidence: Evidence) -> tuple[str, ...] | None:
    """Return the token's scopes, by itself, its issuer or GitHub's X-OAuth-Scopes."""
    held = evidence.call.headers.get("x-oauth-scopes") if evidence.call else None
    scopes = facts.token_scopes(evidence)
    if scopes is None and held is not None:
        return tuple(each.strip() for each in held.split(",") if each.strip())
    return scopes


def _scope_command(evidence: Evidence, missing: list[str]) -> str | None:
    profile = evidence.profile
    if profile is None or not missing:
        return None
    if all(scope in profile.scopes for scope in missing):
        return f"tokencli login {profile.command_line_name}" if profile.is_interactive else None
    scopes = " ".join(dict.fromkeys((*profile.scopes, *missing)))
    return f"tokencli profiles edit {profile.name} --set {quote(f'scope={scopes}')}"


def _describe_refused_scopes(evidence: Evidence, missing: list[str]) -> str | None:
    profile, granted = evidence.profile, facts.token_scopes(evidence)
    if profile is None or granted is None or not granted:
        return None
    ungranted = [
        scope
        for scope in profile.scopes
        if scope not in granted
        and scope not in ("openid", "offline_access", "profile", "email")
        and not scope.endswith("/.default")
        and not any(scope.endswith(f"/{each}") for each in granted)
    ]
    relevant = [scope for scope in ungranted if scope in missing] if missing else ungranted
    if not relevant:
        return None
    return f"profile {profile.name} requests {' '.join(relevant)}, which the issuer didn't grant"


def _describe_lost_scopes(evidence: Evidence, granted: tuple[str, ...] | None) -> str | None:
    before = evidence.events.previous_scopes
    if before is None or granted is None:
        return None
    lost = [scope for scope in before if scope not in granted]
    return f"the token before this one also had the scope {' '.join(lost)}" if lost else None


def _is_bare_403(evidence: Evidence) -> bool:
    """Tell whether a 403 says no more than that."""
    call = evidence.call
    if call is None or call.status != 403 or (call.body_kind == "html" and call.is_sign_in_page):
        return False
    statements = read_statements(call)
    return "wrong_scheme" not in statements and not any(
        statement.is_name for statement in statements.values()
    )


def judge_not_permitted(evidence: Evidence) -> Finding | None:
    """The token is accepted, but its account or client may not do this."""
    call = evidence.call
    if call is None or call.status is None or reply.is_success(call):
        return None
    statements = read_statements(call)
    said = statements.get("not_permitted")
    answer = reply.describe_answer(call)
    alive = "a fresh token gets the same answer" if facts.fails_with_fresh_token(evidence) else None
    if call.status == 404 and (_bare_status(evidence) == 401 or reply.may_hide(call)):
        return find(
            "not_permitted",
            "possible",
            (
                answer,
                "without a token the answer is 401, so the API accepts the token"
                if _bare_status(evidence) == 401
                else None,
                _HIDDEN,
            ),
            question="Does what the URL names exist?",
        )
    if not reply.is_refused(call):
        return None
    required, granted = _required_scopes(call), facts.token_scopes(evidence)
    has_scopes = bool(required) and granted is not None and set(required) <= set(granted)
    scopes = f"the token has the required scope {' '.join(required)}" if has_scopes else None
    if said is not None and _SWITCHED_OFF.search(f"{call.error_code} {call.error_text}"):
        return find(
            "not_permitted",
            "certain",
            (
                answer,
                "that isn't about the account's rights: whoever administers the project has to enable"
                " the API there",
                alive,
            ),
            title="the API is switched off for the project",
        )
    if said is not None and said.is_name and call.status in (401, 403, 404, 200):
        return find("not_permitted", "certain", (answer, _identity(evidence), scopes, alive))
    if has_scopes and (call.status == 403 or "missing_scope" in statements):
        return find("not_permitted", "likely", (scopes, answer, _identity(evidence), alive))
    if said is None and not _is_bare_403(evidence):
        return None
    if _bare_status(evidence) == 403:
        return find(
            "not_permitted",
            "possible",
            (answer, "without a token the answer is 403, too, so it may not be about the token"),
            question="Does the API admit this network? It may have a list of allowed addresses",
        )
    accepted = (
        "without a token the answer is 401, so the API accepts the token"
        if _bare_status(evidence) == 401
        else None
    )
    hints_scope = bool(required) or "missing_scope" in statements or not granted
    by_role = accepted is not None and not hints_scope and _list_roles(evidence) is not None
    return find(
        "not_permitted",
        "likely" if by_role else "possible",
        (answer, accepted, _identity(evidence), alive),
        question=PERMISSION_QUESTION,
    )


def _bare_status(evidence: Evidence) -> int | None:
    return evidence.bare_call.status if evidence.bare_call else None


def _identity(evidence: Evidence) -> str | None:
    """Say whose token it is, and which roles and groups it has."""
    token = evidence.token
    if token is None:
        return None
    user = next(
        (
            value
            for name in ("preferred_username", "upn", "email")
            if isinstance(value := token.claims.get(name), str)
        ),
        None,
    )
    roles = _list_roles(evidence)
    who = f"the token is of {user}" if user else None
    if who is None and token.subject:
        who = f"the token's subject is {token.subject}"
    if roles is None:
        return who
    shown = facts.list_names(roles) or "none"
    return f"{who or 'it is a token'}, with the roles and groups {shown}"


def _list_roles(evidence: Evidence) -> tuple[str, ...] | None:
    """Return the roles and groups that the token names; None if it has no such claim."""
    claims = evidence.token.claims if evidence.token else {}
    realm = claims.get("realm_access")  # Keycloak
    values = [claims.get("roles"), claims.get("groups"), claims.get("permissions")]
    values.append(realm.get("roles") if isinstance(realm, dict) else None)
    lists = [value for value in values if isinstance(value, list)]
    return tuple(str(role)[:40] for value in lists for role in value) if lists else None


def judge_step_up_needed(evidence: Evidence) -> Finding | None:
    """The API requires a stronger or more recent sign-in (RFC 9470)."""
    token, call = evidence.token or facts.UNKNOWN_TOKEN, evidence.call
    profile, said = evidence.profile, read_statements(call).get("step_up_needed")
    if call is None or said is None or reply.is_success(call):
        return None
    values = (reply.challenge_param(call, "acr_values") or "").split()
    max_age = facts.read_seconds(reply.challenge_param(call, "max_age"))
    acr, auth_time = (
        strings_of_claim(token.claims.get("acr")),
        finite_number(token.claims.get("auth_time")),
    )
    moment = facts.judge_moment(evidence)
    signs: list[str | None] = []
    satisfied = bool(values or max_age is not None)
    if values:
        has = (
            f"the token has {' '.join(acr)}"
            if acr
            else "the token doesn't say how the user signed in"
        )
        signs.append(f"the API requires acr {' or '.join(values)}; {has}")
        satisfied = satisfied and bool(set(values) & set(acr))
    if max_age is not None:
        age = moment.epoch - auth_time if auth_time is not None else None
        since = (
            f"the user signed in {facts.say_span(age)} ago"
            if age is not None
            else "the token doesn't say when the user signed in"
        )
        signs.append(f"the API requires a sign-in within {facts.say_span(max_age)}; {since}")
        satisfied = satisfied and age is not None and age <= max_age
    fix = None
    demand = _read_claims_challenge(call)
    if demand is not None:
        signs.append(_describe_demand(demand))
        satisfied = False
    if profile is not None and profile.is_interactive and demand is not None:
        setting = quote(f"params.claims={json.dumps(demand, separators=(',', ':'))}")
        fix = user_shell().chain(
            f"tokencli profiles edit {profile.name} --set {setting}",
            f"tokencli login {profile.command_line_name}",
        )
    elif profile is not None and profile.is_interactive and (values or max_age is not None):
        settings = []
        if values:
            acr_setting = "params.acr_values=" + " ".join(values)
            settings.append(f"--set {quote(acr_setting)}")
        if max_age is not None:
            settings.append(f"--set params.max_age={max_age:.0f}")
        edit = f"tokencli profiles edit {profile.name} {' '.join(settings)}"
        fix = user_shell().chain(edit, f"tokencli login {profile.command_line_name}")
    elif profile is not None and profile.is_interactive:
        fix = f"tokencli login {profile.command_line_name}"
    return find(
        "step_up_needed",
        "likely" if satisfied else "certain",
        (*signs, reply.describe_answer(call)),
        fix=fix,
    )


def _read_claims_challenge(call: CallFacts) -> dict[str, object] | None:
    """Return the claims that Microsoft Entra's claims challenge requires, decoded from base64."""
    text = reply.challenge_param(call, "claims") or ""
    try:
        demand = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except ValueError:
        return None
    claims = demand.get("access_token") if isinstance(demand, dict) else None
    return demand if isinstance(claims, dict) and claims else None


def _describe_demand(demand: Mapping[str, object]) -> str:
    """Say what a claims challenge requires: an authentication context, or a token that is newer."""
    claims = demand["access_token"]
    assert isinstance(claims, dict), "it was checked"
    parts = []
    for name, detail in claims.items():
        options = detail if isinstance(detail, dict) else {}
        values = [options[key] for key in ("value", "values") if key in options]
        shown = json.dumps(values[0])[:80].strip('"') if values else "any value"
        meaning = {
            "acrs": " (an authentication context of Conditional Access)",
            "nbf": " (a token issued after that time)",
        }.get(name, "")
        parts.append(f"{name[:40]} {shown}{meaning}")
    return f"the API requires of the token: {', '.join(parts)}"


def judge_rate_limited(evidence: Evidence) -> Finding | None:
    """The API limits how often it may be called."""
    call = evidence.call
    if call is None or call.status is None or reply.is_success(call):
        return None
    said = read_statements(call).get("rate_limited")
    headers = call.headers
    names = ("x-ratelimit-remaining", "ratelimit-remaining", "x-rate-limit-remaining")
    exhausted = any(headers.get(name) in ("0", "0.0") for name in names)
    is_limit = call.status in (200, 403, 503) and (said is not None or exhausted)
    is_delay = call.status == 403 and "retry-after" in headers
    if not (call.status == 429 or is_limit or is_delay):
        return None
    sure: Confidence = "certain" if call.status == 429 or said or exhausted else "likely"
    return find(
        "rate_limited",
        sure,
        (
            reply.describe_answer(call),
            facts.describe_wait(evidence, call),
            "no calls remain in this period" if exhausted else None,
        ),
    )
