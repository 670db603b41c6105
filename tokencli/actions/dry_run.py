"""Show the request that a get would send, with every secret masked; none is read for it."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from tokencli import clientauth, grants
from tokencli.errors import ConfigError, TokencliError
from tokencli.grants import refresh_token
from tokencli.grants.steps import Post, Send, Step, Steps, Value, Values
from tokencli.model import Profile, Secret, TokenSet, WireRequest
from tokencli.ports import Edges
from tokencli.printable import printable
from tokencli.providers import call, request, template
from tokencli.providers.values import complete
from tokencli.stores.key import binding

MASK = str(template.MASK)
MARKER = Secret(template.MASK)
"""Stands for each secret: no filter of a template touches it."""


def dry_run(profile: Profile, edges: Edges) -> str:
    """Return the request as HTTP writes it, with `***` in the place of each secret.

    It is the one that renews where a token that can be renewed is stored, else the grant's.

    Raises:
        ConfigError: a person signs in first, so there is no request yet.
    """
    stored = edges.store(profile).load(binding(profile).key)
    if stored is not None and stored.token.fresh(edges.clock.now(), profile.min_ttl):
        edges.terminal.note("a fresh token is stored: get would send nothing")
    if stored is not None and stored.token.refresh_token:
        known = TokenSet(MARKER, "", 0.0, outputs=dict.fromkeys(stored.token.outputs, MARKER))
        return _written(refresh_token.run(profile, MARKER, known), profile, edges)
    if grants.by_person(profile.grant):
        raise ConfigError(
            f"profile {profile.name!r} gets its token when a person has signed in, so there is no"
            " request to show yet",
            hint=f"tokencli login {profile.as_typed}",
        )
    return _written(grants.load(profile.grant).run(profile), profile, edges)


def _written(steps: Steps, profile: Profile, edges: Edges) -> str:
    step: Step = next(steps)
    while not isinstance(step, Post | Send):
        if isinstance(step, Values):
            step = steps.send(_completed(profile, step.given, edges))
        else:
            step = steps.send(MARKER)
    steps.close()
    if isinstance(step, Send):
        values = {**step.values, **{n: MARKER for n in profile.secrets if n in step.values}}
        return shown(call.write(profile, step.request, values, edges.clock.now(), masked=True))
    return shown(_oauth(profile, step.params, edges))


def _oauth(profile: Profile, params: Mapping[str, Value], edges: Edges) -> WireRequest:
    """Return OAuth's own request; what only the real key can sign is masked as a whole."""
    try:
        drawn = dict.fromkeys(clientauth.SECRETS[profile.client_auth], MARKER)
        given = clientauth.Given(drawn, edges.clock.now(), b"")
        auth = clientauth.METHODS[profile.client_auth](profile, given)
    except TokencliError:
        auth = clientauth.Applied(params={"client_assertion": MARKER})
    hidden = {n: MARKER if isinstance(v, Secret) else v for n, v in auth.params.items()}
    known: dict[str, str | Secret] = {**profile.values, **dict.fromkeys(profile.secrets, MARKER)}
    beside = _completed(profile, known, edges)
    return request.write(profile, params, replace(auth, params=hidden), beside=beside)


def _completed(
    profile: Profile, given: Mapping[str, str | Secret], edges: Edges
) -> dict[str, str | Secret]:
    """Complete the values, with the marker in the place of whatever is secret or made of a secret."""
    found = complete(profile, given, edges.clock.now(), masked=True)
    return {name: MARKER if isinstance(value, Secret) else value for name, value in found.items()}


def shown(sent: WireRequest) -> str:
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
    return "".join(f"{printable(line, sys.maxsize, multiline=True)}\n" for line in lines)
