"""Validate a provider table: fields, grants, endpoints and the standard OAuth request."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from tokencli.errors import ConfigError
from tokencli.problems import Finding, InvalidValueError, KeyPath, did_you_mean
from tokencli.provider_schema import Field, Provider
from tokencli.providers.catalog import BUILTIN_NAMES, build_provider
from tokencli.providers.template import fill_url, list_value_names
from tokencli.providers.validation import values
from tokencli.providers.validation.pydantic_problems import (
    check_strict_types,
    convert_validation_error,
)
from tokencli.providers.validation.request import (
    STANDARD_VALUE_NAMES,
    KnownNames,
    check_requests,
)
from tokencli.providers.validation.spellings import check_spellings
from tokencli.providers.validation.template import (
    check_header_template,
    check_name,
    check_server_placeholders,
    check_template,
    run_check,
)

_SAMPLE_VALUES = {"host": "h.example", "url": "https://h.example", "text": "x"}


def validate_user_provider(
    name: str, table: Mapping[str, Any], known: KnownNames
) -> Provider | list[Finding]:
    """Return the provider that `[providers.NAME]` describes, or every problem in the table."""
    at: KeyPath = ("providers", name)
    wrong: list[Finding] = []
    if not re.fullmatch(values.PROFILE_NAME_PATTERN, name):
        wrong.append(Finding(at, "is not a valid provider name", "use letters, digits, . _ and -"))
    if name in BUILTIN_NAMES:
        wrong.append(Finding(at, "is the name of a built-in provider", "choose another name"))
    if "name" in table:
        what = "is already given by the name of the table"
        wrong.append(Finding((*at, "name"), what, "remove it"))
    found = validate_provider(
        name, {key: value for key, value in table.items() if key != "name"}, known
    )
    return [*wrong, *(found if isinstance(found, list) else [])] or found


def validate_provider(
    name: str, table: Mapping[str, Any], known: KnownNames
) -> Provider | list[Finding]:
    """Return the provider that a table describes under any name, or every problem in it."""
    at: KeyPath = ("providers", name)
    try:
        _provider_adapter().validate_python(table)
    except ValidationError as error:
        return convert_validation_error(error, at, _provider_table_keys)
    provider = build_provider(table, name)
    loose = list(check_strict_types(provider, at))
    if loose:
        return loose
    wrong = [
        *_check_fields(provider, at, known),
        *_check_grants(provider, at, known),
        *_check_oauth_request(provider, at, known),
    ]
    wrong += [] if wrong else check_requests(provider, at, known)
    wrong += [] if wrong else check_spellings(provider, at)
    return [
        *wrong,
        *_check_endpoints(provider, at, known),
        *_check_issuer_claims(provider, at),
    ] or provider


@cache
def _provider_adapter() -> TypeAdapter[Provider]:
    return TypeAdapter(Provider)


def _provider_table_keys(path: KeyPath) -> list[str]:
    """List the keys of the table at `path` inside a provider."""
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


def _check_fields(provider: Provider, at: KeyPath, known: KnownNames) -> Iterator[Finding]:
    for name, field in provider.fields.items():
        path = (*at, "fields", name)
        if not re.fullmatch(values.FIELD_NAME_PATTERN, name):
            yield Finding(path, "is not a valid field name", "use lower-case letters, digits and _")
        elif name in known.reserved_field_names:
            yield Finding(path, "is a key of every profile", f"rename it, e.g. to own_{name}")
        elif name in known.redefinable_keys and (field.kind == "secret") != (
            name in ("password", "client_secret")
        ):
            yield Finding((*path, "kind"), "does not fit this key, which every profile has")
        elif field.default is not None:
            yield from run_check(_check_field_default, field, (*path, "default"))


def _check_field_default(field: Field) -> None:
    if field.kind == "secret" and not field.default:
        raise InvalidValueError(
            "is an empty secret",
            'remove the field, and leave the secret out of the templates: basic = "{client_id}:"',
        )
    if field.kind == "secret":
        raise InvalidValueError(
            "is a secret, which must not be written in this file", "remove it", quote=False
        )
    check: dict[str, Callable[[str], str]] = {
        "text": values.validate_text,
        "host": values.host_validator(field.port),
        "url": values.url_validator(query=True),
    }
    check[field.kind](field.default or "")


def _check_grants(provider: Provider, at: KeyPath, known: KnownNames) -> Iterator[Finding]:
    inputs, template_values = known.input_names(provider), known.template_names(provider)
    if not provider.grants:
        yield Finding((*at, "grants"), "has no grants", "e.g. [providers.x.grants.password]")
    if not provider.client_auth:
        yield Finding((*at, "client_auth"), "has no methods", ", ".join(known.client_auth_methods))
    for method in provider.client_auth:
        if method not in known.client_auth_methods:
            right = did_you_mean(method, known.client_auth_methods)
            yield Finding(
                (*at, "client_auth"), f"{method!r} is not a client authentication method", right
            )
    if provider.assertion_audience is not None:
        where = (*at, "assertion_audience")
        yield from check_template(provider.assertion_audience, known.public_names(provider), where)
    for name, grant in provider.grants.items():
        path = (*at, "grants", name)
        for group in (grant.needs, grant.optional, *grant.one_of):
            for value in group:
                yield from check_name(value, inputs, path)
        for wire, text in grant.params.items():
            yield from run_check(values.validate_text, wire, (*path, "params"))
            yield from check_template(text, template_values, (*path, "params", wire))
        for claim, text in grant.claims.items():
            yield from check_template(text, known.public_names(provider), (*path, "claims", claim))


def _check_oauth_request(provider: Provider, at: KeyPath, known: KnownNames) -> Iterator[Finding]:
    headers = {} if provider.request.is_custom else provider.request.headers
    names = known.template_names(provider)
    for name, text in headers.items():
        path = (*at, "request", "headers", name)
        yield from run_check(values.validate_header_name, name, path)
        yield from check_header_template(text, names, path)
    for logical, wire in provider.request.names.items():
        yield from run_check(values.validate_text, wire, (*at, "request", "names", logical))
    for status in provider.errors.status:
        if not re.fullmatch(r"[1-5][0-9][0-9]", status):
            path = (*at, "errors", "status", status)
            yield Finding(path, "is not an HTTP status", "use three digits, e.g. 401")


def _check_endpoints(provider: Provider, at: KeyPath, known: KnownNames) -> Iterator[Finding]:
    sample = dict.fromkeys(STANDARD_VALUE_NAMES, "x") | {"token_url": _SAMPLE_VALUES["url"]}
    sample |= {name: _SAMPLE_VALUES.get(field.kind, "") for name, field in provider.fields.items()}
    templates = {
        (*at, "endpoints", field.name): getattr(provider.endpoints, field.name)
        for field in fields(provider.endpoints)
    }
    for path, text in {**templates, (*at, "api_url"): provider.api_url}.items():
        if text is None:
            continue
        wrong = list(check_template(text, known.public_names(provider), path))
        wrong += check_server_placeholders(text, provider, path)
        yield from wrong or run_check(lambda one: fill_url(one, sample), text, path)


def _check_issuer_claims(provider: Provider, at: KeyPath) -> Iterator[Finding]:
    try:
        named = list_value_names(provider.endpoints.issuer or "")
    except ConfigError:  # reported at endpoints.issuer
        return
    for name in provider.issuer_claims:
        if name not in named:
            what = "does not appear in endpoints.issuer"
            yield Finding(
                (*at, "issuer_claims", name), what, "use a field that endpoints.issuer contains"
            )
