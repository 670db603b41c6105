"""Checks of one profile's token endpoint: the way to it, its certificate, its clock and its issuer."""

from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from secrets import token_urlsafe
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tokencli.core.revocation import send_revocation
from tokencli.core.secret_resolver import SecretResolver
from tokencli.core.token_checks import introspect_token
from tokencli.diagnosis.checks import (
    REPORT_TIME_S,
    Outcome,
    Subject,
    failed,
    failed_by,
    passed,
    skipped,
    warned,
)
from tokencli.errors import (
    CredentialsError,
    LoginRequiredError,
    RefusedError,
    TokencliError,
)
from tokencli.humanize import compare_clock, humanize_duration
from tokencli.machine import ConnectionReport
from tokencli.models import CLOCK_TOLERANCE_S, NOTABLE_SKEW_S, Profile, Secret
from tokencli.oauth.client_authentication import METHOD_SECRETS
from tokencli.oauth.discovery import (
    MetadataNotFoundError,
    fetch_metadata,
)
from tokencli.oauth.refusals import get_endpoint_host
from tokencli.providers.endpoint_urls import get_url_origin

if TYPE_CHECKING:
    from collections.abc import Callable

EXPIRY_WARNING_DAYS = 30
"""A certificate that expires within so many days is worth a warning."""
DAY_S = 86_400.0


def _failure_at(subject: Subject, *stages: str) -> Outcome | None:
    """Return the failure if it happened at one of the stages."""
    report = subject.connection_report
    if report.error is None or report.failed_stage not in stages:
        return None
    assert subject.name is not None and subject.valid_profile is not None
    failure = failed_by(report.error).for_profile(subject.name)
    was_cut_short = subject.valid_profile.connection.timeout > subject.time_limit - REPORT_TIME_S
    if was_cut_short and failure.fix and " --set timeout=" in failure.fix:
        return replace(failure, fix=subject.longer_run_command)
    return failure


def check_proxy(subject: Subject) -> Outcome:
    """Say which proxy is used, and why."""
    report = subject.connection_report
    if failure := _failure_at(subject, "url", "proxy"):
        return failure
    if report.proxy is None:
        return passed(f"none: {report.proxy_reason}")
    return passed(f"{report.proxy} ({report.proxy_reason})")


def check_dns(subject: Subject) -> Outcome:
    """Say which addresses the server has."""
    report = subject.connection_report
    if failure := _failure_at(subject, "dns"):
        return failure
    if report.proxy is not None:
        return skipped("the proxy looks up the name")
    addresses = ", ".join(report.addresses[:4])
    host = urlsplit(f"//{report.authority}").hostname or ""
    if _is_address(host):
        return skipped(f"the host is the address {host}")
    took = "" if report.dns_s is None else f" after {report.dns_s * 1000:.0f} ms"
    return passed(f"found {addresses}{took}" if addresses else "found")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def check_connect(subject: Subject) -> Outcome:
    """Say whether the server accepts connections."""
    report = subject.connection_report
    if failure := _failure_at(subject, "connect"):
        return failure
    return passed(report.authority)


def check_tls(subject: Subject) -> Outcome:
    """Judge the server's certificate."""
    report, now = subject.connection_report, subject.ctx.clock.now()
    if not report.is_tls:
        return skipped("the endpoint is http on this computer")
    if failure := _failure_at(subject, "tls"):
        return replace(failure, detail=f"{failure.detail}{_describe_past_expiry(report, now)}")
    profile = subject.profile
    if profile.connection.insecure:
        return warned(
            "not verified, because the profile sets insecure = true: anyone on the network path can"
            " read the requests and their secrets",
            fix=profile.connection.edit_command("insecure=false"),
        )
    parts = [f"checked against {report.trust}"]
    if report.tls_version:
        parts.insert(0, report.tls_version)
    if not report.certificates:
        return passed("; ".join(parts))
    first = min(report.certificates, key=lambda each: each.not_after)
    own = report.certificates[0]
    days = (first.not_after - now) / DAY_S
    what = "expires" if first == own else f"the CA certificate {first.subject} expires"
    parts.insert(1, f"issued by {own.issuer}")
    parts.insert(2, f"{what} in {days:.0f} days")
    if days < EXPIRY_WARNING_DAYS:
        return warned(
            "; ".join(parts), cause="the server's administrators must renew it before then"
        )
    return passed("; ".join(parts))


