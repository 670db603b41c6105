"""Make a finished profile of what its table and its provider say."""

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
    CLIENT_SECRET_KEYS,
    COMMON_KEYS,
    KEY_BY_ENDPOINT,
    REDEFINABLE_KEYS,
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
from tokencli.problems import Finding, closest_match, did_you_mean
from tokencli.provider_schema import Provider
from tokencli.providers.endpoint_urls import get_url_origin
from tokencli.providers.template import fill_template, fill_url
from tokencli.providers.validation.pydantic_problems import convert_validation_error
from tokencli.toml_writer import format_key_path

_COPIED_KEYS = ("store", "export", "min_ttl", "lock_timeout", "basic_encoding")
"""Keys whose values go into the profile as they are."""
_CONNECTION_KEYS = ("timeout", "insecure", "proxy")


@dataclass(frozen=True, slots=True)
class ConfigLocation:
    """Where a profile is written, and where its configuration keeps its state."""

    config_file: Path
    state_dir: str | None


def resolve_profile(
    name: str,
    table: Mapping[str, Any],
    provider: Provider,
    model: type[ProfileTable],
    place: ConfigLocation,
) -> Profile | list[Finding]:
    """Return the finished profile, or everything that keeps it from being one."""
    told, spoiled, found = _validate_table(name, table, provider, model)
    wrong = [*check_profile_name_and_type(name, table), *found]
    case = ProfileDraft(name, told, provider, place.config_file, spoiled)
    values = case.template_values()
    try:
        urls = _resolve_endpoint_urls(told, provider, values)
    except ConfigError as error:
        wrong.append(Finding(("profiles", name), error.message, error.fix))
        urls = {}
    wrong += check_profile(case, values, urls)
    if wrong or not {"token", "issuer"} & set(urls):
        return wrong
    return _build_profile(case, values, urls, place.state_dir)


def check_without_provider(name: str, table: Mapping[str, Any]) -> list[Finding]:
    """List what is wrong with a profile whatever its provider may be, which is not known."""
    wrong = check_profile_name_and_type(name, table)
    try:
        ProfileTable.model_validate(table)
    except ValidationError as error:
        secret = frozenset(("password", "client_secret", *CLIENT_SECRET_KEYS))
        own = REDEFINABLE_KEYS - secret  # what these must look like is the provider's to say
        sure = {
            entry["loc"][0]
            for entry in error.errors()
            if entry["loc"][0] in COMMON_KEYS - own or entry["type"] != "value_error"
        }
        every = convert_validation_error(
            error,
            ("profiles", name),
            partial(allowed_keys, ProfileTable),
            secret,
            top_level_keys=TOP_LEVEL_KEYS,
        )
        known = (COMMON_KEYS & sure) - {"provider"}
        wrong += [_fill_profile_name(one, name) for one in every if one.key_path[2] in known]
    return wrong


def _resolve_endpoint_urls(
    told: Mapping[str, Any], provider: Provider, values: Mapping[str, str]
) -> dict[str, str]:
    """Return the endpoints that the profile or else its provider's templates name, and the issuer."""
    found = {}
    for name in (field.name for field in fields(provider.endpoints)):
        template = getattr(provider.endpoints, name)
        url = told.get(KEY_BY_ENDPOINT[name]) or (template and fill_url(template, values))
        if url:
            found[name] = url
    return found


def _validate_table(
    name: str, table: Mapping[str, Any], provider: Provider, model: type[ProfileTable]
) -> tuple[dict[str, Any], frozenset[str], list[Finding]]:
    """Return what the table rightly says, the keys that it says wrongly, and what is wrong."""
    try:
        return explicit_values(model.model_validate(table)), frozenset(), []
    except ValidationError as error:
        keys = partial(allowed_keys, model)
        of = f"provider {provider.name}"
        wrong = convert_validation_error(
            error,
            ("profiles", name),
            keys,
            secret_key_names(provider),
            of=of,
            top_level_keys=TOP_LEVEL_KEYS,
        )
        spoiled = {str(entry["loc"][0]) for entry in error.errors() if entry["loc"]}
    rest = {key: value for key, value in table.items() if key not in spoiled}
    likely = {closest_match(key, keys()) or key for key in spoiled}
    told = explicit_values(model.model_validate(rest))
    return told, frozenset(likely), [_fill_profile_name(finding, name) for finding in wrong]


def _fill_profile_name(finding: Finding, name: str) -> Finding:
    right = finding.suggestion and finding.suggestion.replace("{profile}", name)
    return Finding(finding.key_path, finding.message, right)


