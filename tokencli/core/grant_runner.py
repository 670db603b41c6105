"""Run a grant: perform the steps that it yields, by a table of step -> function."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any

from tokencli.core.secret_resolver import SecretResolver
from tokencli.core.user_sign_in import UserSignIn
from tokencli.errors import RefusedError, StorageError, TokencliError
from tokencli.models import ParamValue, Profile
from tokencli.oauth import client_authentication
from tokencli.oauth.authenticated_request import send_authenticated_request, sign_assertion
from tokencli.oauth.grants.steps import (
    AwaitAuthorizationResponse,
    CompleteValues,
    GrantStep,
    GrantSteps,
    ListenForRedirect,
    NeedSecret,
    OpenBrowser,
    PostToEndpoint,
    PostTokenRequest,
    SendCustomRequest,
    ShowUserCode,
    SignAssertion,
    WaitSeconds,
)
from tokencli.oauth.refusals import get_endpoint_host
from tokencli.oauth.token_response import TokenResponse, read_object_response, read_token_response
from tokencli.protocols import Context
from tokencli.provider_schema import Call
from tokencli.providers.endpoint_urls import check_endpoint_is_named, endpoint_unknown_error
from tokencli.providers.request_writer import write_custom_request
from tokencli.providers.template_values import complete_values


@dataclass(slots=True)
class GrantRun:
    """The state of one running grant."""

    profile: Profile
    ctx: Context
    resolver: SecretResolver
    deferred_signals: ExitStack | None
    user_sign_in: UserSignIn
    last_response: TokenResponse | None = None


def run_grant(
    steps: GrantSteps,
    profile: Profile,
    ctx: Context,
    resolver: SecretResolver,
    deferred_signals: ExitStack | None = None,
) -> TokenResponse:
    """Run a grant to its end and return the last token response.

    An error in a step is thrown into the grant, which may handle it. With `deferred_signals`,
    signals are deferred from each token request on, and after a successful one until the caller
    closes the stack. So a user can cancel a sign-in, but no token that was issued gets lost.
    """
    with UserSignIn(profile, ctx) as user_sign_in:
        run = GrantRun(profile, ctx, resolver, deferred_signals, user_sign_in)
        try:
            step: GrantStep = next(steps)
            while True:
                try:
                    result = STEP_HANDLERS[type(step)](step, run)
                except TokencliError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as end:
            assert run.last_response is not None, "a grant ends with a token response"
            return replace(run.last_response, token=end.value)


def _resolve_secret(step: NeedSecret, run: GrantRun) -> Any:
    return run.resolver.resolve(step.name, optional=step.optional)


def _complete_values(step: CompleteValues, run: GrantRun) -> Any:
    return complete_values(run.profile, step.known_values, run.ctx.clock.now())


def _send_token_request(step: PostTokenRequest | SendCustomRequest, run: GrantRun) -> Any:
    if run.deferred_signals is None:
        run.last_response = _send_and_parse(step, run)
        return run.last_response.token
    run.deferred_signals.enter_context(run.ctx.defer_signals(run.profile.connection.timeout))
    try:
        run.last_response = _send_and_parse(step, run)
    except TokencliError:
        run.deferred_signals.close()
        raise
    return run.last_response.token


def _send_and_parse(step: PostTokenRequest | SendCustomRequest, run: GrantRun) -> TokenResponse:
    """Send one token request and parse its reply. Lifetimes count from before the request."""
    if isinstance(step, SendCustomRequest):
        return _send_custom_request(step, run)
    spellings = list_grant_type_spellings(run.profile, step.params, run.ctx)
    if len(spellings) > 1:
        return _try_grant_types(step.params, spellings, run)
    return _send_oauth_request(step.params, run)


def _send_oauth_request(params: Mapping[str, ParamValue], run: GrantRun) -> TokenResponse:
    request, reply, started = send_authenticated_request(run.profile, params, run.ctx, run.resolver)
    response = read_token_response(run.profile, request, reply, started)
    return replace(response, token=replace(response.token, dpop_key=run.resolver.proof_key))


def list_grant_type_spellings(
    profile: Profile, params: Mapping[str, ParamValue], ctx: Context
) -> list[str]:
    """Return the spellings of a request's `grant_type` in the order in which to try them.

    The one that the server accepted before comes first, else the one in the request.
    """
    sent = str(params.get("grant_type", ""))
    spec = profile.provider.grants.get(profile.grant)
    if spec is None or not spec.grant_type_spellings or "refresh_token" in params:
        return [sent]
    spellings = [sent, *spec.grant_type_spellings, *filter(None, [spec.grant_type])]
    with suppress(StorageError):
        accepted = (ctx.remembered_grant_type(profile, sent).load() or b"").decode(
            "utf-8", "replace"
        )
        if accepted in spellings:
            spellings.insert(0, accepted)
    return list(dict.fromkeys(spellings))


def _try_grant_types(
    params: Mapping[str, ParamValue], spellings: Sequence[str], run: GrantRun
) -> TokenResponse:
    """Send the request with each spelling of `grant_type` until the server knows one.

    A refusal `unsupported_grant_type` spends nothing and counts as no failed sign-in.
    """
    for number, spelling in enumerate(spellings):
        is_last = number == len(spellings) - 1
        try:
            response = _send_oauth_request({**params, "grant_type": spelling}, run)
        except RefusedError as refusal:
            if refusal.error == "unsupported_grant_type" and not is_last:
                run.ctx.terminal.print_detail(
                    f"{refusal.message}; trying grant_type={spellings[number + 1]} instead of"
                    f" {spelling}"
                )
                continue
            if number and refusal.error not in (None, "unsupported_grant_type"):
                _remember_grant_type(params, spelling, run)
            raise
        if number:
            _remember_grant_type(params, spelling, run)
        return response
    raise AssertionError("there is at least one spelling")


def _remember_grant_type(params: Mapping[str, ParamValue], accepted: str, run: GrantRun) -> None:
    try:
        run.ctx.remembered_grant_type(run.profile, str(params["grant_type"])).save(
            accepted.encode()
        )
    except StorageError as error:
        run.ctx.terminal.print_detail(f"can't remember grant_type={accepted}: {error.message}")
    else:
        run.ctx.terminal.print_detail(
            f"{get_endpoint_host(run.profile)} accepts grant_type={accepted}, which is tried first from now on"
        )


def _send_custom_request(step: SendCustomRequest, run: GrantRun) -> TokenResponse:
    """Send a request that the provider defines completely, and parse its reply."""
    transport = run.ctx.transport  # loading it takes a part of a short lifetime
    profile, started = run.profile, run.ctx.clock.now()
    request = write_custom_request(profile, step.request, step.values, started)
    if profile.client_cert is not None:
        certificate = client_authentication.tls_client_certificate(
            profile, run.resolver.resolve("key_passphrase", optional=True)
        )
        request = replace(request, client_certificate=certificate)
    reply = transport.send(replace(request, expects_token=True), profile.connection)
    layout = step.request.reply if isinstance(step.request, Call) else None
    return read_token_response(profile, request, reply, started, layout)


def _post_to_endpoint(step: PostToEndpoint, run: GrantRun) -> Any:
    url = run.profile.endpoints.get(step.endpoint)
    if url is None:
        raise endpoint_unknown_error(run.profile, step.endpoint)
    check_endpoint_is_named(run.profile, step.endpoint)
    request, reply, _ = send_authenticated_request(
        run.profile, step.params, run.ctx, run.resolver, url=url
    )
    return read_object_response(replace(run.profile, token_url=url), request, reply)


STEP_HANDLERS: dict[type[GrantStep], Callable[[Any, GrantRun], Any]] = {
    NeedSecret: _resolve_secret,
    CompleteValues: _complete_values,
    PostTokenRequest: _send_token_request,
    SendCustomRequest: _send_token_request,
    SignAssertion: lambda step, run: sign_assertion(step, run.profile, run.ctx, run.resolver),
    PostToEndpoint: _post_to_endpoint,
    ListenForRedirect: lambda step, run: run.user_sign_in.start_listener(step),
    OpenBrowser: lambda step, run: run.user_sign_in.open_browser(step),
    AwaitAuthorizationResponse: lambda step, run: run.user_sign_in.await_redirect(step),
    ShowUserCode: lambda step, run: run.user_sign_in.show_user_code(step),
    WaitSeconds: lambda step, run: run.user_sign_in.wait_interval(step),
}
"""Step -> function that performs it. Its result is sent back into the grant."""
