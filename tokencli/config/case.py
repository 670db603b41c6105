"""One profile as it is written, beside its provider: what it needs and what it gives."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tokencli import clientauth, grants
from tokencli.config import rules
from tokencli.config.client_keys import TRADED
from tokencli.config.paths import expand
from tokencli.config.places import SecretPlace
from tokencli.config.schema import secret_keys
from tokencli.config.server_keys import KEYS
from tokencli.model import SecretRef
from tokencli.providers.call import inputs, needed_beside
from tokencli.providers.spec import Provider
from tokencli.providers.template import names


@dataclass(frozen=True, slots=True)
class Case:
    """One profile: what it says, and what it says it to."""

    name: str
    told: Mapping[str, Any]
    provider: Provider
    file: Path
    spoiled: frozenset[str] = frozenset()
    """Keys that are written, but wrongly: they are not missing."""

    @property
    def grant(self) -> str:
        """Return the grant's name."""
        return str(self.told.get("grant") or next(iter(self.provider.grants)))

    @property
    def client_auth(self) -> str:
        """Return the client authentication method."""
        return str(self.told.get("client_auth") or self.provider.client_auth[0])

    def values(self) -> dict[str, str]:
        """Return everything that is text, the provider's defaults among it."""
        fields = self.provider.fields
        open_fields = [name for name, field in fields.items() if field.kind != "secret"]
        found = {name: default for name in open_fields if (default := fields[name].default)}
        for name in (*open_fields, "client_id", "username", "grant_type", *TRADED):
            if name in self.told and name not in KEYS.values():
                found[name] = self.told[name]
        for name, field in fields.items():
            if field.kind == "host" and name in found:
                found[name] = rules.host(field.port)(found[name])
            if name in found and is_base(self.provider, name):
                found[name] = found[name].rstrip("/")
        return found

    def needed(self) -> tuple[str, ...]:
        """Name what this grant and this client authentication need, groups of one apart."""
        return needed(self.provider, self.grant, self.client_auth, self.told)

    def secrets(self, server: str = "") -> dict[str, SecretRef]:
        """Say where each secret rests that is needed or that the profile mentions.

        One that the profile says nothing about rests in the OS keyring under the origin of the
        `server` that it goes to, so that no other gets it.
        """
        secret = secret_keys(self.provider)
        grouped = {name for group in self.provider.grants[self.grant].one_of for name in group}
        wanted = [name for name in self.needed() if name in secret and name not in grouped]
        either = grants.either(self.grant)
        if either and not set(either) & set(self.told):
            wanted.append(either[-1])
        mentioned = [name for name in self.told if name in secret]
        named = dict.fromkeys((*wanted, *mentioned))
        return {name: self._reference(name, server) for name in named}

    def _reference(self, name: str, server: str) -> SecretRef:
        place = self.told.get(name)
        if place is None:
            return SecretRef("keyring", name, self.name, (f"tokencli:{self.name}:{name}", server))
        assert isinstance(place, SecretPlace)
        if place.env is not None:
            return SecretRef("env", name, self.name, (place.env,))
        if place.file is not None:
            return SecretRef("file", name, self.name, (str(expand(place.file, self.file.parent)),))
        if place.command is not None:
            return SecretRef("command", name, self.name, tuple(place.command))
        if place.keyring is not None:
            target = (place.keyring.service, place.keyring.username)
            return SecretRef("keyring", name, self.name, target)
        if place.profile is not None:
            return SecretRef("profile", name, self.name, (place.profile,))
        return SecretRef("stdin" if place.stdin else "prompt", name, self.name)


def is_base(provider: Provider, name: str) -> bool:
    """Tell whether a field is a URL before the paths of endpoints: a slash at its end says nothing."""
    points = provider.endpoints
    templates = (getattr(points, point.name) or "" for point in fields(points))
    return any(template.startswith(f"{{{name}}}/") for template in templates)


def needed(provider: Provider, grant: str, method: str, told: Container[str]) -> tuple[str, ...]:
    """Name what a profile must give that has `told` these keys, in asking order; members of one_of
    groups are left out."""
    spec = provider.grants[grant]
    grouped = {name for group in spec.one_of for name in group}
    if provider.request.whole:
        wanted = (*_addresses(provider, grant, told), *inputs(provider))
        return tuple(dict.fromkeys(name for name in wanted if name not in grouped))
    wanted = (
        *_addresses(provider, grant, told),
        *clientauth.needs(method),
        *grants.needs(grant),
        *spec.needs,
        *needed_beside(provider, grant),
    )
    return tuple(dict.fromkeys(name for name in wanted if name not in grouped))


def _addresses(provider: Provider, grant: str, told: Container[str]) -> Iterator[str]:
    """Name what a profile must give for its grant's endpoints to be known; an issuer knows them all."""
    if "issuer" in told:
        return
    for name in ("token", *grants.endpoints(grant)):
        if KEYS[name] not in told:
            template = getattr(provider.endpoints, name) or provider.endpoints.issuer
            yield from names(template) if template else (KEYS[name],)
