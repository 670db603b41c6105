"""Dry run: show the request that `get` would send, with every secret masked and without reading any."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from tokencli.core.spellings import apply_spellings, order_spellings
from tokencli.core.stored_token import find_stored_token
from tokencli.errors import ConfigError, TokencliError
from tokencli.models import AuthAdditions, HttpRequest, ParamValue, Profile, Secret, TokenSet
from tokencli.oauth import client_authentication, grants
from tokencli.oauth.grants import refresh_token
from tokencli.oauth.grants.steps import (
    CompleteValues,
    GrantStep,
    GrantSteps,
    PostTokenRequest,
    SendCustomRequest,
)
from tokencli.protocols import Context
from tokencli.providers import template
from tokencli.providers.request_writer import write_custom_request, write_oauth_request
from tokencli.providers.template_values import complete_values
from tokencli.sanitize import sanitize_text

MASK = str(template.MASK)
MASKED_SECRET = Secret(template.MASK)
"""The placeholder for each secret. Template filters leave it unchanged."""


def render_dry_run(profile: Profile, ctx: Context) -> str:
    """Return the request as HTTP text, with `***` instead of each secret.

    It is the refresh request if a refresh token is stored, else the grant's first request.

    Raises:
        ConfigError: the grant starts with an interactive sign-in, so there is no request yet.
    """
    stored = find_stored_token(profile, ctx)
    if stored is not None and stored.token.is_fresh(ctx.clock.now(), profile.reachable_min_ttl()):
        ctx.terminal.print_note("a fresh token is stored, so get would not send a request")
    if stored is not None and stored.token.refresh_token:
        masked = TokenSet(
            MASKED_SECRET, "", 0.0, outputs=dict.fromkeys(stored.token.outputs, MASKED_SECRET)
        )
        return _render_first_request(
            refresh_token.run(profile, MASKED_SECRET, masked), profile, ctx
        )
    if grants.is_interactive(profile.grant):
        raise ConfigError(
            f"no request to show yet: profile {profile.name!r} starts with an interactive sign-in",
            fix=f"tokencli login {profile.command_line_name}",
        )
    return _render_first_request(grants.load_grant(profile.grant).run(profile), profile, ctx)


def _render_first_request(steps: GrantSteps, profile: Profile, ctx: Context) -> str:
    step: GrantStep = next(steps)
    while not isinstance(step, PostTokenRequest | SendCustomRequest):
        if isinstance(step, CompleteValues):
            step = steps.send(_complete_masked_values(profile, step.known_values, ctx))
        else:
            step = steps.send(MASKED_SECRET)
    steps.close()
    orders = order_spellings(step, profile, ctx)
    step = apply_spellings(step, profile, {name: order[0] for name, order in orders.items()})
    if isinstance(step, SendCustomRequest):
        values = {**step.values, **{n: MASKED_SECRET for n in profile.secrets if n in step.values}}
        return render_request(
            write_custom_request(
                profile,
                step.request,
                values,
                ctx.clock.now(),
                spelled=step.spelled,
                masked=True,
            )
        )
    return render_request(_build_oauth_request(profile, step.params, ctx))


def _build_oauth_request(
    profile: Profile, params: Mapping[str, ParamValue], ctx: Context
) -> HttpRequest:
    """Return a standard token request. A signature that requires the real key is masked as a whole."""
    try:
        secrets = dict.fromkeys(
            client_authentication.METHOD_SECRETS[profile.client_auth], MASKED_SECRET
        )
        inputs = client_authentication.AuthInputs(secrets, ctx.clock.now(), b"")
        auth = client_authentication.AUTH_METHODS[profile.client_auth](profile, inputs)
    except TokencliError:
        auth = AuthAdditions(params={"client_assertion": MASKED_SECRET})
    auth_params = {n: MASKED_SECRET if isinstance(v, Secret) else v for n, v in auth.params.items()}
    values: dict[str, str | Secret] = {
        **profile.values,
        **dict.fromkeys(profile.secrets, MASKED_SECRET),
    }
    completed = _complete_masked_values(profile, values, ctx)
    return write_oauth_request(
        profile, params, replace(auth, params=auth_params), header_values=completed
    )


def _complete_masked_values(
    profile: Profile, values: Mapping[str, str | Secret], ctx: Context
) -> dict[str, str | Secret]:
    """Complete the values, with the placeholder for each that is secret or derived from a secret."""
    completed = complete_values(profile, values, ctx.clock.now(), masked=True)
    return {
        name: MASKED_SECRET if isinstance(value, Secret) else value
        for name, value in completed.items()
    }


def render_request(request: HttpRequest) -> str:
    """Return a request as text that is safe to print, with its Basic credentials masked."""
    headers = []
    for name, value in request.headers.items():
        if name.lower() == "authorization" and value.startswith("Basic "):
            value = f"Basic {MASK}"
        headers.append(f"{name}: {value}")
    body = request.body.decode("utf-8", "replace")
    text = "\n".join((f"{request.method} {request.url}", *headers, "", *([body] if body else [])))
    lines = text.replace(quote(MASK), MASK).rstrip("\n").split("\n")
    # Line by line, because a CI runner executes lines that look like its commands.
    return "".join(f"{sanitize_text(line, sys.maxsize, multiline=True)}\n" for line in lines)
