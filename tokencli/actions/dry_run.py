"""Show the request that a get would send, with every secret masked; none is read for it."""

import secrets as random
from collections.abc import Mapping

from tokencli import clientauth, grants
from tokencli.errors import ConfigError, TokencliError
from tokencli.grants import refresh_token
from tokencli.grants.steps import Post, Send, Step, Steps, Value
from tokencli.model import Profile, Secret, TokenSet, WireRequest
from tokencli.ports import Edges
from tokencli.providers import call, request, template
from tokencli.stores.key import binding

MASK = str(template.MASK)


def dry_run(profile: Profile, edges: Edges) -> str:
    """Return the request as HTTP writes it, with `***` in the place of each secret.

    It is the one that renews where a token that can be renewed is stored, else the grant's.

    Raises:
        ConfigError: a person signs in first, so there is no request yet.
    """
    stored = edges.store(profile).load(binding(profile).key)
    marker = Secret(f"masked{random.token_hex(16)}")
    if stored is not None and stored.token.fresh(edges.clock.now(), profile.min_ttl):
        edges.terminal.note("a fresh token is stored: get would send nothing")
    if stored is not None and stored.token.refresh_token:
        known = TokenSet(marker, "", 0.0, outputs=dict.fromkeys(stored.token.outputs, marker))
        return _written(refresh_token.run(profile, marker, known), profile, edges, marker)
    if grants.by_person(profile.grant):
        raise ConfigError(
            f"profile {profile.name!r} gets its token when a person has signed in, so there is no"
            " request to show yet",
            hint=f"tokencli login {profile.name}",
        )
    return _written(grants.load(profile.grant).run(profile), profile, edges, marker)


def _written(steps: Steps, profile: Profile, edges: Edges, marker: Secret) -> str:
    step: Step = next(steps)
    while not isinstance(step, Post | Send):
        step = steps.send(marker)
    steps.close()
    if isinstance(step, Send):
        values = {**step.values, **{n: marker for n in profile.secrets if n in step.values}}
        return shown(call.write(profile, step.request, values, edges.clock.now(), masked=True))
    return shown(_oauth(profile, step.params, edges, marker), marker)


def _oauth(
    profile: Profile, params: Mapping[str, Value], edges: Edges, marker: Secret
) -> WireRequest:
    """Return OAuth's own request; what only the real key can sign is masked as a whole."""
    try:
        drawn = dict.fromkeys(clientauth.SECRETS[profile.client_auth], marker)
        given = clientauth.Given(drawn, edges.clock.now(), b"")
        auth = clientauth.METHODS[profile.client_auth](profile, given)
    except TokencliError:
        auth = clientauth.Applied(params={"client_assertion": marker})
    return request.write(profile, params, auth)


def shown(sent: WireRequest, marker: Secret | None = None) -> str:
    """Return a request as text, with the marker and whatever authenticates masked."""
    headers = []
    for name, value in sent.headers.items():
        if name.lower() == "authorization" and value.startswith("Basic "):
            value = f"Basic {MASK}"
        headers.append(f"{name}: {value}")
    body = sent.body.decode("utf-8", "replace")
    text = "\n".join((f"{sent.method} {sent.url}", *headers, "", *([body] if body else [])))
    text = text.replace(marker.reveal(), MASK) if marker else text
    return text.rstrip("\n") + "\n"
