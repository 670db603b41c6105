"""Send a request with a token, and write the reply: what `request` does with and without Typer."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from tokencli.app import App
from tokencli.commands.request_input import (
    COMMON_METHODS,
    RequestArguments,
    build_request_parts,
    read_words,
)
from tokencli.commands.request_output import ReplyWriter
from tokencli.core.api_request import (
    ApiExchange,
    ApiRequest,
    WrongSchemeError,
    resolve_api_url,
    send_api_request,
)
from tokencli.errors import RefusedError, TokenNotStoredError, UsageError, add_config
from tokencli.models import HttpReply, Profile
from tokencli.shell_words import join, quote

if TYPE_CHECKING:
    from tokencli.diagnosis.causes.finding import Finding
    from tokencli.diagnosis.evidence import CallFacts

TOKEN_STATUSES = (401, 403)
"""Statuses whose likely causes are printed."""
DIAGNOSIS_S = 3.0
"""Seconds that finding out the causes may take; no server is asked."""


def run_request(
    app: App,
    *words: str,
    profile_option: str | None = None,
    methods: Sequence[str] = (),
    headers: Sequence[str] = (),
    data: Sequence[str] = (),
    json: Sequence[str] = (),
    form: Sequence[str] = (),
    output: Sequence[str] = (),
    include: bool = False,
    fail: bool = False,
    anywhere: bool = False,
) -> None:
    """Send the request that the words and options describe.

    Raises:
        RefusedError: the status is 4xx or 5xx, and `fail` was asked for. TokencliError: nothing was sent,
            or there is no complete reply.
    """
    if profile_option is None and len(words) == 1 and words[0] in app.list_profile_names():
        raise UsageError(
            f"there is no URL: {words[0]!r} is a profile",
            cause="a URL or a path follows the profile's name",
        )
    name, method, url = read_words(words, profile_option, methods[-1] if methods else None)
    path = output[-1] if output else None
    given = RequestArguments(
        name, url, method, headers, data, json, form, path, include, fail, anywhere
    )
    if len(words) == 2 and name in COMMON_METHODS and name not in app.list_profile_names():
        words = ("-X", name, url)
        raise UsageError(
            f"there is no profile before the method {name}",
            cause="without a profile, which is then the default one, the method is given with -X",
            fix=f"tokencli request {join(words)}" if given.is_plain and "?" not in url else None,
        )
    method, fields, body = build_request_parts(given)
    profile = app.get_profile(name)
    try:
        resolved = resolve_api_url(profile, url, anywhere=anywhere)
    except WrongSchemeError as error:
        error.fix = _repeat_command(given, profile, error.url)
        raise
    request = ApiRequest(resolved, method, fields, body)
    writer = ReplyWriter(path, include=include or method == "HEAD", fail=fail)
    try:
        exchange = send_api_request(request, profile, app, writer.receive)
    finally:
        note = writer.finish()
    if note is not None:
        app.terminal.print_note(note)
    _report(app, profile, request, exchange, writer, fail=fail)
    if isinstance(exchange.kept.error, TokenNotStoredError):
        raise exchange.kept.error


def _repeat_command(given: RequestArguments, profile: Profile, url: str) -> str | None:
    """Return the command that requests another URL, if nothing in it may be secret."""
    from tokencli.diagnosis.api_call import describe_url

    if not given.is_plain or describe_url(url) != url:
        return None
    method = [given.method] if given.method else []
    return join(["tokencli", "request", profile.name, *method, url])


def _report(
    app: App,
    profile: Profile,
    request: ApiRequest,
    exchange: ApiExchange,
    writer: ReplyWriter,
    *,
    fail: bool,
) -> None:
    """Say on stderr what the reply's status means, if it isn't success."""
    reply, terminal = exchange.reply, app.terminal
    status = f"HTTP {reply.status} {reply.reason}".rstrip()
    if 300 <= reply.status < 400 and "location" in reply.headers:
        from urllib.parse import urljoin

        from tokencli.diagnosis.api_call import describe_url

        target = describe_url(urljoin(request.url, reply.headers["location"]), exchange.secrets)
        terminal.print_note(f"{status}: a redirect to {target}, which is not followed")
    if reply.status < 400:
        return
    facts = _describe_call(profile, request, exchange, writer)
    said = f": {facts.error_text}" if facts.error_text else ""
    if not isinstance(exchange.kept.error, TokenNotStoredError | None):
        terminal.print_warning(f"the token could not be renewed: {exchange.kept.error.message}")
    best: Finding | None = None
    if reply.status in TOKEN_STATUSES:
        best = _explain(app, profile, request, facts, None if fail else f"{status}{said}")
    elif not fail:
        terminal.print_note(f"{status}{said}")
    if fail:
        from urllib.parse import urlsplit

        raise RefusedError(
            f"{urlsplit(request.url).netloc} replied with {status}{said}",
            fix=None if best is None else best.fix,
            status=reply.status,
            error=facts.error_code,
            description=facts.error_text,
            retry_after=reply.retry_after,
        )


def _describe_call(
    profile: Profile, request: ApiRequest, exchange: ApiExchange, writer: ReplyWriter
) -> "CallFacts":
    """Return what a refusal says, without secrets."""
    from tokencli.diagnosis.api_call import (
        TokenBearer,
        describe_url,
        list_carriers,
        list_public,
        measure_request,
        read_reply,
    )
    from tokencli.diagnosis.evidence import CallFacts

    token = exchange.kept.token
    secrets = (*exchange.secrets, *TokenBearer(token, profile).list_secrets())
    carriers = list_carriers(profile, token)
    proof: Literal["dpop", "certificate"] | None = None
    if token.dpop_key is not None or exchange.certificate is not None:
        proof = "dpop" if token.dpop_key is not None else "certificate"
    facts = CallFacts(
        request.method,
        describe_url(request.url, secrets),
        carrier=carriers[0] if carriers else None,
        proof=proof,
        request_header_size=measure_request(request.method, request.url, request.headers)
        + len(token.access_token.reveal()),
    )
    reply: HttpReply = replace(exchange.reply, body=bytes(writer.sample))
    return read_reply(facts, reply, secrets, list_public(profile))


def _explain(
    app: App, profile: Profile, request: ApiRequest, facts: "CallFacts", status: str | None
) -> "Finding":
    """Print the most likely cause of a refusal, as `why` would; no server is asked again.

    Without a `status`, an error that follows has it and the fix.
    """
    from tokencli.commands.why_view import summarize_finding
    from tokencli.diagnosis.api_call import describe_url
    from tokencli.diagnosis.causes import rank_causes
    from tokencli.diagnosis.gather import Gatherer
    from tokencli.diagnosis.investigation import Investigation

    given = Investigation(profile, saved=facts, offline=True, seconds=DIAGNOSIS_S)
    best, *others = rank_causes(Gatherer(given, app).gather())
    options = ""
    if (config := app.options.config) is not None:
        best = replace(best, fix=best.fix and add_config(best.fix, config))
        options = f" --config {quote(config)}"
    if status is not None:
        app.terminal.print_note(status)
    for line in summarize_finding(best, others, with_fix=status is not None):
        app.terminal.print_note(line)
    if describe_url(request.url) == request.url:
        words = ["tokencli", "why", profile.name, request.url]
        if request.method != "GET":
            words += ["-X", request.method]
        app.terminal.print_note(f"more: {join(words)}{options}", whole=True)
    return best
