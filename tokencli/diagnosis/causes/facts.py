"""What several causes ask of the evidence: the clocks, the token, and the commands that help."""

from collections.abc import Sequence
from dataclasses import dataclass

from tokencli.diagnosis.causes import reply
from tokencli.diagnosis.evidence import CallFacts, Evidence, TokenFacts
from tokencli.errors import ReplyError, TlsError, TokencliError, UnreachableError
from tokencli.humanize import compare_clock, format_rfc3339, humanize_difference, humanize_duration
from tokencli.jwt.decode import finite_number, strings_of_claim
from tokencli.jwt.explain import MILLISECONDS_THRESHOLD
from tokencli.models import CLOCK_TOLERANCE_S
from tokencli.shell_words import quote

UNKNOWN_TOKEN = TokenFacts(kind="jwt", length=0, fingerprint="")
"""Stands for the token of a saved reply if only the reply is known."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of the call by the best clock that is known."""

    epoch: float
    host: str | None
    """Whose clock it is; None for this computer's."""


@dataclass(frozen=True, slots=True)
class Skew:
    """How far this computer's clock is off."""

    seconds: float
    """Seconds that it is ahead."""
    hosts: tuple[str, ...]
    """The servers whose clocks say so."""


def works_with_fresh_token(evidence: Evidence) -> bool:
    """Tell whether a fresh token opens what the old one doesn't."""
    return reply.is_success(evidence.fresh_call) and not reply.is_success(evidence.call)


def fails_with_fresh_token(evidence: Evidence) -> bool:
    """Tell whether a fresh token is refused in the same way."""
    old, fresh = evidence.call, evidence.fresh_call
    return (
        old is not None
        and fresh is not None
        and reply.is_refused(fresh)
        and reply.describe_answer(fresh) == reply.describe_answer(old)
    )


def is_alive(evidence: Evidence) -> bool:
    """Tell whether the issuer, or a fresh token that is refused too, shows that the token isn't dead."""
    issuer = evidence.issuer
    return (
        (issuer.introspection or {}).get("active") is True
        or issuer.userinfo is not None
        or fails_with_fresh_token(evidence)
    )


def describe_same_answer(evidence: Evidence) -> str | None:
    """Say so if the API answers as if no token was sent: without an error code (RFC 6750 section 3.1)."""
    call, bare = evidence.call, evidence.bare_call
    if call is None or bare is None or reply.challenge_param(call, "error"):
        return None
    if reply.describe_answer(call) != reply.describe_answer(bare):
        return None
    return "the answer is the same as without a token, so the API may not see the token"


def is_challenged_as_without_token(evidence: Evidence) -> bool:
    """Tell whether the API asks for the bearer token that was sent, in the words of the call without it.

    A challenge has no error code if the request had no token (RFC 6750 section 3.1).
    """
    call = evidence.call
    return (
        call is not None
        and call.status == 401
        and call.carrier == "Authorization: Bearer"
        and "bearer" in reply.challenge_schemes(call)
        and reply.is_unspecific(call)
        and describe_same_answer(evidence) is not None
    )


def says_it_sees_none(evidence: Evidence) -> bool:
    """Tell whether the API says that it sees no credentials, although they were sent in Authorization."""
    call = evidence.call
    return (
        call is not None
        and (call.carrier or "").startswith("Authorization")
        and "intermediary" in (statements := reply.read_statements(call))
        and "wrong_scheme" in statements
    )


# Clocks.


def _server_time(call: CallFacts) -> float | None:
    """Return the time of a reply by the server's clock; a cached reply is as old as its Age says."""
    if call.server_time is None:
        return None
    age = call.headers.get("age", "")
    return call.server_time + (int(age) if age.isascii() and age.isdigit() and len(age) < 9 else 0)


def judge_moment(evidence: Evidence) -> Moment:
    """Return when the call was made, by the API's clock, else the issuer's, else this computer's."""
    for call in (evidence.call, evidence.fresh_call, evidence.bare_call):
        if call is not None and (time := _server_time(call)) is not None:
            return Moment(time, reply.name_host(call))
    call = evidence.call
    if call is not None and call.is_saved and call.received_at is not None:
        return Moment(call.received_at, None)
    issuer = evidence.issuer
    if issuer.server_time is not None and not (call is not None and call.is_saved):
        return Moment(issuer.server_time, issuer_host(evidence))
    return Moment(evidence.now, None)


def issuer_host(evidence: Evidence) -> str:
    """Return the issuer's host."""
    profile = evidence.profile
    return (
        reply.hostname(evidence.issuer.issuer)
        or (profile and reply.hostname(profile.issuer))
        or (profile and profile.token_host)
        or "the issuer"
    )


def measure_skew(evidence: Evidence) -> Skew | None:
    """Return how far this computer's clock is ahead of the servers'; None if none told the time.

    If two servers disagree, the one that agrees with this computer is right: then nothing is off here.
    """
    witnesses = [
        (host, seconds)
        for host, seconds in (
            (_api_host(evidence), _skew_of_api(evidence)),
            (issuer_host(evidence), _skew_of_issuer(evidence)),
        )
        if seconds is not None
    ]
    if not witnesses:
        return None
    closest = min((seconds for _, seconds in witnesses), key=abs)
    return Skew(closest, tuple(dict.fromkeys(host for host, _ in witnesses)))


