"""Causes that lie in the token's times, or in the clock that they are compared with."""

from tokencli.diagnosis.causes import facts, reply
from tokencli.diagnosis.causes.facts import Moment
from tokencli.diagnosis.causes.finding import Confidence, Finding, find
from tokencli.diagnosis.causes.reply import read_statements
from tokencli.diagnosis.evidence import Evidence, TokenFacts
from tokencli.humanize import describe_clock_skew
from tokencli.models import CLOCK_TOLERANCE_S

CLOCK_QUESTION = (
    "Is this computer's clock right? Compare `date -u` with another clock, e.g. that of a phone"
)


def judge_expired(evidence: Evidence) -> Finding | None:
    """The token has expired by the server's clock, or the API says so and no clock contradicts."""
    call, expiry = evidence.call, facts.find_expiry(evidence)
    said = read_statements(call).get("expired")
    moment = facts.judge_moment(evidence)
    if expiry is not None and expiry <= moment.epoch:
        if moment.host is None and facts.is_clock_off(evidence):
            return None
        confidence: Confidence = "certain"
        if moment.host is None and said is None:
            confidence = "likely"  # no server told the time
        elif (call is not None and not reply.is_refused(call)) or (
            call is not None and call.status == 403 and said is None
        ):
            confidence = "likely"
        foreign = facts.describe_api_clock(evidence) if expiry > evidence.now else None
        return find(
            "expired",
            confidence,
            (
                _describe_expiry(evidence, expiry, moment),
                foreign,
                reply.describe_answer(call) if call else None,
                facts.describe_renewal(evidence),
            ),
            fix=None if foreign else facts.renew_command(evidence),
            title="the token has expired by the API's clock, which is off" if foreign else None,
        )
    if call is None:
        return None
    answer = reply.describe_answer(call)
    if said is None:
        if evidence.token is not None or not reply.is_unspecific(call):
            return None
        return find("expired", "possible", (answer, "the token of the call isn't known"))
    if expiry is None:
        return find(
            "expired",
            "certain" if said.is_name else "possible",
            (
                answer,
                "neither the token nor its token response says until when it is valid"
                if evidence.token is not None
                else None,
            ),
            fix=facts.renew_command(evidence),
        )
    left = f"{facts.say_left(expiry - moment.epoch)} before {facts.say_time(expiry, moment.epoch)}"
    if moment.host is None:
        return find(
            "expired",
            "likely" if said.is_name else "possible",
            (
                answer,
                f"by this computer's clock it is {left}, when the token expires; no server told the time",
            ),
            fix=facts.renew_command(evidence),
            question=CLOCK_QUESTION,
        )
    if not said.is_name:
        return None
    return find(
        "expired",
        "possible",
        (answer, f"by {facts.say_clock(moment)} it is {left}, when the token expires"),
        fix=facts.renew_command(evidence),
        question="Does the API accept a fresh token for a while, and no longer? Then its limit is shorter than exp",
    )


def _describe_expiry(evidence: Evidence, expiry: float, moment: Moment) -> str:
    """Compare the expiry with the time, and the clock that told it with this computer's."""
    ago, now = facts.say_left(moment.epoch - expiry), facts.say_time(moment.epoch, expiry)
    end = f"at {facts.say_time(expiry, moment.epoch)}"
    if evidence.call is not None and evidence.call.is_saved:
        return (
            f"the token expired {ago} before the reply ({now} by {facts.say_clock(moment)}), {end}"
        )
    text = f"the token expired {ago} ago, {end}, by {facts.say_clock(moment)} ({now})"
    skew = facts.measure_skew(evidence)
    if moment.host is None or skew is None or facts.measure_api_clock(evidence) is not None:
        return text
    if abs(skew.seconds) < CLOCK_TOLERANCE_S:
        return f"{text}; this computer's clock agrees"
    return f"{text}; this computer's clock is {describe_clock_skew(skew.seconds)}"


