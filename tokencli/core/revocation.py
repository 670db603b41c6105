"""Requests that end tokens and sessions at the server when the user logs out.

They are token revocation (RFC 7009) and the provider's own logout request.
"""

from dataclasses import replace
from typing import Literal
from urllib.parse import urlsplit

from tokencli.core.secret_resolver import SecretResolver
from tokencli.core.token_events import record_event, record_failure
from tokencli.errors import ConfigError, RefusedError, ReplyError, TokencliError
from tokencli.models import (
    HttpReply,
    HttpRequest,
    ParamValue,
    Profile,
    Secret,
    StoredTokenSet,
    TokenSet,
)
from tokencli.oauth.authenticated_request import send_authenticated_request
from tokencli.oauth.refusals import get_endpoint_host
from tokencli.oauth.token_response import raise_if_refused
from tokencli.protocols import Context
from tokencli.provider_schema import Call, Reply
from tokencli.providers.endpoint_urls import get_url_origin
from tokencli.providers.reply_locator import ReplyDocument
from tokencli.providers.request_writer import write_custom_request
from tokencli.providers.template_values import expand_value_names, list_request_values

RevocationOutcome = Literal["revoked", "gone", "unable"]
"""`gone`: the server no longer knew the token. `unable`: it can't revoke tokens of that type."""

_OUTCOME_BY_ERROR: dict[str, RevocationOutcome] = {
    "invalid_token": "gone",
    "unsupported_token_type": "unable",
}
"""Error codes of HTTP 400 (or 200) that are no failure. RFC 7009 section 2.2 requires a plain 200 for a
token that the server doesn't know, but some servers say `invalid_token`. A token that the server can't
revoke stays valid until it expires (section 2.2.1)."""


class WrongOriginError(ConfigError):
    """The request would go to another server than the one that issued the token."""


def select_revocable_tokens(token: TokenSet, now: float) -> dict[str, Secret]:
    """Return the tokens of a token set that are still valid, in the order of their revocation."""
    left = token.remaining_lifetime(now)
    access = token.access_token if left is None or left > 0 else None
    tokens = {"refresh_token": token.refresh_token, "access_token": access}
    return {name: secret for name, secret in tokens.items() if secret}


def revoke_token(
    profile: Profile, ctx: Context, resolver: SecretResolver, name: str, secret: Secret
) -> RevocationOutcome:
    """Revoke a refresh token or an access token, and record that in the event log.

    Raises:
        TokencliError: see `send_revocation`.
    """
    try:
        outcome = send_revocation(profile, ctx, resolver, name, secret)
    except TokencliError as error:
        record_failure(profile, ctx, error, event="revoked", token=secret)
        raise
    error_code = "unsupported_token_type" if outcome == "unable" else None
    record_event(profile, ctx, "revoked", token=secret, error=error_code)
    return outcome


def send_revocation(
    profile: Profile, ctx: Context, resolver: SecretResolver, name: str, secret: Secret
) -> RevocationOutcome:
    """Ask the revocation endpoint to revoke a refresh token or an access token.

    Raises:
        RefusedError: the server refused, so the token is still valid (RFC 7009 section 2.2.1).
        TokencliError: the request failed, or the reply is neither a confirmation nor a refusal.
    """
    params: dict[str, ParamValue] = {"token": secret, "token_type_hint": name}
    exchange = send_authenticated_request(
        profile, params, ctx, resolver, url=profile.endpoints["revocation"]
    )
    if exchange.reply.status == 503:
        raise RefusedError(
            f"{get_endpoint_host(profile)} can't revoke the {name.replace('_', ' ')} now (HTTP 503), so it is"
            " still valid",
            status=503,
        )
    try:
        check_logout_response(
            _with_oauth_error_codes(profile), exchange.request, exchange.reply, Reply()
        )
    except RefusedError as refusal:
        outcome = _OUTCOME_BY_ERROR.get(refusal.error or "")
        if refusal.status not in (200, 400) or outcome is None:
            raise
        return outcome
    return "revoked"


def _with_oauth_error_codes(profile: Profile) -> Profile:
    """Return the profile with OAuth's `error` member added to its provider's error locations."""
    errors = profile.provider.errors
    extended = replace(errors, code=(*errors.code, "error"))
    return replace(profile, provider=replace(profile.provider, errors=extended))