def measure_api_clock(evidence: Evidence) -> float | None:
    """Return how many seconds the API's clock is ahead of this computer's and the issuer's, which agree.

    None if they don't agree, or if the API's clock is as right as theirs.
    """
    api, issuer = _skew_of_api(evidence), _skew_of_issuer(evidence)
    if api is None or issuer is None or abs(issuer) >= CLOCK_TOLERANCE_S:
        return None
    return -api if abs(api) >= CLOCK_TOLERANCE_S else None


def describe_api_clock(evidence: Evidence) -> str | None:
    """Return `the clock of api.example.com is 2 hours ahead of this computer and of the issuer`."""
    ahead = measure_api_clock(evidence)
    if ahead is None:
        return None
    relation = "ahead of" if ahead > 0 else "behind"
    return (
        f"the clock of {_api_host(evidence)} is {say_span(ahead)} {relation} this computer and"
        f" {issuer_host(evidence)}, the issuer, whose clocks agree: the API's administrators must set it"
    )


def _api_host(evidence: Evidence) -> str:
    call = evidence.call or evidence.bare_call
    return reply.name_host(call) if call else "the API"


def _skew_of_api(evidence: Evidence) -> float | None:
    """Return how many seconds this computer's clock is ahead of the API's."""
    for call in (evidence.call, evidence.bare_call, evidence.fresh_call):
        if call is None or call.is_saved or call.received_at is None:
            continue
        if (time := _server_time(call)) is not None:
            return call.received_at - time
    return None


def _skew_of_issuer(evidence: Evidence) -> float | None:
    issuer = evidence.issuer
    if issuer.server_time is None or issuer.received_at is None:
        return None
    return issuer.received_at - issuer.server_time


def is_clock_off(evidence: Evidence) -> bool:
    """Tell whether this computer's clock differs notably from every server's."""
    skew = measure_skew(evidence)
    return skew is not None and abs(skew.seconds) >= CLOCK_TOLERANCE_S


def describe_skew(evidence: Evidence) -> str | None:
    """Return `this computer's clock is 3 hours ahead of the clock of api.example.com (…)`."""
    skew = measure_skew(evidence)
    if skew is None or abs(skew.seconds) < CLOCK_TOLERANCE_S:
        return None
    clocks = f"the clock{'s' if len(skew.hosts) > 1 else ''} of {' and '.join(skew.hosts)}"
    server = say_time(evidence.now - skew.seconds, evidence.now)
    return (
        f"{compare_clock(skew.seconds, clocks)}"
        f" ({say_time(evidence.now, evidence.now)} here, {server} there)"
    )


def say_time(epoch: float, near: float) -> str:
    """Return `14:02:11 UTC`, with the date unless it is that of `near`."""
    text, other = format_rfc3339(epoch), format_rfc3339(near)
    if text is None:
        return "a time outside the calendar"
    date = "" if other and other[:10] == text[:10] else f"{text[:10]} "
    return f"{date}{text[11:19]} UTC"


def say_clock(moment: Moment) -> str:
    """Return whose clock it is."""
    return f"{moment.host}'s clock" if moment.host else "this computer's clock"


def say_left(seconds: float) -> str:
    """Return how long something still lasts, or has been over, rounded down."""
    return humanize_duration(seconds)


def say_span(seconds: float) -> str:
    """Return the difference between two times, rounded."""
    return humanize_difference(seconds)


def find_expiry(evidence: Evidence) -> float | None:
    """Return when the token expires, by the token, its token response or its introspection."""
    token = evidence.token
    if token is None:
        return None
    stated = finite_number((evidence.issuer.introspection or {}).get("exp"))
    for time in (token.expires_at, token.stated_expiry, stated):
        if time is not None and 0 < time < MILLISECONDS_THRESHOLD:
            return time
    return None


def describe_wait(evidence: Evidence, call: CallFacts) -> str | None:
    """Say when to try again, by Retry-After (RFC 9110 section 10.2.3) or by the rate-limit headers."""
    wait = call.headers.get("retry-after", "").strip()
    if (seconds := read_seconds(wait)) is not None:
        return f"it may be called again in {say_span(seconds)} (Retry-After)"
    if wait:
        return f"it may be called again at {wait[:40]} (Retry-After)"
    for name in ("x-ratelimit-reset", "ratelimit-reset", "x-rate-limit-reset"):
        reset = finite_number(read_seconds(call.headers.get(name)))
        if reset is None:
            continue
        moment = judge_moment(evidence).epoch
        left = reset - moment if reset > 1e9 else reset
        if left > CLOCK_TOLERANCE_S / 60:
            return f"it may be called again in {say_span(left)} ({name})"
    return None


def read_seconds(text: str | None) -> float | None:
    """Return a number of seconds that a header states in digits; None if it is something else."""
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else None


# The token.


