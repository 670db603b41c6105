"""One profile as it is written, beside its provider: what it needs and what it gives."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tokencli.config import validators
from tokencli.config.config_file import expand_path
from tokencli.config.profile_schema import (
    KEY_BY_ENDPOINT,
    TOKEN_TYPE_KEYS,
    SecretSourceTable,
    secret_key_names,
)
from tokencli.models import SecretRef
from tokencli.oauth import client_authentication, grants
from tokencli.provider_schema import Provider
from tokencli.providers.template import list_value_names
from tokencli.providers.template_values import list_profile_inputs, list_required_extra_values
from tokencli.secret_sources import SECRET_SOURCES


@dataclass(frozen=True, slots=True)
class ProfileDraft:
    """One profile: what it says, and what it says it to."""

    name: str
    given: Mapping[str, Any]
    provider: Provider
    config_file: Path
    invalid: frozenset[str] = frozenset()
    """Keys that are written, but wrongly: they are not missing."""

    @property
    def grant(self) -> str:
        """Return the grant's name."""
        return str(self.given.get("grant") or next(iter(self.provider.grants)))

    @property
    def client_auth(self) -> str:
        """Return the client authentication method."""
        return str(self.given.get("client_auth") or self.provider.client_auth[0])

    def template_values(self) -> dict[str, str]:
        """Return everything that is text, the provider's defaults among it."""
        fields = self.provider.fields
        open_fields = [name for name, field in fields.items() if field.kind != "secret"]
        found = {name: default for name in open_fields if (default := fields[name].default)}
        for name in (*open_fields, "client_id", "username", "grant_type", *TOKEN_TYPE_KEYS):
            if name in self.given and name not in KEY_BY_ENDPOINT.values():
                found[name] = self.given[name]
        for name, field in fields.items():
            if field.kind == "host" and name in found:
                found[name] = validators.host_validator(field.port)(found[name])
            if name in found and is_base_url_field(self.provider, name):
                found[name] = found[name].rstrip("/")
        return found

    def required_keys(self) -> tuple[str, ...]:
        """Name what this grant and this client authentication need, groups of one apart."""
        return required_keys(self.provider, self.grant, self.client_auth, self.given)

    def secret_refs(self, server: str = "") -> dict[str, SecretRef]:
        """Say where each secret rests that is needed or that the profile mentions.

        One that the profile says nothing about rests in the OS keyring under the origin of the
        `server` that it goes to, so that no other gets it.
        """
        secret = secret_key_names(self.provider)
        grouped = {name for group in self.provider.grants[self.grant].one_of for name in group}
        wanted = [name for name in self.required_keys() if name in secret and name not in grouped]
        either = grants.load_grant(self.grant).one_of_secrets
        if either and not set(either) & set(self.given):
            wanted.append(either[-1])
        mentioned = [name for name in self.given if name in secret]
        named = dict.fromkeys((*wanted, *mentioned))
        return {name: self._secret_ref(name, server) for name in named}

    def _secret_ref(self, name: str, server: str) -> SecretRef:
        place = self.given.get(name)
        if place is None:
            return SecretRef("keyring", name, self.name, (f"tokencli:{self.name}:{name}", server))
        assert isinstance(place, SecretSourceTable)
        (kind,) = place.model_fields_set
        return SecretRef(kind, name, self.name, self._secret_target(kind, getattr(place, kind)))

    def _secret_target(self, kind: str, value: Any) -> tuple[str, ...]:
        source = SECRET_SOURCES.get(kind)  # None for `profile`
        match source.target_type if source else "profile":
            case "path":
                return (str(expand_path(value, self.config_file.parent)),)
            case "argv":
                return tuple(value)
            case "keyring_item":
                return value.service, value.username
            case "flag":
                return ()
            case _:
                return (value,)


def is_base_url_field(provider: Provider, name: str) -> bool:
    """Tell whether a field is a URL before the paths of endpoints: a slash at its end says nothing."""
    points = provider.endpoints
    templates = (getattr(points, point.name) or "" for point in fields(points))
    return any(template.startswith(f"{{{name}}}/") for template in templates)


def required_keys(
    provider: Provider, grant: str, method: str, told: Container[str]
) -> tuple[str, ...]:
    """Name what a profile must give that has `told` these keys, in asking order; members of one_of
    groups are left out."""
    spec = provider.grants[grant]
    grouped = {name for group in spec.one_of for name in group}
    if provider.request.is_custom:
        wanted = (*_required_endpoint_keys(provider, grant, told), *list_profile_inputs(provider))
        return tuple(dict.fromkeys(name for name in wanted if name not in grouped))
    wanted = (
        *_required_endpoint_keys(provider, grant, told),
        *client_authentication.required_inputs(method),
        *grants.load_grant(grant).required_inputs,
        *spec.needs,
        *list_required_extra_values(provider, grant),
    )
    return tuple(dict.fromkeys(name for name in wanted if name not in grouped))


def _required_endpoint_keys(provider: Provider, grant: str, told: Container[str]) -> Iterator[str]:
    """Name what a profile must give for its grant's endpoints to be known; an issuer knows them all."""
    if "issuer" in told:
        return
    for name in ("token", *grants.load_grant(grant).endpoints):
        if KEY_BY_ENDPOINT[name] not in told:
            template = getattr(provider.endpoints, name) or provider.endpoints.issuer
            yield from list_value_names(template) if template else (KEY_BY_ENDPOINT[name],)
