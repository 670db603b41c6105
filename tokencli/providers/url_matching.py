"""Read the values of a profile out of a URL, and recognize a provider by its endpoints.

A provider's endpoints are templates such as `{base_url}/realms/{realm}`. Here they are read backwards.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from urllib.parse import unquote, urlsplit

from tokencli.errors import ConfigError
from tokencli.provider_schema import Provider
from tokencli.providers.catalog import BUILTIN_NAMES, load_builtin
from tokencli.providers.endpoint_urls import KEY_BY_ENDPOINT, check_host_port
from tokencli.providers.template import Placeholder, parse_template

MAX_URL_LENGTH = 4096
MIN_MATCHING_ENDPOINTS = 4
"""Endpoints, with the issuer, that must be where a provider has them if its host can be any."""

_OTHER_HOSTS = {
    "sts.windows.net": "login.microsoftonline.com",
    "login.windows.net": "login.microsoftonline.com",
    "login.microsoft.com": "login.microsoftonline.com",
}
"""Host of a vendor -> the one that the templates have: issuers of version 1, and former names."""
_OWN_PAGES = {"groupid": ("https://{host}/", "(?i:GroupID[a-z]*(?:/.*)?)")}
"""Provider -> a template and the expression after it, of pages and services that only it has."""
_VALUE_PATTERNS = {
    "host": r"[^/?#@\s\\]+",
    "url": r"https?://[^/?#@\s\\]+(?:/[^?#\s\\]*?)?",
    "text": r"[^/?#\s\\]+",
}


def split_pasted_url(provider: Provider, name: str, text: str) -> dict[str, str]:
    """Return the keys that follow from a URL pasted as the value of field `name`.

    That is every value of a template that the URL matches, or else of one that it begins with. Any
    other URL of a `host` field is reduced to its host and port, and of a `url` field to the part before
    the query. Text that is not a URL is returned as it is.
    """
    kind = provider.fields[name].kind if name in provider.fields else "text"
    without_scheme = {"host": r".*/.*", "url": r"[\w.-]*[\w](:\d+)?(/.*)?"}.get(kind, r"(?!)")
    is_url = "://" in text or re.fullmatch(without_scheme, text, re.DOTALL) is None
    url = text if is_url else f"https://{text}"
    parts = _split_http_url(url)
    templates = [
        template for template in _endpoint_templates(provider) if f"{{{name}}}" in template
    ]
    if parts is None or kind == "secret" or name in KEY_BY_ENDPOINT.values():
        return {name: text}
    scheme, authority, path = parts
    for tail in ("/?", "(?:/.*)?"):
        for template in templates:
            found = _match_template(provider, template, _rejoin(parts, template), tail=tail)
            if found is not None and name in found:
                return _complete_ports(provider, found, scheme)
    groups = [group for grant in provider.grants.values() for group in grant.one_of]
    may_be_token_url = any({name, "token_url"} <= set(group) for group in groups)
    if may_be_token_url and scheme == "https" and path.rstrip("/").endswith("/token"):
        return {"token_url": f"https://{authority}{path}"}
    if kind == "host":
        return _complete_ports(provider, {name: authority}, scheme)
    return {name: f"{scheme}://{authority}{path}".rstrip("/") if kind == "url" else text}


def recognize_endpoints(endpoints: Mapping[str, str]) -> tuple[Provider, dict[str, str]] | None:
    """Return the built-in provider that has its endpoints and `issuer` exactly there, and its values.

    None if that is not certain. A provider that knows fewer endpoints is still the more certain one if
    more of the token endpoint's path is its own.
    """
    candidates: list[tuple[int, str, dict[str, str]]] = []
    for name in BUILTIN_NAMES:
        provider = load_builtin(name)
        values: dict[str, str] = {}
        matching = 0
        for endpoint, template in _named_templates(provider):
            url = endpoints.get(endpoint)
            if url is None or template == "{token_url}":
                continue
            found = _match_template(provider, template, url, tail="")
            if found is None or any(values.get(key, found[key]) != found[key] for key in found):
                break
            values |= found
            matching += 1
        else:
            token = provider.endpoints.token
            literal = "".join(part for part in parse_template(token) if isinstance(part, str))
            is_distinctive = provider.endpoints.issuer is None or _has_fixed_host(token)
            if "token" in endpoints and matching >= (
                1 if is_distinctive else MIN_MATCHING_ENDPOINTS
            ):
                candidates.append((len(literal), name, values))
    best = sorted(candidates, reverse=True)[:2]
    if not best or (len(best) == 2 and best[0][0] == best[1][0]):
        return None
    provider = load_builtin(best[0][1])
    return provider, _complete_ports(provider, best[0][2], "https")


def recognize_url(url: str) -> tuple[Provider, dict[str, str]] | None:
    """Return the built-in provider that alone can have an endpoint at this URL, and its values.

    Its host is the vendor's, or it is a token endpoint or a page whose path only this system has.
    """
    parts = _split_http_url(url)
    if parts is None:
        return None
    for name, (template, tail) in _OWN_PAGES.items():
        provider = load_builtin(name)
        values = _match_template(provider, template, _rejoin(parts, template), tail=tail)
        if values is not None:
            return provider, _complete_ports(provider, values, parts[0])
    for name in BUILTIN_NAMES:
        provider = load_builtin(name)
        for endpoint, template in _named_templates(provider):
            if template == "{token_url}":
                continue
            is_own_path = endpoint == "token" and provider.endpoints.issuer is None
            tail = "/?"
            if _has_fixed_host(template) and "}" in template:  # whatever is below the tenant
                template, tail = template[: template.rindex("}") + 1], "(?:/.*)?"
            if is_own_path or _has_fixed_host(template):
                values = _match_template(provider, template, _rejoin(parts, template), tail=tail)
                if values is not None:
                    return provider, _complete_ports(provider, values, parts[0])
    return None


def _endpoint_templates(provider: Provider) -> list[str]:
    """Return the templates of the endpoints, the most specific first."""
    templates = [template for _, template in _named_templates(provider)]
    return sorted(templates, key=len, reverse=True)


def _named_templates(provider: Provider) -> Iterator[tuple[str, str]]:
    for field in fields(provider.endpoints):
        template = getattr(provider.endpoints, field.name)
        if template and field.name in KEY_BY_ENDPOINT:
            yield field.name, template


def _has_fixed_host(template: str) -> bool:
    parts = urlsplit(template)
    return bool(parts.netloc) and "{" not in parts.netloc


def _split_http_url(url: str) -> tuple[str, str, str] | None:
    """Return scheme, host with port, and path; None if it is no http URL, or names a user."""
    if len(url) > MAX_URL_LENGTH:
        return None
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc:
        return None
    authority = parts.netloc.lower()
    default = ":443" if parts.scheme == "https" else ":80"
    return parts.scheme, authority.removesuffix(default), parts.path


def _rejoin(parts: tuple[str, str, str], template: str) -> str:
    """Return the URL, as https if the template says so: the scheme is then not the profile's.

    Another host of the same vendor is replaced by the one that the templates have.
    """
    scheme, authority, path = parts
    authority = _OTHER_HOSTS.get(authority, authority)
    return f"{'https' if template.startswith('https://') else scheme}://{authority}{path}"


def _match_template(
    provider: Provider, template: str, url: str, *, tail: str = "/?"
) -> dict[str, str] | None:
    """Return the values with which the template, followed by the expression `tail`, is this URL."""
    if len(url) > MAX_URL_LENGTH:
        return None
    pattern, names = _compile_template(template, tuple(sorted(_kinds(provider).items())))
    found = re.fullmatch(pattern + tail, url)
    if found is None:
        return None
    values = dict(zip(names, found.groups(), strict=True))
    return {
        name: value if _kinds(provider).get(name) in ("host", "url") else unquote(value)
        for name, value in values.items()
    }


def _kinds(provider: Provider) -> dict[str, str]:
    return {name: field.kind for name, field in provider.fields.items()}


@cache
def _compile_template(
    template: str, kinds: tuple[tuple[str, str], ...]
) -> tuple[str, tuple[str, ...]]:
    """Return the template as a regular expression, and the names of its groups."""
    pattern = ""
    names: list[str] = []
    for part in parse_template(template):
        if not isinstance(part, Placeholder):
            pattern += re.escape(part)
        elif part.name in names:
            pattern += f"\\{names.index(part.name) + 1}"
        else:
            names.append(part.name)
            pattern += f"({_VALUE_PATTERNS.get(dict(kinds).get(part.name, 'text'), '[^/?#]+')})"
    return pattern, tuple(names)


def _complete_ports(provider: Provider, values: Mapping[str, str], scheme: str) -> dict[str, str]:
    """Return the fields' values; a host of an https URL gets `:443` if its default port is another."""
    return {
        name: _with_port(value, provider.fields[name].port, scheme)
        if provider.fields[name].kind == "host"
        else value
        for name, value in values.items()
        if name in provider.fields
    }


def _with_port(authority: str, default_port: int | None, scheme: str) -> str:
    if scheme != "https" or default_port in (None, 443):
        return authority
    try:
        return check_host_port(authority, 443)
    except ConfigError:
        return authority