def _describe_past_expiry(report: ConnectionReport, now: float) -> str:
    expired = [each for each in report.certificates if each.not_after < now]
    if not expired:
        return ""
    own = report.certificates[0]
    which = "" if expired[0] == own else f" of the CA {expired[0].subject}"
    return f" ({humanize_duration(now - expired[0].not_after)} ago{which})"


def check_http(subject: Subject) -> Outcome:
    """Say whether the server replied at all."""
    report = subject.connection_report
    if failure := _failure_at(subject, "reply"):
        return failure
    if report.connect_s is None:
        return passed(f"HTTP {report.status}")
    return passed(
        f"HTTP {report.status} without credentials; connected in {report.connect_s * 1000:.0f} ms"
    )


def check_clock(subject: Subject) -> Outcome:
    """Compare this computer's clock with the server's."""
    report = subject.connection_report
    skew = report.skew
    if skew is None:
        return skipped("the server's reply has no Date header")
    if abs(skew) <= NOTABLE_SKEW_S:
        return passed(f"agrees with {report.authority}'s")
    detail = compare_clock(skew, f"{report.authority}'s")
    surroundings = subject.ctx.describe_surroundings()
    fix = surroundings.clock_command
    if surroundings.is_clock_synchronized:
        cause, fix = "this computer's clock is synchronized, so the server's is wrong", None
    elif surroundings.is_clock_synchronized is None:
        cause = "one of the two clocks is wrong"
    else:
        cause = "this computer's clock is not synchronized"
        if fix is None:
            cause += "; in a container, it is the clock of the host that has to be corrected"
    if abs(skew) <= CLOCK_TOLERANCE_S:
        return warned(detail, cause=cause, fix=fix)
    return failed(detail, cause=cause, fix=fix)


def check_discovery(subject: Subject) -> Outcome:
    """Fetch the issuer's metadata, once for all profiles, and compare them with what was cached."""
    profile = subject.profile
    if profile.issuer is None:
        return skipped("the profile has no issuer")
    endpoints = tuple(profile.endpoints.items())
    key = ("discovery", profile.issuer, profile.token_url, endpoints, subject.connection_key)
    outcome = subject.shared.find_once(key, partial(_examine_issuer, subject))
    return outcome.for_profile(profile.name)


def _examine_issuer(subject: Subject) -> Outcome:
    """Fetch and judge the metadata for any profile that names the same endpoints."""
    profile, ctx = subject.anonymous_profile, subject.ctx
    try:
        metadata = fetch_metadata(profile, ctx)
    except TokencliError as error:
        is_needed = not get_url_origin(profile.token_url) or profile.token_url == profile.issuer
        if isinstance(error, MetadataNotFoundError) and not is_needed:
            return warned(
                f"{profile.issuer} publishes no metadata",
                cause="the profile and its provider name the endpoints, so it is needed only to"
                " verify tokens",
            )
        return failed_by(error)
    known = {
        get_url_origin(url)
        for url in (metadata.issuer, profile.token_url, *profile.endpoints.values())
    }
    moved = {
        name: get_url_origin(url).removesuffix(":443")
        for name, url in metadata.endpoints.items()
        if profile.token_url != profile.issuer and get_url_origin(url) not in known
    }
    if moved:
        name, origin = next(iter(moved.items()))
        return warned(
            f"the issuer's metadata names a server for {name.replace('_', ' ')} that the profile"
            f" doesn't know: {origin}",
            cause="nothing is sent there until you confirm it",
            fix=f"tokencli login {profile.command_line_name}",
        )
    if metadata.unfit:
        return warned(
            f"metadata fetched, but {next(iter(metadata.unfit.values()))}",
            cause="the server's administrators have to correct it",
        )
    return passed(f"{profile.issuer} names {len(metadata.endpoints)} endpoints")


