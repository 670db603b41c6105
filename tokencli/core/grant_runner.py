"""Run a grant: perform the steps that it yields, by a table of step -> function."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tokencli.core.secret_resolver import SecretResolver
from tokencli.errors import TokencliError
from tokencli.models import Profile
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
from tokencli.oauth.token_response import TokenResponse, read_object_response, read_token_response
from tokencli.protocols import Context
from tokencli.provider_schema import Call
from tokencli.providers.endpoint_urls import check_endpoint_is_named, endpoint_unknown_error
from tokencli.providers.request_writer import write_custom_request
from tokencli.providers.template_values import complete_values

if TYPE_CHECKING:
    from tokencli.core.user_sign_in import UserSignIn

WAITING_FOR_TOKEN = "waiting for the server's reply, so that the token in it is saved"
"""Printed if a signal arrives during a request that can't be repeated."""


@dataclass(slots=True)
class GrantRun:
    """The state of one running grant."""

    profile: Profile
    ctx: Context
    resolver: SecretResolver
    deferred_signals: ExitStack | None
    exit_stack: ExitStack
    """Closed at the end of the grant."""
    last_response: TokenResponse | None = None
    _user_sign_in: "UserSignIn | None" = None

    @property
    def user_sign_in(self) -> "UserSignIn":
        """The interactive sign-in, begun by the first step of it."""
        if self._user_sign_in is None:
            from tokencli.core.user_sign_in import (
                UserSignIn,
            )  # start-up cost: most grants have none

            self._user_sign_in = self.exit_stack.enter_context(UserSignIn(self.profile, self.ctx))
        return self._user_sign_in


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
    with ExitStack() as exit_stack:
        run = GrantRun(profile, ctx, resolver, deferred_signals, exit_stack)
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
    run.deferred_signals.enter_context(run.ctx.defer_signals(WAITING_FOR_TOKEN))
    try:
        run.last_response = _send_and_parse(step, run)
    except TokencliError:
        run.deferred_signals.close()
        raise
    return run.last_response.token


def _send_and_parse(step: PostTokenRequest | SendCustomRequest, run: GrantRun) -> TokenResponse:
    """Send one token request and parse its reply. Lifetimes count from before the request."""
    if not run.profile.provider.spellings:
        return _send_once(step, run)
    from tokencli.core.spellings import send_in_accepted_spelling  # start-up cost: few need it

    return send_in_accepted_spelling(step, run.profile, run.ctx, lambda one: _send_once(one, run))


def _send_once(step: PostTokenRequest | SendCustomRequest, run: GrantRun) -> TokenResponse:
    if isinstance(step, SendCustomRequest):
        return _send_custom_request(step, run)
    request, reply, started = send_authenticated_request(
        run.profile, step.params, run.ctx, run.resolver
    )
    response = read_token_response(run.profile, request, reply, started)
    return replace(response, token=replace(response.token, dpop_key=run.resolver.proof_key))


def _send_custom_request(step: SendCustomRequest, run: GrantRun) -> TokenResponse:
    """Send a request that the provider defines completely, and parse its reply."""
    transport = run.ctx.transport  # loading it takes a part of a short lifetime
    profile, started = run.profile, run.ctx.clock.now()
    request = write_custom_request(
        profile, step.request, step.values, started, spelled=step.spelled
    )
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