def judge_local_clock(evidence: Evidence) -> Finding | None:
    """This computer's clock is off, and that matters: to the token's times or to a DPoP proof."""
    token, call = evidence.token, evidence.call
    said = read_statements(call)
    expiry = facts.find_expiry(evidence)
    if not facts.is_clock_off(evidence):
        moment = facts.judge_moment(evidence)
        timely = "expired" in said or "not_yet_valid" in said
        if call is None or moment.host is not None or not timely or token is None:
            return None
        start = _start_of_validity(token)
        fits = (expiry is not None and expiry > moment.epoch and "expired" in said) or (
            start is not None and start <= moment.epoch and "not_yet_valid" in said
        )
        if not fits or facts.measure_skew(evidence) is not None:
            return None
        return find(
            "local_clock",
            "likely",
            (
                reply.describe_answer(call),
                "by this computer's clock the token is valid, and no server told the time, so the clock"
                " wasn't checked",
            ),
            question=CLOCK_QUESTION,
        )
    skew = facts.measure_skew(evidence)
    assert skew is not None, "the clock is off"
    server_now = evidence.now - skew.seconds
    described = facts.describe_skew(evidence)
    effects: list[str] = []
    if expiry is not None and expiry <= evidence.now and expiry > server_now:
        effects.append(
            f"the token is valid for another {facts.say_left(expiry - server_now)}, until"
            f" {facts.say_time(expiry, evidence.now)}; only by this computer's clock it has expired"
        )
    start = _start_of_validity(token) if token else None
    if start is not None and start > evidence.now + CLOCK_TOLERANCE_S and start <= server_now + 60:
        effects.append(
            f"the token has been valid since {facts.say_time(start, evidence.now)}; only by this computer's"
            " clock it isn't valid yet"
        )
    refused = reply.is_refused(call)
    if call is not None and call.proof == "dpop" and refused and "bound_token_sent_bare" in said:
        return find(
            "local_clock",
            "certain",
            (
                described,
                "the DPoP proof has this time, so the API rejects it",
                reply.describe_answer(call),
            ),
        )
    if effects and not refused:
        return find("local_clock", "certain", (described, *effects))
    if effects:
        return find("local_clock", "likely", (described, *effects))
    if expiry is not None and expiry <= server_now and expiry > evidence.now:
        return find(
            "local_clock",
            "likely",
            (
                described,
                "so this computer still takes the token for valid, although it has expired",
            ),
        )
    if refused or (call is not None and not reply.is_success(call)):
        return None
    return find("local_clock", "likely", (described, "the token's times aren't affected yet"))


def _start_of_validity(token: TokenFacts) -> float | None:
    """Return nbf, or else the time of issue."""
    return token.not_before if token.not_before is not None else token.issued_at


def judge_not_yet_valid(evidence: Evidence) -> Finding | None:
    """The token isn't valid yet by the server's clock."""
    token, call = evidence.token, evidence.call
    said = read_statements(call).get("not_yet_valid")
    moment = facts.judge_moment(evidence)
    start = _start_of_validity(token) if token else None
    answer = reply.describe_answer(call) if call else None
    if start is not None and start > moment.epoch:
        if moment.host is None and facts.is_clock_off(evidence):
            return None
        wait = start - moment.epoch
        is_nbf = token is not None and token.not_before is not None
        if wait < CLOCK_TOLERANCE_S and said is None and not reply.is_unspecific(call):
            return None
        confidence: Confidence = "certain"
        if (
            (moment.host is None and said is None)
            or not (said or is_nbf)
            or (call is not None and not reply.is_refused(call))
        ):
            confidence = "likely"
        name = "nbf" if is_nbf else "iat"
        foreign = facts.describe_api_clock(evidence) if start <= evidence.now else None
        return find(
            "not_yet_valid",
            confidence,
            (
                f"the token is valid from {facts.say_time(start, moment.epoch)} on ({name}), and by"
                f" {facts.say_clock(moment)} it is {facts.say_time(moment.epoch, moment.epoch)}:"
                f" {facts.say_span(wait)} too early",
                foreign,
                answer,
                None if foreign else _describe_issuer_clock(evidence),
            ),
            title="the token isn't valid yet by the API's clock, which is off" if foreign else None,
        )
    if said is None or not said.is_name:
        return None
    if start is not None and moment.host is not None:
        return None  # by the API's own clock it is valid
    return find(
        "not_yet_valid",
        "likely",
        (answer,),
        question=CLOCK_QUESTION
        if moment.host is None
        else "Do the clocks of issuer and API agree?",
    )


def _describe_issuer_clock(evidence: Evidence) -> str | None:
    token, events = evidence.token, evidence.events
    if token is None or token.issued_at is None or events.obtained_at is None:
        return None
    ahead = token.issued_at - events.obtained_at
    if ahead < CLOCK_TOLERANCE_S or facts.is_clock_off(evidence):
        return None
    return f"the issuer's clock was {facts.say_span(ahead)} ahead when it issued the token"
