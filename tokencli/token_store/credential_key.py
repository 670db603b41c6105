"""Which token is meant: the credential's key and binding, computed from the profile alone.

Everything that changes what a token endpoint would hand out goes into the key, so that a changed
profile is a miss. No secret does: not its value, and not where it rests.
"""

import json
from hashlib import sha256

from tokencli.models import Profile, TokenBinding
from tokencli.provider_schema import Grant, Reply, Request
from tokencli.providers.endpoint_urls import get_url_origin

KEY_VERSION = 1
"""Raised when what goes into the key changes; every stored token is then a miss, once."""

TOKEN_RECEIVERS = ("revocation", "introspection", "userinfo")
"""Endpoints beside the token endpoint that are sent tokens."""


def derive_credential_key(profile: Profile) -> str:
    """Return the hash under which the profile's token set is kept: 64 hexadecimal digits."""
    identity = [
        KEY_VERSION,
        profile.name,
        profile.token_url,
        profile.grant,
        profile.client_auth,
        sorted(set((profile.scope or "").split())),
        dict(profile.values),
        dict(profile.params),
        *(["dpop"] if profile.dpop else []),
        *_foreign_token_receivers(profile),
        *_request_digest(profile),
    ]
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode("ascii")).hexdigest()


def _request_digest(profile: Profile) -> list[str]:
    """Return a digest of how a provider of one's own asks for a token, and which of the reply it takes.

    So that a token that was got by another request is not handed out for this one.
    """
    said = profile.provider
    grant = said.grants.get(profile.grant, Grant())
    words = (said.request, said.then, said.values, said.signed, grant.grant_type, grant.params,
             said.reply.access_token, said.reply.compose)  # fmt: skip
    if words == (Request(), None, {}, {}, None, {}, Reply().access_token, None):
        return []
    return [f"asked {sha256(repr(words).encode(errors='surrogatepass')).hexdigest()}"]


def _foreign_token_receivers(profile: Profile) -> list[str]:
    """Name the other origins that the profile or its provider would have these tokens sent to.

    So that no token that is stored now goes to a place that is written into the file later. What an
    issuer says of its endpoints is pinned when it is first asked.
    """
    places = ((name, foreign_endpoint_origin(profile, name)) for name in TOKEN_RECEIVERS)
    return [f"{name} {place}" for name, place in places if place is not None]


def foreign_endpoint_origin(profile: Profile, name: str) -> str | None:
    """Return the origin of an endpoint that the profile or its provider puts elsewhere than the
    token endpoint; None of any other."""
    url = profile.endpoints.get(name)
    said = f"{name}_url" in profile.value_sources or getattr(profile.provider.endpoints, name)
    if url is None or not said or get_url_origin(url) == get_url_origin(profile.token_url):
        return None
    return get_url_origin(url)


def derive_binding(profile: Profile) -> TokenBinding:
    """Return what ties a token set of this profile to where it came from."""
    return TokenBinding(
        key=derive_credential_key(profile),
        profile=profile.name,
        origin=get_url_origin(profile.token_url),
        client_id=profile.values.get("client_id", ""),
    )
