"""List the servers that a provider's requests reach, so that a person can decide whether to trust it."""

import re
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, fields

from tokencli.errors import ConfigError
from tokencli.models import Profile
from tokencli.provider_schema import Provider
from tokencli.providers.endpoint_urls import KEY_BY_ENDPOINT, get_url_origin
from tokencli.providers.template import Placeholder, fill_template, parse_template

CALL_NAMES = ("then", "refresh", "logout")
"""The tables of a provider that describe a further request."""
_KEY_BY_REQUEST = {**KEY_BY_ENDPOINT, "API": "api_url"}
"""The name of a request -> the key of a profile that sets its URL."""
MAX_ORIGIN_LENGTH = 200
"""Characters of an origin that are shown."""
_ORIGIN = re.compile(r"(?:https?://)?[^/?#]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RequestOrigin:
    """A server that requests of a provider reach."""

    origin: str
    """Scheme, host and port, e.g. `https://{host}`; `{base_url}` for a whole URL of the profile."""
    requests: tuple[str, ...]
    """Names of the endpoints and of the provider's own requests, e.g. `token` and `refresh`."""
    is_named: bool
    """Whether requests are sent there: it is the token endpoint's server, or one that the profile sets."""
    keys_to_set: tuple[str, ...]
    """The keys of a profile of which each would name the server."""

    def describe(self) -> str:
        """Return the server, what is sent there, and the key without which nothing is."""
        text = f"{self.origin} ({', '.join(self.requests).replace('_', ' ')} requests)"
        if self.is_named:
            return text
        return f"{text}; refused unless the profile sets {self.keys_to_set[0] if self.keys_to_set else 'it'}"


def list_request_origins(
    provider: Provider, profile: Profile | None = None
) -> tuple[RequestOrigin, ...]:
    """Return every server that the provider's requests reach, the token endpoint's first.

    They are those of a `profile`, or else of any profile that sets what has no default.
    """
    values = {name: field.default for name, field in provider.fields.items() if field.default}
    given: Set[str] = provider.fields.keys() - values
    set_urls: dict[str, str] = {}
    if profile is not None:
        values |= profile.values
        given = profile.own_keys
        urls = {
            "token": profile.token_url,
            "issuer": profile.issuer or "",
            "API": profile.api_url or "",
            **profile.endpoints,
        }
        set_urls = {name: url for name, url in urls.items() if _KEY_BY_REQUEST[name] in given}
    requests: dict[str, list[str]] = {}
    computed = _computed_origins(provider)
    for name, template in _iter_request_urls(provider):
        url = set_urls.get(name)
        origin = (
            get_url_origin(url).removesuffix(":443")
            if url
            else _get_template_origin(template, computed)
        )
        if origin == "{token_url}":
            origin = next(iter(requests), origin)
        requests.setdefault(origin, []).append(name)
    found = []
    for origin, names in requests.items():
        server = re.fullmatch(r"(?:https?://)?\{(\w+)\}(?::\d+)?", origin)
        field = provider.fields.get(server[1]) if server else None
        is_field = field is not None and field.kind in ("url", "host")
        keys = [_KEY_BY_REQUEST[name] for name in names if name in _KEY_BY_REQUEST]
        keys = [server[1]] if server and is_field else keys
        is_named = "token" in names or not given.isdisjoint(keys)
        shown = _fill_origin(origin, values)
        found.append(RequestOrigin(shown, tuple(names), is_named, tuple(keys)))
    return tuple(found)


def _iter_request_urls(provider: Provider) -> Iterator[tuple[str, str]]:
    """Yield the name and the URL template of each endpoint, of the API and of each further request."""
    for field in fields(provider.endpoints):
        url = getattr(provider.endpoints, field.name)
        if url:
            yield field.name, url
    if provider.api_url:
        yield "API", provider.api_url
    for name in CALL_NAMES:
        call = getattr(provider, name)
        if call is not None:
            yield name, call.url or "{token_url}"


def _computed_origins(provider: Provider) -> dict[str, str]:
    """Return the beginning of each computed value, with the values that it names put in."""
    computed: dict[str, str] = {}
    for name, text in provider.values.items():
        computed[name] = _expand(text, computed)
    return computed


def _expand(template: str, computed: Mapping[str, str]) -> str:
    """Return the beginning of a template, with computed values put in and placeholders kept."""
    text = ""
    for part in parse_template(template):
        if isinstance(part, Placeholder):
            text += computed.get(part.name, f"{{{part.name}}}")
        else:
            text += part
        if len(text) > MAX_ORIGIN_LENGTH:
            return f"{text[:MAX_ORIGIN_LENGTH]}…"
    return text


def _get_template_origin(url: str, computed: Mapping[str, str]) -> str:
    origin = _ORIGIN.match(_expand(url, computed))
    text = origin[0] if origin else ""
    return text if "{" in text else text.lower().removesuffix(":443")


def _fill_origin(origin: str, values: Mapping[str, str]) -> str:
    """Return the origin with the values of a profile put in, as far as they are known."""
    with suppress(ConfigError):
        filled = fill_template(origin, values)
        if filled and "://" in filled:
            return get_url_origin(filled).removesuffix(":443")
    return origin
