"""Send a request that is wholly the provider's own, and read its reply."""

from dataclasses import replace

from tokencli.core.logout_reply import RevocationOutcome, check_logout_response
from tokencli.core.revoke import select_revocable_tokens
from tokencli.core.secret_resolver import SecretResolver
from tokencli.errors import ConfigError, RefusedError, TokencliError
from tokencli.models import Profile, Secret, StoredTokenSet, TokenSet
from tokencli.oauth import client_authentication
from tokencli.oauth.grants.steps import SendCustomRequest
from tokencli.oauth.token_response import TokenResponse, read_token_response
from tokencli.protocols import Context
from tokencli.provider_schema import Call, Reply
from tokencli.providers.custom_request_writer import (
    expand_value_names,
    list_request_values,
    write_custom_request,
)
from tokencli.providers.endpoint_urls import get_url_origin


class WrongOriginError(ConfigError):
    """The request would go to another server than the one that is meant."""


def send_custom_logout(
    profile: Profile,
    ctx: Context,
    resolver: SecretResolver,
    token: TokenSet,
    *,
    only: str | None = None,
) -> dict[str, RevocationOutcome]:
    """End a token at the server by the provider's own request, and return what was made of each.

    A session that the server knows no more is as good as ended: it is where the request names it in
    its address (404, 410), or proves itself by nothing else (401).

    Raises:
        RefusedError: the server did not do it. Elsewhere: the request would not go to the origin
        `only`. TokencliError: it could not be asked, or said neither yes nor no.
    """
    ending = profile.provider.logout
    named = () if ending is None else list_request_values(profile.provider, ending)
    told = {"refresh_token", "access_token"} if "refresh_token" in named else {"access_token"}
    if ending is None or not told.intersection(select_revocable_tokens(token, ctx.clock.now())):
        return {}
    values: dict[str, str | Secret] = {**profile.values, **token.outputs}
    for name in named:
        if (
            name in profile.secrets
            and (secret := resolver.resolve(name, optional=True)) is not None
        ):
            values[name] = secret
    values["token"] = token.access_token
    if token.refresh_token is not None:
        values["refresh_token"] = token.refresh_token
    request = write_custom_request(profile, ending, values, ctx.clock.now())
    if only is not None and get_url_origin(request.url) != only:
        raise WrongOriginError(f"the logout of {profile.provider.title} is at another server")
    reply = ctx.transport.send(request, profile.connection)
    answer: RevocationOutcome = "revoked"
    try:
        check_logout_response(profile, request, reply, ending.reply or Reply())
    except RefusedError as refusal:
        own = {"token", "refresh_token", *token.outputs}
        inside = own.intersection(expand_value_names(profile.provider, ending.url or ""))
        alone = not profile.secrets.keys() & named
        known_by = {401: alone, 404: bool(inside), 410: bool(inside)}
        if refusal.error != "invalid_token" and not known_by.get(reply.status):
            raise
        answer = "gone"
    return {
        name: answer for name in select_revocable_tokens(token, ctx.clock.now()) if name in told
    }


def end_replaced_session(
    profile: Profile,
    ctx: Context,
    resolver: SecretResolver,
    old: StoredTokenSet | None,
    new: TokenSet,
) -> None:
    """End the session that a new one has replaced, where the server lets only so many live.

    It is of no use to anybody any more; that it can't be ended is no failure of the new one.
    """
    if old is None:
        return
    left = old.token.expires_at is None or old.token.expires_at > ctx.clock.now()
    if left and old.token.access_token and old.token.access_token != new.access_token:
        try:
            send_custom_logout(profile, ctx, resolver, old.token)
        except TokencliError as error:
            ctx.terminal.print_detail(f"the older session could not be ended: {error.message}")


def send_custom_request(
    step: SendCustomRequest, profile: Profile, ctx: Context, resolver: SecretResolver
) -> TokenResponse:
    """Send it and return what it brought; lifetimes count from before the sending."""
    started = ctx.clock.now()
    request = write_custom_request(profile, step.request, step.values, started)
    if profile.client_cert is not None:
        shown = client_authentication.tls_client_certificate(
            profile, resolver.resolve("key_passphrase", optional=True)
        )
        request = replace(request, client_certificate=shown)
    reply = ctx.transport.send(request, profile.connection)
    where = step.request.reply if isinstance(step.request, Call) else None
    return read_token_response(profile, request, reply, started, where)
