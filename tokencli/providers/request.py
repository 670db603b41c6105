"""Write the token request: logical names become wire names here, last thing before the wire."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import urlencode

from tokencli.clientauth import Applied
from tokencli.grants.steps import Value
from tokencli.model import Profile, Secret, WireRequest
from tokencli.providers import template

KINDS = {"form": "application/x-www-form-urlencoded", "json": "application/json"}
"""Body -> Content-Type."""


def _json(pairs: list[tuple[str, str]]) -> str:
    """Return the parameters as one flat object; one that is repeated becomes an array."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return json.dumps({name: v[0] if len(v) == 1 else v for name, v in found.items()})


_BODIES: dict[str, Callable[[list[tuple[str, str]]], str]] = {
    "form": urlencode,
    "json": _json,
    "query": lambda _: "",
}

RETRIABLE = ("client_credentials",)
"""Grants that may be sent twice: nothing is spent, and no account can be locked by it.

But not with an assertion, which is good for one sending."""


def write(
    profile: Profile,
    params: Mapping[str, Value],
    auth: Applied,
    *,
    url: str | None = None,
    beside: Mapping[str, str | Secret] | None = None,
) -> WireRequest:
    """Return the request for these logical parameters, form-encoded (RFC 6749 appendix B).

    Some servers want the same parameters as JSON or in the query instead. It goes to the token
    endpoint, or to another `url` of the same server. The provider's own headers may name the
    values `beside` OAuth's; without any, the profile's.
    """
    secrets = list(auth.inside)

    def reveal(value: Secret) -> str:
        secrets.append(value)
        return value.reveal()

    known = profile.values if beside is None else beside
    sent = _written(profile, params, auth, url, known, reveal)
    masked = _written(profile, params, auth, url, known, lambda _: template.MASK)
    return replace(sent, secrets=tuple(secrets), masked=masked)


def _written(
    profile: Profile,
    params: Mapping[str, Value],
    auth: Applied,
    url: str | None,
    beside: Mapping[str, str | Secret],
    spelled: Callable[[Secret], str],
) -> WireRequest:
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
    if way in KINDS:
        headers["Content-Type"] = KINDS[way]
    for name, text in profile.provider.request.headers.items():
        written = template.fill_secret(text, beside)
        if written is not None:
            known = next((one for one in headers if one.lower() == name.lower()), name)
            headers.pop(known, None)
            headers[name] = reveal(written)
    headers |= {name: reveal(value) for name, value in auth.headers.items()}
    target = url or profile.token_url
    if way == "query":
        target += ("&" if "?" in target else "?") + urlencode(pairs)
    return WireRequest(
        method="POST",
        url=target,
        headers=headers,
        body=_BODIES[way](pairs).encode("ascii"),
        retry=params.get("grant_type") in RETRIABLE and "client_assertion" not in auth.params,
        certificate=auth.certificate,
    )