def send_custom_logout(
    profile: Profile,
    ctx: Context,
    resolver: SecretResolver,
    token: TokenSet,
    *,
    required_origin: str | None = None,
) -> dict[str, RevocationOutcome]:
    """Send the provider's own logout request and return the outcome for each token that it names.

    A session that the server no longer knows counts as ended. Replies that say so are 404 and 410
    if the request names the session in its URL, and 401 if the request has no other credentials.

    Raises:
        WrongOriginError: the request would not go to `required_origin`.
        RefusedError: the server refused.
        TokencliError: the request failed, or the reply is neither a confirmation nor a refusal.
    """
    logout = profile.provider.logout
    used_values = () if logout is None else list_request_values(profile.provider, logout)
    ended = (
        {"refresh_token", "access_token"} if "refresh_token" in used_values else {"access_token"}
    )
    revocable = select_revocable_tokens(token, ctx.clock.now())
    if logout is None or not ended.intersection(revocable):
        return {}
    values: dict[str, str | Secret] = {**profile.values, **token.outputs}
    for name in used_values:
        if (
            name in profile.secrets
            and (secret := resolver.resolve(name, optional=True)) is not None
        ):
            values[name] = secret
    values["token"] = token.access_token
    if token.refresh_token is not None:
        values["refresh_token"] = token.refresh_token
    request = write_custom_request(profile, logout, values, ctx.clock.now())
    if required_origin is not None and get_url_origin(request.url) != required_origin:
        raise WrongOriginError(
            f"the logout request of {profile.provider.title} goes to another server"
        )
    outcome: RevocationOutcome = "revoked"
    try:
        reply = ctx.transport.send(request, profile.connection)
        check_logout_response(profile, request, reply, logout.reply or Reply())
    except TokencliError as error:
        if not (
            isinstance(error, RefusedError)
            and _means_unknown_session(profile, logout, token, error)
        ):
            record_failure(profile, ctx, error, event="revoked", token=token.access_token)
            raise
        outcome = "gone"
    outcomes = {name: outcome for name in revocable if name in ended}
    for name in outcomes:
        record_event(profile, ctx, "revoked", token=revocable[name])
    return outcomes


def _means_unknown_session(
    profile: Profile, logout: Call, token: TokenSet, refusal: RefusedError
) -> bool:
    """Whether the refusal of a logout request can only mean that the server doesn't know the session."""
    if refusal.error == "invalid_token":
        return True
    if refusal.status == 401:
        return not profile.secrets.keys() & list_request_values(profile.provider, logout)
    token_values = {"token", "refresh_token", *token.outputs}
    url_values = expand_value_names(profile.provider, logout.url or "")
    return refusal.status in (404, 410) and bool(token_values.intersection(url_values))


def end_replaced_session(
    profile: Profile,
    ctx: Context,
    resolver: SecretResolver,
    old: StoredTokenSet | None,
    new: TokenSet,
) -> None:
    """End the session that a new one replaces at a server that limits the number of sessions.

    Nobody uses the old session any more, so a failure to end it doesn't make the new token fail.
    """
    if old is None:
        return
    is_valid = old.token.may_be_valid(ctx.clock.now())
    if is_valid and old.token.access_token and old.token.access_token != new.access_token:
        try:
            send_custom_logout(profile, ctx, resolver, old.token)
        except TokencliError as error:
            ctx.terminal.print_detail(f"the replaced session couldn't be ended: {error.message}")


def check_logout_response(
    profile: Profile, request: HttpRequest, reply: HttpReply, layout: Reply
) -> None:
    """Raise unless the reply confirms the logout. An HTML page doesn't, whatever its status.

    Raises:
        RefusedError: the server refused. ReplyError: the reply is neither a confirmation nor a refusal.
    """
    document = ReplyDocument(reply)
    raise_if_refused(profile, request, document, layout)
    if layout.success or reply.status in layout.status:
        return  # the provider defines what a confirmation looks like
    if _is_html_page(document):
        description = "a web page"
    elif not 200 <= reply.status < 300:
        description = "neither a confirmation nor a refusal"
    else:
        return
    raise ReplyError(
        f"{urlsplit(request.url).netloc} replied to the logout with HTTP {reply.status} and {description}",
        cause="a proxy or a captive portal may have sent the reply",
    )


def _is_html_page(document: ReplyDocument) -> bool:
    """Whether the body is HTML; an empty body and JSON with that content type aren't."""
    if not document.body_text or document.unreadable_reason is None:
        return False
    media_type = document.reply.headers.get("content-type", "").split(";")[0].strip().lower()
    opening = document.body_text[:14].lower()
    return "html" in media_type or opening.startswith(("<html", "<!doctype html"))
