"""The causes of a call that fails, one row each, judged from the evidence alone.

Where the API's words and the facts of the token conflict, the facts decide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tokencli.diagnosis.causes import (
    form,
    issuer,
    network,
    permission,
    recipient,
    reply,
    sending,
    times,
)
from tokencli.diagnosis.causes.finding import CONFIDENCES, Cause, Confidence, Finding, find
from tokencli.diagnosis.evidence import Evidence

__all__ = ["CAUSES", "CONFIDENCES", "Cause", "Confidence", "Finding", "exit_code", "rank_causes"]

_OK, _CREDENTIALS, _REFUSED, _UNREACHABLE, _TOKEN = 0, 4, 5, 6, 9
_WARNINGS = frozenset({"local_clock"})
"""What can be off beside a call that succeeds, and decides nothing if it is the only finding."""
_DENIALS = frozenset({"missing_scope", "not_permitted"})
_DOUBTS = frozenset({"revoked", "wrong_issuer", "wrong_audience", "other_account"})
"""What an unspecific 401 can mean as well."""

CAUSES: Mapping[str, Cause] = {
    "no_token": Cause("there is no token", _CREDENTIALS, network.judge_no_token),
    "dns": Cause("the host name of the API can't be looked up", _UNREACHABLE, network.judge_dns),
    "tls": Cause(
        "no trusted TLS connection to the API is possible", _UNREACHABLE, network.judge_tls
    ),
    "redirect_dropped_token": Cause(
        "a redirect dropped the token",
        _UNREACHABLE,
        network.judge_redirect_dropped_token,
        frozenset({"wrong_scheme", "intermediary"}) | _DOUBTS,
    ),
    "intermediary": Cause(
        "a proxy, gateway or login page answered instead of the API",
        _UNREACHABLE,
        network.judge_intermediary,
        frozenset({"api_down", "redirect_dropped_token"}) | _DENIALS | _DOUBTS,
    ),
    "rate_limited": Cause(
        "the API limits how often it may be called",
        _REFUSED,
        permission.judge_rate_limited,
        frozenset({"api_down"}) | _DENIALS,
    ),
    "too_large": Cause(
        "the token is too large for the server's limit on headers",
        _TOKEN,
        sending.judge_too_large,
        frozenset({"api_down", "intermediary", "mangled"}),
    ),
    "mangled": Cause(
        "the token was changed on its way",
        _TOKEN,
        form.judge_mangled,
        frozenset({"key_rotated", "opaque_at_jwt_api", "api_down", "jwks_unreachable"}) | _DOUBTS,
    ),
    "wrong_token_kind": Cause(
        "it isn't an access token",
        _TOKEN,
        form.judge_wrong_token_kind,
        frozenset({"opaque_at_jwt_api", "missing_scope", "key_rotated"}) | _DOUBTS,
    ),
    "opaque_at_jwt_api": Cause(
        "the API takes JWTs, and the token is opaque",
        _TOKEN,
        form.judge_opaque_at_jwt_api,
    ),
    "local_clock": Cause(
        "this computer's clock is off",
        _OK,
        times.judge_local_clock,
        frozenset({"bound_token_sent_bare"}),
    ),
    "expired": Cause(
        "the token has expired",
        _TOKEN,
        times.judge_expired,
        frozenset({"key_rotated", "not_yet_valid"}) | _DENIALS | _DOUBTS,
    ),
    "not_yet_valid": Cause(
        "the token isn't valid yet", _TOKEN, times.judge_not_yet_valid, _DENIALS | {"revoked"}
    ),
    "bound_token_sent_bare": Cause(
        "the token is bound to a key, and the call doesn't prove its possession",
        _TOKEN,
        sending.judge_bound_token_sent_bare,
        frozenset({"wrong_scheme", "opaque_at_jwt_api"}) | _DENIALS | _DOUBTS,
    ),
    "step_up_needed": Cause(
        "the API requires a stronger or more recent sign-in",
        _TOKEN,
        permission.judge_step_up_needed,
        frozenset({"revoked"}) | _DENIALS,
    ),
    "wrong_audience": Cause(
        "the token is for another API",
        _TOKEN,
        recipient.judge_wrong_audience,
        frozenset({"revoked"}),
    ),
    "wrong_scheme": Cause(
        "the API looks for the token elsewhere",
        _TOKEN,
        sending.judge_wrong_scheme,
        frozenset({"key_rotated", "jwks_unreachable"}) | _DENIALS | _DOUBTS,
    ),
    "revoked": Cause(
        "the token was revoked, or its session has ended", _TOKEN, issuer.judge_revoked
    ),
    "wrong_issuer": Cause(
        "the API trusts another issuer",
        _TOKEN,
        recipient.judge_wrong_issuer,
        frozenset({"key_rotated", "revoked", "wrong_audience"}),
    ),
    "key_rotated": Cause("the key that signed the token is gone", _TOKEN, issuer.judge_key_rotated),
    "jwks_unreachable": Cause(
        "the issuer's keys can't be fetched",
        _UNREACHABLE,
        issuer.judge_jwks_unreachable,
        frozenset({"api_down"}),
    ),
    "other_account": Cause(
        "the token is of another profile, tenant or user", _TOKEN, recipient.judge_other_account
    ),
    "missing_scope": Cause(
        "the token lacks a scope",
        _TOKEN,
        permission.judge_missing_scope,
        frozenset({"not_permitted"}),
    ),
    "not_permitted": Cause("the account may not do this", _REFUSED, permission.judge_not_permitted),
    "api_down": Cause("the API is down", _UNREACHABLE, network.judge_api_down),
    "nothing_wrong": Cause("nothing is wrong with the token", _OK, network.judge_nothing_wrong),
}
"""Id -> cause, in the order in which equally sure ones are named."""

AMBIGUOUS_PAIRS = (
    ("missing_scope", "not_permitted"),
    ("expired", "local_clock"),
    ("wrong_issuer", "other_account"),
    ("key_rotated", "jwks_unreachable"),
    ("intermediary", "wrong_scheme"),
)
"""Causes that can't always be told apart from outside, so that at most one of each pair is certain."""


