"""Resolve a profile: validate its table and fill in what its provider supplies."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tokencli.config import validators
from tokencli.config.config_file import expand_path
from tokencli.config.profile_checks import check_profile
from tokencli.config.profile_draft import ProfileDraft
from tokencli.config.profile_schema import (
    COMMON_KEYS,
    REDEFINABLE_KEYS,
    SECRET_KEYS,
    SIGN_IN_KEYS,
    TOP_LEVEL_KEYS,
    ProfileTable,
    allowed_keys,
    build_profile_model,
    explicit_values,
    secret_key_names,
)
from tokencli.errors import ConfigError
from tokencli.models import Connection, Profile, SignIn, Signing
from tokencli.oauth import grants
from tokencli.problems import Finding, KeyPath, closest_match, did_you_mean
from tokencli.provider_schema import Provider
from tokencli.providers.endpoint_urls import KEY_BY_ENDPOINT, get_url_origin
from tokencli.providers.template import fill_template, fill_url
from tokencli.toml_writer import format_key_path

_COPIED_KEYS = ("store", "export", "min_ttl", "lock_timeout", "basic_encoding")
"""Keys copied into the profile unchanged."""
_CONNECTION_KEYS = ("timeout", "insecure", "proxy")


@dataclass(frozen=True, slots=True)
class ConfigLocation:
    """The configuration file of a profile, and what it sets for all profiles."""

    config_file: Path
    state_dir: str | None = None
    isolated: bool = False
    event_log: bool = True


def resolve_profile(
    name: str,
    table: Mapping[str, Any],
    provider: Provider,
    model: type[ProfileTable],
    location: ConfigLocation,
) -> Profile | list[Finding]:
    """Return the resolved profile, or all of its problems."""
    given, invalid, table_findings = _validate_table(name, table, provider, model)
    findings = [*check_profile_name_and_type(name, table), *table_findings]
    draft = ProfileDraft(name, given, provider, location.config_file, invalid)
    values = draft.template_values()
    try:
        urls = _resolve_endpoint_urls(given, provider, values)
        api_url = _resolve_api_url(given, provider, values)
    except ConfigError as error:
        findings.append(Finding(("profiles", name), error.message, error.fix))
        urls, api_url = {}, None
    findings += check_profile(draft, values, urls, api_url)
    if findings or not {"token", "issuer"} & set(urls):
        return findings
    return _build_profile(draft, values, urls, api_url, location)


def check_without_provider(name: str, table: Mapping[str, Any]) -> list[Finding]:
    """List the problems that a profile has with any provider; its own is unknown."""
    findings = check_profile_name_and_type(name, table)
    try:
        ProfileTable.model_validate(table)
    except ValidationError as error:
        from tokencli.providers.validation.pydantic_problems import convert_validation_error

        redefinable = REDEFINABLE_KEYS - SECRET_KEYS  # the provider may accept other values
        certain = {
            entry["loc"][0]
            for entry in error.errors()
            if entry["loc"][0] in COMMON_KEYS - redefinable or entry["type"] != "value_error"
        }
        converted = convert_validation_error(
            error,
            ("profiles", name),
            partial(allowed_keys, ProfileTable),
            SECRET_KEYS,
            top_level_keys=TOP_LEVEL_KEYS,
        )
        keys = (COMMON_KEYS & certain) - {"provider"}
        findings += [
            _fill_profile_name(finding, name)
            for finding in converted
            if finding.key_path[2] in keys
        ]
    return findings


def _resolve_endpoint_urls(
    given: Mapping[str, Any], provider: Provider, values: Mapping[str, str]
) -> dict[str, str]:
    """Return endpoints and issuer, from the profile or else from the provider's templates."""
    urls = {}
    for name in (field.name for field in fields(provider.endpoints)):
        template = getattr(provider.endpoints, name)
        url = given.get(KEY_BY_ENDPOINT[name]) or (template and fill_url(template, values))
        if url:
            urls[name] = url
    return urls


def _resolve_api_url(
    given: Mapping[str, Any], provider: Provider, values: Mapping[str, str]
) -> str | None:
    """Return the base URL of the API, from the profile or else from the provider's template.

    A provider may have a field of that name; unless it is a URL, it means something else.
    """
    field = provider.fields.get("api_url")
    if field is not None and field.kind != "url":
        return None
    url = given.get("api_url") or values.get("api_url")
    return url or (provider.api_url and fill_url(provider.api_url, values)) or None


def _validate_table(
    name: str, table: Mapping[str, Any], provider: Provider, model: type[ProfileTable]
) -> tuple[dict[str, Any], frozenset[str], list[Finding]]:
    """Return the valid values, the keys with invalid ones, and the problems."""
    try:
        return explicit_values(model.model_validate(table)), frozenset(), []
    except ValidationError as error:
        from tokencli.providers.validation.pydantic_problems import convert_validation_error

        keys = partial(allowed_keys, model)
        of = f"provider {provider.name}"
        findings = convert_validation_error(
            error,
            ("profiles", name),
            keys,
            secret_key_names(provider),
            of=of,
            top_level_keys=TOP_LEVEL_KEYS,
        )
        invalid = {str(entry["loc"][0]) for entry in error.errors() if entry["loc"]}
    valid = {key: value for key, value in table.items() if key not in invalid}
    meant = {closest_match(key, keys()) or key for key in invalid}
    given = explicit_values(model.model_validate(valid))
    return given, frozenset(meant), [_fill_profile_name(finding, name) for finding in findings]