def list_names(names: Sequence[str]) -> str:
    """Return the first five names."""
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def token_audience(evidence: Evidence) -> tuple[str, ...]:
    """Return its audience, by the token or by its introspection."""
    token = evidence.token
    if token is not None and token.audience:
        return token.audience
    return strings_of_claim((evidence.issuer.introspection or {}).get("aud"))


def is_from_here(evidence: Evidence) -> bool:
    """Tell whether the token was issued to a profile of this computer, as far as is known."""
    token = evidence.token
    return token is not None and (
        token.stored
        or evidence.events.issued_to is not None
        or bool(evidence.same_token_as)
        or token.part_of_stored is not None
    )


def fits_audience(evidence: Evidence) -> bool:
    """Tell whether the token is for this API, by the API's metadata or by the URL that is called."""
    resource = evidence.resource.resource if evidence.resource else None
    url = evidence.call.url if evidence.call else None
    for audience in token_audience(evidence):
        if resource is not None and reply.same_url(audience, resource):
            return True
        is_url = url is not None and reply.origin(url) == reply.origin(audience) != ("", None, None)
        if (
            is_url
            and url is not None
            and f"{url.rstrip('/')}/".startswith(f"{audience.rstrip('/')}/")
        ):
            return True
    return False


def is_sound(evidence: Evidence) -> bool:
    """Tell whether everything that can be checked speaks for the token, although the API refuses it."""
    token, moment, expiry = evidence.token, judge_moment(evidence), find_expiry(evidence)
    if token is None or not is_alive(evidence) or not fits_audience(evidence):
        return False
    is_timely = (expiry is None or expiry > moment.epoch) and (
        token.not_before is None or token.not_before <= moment.epoch
    )
    is_genuine = token.kind == "opaque" or (token.signature == "valid" and has_own_issuer(evidence))
    return is_timely and is_genuine


def token_scopes(evidence: Evidence) -> tuple[str, ...] | None:
    """Return its scopes, by the token, its token response or its introspection; None if unknown."""
    token = evidence.token
    if token is not None and token.scopes is not None:
        return token.scopes
    scope = (evidence.issuer.introspection or {}).get("scope")
    return tuple(scope.split()) if isinstance(scope, str) else None


def is_outage(error: TokencliError | None) -> bool:
    """Tell whether the issuer or its keys couldn't be reached."""
    if error is None:
        return False
    status = getattr(error, "status", None)
    return isinstance(error, UnreachableError | TlsError | ReplyError) or (
        isinstance(status, int) and (status >= 500 or status == 404)
    )


def has_own_issuer(evidence: Evidence) -> bool:
    """Tell whether the keys that were fetched are those of the token's issuer."""
    token, profile = evidence.token, evidence.profile
    known = [evidence.issuer.issuer, profile.issuer if profile else None]
    if token is None or token.issuer is None or not any(known):
        return True
    return any(each is not None and reply.same_url(token.issuer, each) for each in known)


def is_key_replaced(evidence: Evidence) -> bool:
    """Tell whether the issuer publishes the token's key, but it no longer fits the stored token."""
    token, keys = evidence.token, evidence.issuer.key_ids
    return (
        token is not None
        and token.stored
        and token.signature == "invalid"
        and keys is not None
        and token.header.get("kid") in keys
        and has_own_issuer(evidence)
    )


def same_audience(evidence: Evidence) -> bool:
    """Tell whether the fresh token is for the same audience."""
    fresh, token = evidence.fresh_token, evidence.token
    return fresh is None or token is None or set(fresh.audience) == set(token.audience)


def describe_renewal(evidence: Evidence) -> str | None:
    """Say how the renewal of the token went."""
    if evidence.events.last_failure:
        return f"its renewal failed: {evidence.events.last_failure}"
    if works_with_fresh_token(evidence):
        return "a fresh token is accepted"
    return None


# Commands.


def renew_command(evidence: Evidence) -> str | None:
    """Return the command that gets a new token for the profile."""
    profile, token = evidence.profile, evidence.token
    if profile is None:
        return None
    if token is not None and not token.stored:
        return f"tokencli get {profile.command_line_name}"
    needs_user = not profile.has_refresh_token or evidence.events.last_failure is not None
    if profile.is_interactive and needs_user:
        return f"tokencli login {profile.command_line_name}"
    return f"tokencli refresh {profile.command_line_name}"


def sign_in_command(evidence: Evidence) -> str | None:
    """Return the command that starts a new session at the issuer."""
    profile = evidence.profile
    if profile is None:
        return None
    if profile.is_interactive:
        return f"tokencli login {profile.command_line_name}"
    return f"tokencli refresh {profile.command_line_name}"


def audience_command(evidence: Evidence, audience: str | None) -> str | None:
    """Return the command that lets the profile request an audience."""
    profile = evidence.profile
    if profile is None or audience is None:
        return None
    if any(reply.same_url(audience, each) for each in profile.audiences):
        return renew_command(evidence)
    key = profile.audience_key or ("audience" if profile.provider == "auth0" else "resource")
    return f"tokencli profiles edit {profile.name} --set {quote(f'{key}={audience}')}"