def check_client_auth(subject: Subject) -> Outcome:
    """Let the client authenticate where nothing is issued and no user's password is sent."""
    profile, ctx = subject.profile, subject.ctx
    if subject.may_request_token:
        return _request_token(subject)
    if profile.provider.request.is_custom:
        return skipped(
            f"not tried: a request of {profile.provider.title} that only authenticates isn't known; to"
            f" try it with a token request: {_request_command(profile)}"
        )
    if profile.client_auth == "none":
        return skipped('the client has no credentials (client_auth = "none")')
    supplied = subject.list_supplied_secrets(*METHOD_SECRETS[profile.client_auth])
    if supplied:
        return skipped(
            f"not tried, because the {' and '.join(supplied)} is read only when needed; to try it with"
            f" a token request: {_request_command(profile)}"
        )
    # Endpoints at which a client authenticates and nothing is issued, the more harmless first.
    attempts: dict[str, Callable[[Profile, SecretResolver, Secret], object]] = {
        "introspection": lambda found, resolver, token: introspect_token(
            found, ctx, resolver, token
        ),
        # Revoking a made-up token is nothing for the event log.
        "revocation": lambda found, resolver, token: send_revocation(
            found, ctx, resolver, "access_token", token
        ),
    }
    reasons = []
    for name, attempt in attempts.items():
        find = partial(ctx.with_endpoints, profile, name)
        try:  # the first one fetches the metadata, and the others read them from the cache
            subject.shared.find_once((name, profile.issuer, subject.connection_key), find)
            found = find()
        except TokencliError:
            continue
        if name in found.endpoints:
            outcome = _try_endpoint(subject, name, partial(attempt, found))
            if outcome.state != "skipped":
                return outcome
            reasons.append(outcome.detail)
    known = (
        f"neither an {' nor a '.join(attempts)} endpoint of {get_endpoint_host(profile)} is known"
    )
    return skipped(
        f"not tried, because {' and '.join(reasons) or known}; to try it with a token request:"
        f" {_request_command(profile)}"
    )


def _try_endpoint(
    subject: Subject, name: str, attempt: "Callable[[SecretResolver, Secret], object]"
) -> Outcome:
    """Return what the endpoint's reply to a made-up token says about the client's credentials."""
    profile = subject.profile
    host = get_endpoint_host(profile)
    try:
        attempt(SecretResolver(profile, subject.ctx), Secret(f"doctor-{token_urlsafe(16)}"))
    except RefusedError as error:
        if error.status == 401 or error.error in ("invalid_client", "unauthorized_client"):
            return failed_by(error)
        return skipped(f"{host} answered HTTP {error.status} at its {name} endpoint")
    except CredentialsError as error:
        return failed_by(error)
    except TokencliError as error:
        return skipped(error.message)
    return passed(
        f"{host} accepted the client ({profile.client_auth}) at its {name} endpoint, with a made-up token"
    )


def _request_command(profile: Profile) -> str:
    return f"tokencli doctor {profile.name} --request-token"


def _request_token(subject: Subject) -> Outcome:
    """Get a new token, which the user allowed."""
    from tokencli.core.profile_test import run_profile_test

    ctx = subject.ctx
    try:
        result = run_profile_test(ctx.with_endpoints(subject.profile), ctx)
    except LoginRequiredError as error:
        return skipped(f"{error.message}; to try it: tokencli profiles test {subject.profile.name}")
    verified = ", ".join(result.verified_secrets) or "no secret needed"
    unverified = ", ".join(result.unverified_secrets)
    return passed(
        f"a token was issued; verified: {verified}"
        + (f"; not tried: {unverified}" if unverified else "")
    )
