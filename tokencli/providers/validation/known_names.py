"""The names that validation compares a provider with, handed in by the caller."""

from collections.abc import Collection
from dataclasses import dataclass

from tokencli.provider_schema import Provider


@dataclass(frozen=True, slots=True)
class KnownNames:
    """The names that exist whichever provider a profile uses."""

    profile_keys: frozenset[str]
    """Every key that any profile may have."""
    redefinable_keys: frozenset[str]
    """Those of them that a provider may describe under [fields]."""
    secret_keys: frozenset[str]
    """Those of them that hold secrets."""
    grants: Collection[str]
    """The OAuth grants that tokencli implements."""
    client_auth_methods: Collection[str]

    @property
    def reserved_field_names(self) -> frozenset[str]:
        """The names that no field of a provider may have."""
        return self.profile_keys - self.redefinable_keys

    def secret_names(self, provider: Provider) -> frozenset[str]:
        """Return the keys of the provider's profiles that hold secrets."""
        return self.secret_keys | {
            name for name, field in provider.fields.items() if field.kind == "secret"
        }