def _fill_profile_name(finding: Finding, name: str) -> Finding:
    suggestion = finding.suggestion and finding.suggestion.replace("{profile}", name)
    return Finding(finding.key_path, finding.message, suggestion)


def _build_profile(
    draft: ProfileDraft,
    values: dict[str, str],
    urls: dict[str, str],
    api_url: str | None,
    location: ConfigLocation,
) -> Profile:
    given, provider = draft.given, draft.provider
    connection = {key: given[key] for key in _CONNECTION_KEYS if key in given}
    if "ca_file" in given:
        connection["ca_file"] = str(expand_path(given["ca_file"], draft.config_file.parent))
    params = dict(given.get("params", {}))
    if "audience" in given:
        params["audience"] = given["audience"]
    if "resource" in given:
        resource = given["resource"]
        params["resource"] = resource[0] if len(resource) == 1 else resource
    token_url = urls.get("token") or urls["issuer"]
    return Profile(
        name=draft.name,
        provider=provider,
        grant=draft.grant,
        client_auth=draft.client_auth,
        token_url=token_url,
        issuer=urls.get("issuer"),
        endpoints={name: url for name, url in urls.items() if name not in ("token", "issuer")},
        sign_in=SignIn(
            **{key: given[key] for key in SIGN_IN_KEYS if key in given},
            iss_in_redirect=given.get("iss_in_redirect", provider.iss_in_redirect),
        ),
        values=values,
        secrets=draft.secret_refs(get_url_origin(token_url), isolated=location.isolated),
        scope=given.get("scope", provider.scope),
        params=params,
        connection=Connection(**connection, profile=draft.name),
        signing=_build_signing(draft, values),
        client_cert=_client_certificate(draft),
        dpop=given.get("dpop", False),
        api_url=api_url,
        hot_copy=given.get("hot_copy", True) and _is_cacheable(draft),
        state_dir=location.state_dir,
        isolated=location.isolated,
        event_log=location.event_log,
        value_sources=_value_origins(draft, values, urls),
        **{key: given[key] for key in _COPIED_KEYS if key in given},
    )


def _build_signing(draft: ProfileDraft, values: Mapping[str, str]) -> Signing:
    given, template = draft.given, draft.provider.assertion_audience
    default_audience = fill_template(template, values) if template else None
    cert = given.get("client_cert")
    return Signing(
        alg=given.get("signing_alg"),
        key_id=given.get("key_id"),
        audience=given.get("assertion_audience") or default_audience,
        certificate=str(expand_path(cert, draft.config_file.parent)) if cert else None,
    )


def _client_certificate(draft: ProfileDraft) -> tuple[str, str] | None:
    cert, key = draft.given.get("client_cert"), draft.given.get("client_key")
    if cert is None or key is None:
        return None
    return str(expand_path(cert, draft.config_file.parent)), str(
        expand_path(key, draft.config_file.parent)
    )


def _is_cacheable(draft: ProfileDraft) -> bool:
    """Return whether a stored token can be used without checking anything else."""
    return not draft.given.get("dpop") and not grants.load_grant(draft.grant).exchanged_secrets


def _value_origins(
    draft: ProfileDraft, values: Mapping[str, str], urls: Mapping[str, str]
) -> dict[str, str]:
    """Return where each value comes from; the other keys have a default of tokencli."""
    by_provider = {*values, "grant", "client_auth", *(KEY_BY_ENDPOINT[name] for name in urls)}
    if draft.provider.scope:
        by_provider.add("scope")
    if draft.provider.api_url:
        by_provider.add("api_url")
    origins = dict.fromkeys(sorted(by_provider), f"provider {draft.provider.name}")
    return origins | dict.fromkeys(draft.given, draft.config_file.name)


def check_profile_name_and_type(name: str, table: object) -> list[Finding]:
    """List the problems with a profile's name, and whether it is a table."""
    path: KeyPath = ("profiles", name)
    findings = []
    if not re.fullmatch(validators.PROFILE_NAME_PATTERN, name):
        suggestion = "use at most 64 letters, digits, . _ and -, starting with a letter or digit"
        findings.append(Finding(path, "is not a valid name for a profile", suggestion))
    if not isinstance(table, dict):
        findings.append(Finding(path, "is not a table", f"write [{format_key_path(path)}]"))
    return findings


def unknown_provider_finding(name: str, provider: object, known: tuple[str, ...]) -> Finding:
    """Return the problem of a profile whose provider is missing or unknown."""
    path = ("profiles", name, "provider")
    if not isinstance(provider, str):
        message = "is missing" if provider is None else "must be text in quotes"
        return Finding(path, message, 'add provider = "…"; tokencli providers lists them')
    return Finding(path, f"{provider[:80]!r} is not a provider", did_you_mean(provider, known))


def resolve_new_profile(
    name: str, provider: Provider, keys: Mapping[str, Any]
) -> Profile | list[Finding]:
    """Return the profile that is not written yet, or all of its problems.

    Relative paths in `keys` stay relative to the working directory.
    """
    table = {"provider": provider.name, **keys}
    model, location = build_profile_model(provider), ConfigLocation(Path("config.toml"))
    return resolve_profile(name, table, provider, model, location)


def check_new_profile(name: str, provider: Provider, keys: Mapping[str, Any]) -> list[Finding]:
    """List the problems of an unwritten profile's name and keys; missing keys are not reported."""
    result = resolve_new_profile(name, provider, keys)
    if isinstance(result, Profile):
        return []
    of_keys = [
        finding for finding in result if len(finding.key_path) > 2 and finding.key_path[2] in keys
    ]
    return [*check_profile_name_and_type(name, keys), *of_keys]