def _build_profile(
    case: ProfileDraft, values: dict[str, str], urls: dict[str, str], state_dir: str | None
) -> Profile:
    told, provider = case.given, case.provider
    connection = {key: told[key] for key in _CONNECTION_KEYS if key in told}
    if "ca_file" in told:
        connection["ca_file"] = str(expand_path(told["ca_file"], case.config_file.parent))
    further = dict(told.get("params", {}))
    if "audience" in told:
        further["audience"] = told["audience"]
    if "resource" in told:
        resource = told["resource"]
        further["resource"] = resource[0] if len(resource) == 1 else resource
    token_url = urls.get("token") or urls["issuer"]
    return Profile(
        name=case.name,
        provider=provider,
        grant=case.grant,
        client_auth=case.client_auth,
        token_url=token_url,
        issuer=urls.get("issuer"),
        endpoints={name: url for name, url in urls.items() if name not in ("token", "issuer")},
        sign_in=SignIn(
            **{key: told[key] for key in SIGN_IN_KEYS if key in told},
            iss_in_redirect=told.get("iss_in_redirect", provider.iss_in_redirect),
        ),
        values=values,
        secrets=case.secret_refs(get_url_origin(token_url)),
        scope=told.get("scope", provider.scope),
        params=further,
        connection=Connection(**connection),
        signing=_build_signing(case, values),
        client_cert=_client_certificate(case),
        dpop=told.get("dpop", False),
        hot_copy=told.get("hot_copy", True) and _is_cacheable(case),
        state_dir=state_dir,
        value_sources=_value_origins(case, values, urls),
        **{key: told[key] for key in _COPIED_KEYS if key in told},
    )


def _build_signing(case: ProfileDraft, values: Mapping[str, str]) -> Signing:
    told, template = case.given, case.provider.assertion_audience
    by_provider = fill_template(template, values) if template else None
    cert = told.get("client_cert")
    return Signing(
        alg=told.get("signing_alg"),
        key_id=told.get("key_id"),
        audience=told.get("assertion_audience") or by_provider,
        certificate=str(expand_path(cert, case.config_file.parent)) if cert else None,
    )


def _client_certificate(case: ProfileDraft) -> tuple[str, str] | None:
    cert, key = case.given.get("client_cert"), case.given.get("client_key")
    if cert is None or key is None:
        return None
    return str(expand_path(cert, case.config_file.parent)), str(
        expand_path(key, case.config_file.parent)
    )


def _is_cacheable(case: ProfileDraft) -> bool:
    """Tell whether a stored token may be handed out by itself, without looking at anything else."""
    return not case.given.get("dpop") and not grants.load_grant(case.grant).exchanged_secrets


def _value_origins(
    case: ProfileDraft, values: Mapping[str, str], urls: Mapping[str, str]
) -> dict[str, str]:
    """Say where each value came from; what is not named is a default of the program."""
    by_provider = {*values, "grant", "client_auth", *(KEY_BY_ENDPOINT[name] for name in urls)}
    if case.provider.scope:
        by_provider.add("scope")
    origins = dict.fromkeys(sorted(by_provider), f"provider {case.provider.name}")
    return origins | dict.fromkeys(case.given, case.config_file.name)


def check_profile_name_and_type(name: str, table: object) -> list[Finding]:
    """Return what keeps a profile from being looked at: its name, or that it is no table."""
    path, found = ("profiles", name), []
    if not re.fullmatch(validators.PROFILE_NAME_PATTERN, name):
        right = "use letters, digits, . _ and -, at most 64, beginning with a letter or digit"
        found.append(Finding(path, "is no name for a profile", right))
    if not isinstance(table, dict):
        found.append(Finding(path, "is not a table", f"write [{format_key_path(path)}]"))
    return found


def unknown_provider_finding(name: str, provider: object, known: tuple[str, ...]) -> Finding:
    """Say that a profile names no provider, or one that there is not."""
    path = ("profiles", name, "provider")
    if not isinstance(provider, str):
        what = "is missing" if provider is None else "must be text in quotes"
        return Finding(path, what, f'add provider = "…", one of: {", ".join(known)}')
    return Finding(path, f"{provider[:80]!r} is not a provider", did_you_mean(provider, known))


def check_new_profile(name: str, provider: Provider, keys: Mapping[str, Any]) -> list[Finding]:
    """List what is wrong with the profile's name and with the keys that it has; none is missed yet."""
    table = {"provider": provider.name, **keys}
    model, place = build_profile_model(provider), ConfigLocation(Path("config.toml"), None)
    found = resolve_profile(name, table, provider, model, place)
    if isinstance(found, Profile):
        return []
    about_keys = [one for one in found if len(one.key_path) > 2 and one.key_path[2] in keys]
    return [*check_profile_name_and_type(name, table), *about_keys]
