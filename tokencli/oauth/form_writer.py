"""Write the token request: logical names become wire names here, last thing before the wire."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import urlencode

from tokencli.models import HttpRequest, Profile, Secret
from tokencli.oauth.client_authentication import AuthAdditions
from tokencli.oauth.grants.steps import ParamValue
from tokencli.providers import template

CONTENT_TYPES = {"form": "application/x-www-form-urlencoded", "json": "application/json"}
"""Body -> Content-Type."""


def _encode_json(pairs: list[tuple[str, str]]) -> str:
    """Return the parameters as one flat object; one that is repeated becomes an array."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return json.dumps({name: v[0] if len(v) == 1 else v for name, v in found.items()})


_BODY_ENCODERS: dict[str, Callable[[list[tuple[str, str]]], str]] = {
    "form": urlencode,
    "json": _encode_json,
    "query": lambda _: "",
}

RETRIABLE_GRANTS = ("client_credentials",)
"""Grants that may be sent twice: nothing is spent, and no account can be locked by it.

But not with an assertion, which is good for one sending."""


def write_oauth_request(
    profile: Profile,
    params: Mapping[str, ParamValue],
    auth: AuthAdditions,
    *,
    url: str | None = None,
    beside: Mapping[str, str | Secret] | None = None,
) -> HttpRequest:
    """Return the request for these logical parameters, form-encoded (RFC 6749 appendix B).

    Some servers want the same parameters as JSON or in the query instead. It goes to the token
    endpoint, or to another `url` of the same server. The provider's own headers may name the
    values `beside` OAuth's; without any, the profile's.
    """
    secrets = list(auth.encoded_secrets)

    def reveal(value: Secret) -> str:
        secrets.append(value)
        return value.reveal()

    known = profile.values if beside is None else beside
    sent = _render_oauth_request(profile, params, auth, url, known, reveal)
    masked = _render_oauth_request(profile, params, auth, url, known, lambda _: template.MASK)
    return replace(sent, secrets=tuple(secrets), masked_copy=masked)


def _render_oauth_request(
    profile: Profile,
    params: Mapping[str, ParamValue],
    auth: AuthAdditions,
    url: str | None,
    beside: Mapping[str, str | Secret],
    spelled: Callable[[Secret], str],
) -> HttpRequest:
    """Return the request with each secret as it is `spelled`."""
    names = profile.provider.request.names
    pairs: list[tuple[str, str]] = []

    def reveal(value: str | Secret) -> str:
        return spelled(value) if isinstance(value, Secret) else value

    for name, value in {**params, **auth.params}.items():
        for one in value if isinstance(value, tuple) else (value,):
            pairs.append((names.get(name, name), reveal(one)))
    way = (profile.provider.request.body or "form") if url is None else "form"
    headers = {"Accept": "application/json"}
    if way in CONTENT_TYPES:
        headers["Content-Type"] = CONTENT_TYPES[way]
    for name, text in profile.provider.request.headers.items():
        written = template.fill_with_secrets(text, beside)
        if written is not None:
            known = next((one for one in headers if one.lower() == name.lower()), name)
            headers.pop(known, None)
            headers[name] = reveal(written)
    headers |= {name: reveal(value) for name, value in auth.headers.items()}
    target = url or profile.token_url
    if way == "query":
        target += ("&" if "?" in target else "?") + urlencode(pairs)
    return HttpRequest(
        method="POST",
        url=target,
        headers=headers,
        body=_BODY_ENCODERS[way](pairs).encode("ascii"),
        is_retry_safe=params.get("grant_type") in RETRIABLE_GRANTS
        and "client_assertion" not in auth.params,
        client_certificate=auth.certificate,
    )
