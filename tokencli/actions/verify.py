"""Check a token against the keys that the profile's issuer publishes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tokencli.actions.person import unaddressed
from tokencli.errors import ConfigError, ReplyError
from tokencli.jwt import verify as jwt
from tokencli.model import Profile, WireRequest
from tokencli.ports import Edges
from tokencli.providers.reply import endpoint, members


def verify(
    profile: Profile, edges: Edges, token: str, audiences: Sequence[str] = ()
) -> jwt.Verified:
    """Return what was proven of the token; keys come from the profile's issuer and nowhere else.

    It may be for the profile's audience, one of its resources, its client, or one of `audiences`.

    Raises:
        NotValid: of `jwt.verify`: the token is not to be believed, and why.
        ConfigError: the profile names no issuer, or where its keys are is not known.
        TokencliError: the keys can't be had.
    """
    return _proven(profile, edges, token, (*_audiences(profile), *audiences))


def verify_answer(profile: Profile, edges: Edges, answer: str) -> jwt.Verified:
    """Return what was proven of a JWT with which an endpoint of the issuer answered the client.

    It is for the client alone, and needs no end; raises as `verify` does.
    """
    return _proven(profile, edges, answer, _client(profile), endless=True)


def _proven(
    profile: Profile, edges: Edges, token: str, audiences: Sequence[str], *, endless: bool = False
) -> jwt.Verified:
    found = edges.located(profile, "jwks")
    if found.issuer is None:
        raise ConfigError(
            f"profile {profile.name!r} names no issuer, so there is nobody to vouch for a token",
            hint=f'add issuer = "https://…": tokencli profiles edit {profile.name}',
        )
    url = found.endpoints.get("jwks")
    if url is None:
        raise unaddressed(profile, "jwks")
    there, issuer = replace(found, token_url=url), found.issuer

    def check() -> jwt.Verified:
        return jwt.verify(
            token,
            _keys(there, edges),
            issuer=issuer,
            audiences=audiences,
            now=edges.clock.now(),
            endless=endless,
        )

    try:
        return check()
    except jwt.UnknownKey:
        return check()  # a set may be renewed just now, or come from a cache on the way


def _audiences(profile: Profile) -> tuple[str, ...]:
    told = [profile.params.get(name, ()) for name in ("audience", "resource")]
    listed = [one for value in told for one in ([value] if isinstance(value, str) else value)]
    return tuple(dict.fromkeys((*listed, *_client(profile))))


def _client(profile: Profile) -> tuple[str, ...]:
    client = profile.values.get("client_id")
    return (client,) if client else ()


def _keys(there: Profile, edges: Edges) -> Mapping[str, Any]:
    request = WireRequest("GET", there.token_url, {"Accept": "application/json"}, retry=True)
    keys = members(there, request, edges.transport.send(request, there.connection))
    if not isinstance(keys.get("keys"), list):
        raise ReplyError(
            f"{endpoint(there)} publishes something that is no set of keys (RFC 7517 section 5)",
            hint=f"check jwks_url: tokencli profiles show {there.name}",
        )
    return keys
