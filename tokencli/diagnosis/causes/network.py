"""Causes that lie between this computer and the API, and the two that need no call."""

import re
from dataclasses import replace

from tokencli.diagnosis.causes import facts, reply
from tokencli.diagnosis.causes.finding import Finding, find
from tokencli.diagnosis.causes.reply import read_statements
from tokencli.diagnosis.evidence import CallFacts, Evidence
from tokencli.errors import TokencliError
from tokencli.shell_words import quote

_GATEWAY_STATUSES = {
    502: "a gateway answers, but the API behind it doesn't",
    503: "the service is overloaded or in maintenance",
    504: "a gateway answers, but the API behind it doesn't in time",
    521: "Cloudflare answers, but the API behind it refuses connections",
    522: "Cloudflare answers, but can't connect to the API behind it",
    523: "Cloudflare answers, but can't reach the API behind it",
    524: "Cloudflare answers, but the API behind it doesn't in time",
    525: "Cloudflare answers, but its TLS handshake with the API behind it fails",
}
_GATEWAYS = re.compile(
    r"(?i)nginx|openresty|apache|iis|cloudflare|cloudfront|envoy|istio|squid|awselb|haproxy|varnish|akamai"
    r"|traefik|caddy|kong|big-?ip|imperva|incapsula|zscaler|fortigate|google frontend|gws|fastly|azure"
)
"""Servers that also stand before APIs, by their header Server; others are applications."""
_PROBES = {
    "jwks": "the signature, by the issuer's keys",
    "signature": "the signature",
    "introspection": "whether it is active, by introspection",
    "userinfo": "the issuer's UserInfo endpoint",
    "call": "a call to the API",
    "fresh_token": "a fresh token",
}


def judge_no_token(evidence: Evidence) -> Finding | None:
    """There is no token to call with."""
    call = evidence.call
    if evidence.token is not None or (
        call is not None and call.is_saved and evidence.token_error is None
    ):
        return None
    error = evidence.token_error
    profile = evidence.profile
    if error is None:
        name = f"profile {profile.name} has no stored token" if profile else "no token was given"
        fix = facts.sign_in_command(evidence) if profile and profile.is_interactive else None
        if fix is None and profile is not None:
            fix = f"tokencli get {profile.command_line_name}"
        return find("no_token", "certain", (name,), fix=fix)
    return find("no_token", "certain", (error.message, error.cause), fix=error.fix)


def judge_dns(evidence: Evidence) -> Finding | None:
    """The API's host name can't be looked up."""
    return _judge_failure(evidence, "dns")


def judge_tls(evidence: Evidence) -> Finding | None:
    """No trusted TLS connection to the API is possible."""
    return _judge_failure(evidence, "tls")


def _judge_failure(evidence: Evidence, kind: str) -> Finding | None:
    call = evidence.call or evidence.bare_call
    if call is None or call.failure != kind:
        return None
    error = call.failure_error
    host = reply.name_host(call)
    text = error.message if error else f"{kind.upper()} failed for {host}"
    return find(
        kind,
        "certain",
        (text, error.cause if error else None, _describe_proxy(call)),
        fix=_connection_setting(error),
    )


def _connection_setting(error: TokencliError | None) -> str | None:
    """Return the error's fix if it sets a key of the profile, which is used for the API as well.

    Other fixes are about the profile's own servers, and the API's URL isn't part of the profile.
    """
    if error is None or not error.fix or " --set " not in error.fix:
        return None
    names_intermediate = "ca_file of the profile" in (error.cause or "") and (
        "didn't send the certificate of its issuer" in (error.cause or "")
    )
    return None if names_intermediate else error.fix


def _describe_proxy(call: CallFacts) -> str | None:
    return f"the call goes through the proxy {call.proxy}" if call.proxy else None


def judge_api_down(evidence: Evidence) -> Finding | None:
    """The API doesn't answer, or answers with its own failure."""
    call, bare = evidence.call or evidence.bare_call, evidence.bare_call
    if call is None:
        return None
    if call.failure in ("connect", "timeout", "broken_off", "other"):
        if _is_proxy_failure(call):
            return None
        error = call.failure_error
        same = bare is not None and bare is not call and bare.failure == call.failure
        # A connection that is closed before the request may be about TLS, or a port of something else.
        was_asked = same and getattr(error, "request_sent", False)
        return find(
            "api_down",
            "certain" if call.failure in ("connect", "timeout") or was_asked else "likely",
            (
                error.message if error else f"{reply.name_host(call)} can't be reached",
                error.cause if error else None,
                "without the token the result is the same" if same else None,
                _describe_proxy(call),
            ),
            fix=_connection_setting(error),
        )
    if call.status is None or call.status < 500 or call.status == 511:
        return None
    statements = read_statements(call)
    if any(
        statement.is_name and cause != "rate_limited" for cause, statement in statements.items()
    ):
        return None
    same = bare is not None and bare.status is not None and bare.status >= 500
    keys_down = facts.is_outage(evidence.issuer.jwks_error or evidence.issuer.metadata_error)
    without = (
        f"without the token it answers {bare.status}"
        if bare is not None and bare.status is not None and bare is not call
        else None
    )
    return find(
        "api_down",
        "certain" if same or (bare is None and call.status != 500 and not keys_down) else "likely",
        (
            reply.describe_answer(call),
            _GATEWAY_STATUSES.get(call.status, "the failure is in the API"),
            facts.describe_wait(evidence, call),
            without,
        ),
        question=None if same else "Do other clients get an answer?",
    )


