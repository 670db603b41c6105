"""Make a finished profile of what its table and its provider say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tokencli import grants
from tokencli.config import rules
from tokencli.config.case import Case
from tokencli.config.client_keys import CLIENT_SECRETS
from tokencli.config.findings import Finding, did_you_mean, dotted, meant
from tokencli.config.judge import judge
from tokencli.config.paths import expand
from tokencli.config.schema import (
    COMMON,
    OVERLAID,
    ProfileTable,
    given,
    keys_of,
    secret_keys,
)
from tokencli.config.server_keys import KEYS, SIGN_IN_KEYS
from tokencli.config.validation import findings
from tokencli.errors import ConfigError
from tokencli.model import Connection, Profile, SignIn, Signing
from tokencli.providers.address import origin
from tokencli.providers.spec import Provider
from tokencli.providers.template import fill
from tokencli.providers.url_template import fill_url

_TAKEN = ("store", "export", "min_ttl", "lock_timeout", "basic_encoding")
"""Keys whose values go into the profile as they are."""
_CONNECTION = ("timeout", "insecure", "proxy")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a profile is written, and where its configuration keeps its state."""

    file: Path
    state_dir: str | None


def resolve(
    name: str, table: Mapping[str, Any], provider: Provider, model: type[ProfileTable], place: Place
) -> Profile | list[Finding]:
    """Return the finished profile, or everything that keeps it from being one."""
    told, spoiled, found = _read(name, table, provider, model)
    wrong = [*unfit(name, table), *found]
    case = Case(name, told, provider, place.file, spoiled)
    values = case.values()
    try:
        urls = _urls(told, provider, values)
    except ConfigError as error:
        wrong.append(Finding(("profiles", name), error.message, error.hint))
        urls = {}
    wrong += judge(case, values, urls)
    if wrong or not {"token", "issuer"} & set(urls):
        return wrong
    return _finished(case, values, urls, place.state_dir)


def common(name: str, table: Mapping[str, Any]) -> list[Finding]:
    """List what is wrong with a profile whatever its provider may be, which is not known."""
    wrong = unfit(name, table)
    try:
        ProfileTable.model_validate(table)
    except ValidationError as error:
        secret = frozenset(("password", "client_secret", *CLIENT_SECRETS))
        own = OVERLAID - secret  # what these must look like is the provider's to say
        sure = {
            entry["loc"][0]
            for entry in error.errors()
            if entry["loc"][0] in COMMON - own or entry["type"] != "value_error"
        }
        every = findings(error, ("profiles", name), partial(keys_of, ProfileTable), secret)
        known = (COMMON & sure) - {"provider"}
        wrong += [_with_name(one, name) for one in every if one.path[2] in known]
    return wrong


def _urls(told: Mapping[str, Any], provider: Provider, values: Mapping[str, str]) -> dict[str, str]:
    """Return the endpoints that the profile or else its provider's templates name, and the issuer."""
    found = {}
    for name in (field.name for field in fields(provider.endpoints)):
        template = getattr(provider.endpoints, name)
        url = told.get(KEYS[name]) or (template and fill_url(template, values))
        if url:
            found[name] = url
    return found


def _read(
    name: str, table: Mapping[str, Any], provider: Provider, model: type[ProfileTable]
) -> tuple[dict[str, Any], frozenset[str], list[Finding]]:
    """Return what the table rightly says, the keys that it says wrongly, and what is wrong."""
    try:
        return given(model.model_validate(table)), frozenset(), []
    except ValidationError as error:
        keys = partial(keys_of, model)
        of = f"provider {provider.name}"
        wrong = findings(error, ("profiles", name), keys, secret_keys(provider), of=of)
        spoiled = {str(entry["loc"][0]) for entry in error.errors() if entry["loc"]}
    rest = {key: value for key, value in table.items() if key not in spoiled}
    likely = {meant(key, keys()) or key for key in spoiled}
    told = given(model.model_validate(rest))
    return told, frozenset(likely), [_with_name(finding, name) for finding in wrong]


def _with_name(finding: Finding, name: str) -> Finding:
    right = finding.right and finding.right.replace("{profile}", name)
    return Finding(finding.path, finding.what, right)


def _finished(
    case: Case, values: dict[str, str], urls: dict[str, str], state_dir: str | None
) -> Profile:
    told, provider = case.told, case.provider
    connection = {key: told[key] for key in _CONNECTION if key in told}
    if "ca_file" in told:
        connection["ca_file"] = str(expand(told["ca_file"], case.file.parent))
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
            names_itself=told.get("iss_in_redirect", provider.iss_in_redirect),
        ),
        values=values,
        secrets=case.secrets(origin(token_url)),
        scope=told.get("scope", provider.scope),
        params=further,
        connection=Connection(**connection),
        signing=_signing(case, values),
        client_cert=_certificate(case),
        dpop=told.get("dpop", False),
        hot_copy=told.get("hot_copy", True) and _alone(case),
        state_dir=state_dir,
        origins=_origins(case, values, urls),
        **{key: told[key] for key in _TAKEN if key in told},
    )


def _signing(case: Case, values: Mapping[str, str]) -> Signing:
    told, template = case.told, case.provider.assertion_audience
    by_provider = fill(template, values) if template else None
    cert = told.get("client_cert")
    return Signing(
        alg=told.get("signing_alg"),
        key_id=told.get("key_id"),
        audience=told.get("assertion_audience") or by_provider,
        certificate=str(expand(cert, case.file.parent)) if cert else None,
    )


def _certificate(case: Case) -> tuple[str, str] | None:
    cert, key = case.told.get("client_cert"), case.told.get("client_key")
    if cert is None or key is None:
        return None
    return str(expand(cert, case.file.parent)), str(expand(key, case.file.parent))


def _alone(case: Case) -> bool:
    """Tell whether a stored token may be handed out by itself, without looking at anything else."""
    return not case.told.get("dpop") and not grants.trades(case.grant)


def _origins(case: Case, values: Mapping[str, str], urls: Mapping[str, str]) -> dict[str, str]:
    """Say where each value came from; what is not named is a default of the program."""
    by_provider = {*values, "grant", "client_auth", *(KEYS[name] for name in urls)}
    if case.provider.scope:
        by_provider.add("scope")
    origins = dict.fromkeys(sorted(by_provider), f"provider {case.provider.name}")
    return origins | dict.fromkeys(case.told, case.file.name)


def unfit(name: str, table: object) -> list[Finding]:
    """Return what keeps a profile from being looked at: its name, or that it is no table."""
    path, found = ("profiles", name), []
    if not re.fullmatch(rules.PROFILE_NAME, name):
        right = "use letters, digits, . _ and -, at most 64, beginning with a letter or digit"
        found.append(Finding(path, "is no name for a profile", right))
    if not isinstance(table, dict):
        found.append(Finding(path, "is not a table", f"write [{dotted(path)}]"))
    return found


def unknown_provider(name: str, provider: object, known: tuple[str, ...]) -> Finding:
    """Say that a profile names no provider, or one that there is not."""
    path = ("profiles", name, "provider")
    if not isinstance(provider, str):
        what = "is missing" if provider is None else "must be text in quotes"
        return Finding(path, what, f'add provider = "…", one of: {", ".join(known)}')
    return Finding(path, f"{provider[:80]!r} is not a provider", did_you_mean(provider, known))
