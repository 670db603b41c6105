"""Send a request that is wholly the provider's own, and read its reply."""

from dataclasses import replace

from tokencli import clientauth
from tokencli.actions.secrets import Wallet
from tokencli.errors import TokencliError
from tokencli.grants.steps import Send
from tokencli.model import Profile, Secret, StoredToken, TokenSet
from tokencli.ports import Edges
from tokencli.providers.call import names, write
from tokencli.providers.places import Document
from tokencli.providers.reply import Read, judge, read
from tokencli.providers.spec import Call, Reply


def end(profile: Profile, edges: Edges, wallet: Wallet, token: TokenSet) -> tuple[str, ...]:
    """End a token at the server by the provider's own request; return what was ended.

    Raises:
        RefusedError: the server did not do it. TokencliError: it could not be asked.
    """
    ending = profile.provider.logout
    if ending is None:
        return ()
    values: dict[str, str | Secret] = {**profile.values, **token.outputs}
    for name in names(profile.provider, ending):
        if name in profile.secrets and (secret := wallet.find(name, optional=True)) is not None:
            values[name] = secret
    values["token"] = token.access_token
    if token.refresh_token is not None:
        values["refresh_token"] = token.refresh_token
    request = write(profile, ending, values, edges.clock.now())
    reply = edges.transport.send(request, profile.connection)
    judge(profile, request, Document(reply), ending.reply or Reply())
    return ("access_token",)


def retire(
    profile: Profile, edges: Edges, wallet: Wallet, old: StoredToken | None, new: TokenSet
) -> None:
    """End the session that a new one has replaced, where the server lets only so many live.

    It is of no use to anybody any more; that it can't be ended is no failure of the new one.
    """
    if profile.provider.issuing.max_sessions is None or old is None:
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
