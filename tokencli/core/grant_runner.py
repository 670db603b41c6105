"""Perform the steps that a grant yields: a table of step -> function."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from tokencli.core import user_sign_in
from tokencli.core.secret_resolver import SecretResolver
from tokencli.errors import TokencliError
from tokencli.models import Profile
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


@dataclass(slots=True)
class GrantRun:
    """Where one conversation is held: who speaks, through what, and what the last reply brought."""

    profile: Profile
    ctx: Context
    resolver: SecretResolver
    deferred_signals: ExitStack | None
    user_sign_in: user_sign_in.UserSignIn
    last_response: TokenResponse | None = None


def run_grant(
    steps: GrantSteps,
    profile: Profile,
    ctx: Context,
    resolver: SecretResolver,
    held: ExitStack | None = None,
) -> TokenResponse:
    """Run a grant to its end and return what the last reply brought.

    An error in a step is thrown into the grant, which may know what to do about it. With `held`,
    signals are held back from each sending to the token endpoint on, and after one that brought
    a token until the caller closes the stack: so a person can leave meanwhile, but loses no token.
    """
    with user_sign_in.UserSignIn(profile, ctx) as somebody:
        stage = GrantRun(profile, ctx, resolver, held, somebody)
        try:
            step: GrantStep = next(steps)
            while True:
                try:
                    came = STEP_HANDLERS[type(step)](step, stage)
                except TokencliError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(came)
        except StopIteration as end:
            assert stage.last_response is not None, "a grant ends with a reply"
            return replace(stage.last_response, token=end.value)


def _resolve_secret(step: NeedSecret, stage: GrantRun) -> Any:
    return stage.resolver.resolve(step.name, optional=step.optional)


def _complete_values(step: CompleteValues, stage: GrantRun) -> Any:
    from tokencli.providers.template_values import complete_values

    return complete_values(stage.profile, step.known_values, stage.ctx.clock.now())


def _send_request(step: PostTokenRequest | SendCustomRequest, stage: GrantRun) -> Any:
    if stage.deferred_signals is None:
        stage.last_response = _send_and_parse(step, stage)
        return stage.last_response.token
    stage.deferred_signals.enter_context(stage.ctx.defer_signals(stage.profile.connection.timeout))
    try:
        stage.last_response = _send_and_parse(step, stage)
    except TokencliError:
        stage.deferred_signals.close()
        raise
    return stage.last_response.token


def _fetch_endpoint(step: PostToEndpoint, stage: GrantRun) -> Any:
    url = stage.profile.endpoints.get(step.endpoint)
    if url is None:
        raise user_sign_in.endpoint_unknown_error(stage.profile, step.endpoint)
    request, reply, _ = send_authenticated_request(
        stage.profile, step.params, stage.ctx, stage.resolver, url=url
    )
    return read_object_response(replace(stage.profile, token_url=url), request, reply)


def _send_and_parse(step: PostTokenRequest | SendCustomRequest, stage: GrantRun) -> TokenResponse:
    """Send one token request and read its reply; lifetimes count from before the sending."""
    profile, ctx, resolver = stage.profile, stage.ctx, stage.resolver
    if isinstance(step, SendCustomRequest):
        from tokencli.core.custom_request import send_custom_request

        return send_custom_request(step, profile, ctx, resolver)
    request, reply, started = send_authenticated_request(profile, step.params, ctx, resolver)
    found = read_token_response(profile, request, reply, started)
    return replace(found, token=replace(found.token, dpop_key=resolver.proof_key))


STEP_HANDLERS: dict[type[GrantStep], Callable[[Any, GrantRun], Any]] = {
    NeedSecret: _resolve_secret,
    CompleteValues: _complete_values,
    PostTokenRequest: _send_request,
    SendCustomRequest: _send_request,
    SignAssertion: lambda step, stage: sign_assertion(
        step, stage.profile, stage.ctx, stage.resolver
    ),
    PostToEndpoint: _fetch_endpoint,
    ListenForRedirect: lambda step, stage: stage.user_sign_in.start_listener(step),
    OpenBrowser: lambda step, stage: stage.user_sign_in.open_browser(step),
    AwaitAuthorizationResponse: lambda step, stage: stage.user_sign_in.await_redirect(step),
    ShowUserCode: lambda step, stage: stage.user_sign_in.show_user_code(step),
    WaitSeconds: lambda step, stage: stage.user_sign_in.wait_interval(step),
}
"""Step -> what performs it; its result is sent back into the grant."""