def judge_intermediary(evidence: Evidence) -> Finding | None:
    """A proxy, gateway, firewall or login page answered instead of the API."""
    call = evidence.call or evidence.bare_call
    if call is None:
        return None
    host = reply.name_host(call)
    answer = reply.describe_answer(call)
    server = _describe_server(call)
    if call.status == 407:
        proxy = f"the proxy {call.proxy}" if call.proxy else "a proxy"
        return find(
            "intermediary",
            "certain",
            (f"{proxy} requires authentication and didn't forward the call", answer, server),
        )
    if call.status == 511:
        return find(
            "intermediary",
            "certain",
            ("this network requires a sign-in first, in a browser (captive portal)", answer),
        )
    if _is_proxy_failure(call):
        error = call.failure_error
        return find(
            "intermediary",
            "certain",
            (error.message if error else None, error.cause if error else None),
            fix=error.fix if error else None,
        )
    if call.status is None:
        return None
    title = f' ("{call.page_title[:80]}")' if call.page_title else ""
    if call.is_sign_in_page:
        return find(
            "intermediary",
            "certain",
            (
                f"instead of the API, a sign-in page answers for {host}{title}, with status {call.status}",
                server,
            ),
        )
    redirect = reply.redirect_target(call)
    if redirect is not None and reply.is_sign_in_url(redirect):
        target = reply.origin(redirect)[1]
        return find(
            "intermediary",
            "certain" if target != host else "likely",
            (
                f"instead of an answer, {host} redirects with {call.status} to a sign-in at {target}",
                server,
            ),
        )
    if (mitigation := call.headers.get("cf-mitigated")) is not None:
        return find(
            "intermediary",
            "certain",
            (
                f"the reply has Cf-Mitigated: {mitigation[:40]}, so Cloudflare answered instead of the"
                " API, to keep out programs",
                answer,
                server,
            ),
        )
    said = read_statements(call).get("intermediary")
    if said is not None and said.is_name:
        return find("intermediary", "certain", (answer, server))
    if evidence.call is not None and (stripped := _describe_stripping(evidence)) is not None:
        is_named = facts.says_it_sees_none(evidence)
        unseen = facts.describe_same_answer(evidence)
        return find(
            "intermediary",
            "likely" if is_named and "authorization" in (answer or "").lower() else "possible",
            (stripped, answer, unseen if is_named else None, server),
            question=f"Does the header Authorization reach {host}? A proxy before the API may remove"
            " it; the API's own log can tell",
            title="a proxy or gateway removes the token on its way to the API",
        )
    if call.body_kind != "html":
        return None
    same = evidence.bare_call is not None and evidence.bare_call.status == call.status
    if call.status in (401, 403):
        challenged = bool(set(reply.challenge_schemes(call)) & {"bearer", "dpop"})
        if challenged:
            return None
        return find(
            "intermediary",
            "likely" if same else "possible",
            (
                f"{host} answers {call.status} with an HTML page{title}, as proxies and gateways do",
                server,
                "without the token the answer is the same" if same else None,
            ),
            question="Did the call reach the API? Look for it in the API's log",
        )
    if call.status == 200 and same:
        return find(
            "intermediary",
            "likely",
            (f"{host} answers with an HTML page{title}, with and without the token", server),
        )
    return None


def _describe_stripping(evidence: Evidence) -> str | None:
    """Say by what the API shows that it sees no token, although it was sent in Authorization."""
    call = evidence.call
    if call is None or not reply.is_refused(call) or facts.works_with_fresh_token(evidence):
        return None
    if facts.says_it_sees_none(evidence):
        return "the token was sent in the header Authorization, and the API says that it sees none"
    if facts.is_challenged_as_without_token(evidence):
        return facts.describe_same_answer(evidence)
    return None


def _is_proxy_failure(call: CallFacts) -> bool:
    error = call.failure_error
    return (
        call.failure is not None
        and call.proxy is not None
        and error is not None
        and ("proxy" in error.message.lower())
    )


def _describe_server(call: CallFacts) -> str | None:
    names = [
        f"{name.title()}: {value[:60]}"
        for name in ("server", "via")
        if (value := call.headers.get(name)) and (name == "via" or _GATEWAYS.search(value))
    ]
    return f"the reply has {' and '.join(names)}" if names else None


