"""A profile as written in the file, with its provider: which keys it has and which it needs."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tokencli.config import validators
from tokencli.config.config_file import expand_path
from tokencli.config.profile_schema import (
    VALUE_KEYS,
    SecretSourceTable,
    secret_key_names,
)
from tokencli.models import SecretRef
from tokencli.oauth import client_authentication, grants
from tokencli.provider_schema import Provider
from tokencli.providers.endpoint_urls import KEY_BY_ENDPOINT
from tokencli.providers.template import list_value_names
from tokencli.providers.template_values import list_profile_inputs, list_required_extra_values
from tokencli.secret_sources import SECRET_SOURCES


@dataclass(frozen=True)
class ProfileDraft:
    """The keys of a profile whose values are valid, and its provider."""

    name: str
    given: Mapping[str, Any]
    provider: Provider
    config_file: Path
    invalid: frozenset[str] = frozenset()
    """Keys that are present with an invalid value, so they are not missing."""

    @property
    def grant(self) -> str:
        """Return the name of the grant."""
        return str(self.given.get("grant") or next(iter(self.provider.grants)))

    @property
    def client_auth(self) -> str:
        """Return the client authentication method."""
        return str(self.given.get("client_auth") or self.provider.client_auth[0])

    def template_values(self) -> dict[str, str]:
        """Return the values that are not secret, including the provider's defaults."""
        fields = self.provider.fields
        public_fields = [name for name, field in fields.items() if field.kind != "secret"]
        values = {name: default for name in public_fields if (default := fields[name].default)}
        for name in (*public_fields, *VALUE_KEYS):
            if name in self.given and name not in KEY_BY_ENDPOINT.values():
                values[name] = self.given[name]
        for name, field in fields.items():
            if field.kind == "host" and name in values:
                values[name] = validators.host_validator(field.port)(values[name])
            if name in values and is_base_url_field(self.provider, name):
                values[name] = values[name].rstrip("/")
        return values

    @cached_property
    def required_keys(self) -> tuple[str, ...]:
        """Return the keys that the grant and the client authentication need; see `required_keys`."""
        return required_keys(self.provider, self.grant, self.client_auth, self.given)

    def secret_refs(self, server: str = "", *, isolated: bool = False) -> dict[str, SecretRef]:
        """Return where each secret is stored that is needed or that the profile names.

        Without a reference, the secret is in the OS keyring under the origin of the `server`, so
        that it is never sent to another one. In an `isolated` configuration it is prompted for.
        """
        secret_keys = secret_key_names(self.provider)
        grouped = {name for group in self.provider.grants[self.grant].one_of for name in group}
        needed = [
            name for name in self.required_keys if name in secret_keys and name not in grouped
        ]
        alternatives = grants.load_grant(self.grant).one_of_secrets
        if alternatives and not set(alternatives) & set(self.given):
            needed.append(alternatives[-1])
        named = [name for name in self.given if name in secret_keys]
        default = "prompt" if isolated else "keyring"
        return {
            name: self._secret_ref(name, default, server)
            for name in dict.fromkeys((*needed, *named))
        }

    def _secret_ref(self, name: str, default: str, server: str) -> SecretRef:
        source = self.given.get(name)
        if source is None and default == "prompt":
            return SecretRef(default, name, self.name)
        if source is None:
            return SecretRef("keyring", name, self.name, (f"tokencli:{self.name}:{name}", server))
        assert isinstance(source, SecretSourceTable)
        (kind,) = source.model_fields_set
        return SecretRef(kind, name, self.name, self._secret_target(kind, getattr(source, kind)))

    def _secret_target(self, kind: str, value: Any) -> tuple[str, ...]:
        if kind in SECRET_SOURCES and SECRET_SOURCES[kind].target_type == "path":
            return (str(expand_path(value, self.config_file.parent)),)
        match value:
            case BaseModel():
                return tuple(value.model_dump().values())
            case list():
                return tuple(value)
            case True:
                return ()
            case _:
                return (str(value),)


def is_base_url_field(provider: Provider, name: str) -> bool:
    """Return whether endpoint paths are appended to a field; then its trailing slash is dropped."""
    endpoints = provider.endpoints
    templates = (getattr(endpoints, field.name) or "" for field in fields(endpoints))
    return any(template.startswith(f"{{{name}}}/") for template in templates)


def required_keys(
    provider: Provider, grant: str, client_auth: str, given: Container[str]
) -> tuple[str, ...]:
    """Return the keys that a profile with the keys `given` must have, in the order to ask for them.

    The members of `one_of` groups are left out.
    """
    spec = provider.grants[grant]
    grouped = {name for group in spec.one_of for name in group}
    if provider.request.is_custom:
        keys = (*_required_endpoint_keys(provider, grant, given), *list_profile_inputs(provider))
        return tuple(dict.fromkeys(name for name in keys if name not in grouped))
    keys = (
        *_required_endpoint_keys(provider, grant, given),
        *client_authentication.required_inputs(client_auth),
        *grants.load_grant(grant).required_inputs,
        *spec.needs,
        *list_required_extra_values(provider, grant),
    )
    return tuple(dict.fromkeys(name for name in keys if name not in grouped))


def _required_endpoint_keys(provider: Provider, grant: str, given: Container[str]) -> Iterator[str]:
    """Yield the keys from which the grant's endpoints follow; an issuer supplies them all."""
    if "issuer" in given:
        return
    for name in ("token", *grants.load_grant(grant).endpoints):
        if KEY_BY_ENDPOINT[name] not in given:
            template = getattr(provider.endpoints, name) or provider.endpoints.issuer
            yield from list_value_names(template) if template else (KEY_BY_ENDPOINT[name],)
