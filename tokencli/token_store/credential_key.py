"""The credential key: the hash under which a profile's tokens are stored.

Every setting that changes which token the endpoint would issue is part of the key, so stored tokens
of a changed profile are not found. Secrets are not part of it, and neither is their source.
"""

import json
from collections.abc import Sequence
from functools import cache
from hashlib import sha256

from tokencli.models import Profile, TokenBinding
from tokencli.provider_schema import STRICT_CONFIG, Grant, Reply, Request
from tokencli.providers.endpoint_urls import KEY_BY_ENDPOINT, get_url_origin

KEY_VERSION = 1
"""Part of the key; a new version makes all stored tokens unreachable."""
_FIRST_STRICT_CONFIG = "{'extra': 'forbid', 'use_attribute_docstrings': True}"
"""`STRICT_CONFIG` as it is in the keys of 0.1, since the `repr` of a class shows it."""

TOKEN_RECEIVERS = ("revocation", "introspection", "userinfo")
"""Endpoints besides the token endpoint to which tokens are sent."""


def derive_credential_key(profile: Profile, receivers: Sequence[str] | None = None) -> str:
    """Return the hash under which the profile's token set is stored: 64 hexadecimal digits.

    With `receivers`, return what it would be if the profile sent its tokens to these servers.
    """
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
        *(list_foreign_receivers(profile) if receivers is None else receivers),
        *_request_digest(profile),
    ]
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode("ascii")).hexdigest()


def _request_digest(profile: Profile) -> list[str]:
    """Return a digest of a user-defined provider's token request and of where the token is in the reply.

    So a token that was requested differently is not used for this profile. The digest is made of the
    `repr` of the provider's dataclasses, so renaming them or their fields changes the key.
    """
    provider = profile.provider
    grant = provider.grants.get(profile.grant, Grant())
    parts = (provider.request, provider.then, provider.values, provider.signed, grant.grant_type,
             grant.params, provider.reply.access_token, provider.reply.compose)  # fmt: skip
    if parts == _standard_parts():
        return []
    text = repr(parts).replace(repr(STRICT_CONFIG), _FIRST_STRICT_CONFIG)
    return [f"asked {sha256(text.encode(errors='surrogatepass')).hexdigest()}"]


@cache
def _standard_parts() -> tuple[object, ...]:
    """Return the same parts of a provider that uses the standard OAuth request."""
    return Request(), None, {}, {}, None, {}, Reply().access_token, None


def list_foreign_receivers(profile: Profile) -> list[str]:
    """Return the other origins to which the profile or its provider sends tokens.

    So a token that is already stored is never sent to an origin that is configured later. Endpoints
    from an issuer's metadata are pinned when the metadata is first fetched.
    """
    origins = ((name, foreign_endpoint_origin(profile, name)) for name in TOKEN_RECEIVERS)
    return [f"{name} {origin}" for name, origin in origins if origin is not None]


def foreign_endpoint_origin(profile: Profile, name: str) -> str | None:
    """Return the origin of an endpoint, or None if it is the token endpoint's or not configured."""
    url = profile.endpoints.get(name)
    configured = (
        KEY_BY_ENDPOINT[name] in profile.value_sources
        or getattr(profile.provider.endpoints, name) is not None
    )
    if url is None or not configured or get_url_origin(url) == get_url_origin(profile.token_url):
        return None
    return get_url_origin(url)


def derive_binding(profile: Profile) -> TokenBinding:
    """Return what ties a token set to its profile, server and client."""
    return TokenBinding(
        key=derive_credential_key(profile),
        profile=profile.name,
        origin=get_url_origin(profile.token_url),
        client_id=profile.values.get("client_id", ""),
        receivers=tuple(list_foreign_receivers(profile)),
    )
