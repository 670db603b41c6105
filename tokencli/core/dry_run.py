"""Show the request that a get would send, with every secret masked; none is read for it."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

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
from tokencli.token_store.credential_key import derive_binding

MASK = str(template.MASK)
MASKED_SECRET = Secret(template.MASK)
"""Stands for each secret: no filter of a template touches it."""


def render_dry_run(profile: Profile, ctx: Context) -> str:
    """Return the request as HTTP writes it, with `***` in the place of each secret.

    It is the one that renews where a token that can be renewed is stored, else the grant's.

    Raises:
        ConfigError: a person signs in first, so there is no request yet.
    """
    stored = ctx.token_store(profile).load(derive_binding(profile).key)
    if stored is not None and stored.token.is_fresh(ctx.clock.now(), profile.min_ttl):
        ctx.terminal.print_note("a fresh token is stored: get would send nothing")
    if stored is not None and stored.token.refresh_token:
        known = TokenSet(
            MASKED_SECRET, "", 0.0, outputs=dict.fromkeys(stored.token.outputs, MASKED_SECRET)
        )
        return _render_first_request(refresh_token.run(profile, MASKED_SECRET, known), profile, ctx)
    if grants.is_interactive(profile.grant):
        raise ConfigError(
            f"profile {profile.name!r} gets its token when a person has signed in, so there is no"
            " request to show yet",
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
    if isinstance(step, SendCustomRequest):
        values = {**step.values, **{n: MASKED_SECRET for n in profile.secrets if n in step.values}}
        return render_request(
            write_custom_request(profile, step.request, values, ctx.clock.now(), masked=True)
        )
    return render_request(_build_oauth_request(profile, step.params, ctx))


def _build_oauth_request(
    profile: Profile, params: Mapping[str, ParamValue], ctx: Context
) -> HttpRequest:
    """Return OAuth's own request; what only the real key can sign is masked as a whole."""
    try:
        drawn = dict.fromkeys(
            client_authentication.METHOD_SECRETS[profile.client_auth], MASKED_SECRET
        )
        given = client_authentication.AuthInputs(drawn, ctx.clock.now(), b"")
        auth = client_authentication.AUTH_METHODS[profile.client_auth](profile, given)
    except TokencliError:
        auth = AuthAdditions(params={"client_assertion": MASKED_SECRET})
    hidden = {n: MASKED_SECRET if isinstance(v, Secret) else v for n, v in auth.params.items()}
    known: dict[str, str | Secret] = {
        **profile.values,
        **dict.fromkeys(profile.secrets, MASKED_SECRET),
    }
    header_values = _complete_masked_values(profile, known, ctx)
    return write_oauth_request(
        profile, params, replace(auth, params=hidden), header_values=header_values
    )


def _complete_masked_values(
    profile: Profile, given: Mapping[str, str | Secret], ctx: Context
) -> dict[str, str | Secret]:
    """Complete the values, with the marker in the place of whatever is secret or made of a secret."""
    found = complete_values(profile, given, ctx.clock.now(), masked=True)
    return {
        name: MASKED_SECRET if isinstance(value, Secret) else value for name, value in found.items()
    }


def render_request(sent: HttpRequest) -> str:
    """Return a request as text, harmless to a terminal, with whatever authenticates masked."""
    headers = []
    for name, value in sent.headers.items():
        if name.lower() == "authorization" and value.startswith("Basic "):
            value = f"Basic {MASK}"
        headers.append(f"{name}: {value}")
    body = sent.body.decode("utf-8", "replace")
    text = "\n".join((f"{sent.method} {sent.url}", *headers, "", *([body] if body else [])))
    lines = text.replace(quote(MASK), MASK).rstrip("\n").split("\n")
    # Line by line, as a CI runner obeys a line that begins as its commands do.
    return "".join(f"{sanitize_text(line, sys.maxsize, multiline=True)}\n" for line in lines)
