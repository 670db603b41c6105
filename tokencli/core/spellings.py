"""Constants that releases of a system spell differently: try one spelling after the other, each once."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeAlias

from tokencli.errors import RefusedError, StorageError
from tokencli.models import Profile
from tokencli.oauth.grants.steps import PostTokenRequest, SendCustomRequest
from tokencli.oauth.refusals import get_endpoint_host
from tokencli.oauth.token_response import TokenResponse
from tokencli.protocols import Context
from tokencli.providers.template import iter_constants, replace_constants

TokenRequest: TypeAlias = PostTokenRequest | SendCustomRequest

FINAL_STATUSES = frozenset((401, 403, 423, 429))
"""HTTP statuses of refusals that may count as a failed sign-in, whatever the error code says."""


def send_in_accepted_spelling(
    step: TokenRequest,
    profile: Profile,
    ctx: Context,
    send: Callable[[TokenRequest], TokenResponse],
) -> TokenResponse:
    """Send a token request in one spelling after the other until the server accepts one.

    Raises:
        RefusedError: the server refused all spellings, or refused one for another reason.
    """
    untried = order_spellings(step, profile, ctx)
    current = {name: order.pop(0) for name, order in untried.items()}
    changed: set[str] = set()
    while True:
        try:
            response = send(apply_spellings(step, profile, current))
        except RefusedError as refusal:
            rules = profile.provider.spellings
            refused = next((name for name in current if refusal.error in rules[name].on), None)
            if refused and untried[refused] and refusal.status not in FINAL_STATUSES:
                before, current[refused] = current[refused], untried[refused].pop(0)
                changed.add(refused)
                ctx.terminal.print_detail(
                    f"{refusal.message}; trying {refused}={_show(current[refused])} instead of"
                    f" {_show(before)}"
                )
                continue
            if refusal.error is not None:  # it got further, so it accepts the other constants
                _remember(profile, ctx, {n: current[n] for n in changed - {refused}})
            raise
        _remember(profile, ctx, {name: current[name] for name in changed})
        return response


def order_spellings(step: TokenRequest, profile: Profile, ctx: Context) -> dict[str, list[Any]]:
    """Return the spellings of each constant that the request sends, in the order in which to try them.

    The one that the server accepted before comes first, then the one in the request.
    """
    sent = set(
        iter_constants(
            step.params
            if isinstance(step, PostTokenRequest)
            else (step.request.send, step.request.query)
        )
    )
    orders: dict[str, list[Any]] = {}
    for name, rule in profile.provider.spellings.items():
        own = [value for value in rule.values if (name, json.dumps(value)) in sent]
        if own:
            accepted = b""
            with suppress(StorageError):
                accepted = ctx.remembered_spelling(profile, name).load() or b""
            first = [value for value in rule.values if json.dumps(value).encode() == accepted]
            ordered = {json.dumps(value): value for value in (*first, *own, *rule.values)}
            orders[name] = list(ordered.values())
    return orders


def apply_spellings(
    step: TokenRequest, profile: Profile, chosen: Mapping[str, Any]
) -> TokenRequest:
    """Return the request with these constants: name -> the spelling to send."""
    rules = profile.provider.spellings
    spelled = {
        name: {json.dumps(value): spelling for value in rules[name].values}
        for name, spelling in chosen.items()
    }
    if isinstance(step, SendCustomRequest):
        return replace(step, spelled=spelled)
    return PostTokenRequest(replace_constants(step.params, spelled))


def _remember(profile: Profile, ctx: Context, accepted: Mapping[str, Any]) -> None:
    for name, spelling in accepted.items():
        try:
            ctx.remembered_spelling(profile, name).save(json.dumps(spelling).encode())
        except StorageError as error:
            ctx.terminal.print_detail(f"can't remember {name}={_show(spelling)}: {error.message}")
        else:
            ctx.terminal.print_detail(
                f"{get_endpoint_host(profile)} accepts {name}={_show(spelling)}, which is tried first from"
                " now on"
            )


def _show(spelling: Any) -> str:
    return spelling if isinstance(spelling, str) else json.dumps(spelling)
