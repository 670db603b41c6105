"""Ask the server what it knows of a token: introspection (RFC 7662) and UserInfo (OpenID Connect)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tokencli import dpop
from tokencli.actions.exchange import exchange
from tokencli.actions.person import unaddressed
from tokencli.actions.secrets import Wallet
from tokencli.errors import RefusedError, ReplyError
from tokencli.formats.header import SCHEMES
from tokencli.grants.steps import Value
from tokencli.jwt.decode import decode
from tokencli.model import Profile, ProofKey, Secret, TokenSet, WireReply, WireRequest
from tokencli.ports import Edges
from tokencli.providers.challenge import refusal
from tokencli.providers.redact import redact
from tokencli.providers.refusal import QUOTE
from tokencli.providers.reply import endpoint, members


def introspect(profile: Profile, edges: Edges, wallet: Wallet, token: Secret) -> Mapping[str, Any]:
    """Return what the introspection endpoint says; only `active` is sure to be there (section 2.2).

    Raises:
        ConfigError: no such endpoint is known. RefusedError: this client may not ask.
        ReplyError: the answer is none.
    """
    found = edges.located(profile, "introspection")
    url = found.endpoints.get("introspection")
    if url is None:
        raise unaddressed(profile, "introspection")
    params: dict[str, Value] = {"token": token, "token_type_hint": "access_token"}
    request, reply, _ = exchange(found, params, edges, wallet, url=url)
    told = members(replace(found, token_url=url), request, reply)
    if not isinstance(told.get("active"), bool):
        raise ReplyError(
            f"{endpoint(replace(found, token_url=url))} answered the introspection, but does not say"
            " whether the token is active (RFC 7662 section 2.2)",
            hint=f"check introspection_url: tokencli profiles show {profile.name}",
        )
    return told


def userinfo(profile: Profile, edges: Edges, token: TokenSet) -> Mapping[str, Any]:
    """Return what the UserInfo endpoint says of whoever signed in (OpenID Connect Core section 5.3).

    Raises:
        ConfigError: no such endpoint is known. RefusedError: the token does not open it.
        ReplyError: the answer is none, or is about somebody else than the ID token.
    """
    found = edges.located(profile, "userinfo")
    url = found.endpoints.get("userinfo")
    if url is None:
        raise unaddressed(profile, "userinfo")
    there = replace(found, token_url=url)
    request, reply = _opened(there, edges, token)
    if reply.status >= 400:
        raise _refused(there, reply)
    text = reply.body.decode("ascii", "replace")
    if reply.headers.get("content-type", "").startswith("application/jwt"):
        told: Mapping[str, Any] = decode(text).claims
    else:
        told = members(there, request, reply)
    expected = decode(token.id_token.reveal()).claims.get("sub") if token.id_token else None
    if expected is not None and told.get("sub") != expected:
        raise ReplyError(
            f"{endpoint(there)} speaks of {str(told.get('sub'))[:80]!r}, but the ID token is that of"
            f" {str(expected)[:80]!r} (OpenID Connect Core section 5.3.2): it is not to be believed",
            hint=f"check userinfo_url: tokencli profiles show {profile.name}",
        )
    return told


def _opened(there: Profile, edges: Edges, token: TokenSet) -> tuple[WireRequest, WireReply]:
    """Send the token along, with a proof where it is bound to a key (RFC 9449 section 7)."""
    nonce: str | None = None
    while True:
        request = _request(there, token, edges.clock.now(), nonce)
        reply = edges.transport.send(request, there.connection)
        if token.proof_key is None or nonce is not None or not dpop.wants_nonce(reply):
            return request, reply
        nonce = dpop.new_nonce(reply)


def _request(there: Profile, token: TokenSet, now: float, nonce: str | None) -> WireRequest:
    scheme = SCHEMES.get(token.token_type.lower(), token.token_type)
    headers = {
        "Accept": "application/json",
        "Authorization": f"{scheme} {token.access_token.reveal()}",
    }
    if isinstance(token.proof_key, ProofKey):
        headers[dpop.HEADER] = dpop.proof(
            token.proof_key, "GET", there.token_url, now, nonce=nonce, token=token.access_token
        )
    return WireRequest("GET", there.token_url, headers, secrets=(token.access_token,))


def _refused(there: Profile, reply: WireReply) -> RefusedError:
    said = {
        name: redact(value)[:QUOTE]
        for name, value in refusal(reply.headers.get("www-authenticate", "")).items()
    }
    why = ", ".join(said[name] for name in ("error", "error_description") if name in said)
    return RefusedError(
        f"{endpoint(there)} does not open to this token (HTTP {reply.status}"
        f"{', ' if why else ''}{why}); it wants one with the scope openid that is for no other API",
        hint=f"tokencli refresh {there.name}",
        status=reply.status,
        error=said.get("error"),
        description=said.get("error_description"),
    )
