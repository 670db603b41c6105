"""Ask the server what it knows of a token: introspection (RFC 7662) and UserInfo (OpenID Connect)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tokencli import dpop
from tokencli.actions.exchange import exchange
from tokencli.actions.person import unaddressed
from tokencli.actions.secrets import Wallet
from tokencli.actions.verify import verify_answer
from tokencli.errors import RefusedError, ReplyError
from tokencli.formats.header import SCHEMES
from tokencli.grants.steps import Value
from tokencli.jwt.decode import decode
from tokencli.jwt.verify import NotValid
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
        ConfigError: no such endpoint is known, or nobody to vouch for a signed answer.
        RefusedError: the token does not open it.
        ReplyError: the answer is none, is not the issuer's, or is about somebody else than the ID
            token.
    """
    found = edges.located(profile, "userinfo")
    url = found.endpoints.get("userinfo")
    if url is None:
        raise unaddressed(profile, "userinfo")
    there = replace(found, token_url=url)
    request, reply = _opened(there, edges, token)
    if reply.status >= 400:
        raise _refused(there, request, reply)
    kind = reply.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/jwt":
        told = _signed(there, edges, request, reply)
    else:
        told = members(there, request, reply)
    who = told.get("sub")
    if not isinstance(who, str) or not who:
        raise _unbelievable(there, "does not say of whom it speaks: there is no sub")
    expected = decode(token.id_token.reveal()).claims.get("sub") if token.id_token else None
    if expected is not None and who != expected:
        shown = [redact(str(one), request.secrets)[:80] for one in (who, expected)]
        raise _unbelievable(
            there, f"speaks of {shown[0]!r}, but the ID token is that of {shown[1]!r}"
        )
    return told


def _signed(
    there: Profile, edges: Edges, request: WireRequest, reply: WireReply
) -> Mapping[str, Any]:
    """Return the claims of a signed answer, if its issuer signed it for this client."""
    text = reply.body.decode("ascii", "replace").strip()
    found = decode(text)
    if found.kind == "jwe":
        raise _unbelievable(
            there, "answered with a JWT that is encrypted, for which this program has no key"
        )
    if found.kind == "opaque":
        raise _unbelievable(there, "answered with something that is no JWT, though it says so")
    try:
        verify_answer(there, edges, text)
    except NotValid as why:
        raise _unbelievable(
            there,
            f"answered with a JWT that is not to be believed: {redact(str(why), request.secrets)}",
        ) from None
    return found.claims


def _unbelievable(there: Profile, what: str) -> ReplyError:
    return ReplyError(
        f"{endpoint(there)} {what} (OpenID Connect Core section 5.3.2)",
        hint=f"check userinfo_url: tokencli profiles show {there.name}",
    )


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
    beside = [one for one in (token.refresh_token, token.id_token) if one is not None]
    secrets = (token.access_token, *beside)  # a server may quote what it issued together
    return WireRequest("GET", there.token_url, headers, secrets=secrets)


def _refused(there: Profile, request: WireRequest, reply: WireReply) -> RefusedError:
    said = {
        name: redact(value, request.secrets)[:QUOTE]
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
