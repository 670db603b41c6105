"""Send a request that is wholly the provider's own, and read its reply."""

from dataclasses import replace

from tokencli import clientauth
from tokencli.actions.answer import Answer, check
from tokencli.actions.revoke import due
from tokencli.actions.secrets import Wallet
from tokencli.errors import ConfigError, RefusedError, TokencliError
from tokencli.grants.steps import Send
from tokencli.model import Profile, Secret, StoredToken, TokenSet
from tokencli.ports import Edges
from tokencli.providers.address import origin
from tokencli.providers.call import expanded, names, write
from tokencli.providers.reply import Read, read
from tokencli.providers.spec import Call, Reply


class Elsewhere(ConfigError):
    """The request would go to another server than the one that is meant."""


def end(
    profile: Profile, edges: Edges, wallet: Wallet, token: TokenSet, *, only: str | None = None
) -> dict[str, Answer]:
    """End a token at the server by the provider's own request, and return what was made of each.

    A session that the server knows no more is as good as ended: it is where the request names it in
    its address (404, 410), or proves itself by nothing else (401).

    Raises:
        RefusedError: the server did not do it. Elsewhere: the request would not go to the origin
        `only`. TokencliError: it could not be asked, or said neither yes nor no.
    """
    ending = profile.provider.logout
    named = () if ending is None else names(profile.provider, ending)
    told = {"refresh_token", "access_token"} if "refresh_token" in named else {"access_token"}
    if ending is None or not told.intersection(due(token, edges.clock.now())):
        return {}
    values: dict[str, str | Secret] = {**profile.values, **token.outputs}
    for name in named:
        if name in profile.secrets and (secret := wallet.find(name, optional=True)) is not None:
            values[name] = secret
    values["token"] = token.access_token
    if token.refresh_token is not None:
        values["refresh_token"] = token.refresh_token
    request = write(profile, ending, values, edges.clock.now())
    if only is not None and origin(request.url) != only:
        raise Elsewhere(f"the logout of {profile.provider.title} is at another server")
    reply = edges.transport.send(request, profile.connection)
    answer: Answer = "revoked"
    try:
        check(profile, request, reply, ending.reply or Reply())
    except RefusedError as refusal:
        own = {"token", "refresh_token", *token.outputs}
        inside = own.intersection(expanded(profile.provider, ending.url or ""))
        alone = not profile.secrets.keys() & named
        known_by = {401: alone, 404: bool(inside), 410: bool(inside)}
        if refusal.error != "invalid_token" and not known_by.get(reply.status):
            raise
        answer = "gone"
    return {name: answer for name in due(token, edges.clock.now()) if name in told}


def retire(
    profile: Profile, edges: Edges, wallet: Wallet, old: StoredToken | None, new: TokenSet
) -> None:
    """End the session that a new one has replaced, where the server lets only so many live.

    It is of no use to anybody any more; that it can't be ended is no failure of the new one.
    """
    if old is None:
        return
    left = old.token.expires_at is None or old.token.expires_at > edges.clock.now()
    if left and old.token.access_token and old.token.access_token != new.access_token:
        try:
            end(profile, edges, wallet, old.token)
        except TokencliError as error:
            edges.terminal.detail(f"the older session could not be ended: {error.message}")


def call(step: Send, profile: Profile, edges: Edges, wallet: Wallet) -> Read:
    """Send it and return what it brought; lifetimes count from before the sending."""
    started = edges.clock.now()
    request = write(profile, step.request, step.values, started)
    if profile.client_cert is not None:
        shown = clientauth.certificate(profile, wallet.find("key_passphrase", optional=True))
        request = replace(request, certificate=shown)
    reply = edges.transport.send(request, profile.connection)
    where = step.request.reply if isinstance(step.request, Call) else None
    return read(profile, request, reply, started, where)