def rank_causes(evidence: Evidence) -> tuple[Finding, ...]:
    """Return the causes that the evidence speaks for, the surest first; never none.

    If the call succeeded, that is `nothing_wrong`, and `local_clock` if the clock is off; or `mangled`
    if it succeeded only with the token as it was issued.
    """
    if evidence.call is not None and evidence.call.withheld and evidence.call.status is None:
        redirect = network.judge_redirect_dropped_token(evidence)
        return (redirect,) if redirect else rank_causes(replace(evidence, call=None))
    found: dict[str, Finding] = {}
    for name, cause in CAUSES.items():
        finding = cause.judge(evidence)
        if finding is not None:
            found[name] = finding
    if reply.is_success(evidence.call):
        found = _keep(found, {"nothing_wrong", "intermediary", "mangled"} | _WARNINGS)
    found = _drop_explained(found)
    for one, other in AMBIGUOUS_PAIRS:
        if (
            one in found
            and other in found
            and found[one].confidence == found[other].confidence == "certain"
        ):
            found[other] = replace(found[other], confidence="likely")
    found = _drop_doubts(found)
    if not found:
        found = {"other": _admit_ignorance(evidence)}
    return tuple(sorted(found.values(), key=lambda finding: CONFIDENCES.index(finding.confidence)))


def _admit_ignorance(evidence: Evidence) -> Finding:
    """Return what remains if no cause fits."""
    call = evidence.call
    answer = reply.describe_answer(call) if call else None
    if reply.is_refused(call):
        return find(
            "not_permitted",
            "possible",
            (answer, "nothing that was checked speaks against the token"),
            question="Is this client or account admitted to the API at all? Its administrator can tell",
        )
    return find(
        "nothing_wrong", "possible", (answer, "nothing that was checked speaks against the token")
    )


def _keep(found: Mapping[str, Finding], names: set[str] | frozenset[str]) -> dict[str, Finding]:
    return {name: finding for name, finding in found.items() if name in names}


def _drop_explained(found: Mapping[str, Finding]) -> dict[str, Finding]:
    """Leave out the causes whose signs another one brings about that is no less sure."""

    def is_explained(name: str) -> bool:
        rank = CONFIDENCES.index(found[name].confidence)
        return any(
            name in CAUSES[other].explains
            and CONFIDENCES.index(finding.confidence) <= rank
            and finding.confidence != "possible"
            for other, finding in found.items()
            if other != name
        )

    return {name: finding for name, finding in found.items() if not is_explained(name)}


def _drop_doubts(found: Mapping[str, Finding]) -> dict[str, Finding]:
    """Leave out what is only possible if a cause is certain, and `nothing_wrong` if one is likely."""
    others = {
        finding.confidence
        for name, finding in found.items()
        if name != "nothing_wrong" and name not in _WARNINGS
    }
    clock = found.get("local_clock")
    result = dict(found)
    if others & {"certain", "likely"} or (clock is not None and clock.confidence == "certain"):
        result.pop("nothing_wrong", None)
    if "certain" in others:
        result = {
            name: each
            for name, each in result.items()
            if each.confidence == "certain"
            or (each.confidence == "likely" and name != "other_account")
        }
    return result


def exit_code(findings: Sequence[Finding]) -> int:
    """Return the exit code of the first cause that isn't just a clock that is off; 0 if none is."""
    return next(
        (CAUSES[finding.id].exit_code for finding in findings if finding.id not in _WARNINGS), _OK
    )