def judge_redirect_dropped_token(evidence: Evidence) -> Finding | None:
    """The call was redirected to another origin, where clients don't send the token."""
    call, bare = evidence.call, evidence.bare_call
    if call is not None and call.redirected_from:
        start, end = call.redirected_from[0], call.url
        if reply.origin(start) == reply.origin(end) or not reply.is_refused(call):
            return None
        return find(
            "redirect_dropped_token",
            "certain",
            (_describe_redirect(start, end), _DROPPED, reply.describe_answer(call)),
            fix=_why_command(evidence, end),
        )
    redirecting = next(
        (
            each
            for each in (call, bare if call is None or call.withheld else None)
            if each is not None and reply.redirect_target(each) is not None
        ),
        None,
    )
    if redirecting is None:
        if call is not None and call.failure == "redirect":
            error = call.failure_error
            return find(
                "redirect_dropped_token",
                "likely",
                (
                    error.message if error else f"{reply.name_host(call)} redirects the call",
                    _DROPPED,
                ),
            )
        return None
    target = reply.redirect_target(redirecting)
    assert target is not None, "it was found"
    if reply.is_sign_in_url(target):
        return None
    same_origin = reply.origin(target) == reply.origin(redirecting.url)
    return find(
        "redirect_dropped_token",
        "likely" if same_origin else "certain",
        (
            f"{_describe_redirect(redirecting.url, target)} (status {redirecting.status})",
            "tokencli sends the token only to the URL that was named, never along a redirect"
            if same_origin
            else _DROPPED,
            f"the token was not sent: {redirecting.withheld}" if redirecting.withheld else None,
        ),
        fix=_why_command(evidence, target),
    )


_DROPPED = "clients such as curl don't send the token along to another scheme, host or port"


def _describe_redirect(start: str, end: str) -> str:
    one, other = reply.origin(start), reply.origin(end)
    if one[:2] == ("http", other[1]) and other[0] == "https":
        return f"the call to {start} was redirected from http to https"
    return f"the call to {start} was redirected to {end}"


def _why_command(evidence: Evidence, url: str) -> str | None:
    if evidence.profile is None or not url.startswith("https://"):
        return None
    return f"tokencli why {evidence.profile.command_line_name} {quote(url)}"


def judge_nothing_wrong(evidence: Evidence) -> Finding | None:
    """The call succeeded, or nothing that was checked speaks against the token."""
    call, token = evidence.call, evidence.token
    if call is not None and reply.is_success(call):
        bare = evidence.bare_call
        open_to_all = (
            "the call succeeds without a token as well, so it proves nothing about the token"
            if reply.is_success(bare)
            else None
        )
        title = f' ("{call.page_title[:80]}")' if call.page_title else ""
        page = (
            f"the reply is an HTML page{title}: make sure that it is the API's"
            if call.body_kind == "html"
            else None
        )
        return find(
            "nothing_wrong",
            "likely" if open_to_all or page else "certain",
            (
                reply.describe_answer(replace(call, page_title=None)),
                page,
                open_to_all,
                *_list_checks(evidence),
                _describe_failing_renewal(evidence),
                *_list_open(evidence),
            ),
        )
    if token is None:
        return None
    if call is None:
        checks = _list_checks(evidence) or ["nothing that was checked speaks against the token"]
        return find(
            "nothing_wrong",
            "likely",
            (*checks, _describe_failing_renewal(evidence), *_list_open(evidence)),
        )
    if reply.may_hide(call):
        return None
    if call.status is not None and 400 <= call.status < 500 and not reply.is_refused(call):
        meaning = {
            404: "there is nothing at this URL",
            405: f"the URL doesn't support {call.method}",
            406: "it has no reply of the requested type",
            410: "what was at this URL is gone",
            415: "it doesn't accept this type of body",
        }.get(call.status, "it doesn't accept the request itself")
        return find(
            "nothing_wrong",
            "likely",
            (
                reply.describe_answer(call),
                f"that isn't about the token: {meaning}",
                *_list_checks(evidence),
            ),
        )
    return None


def _list_checks(evidence: Evidence) -> list[str]:
    """Say what was checked and found right."""
    token = evidence.token
    if token is None:
        return []
    checks: list[str] = []
    expiry, moment = facts.find_expiry(evidence), facts.judge_moment(evidence)
    if expiry is not None and expiry > moment.epoch:
        checks.append(
            f"the token is valid for another {facts.say_left(expiry - moment.epoch)} by {facts.say_clock(moment)}"
        )
    if token.signature == "valid":
        checks.append("its signature is valid by the issuer's published keys")
    if (evidence.issuer.introspection or {}).get("active") is True:
        checks.append(f"{facts.issuer_host(evidence)} says by introspection that it is active")
    if evidence.issuer.userinfo is not None:
        checks.append("the issuer's UserInfo endpoint accepts it")
    return checks


def _describe_failing_renewal(evidence: Evidence) -> str | None:
    """Say since when renewing the token has failed, although it is still valid."""
    events, profile = evidence.events, evidence.profile
    if events.last_failure is None or profile is None:
        return None
    since = (
        ""
        if events.failing_since is None
        else f" since {facts.say_time(events.failing_since, evidence.now)}"
    )
    return (
        f"but renewing it has failed{since}: {events.last_failure}"
        f" (see tokencli log {profile.command_line_name})"
    )


def _list_open(evidence: Evidence) -> list[str]:
    """Say what wasn't checked, and why."""
    return [
        f"not checked: {_PROBES.get(each.probe, each.probe)} ({each.reason})"
        for each in evidence.open_questions
    ]
