"""Check a user's own `[providers.NAME]` table, and the built-in files by the same rules."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from tokencli import clientauth
from tokencli.config import rules
from tokencli.config.findings import Finding, Path, Wrong, did_you_mean
from tokencli.config.own_address import own_server
from tokencli.config.own_request import STANDARD, own_request
from tokencli.config.own_template import asking, header, template
from tokencli.config.schema import COMMON, OVERLAID, secret_keys
from tokencli.config.validation import findings, loosely_typed
from tokencli.errors import ConfigError
from tokencli.providers.catalog import BUILTIN, provider_from
from tokencli.providers.spec import Field, Provider
from tokencli.providers.template import names
from tokencli.providers.url_template import fill_url
from tokencli.providers.values import GENERATED

_SAMPLE = {"host": "h.example", "url": "https://h.example", "text": "x"}


def own_provider(name: str, table: Mapping[str, Any]) -> Provider | list[Finding]:
    """Return the provider that a table describes, or everything that is wrong with it."""
    at: Path = ("providers", name)
    wrong: list[Finding] = []
    if not re.fullmatch(rules.PROFILE_NAME, name):
        wrong.append(Finding(at, "is no name for a provider", "use letters, digits, . _ and -"))
    if name in BUILTIN:
        wrong.append(Finding(at, "is the name of a built-in provider", "choose another name"))
    if "name" in table:
        what = "is already given by the table's own name"
        wrong.append(Finding((*at, "name"), what, "take it out"))
    found = checked(name, {key: value for key, value in table.items() if key != "name"})
    return [*wrong, *(found if isinstance(found, list) else [])] or found


def checked(name: str, table: Mapping[str, Any]) -> Provider | list[Finding]:
    """Return the provider of a table under any name, or everything that is wrong with it."""
    at: Path = ("providers", name)
    try:
        _adapter().validate_python(table)
    except ValidationError as error:
        return findings(error, at, _keys)
    provider = provider_from(table, name)
    loose = list(loosely_typed(provider, at))
    if loose:
        return loose
    wrong = [*_fields(provider, at), *_grants(provider, at), *_request(provider, at)]
    wrong += [] if wrong else own_request(provider, at)
    return [*wrong, *_endpoints(provider, at), *_issuer_claims(provider, at)] or provider


@cache
def _adapter() -> TypeAdapter[Provider]:
    return TypeAdapter(Provider)


def _keys(path: Path) -> list[str]:
    """List the keys that may stand in the table at `path` inside a provider."""
    kind: Any = Provider
    for part in path:
        if is_dataclass(kind):
            kind = next((field.type for field in fields(kind) if field.name == part), None)
        else:
            kind = get_args(kind)[-1]  # the value's type of a Mapping[str, …]
        if isinstance(kind, UnionType):
            kind = get_args(kind)[0]  # of X | None
    if not is_dataclass(kind):
        return []
    return [field.name for field in fields(kind) if kind is not Provider or field.name != "name"]


def _fields(provider: Provider, at: Path) -> Iterator[Finding]:
    for name, field in provider.fields.items():
        path = (*at, "fields", name)
        if not re.fullmatch(rules.FIELD_NAME, name):
            yield Finding(path, "is no name for a field", "use small letters, digits and _")
        elif name in COMMON - OVERLAID:
            yield Finding(path, "is a key of every profile", "choose another name")
        elif name in OVERLAID and (field.kind == "secret") != (
            name in ("password", "client_secret")
        ):
            yield Finding((*path, "kind"), "does not fit this key of every profile")
        elif field.default is not None:
            yield from asking(_default, field, (*path, "default"))


def _default(field: Field) -> None:
    if field.kind == "secret":
        raise Wrong("is a secret, which must not stand in this file", "take it out", quote=False)
    check: dict[str, Callable[[str], str]] = {
        "text": rules.text,
        "host": rules.host(field.port),
        "url": rules.url(query=True),
    }
    check[field.kind](field.default or "")


def _grants(provider: Provider, at: Path) -> Iterator[Finding]:
    values = {*provider.fields, *STANDARD, *secret_keys(provider)}
    made = {*values, *GENERATED, *provider.values, *provider.signed}
    if not provider.grants:
        yield Finding((*at, "grants"), "names no grant", "such as [providers.x.grants.password]")
    if not provider.client_auth:
        yield Finding((*at, "client_auth"), "names no method", ", ".join(clientauth.METHODS))
    for method in provider.client_auth:
        if method not in clientauth.METHODS:
            right = did_you_mean(method, clientauth.METHODS)
            yield Finding((*at, "client_auth"), f"{method!r} is not a method", right)
    if provider.assertion_audience is not None:
        where = (*at, "assertion_audience")
        yield from template(provider.assertion_audience, _open_values(provider), where)
    for name, grant in provider.grants.items():
        path = (*at, "grants", name)
        for group in (grant.needs, grant.optional, *grant.one_of):
            yield from _known(group, values, path)
        for wire, text in grant.params.items():
            yield from asking(rules.text, wire, (*path, "params"))
            yield from template(text, made, (*path, "params", wire))
        for claim, text in grant.claims.items():
            yield from template(text, _open_values(provider), (*path, "claims", claim))


def _request(provider: Provider, at: Path) -> Iterator[Finding]:
    headers = {} if provider.request.whole else provider.request.headers
    known = {*provider.fields, *STANDARD, *secret_keys(provider), *GENERATED}
    known |= {*provider.values, *provider.signed}
    for name, text in headers.items():
        path = (*at, "request", "headers", name)
        yield from asking(rules.header_name, name, path)
        yield from header(text, known, path)
    for logical, wire in provider.request.names.items():
        yield from asking(rules.text, wire, (*at, "request", "names", logical))
    for status in provider.errors.status:
        if not re.fullmatch(r"[1-5][0-9][0-9]", status):
            path = (*at, "errors", "status", status)
            yield Finding(path, "is no HTTP status", "three digits, such as 401")


def _endpoints(provider: Provider, at: Path) -> Iterator[Finding]:
    sample = dict.fromkeys(STANDARD, "x") | {"token_url": _SAMPLE["url"]}
    sample |= {name: _SAMPLE.get(field.kind, "") for name, field in provider.fields.items()}
    for field in fields(provider.endpoints):
        text, path = getattr(provider.endpoints, field.name), (*at, "endpoints", field.name)
        if text is None:
            continue
        wrong = list(template(text, _open_values(provider), path))
        wrong += own_server(text, provider, path)
        yield from wrong or asking(lambda one: fill_url(one, sample), text, path)


def _issuer_claims(provider: Provider, at: Path) -> Iterator[Finding]:
    try:
        named = names(provider.endpoints.issuer or "")
    except ConfigError:  # which is told at endpoints.issuer
        return
    for name in provider.issuer_claims:
        if name not in named:
            what = "is not named by endpoints.issuer"
            yield Finding((*at, "issuer_claims", name), what, "name a field that it is made of")


def _open_values(provider: Provider) -> set[str]:
    """Name the values that may stand in a URL or a header: none that is secret."""
    return {*provider.fields, *STANDARD} - secret_keys(provider)


def _known(written: Iterable[str], values: set[str], path: Path) -> Iterator[Finding]:
    for name in written:
        if name not in values:
            right = f"{did_you_mean(name, sorted(values))} Else describe it under [fields.{name}]"
            yield Finding(path, f"names {name}, which can't stand here or is no field", right)
