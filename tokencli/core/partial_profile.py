"""A new profile with the keys that are known so far, and the command line that adds it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokencli.config.profile_draft import required_keys
from tokencli.config.profile_schema import secret_key_names
from tokencli.core.profile_options import KEY_OPTIONS, name_option
from tokencli.errors import UsageError
from tokencli.humanize import join_alternatives
from tokencli.provider_schema import Field, Provider
from tokencli.shell_words import join_arguments, quote

_DEFAULT_FIELDS = {
    "client_id": Field(ask="Client ID", help="the server's administrators register it"),
    "username": Field(ask="User name"),
    "token_url": Field(ask="URL of the token endpoint"),
}


@dataclass(frozen=True, slots=True)
class PartialProfile:
    """A new profile with the keys that are known so far."""

    name: str
    provider: Provider
    keys: Mapping[str, Any]
    """Key -> value; a key such as `params.tenant` reaches into a table."""

    @property
    def grant(self) -> str:
        """The grant; the provider's first one if `keys` names none, or an unknown one."""
        return _choice_or_first(self.keys.get("grant"), tuple(self.provider.grants))

    @property
    def client_auth(self) -> str:
        """The client authentication method, with the same default."""
        return _choice_or_first(self.keys.get("client_auth"), self.provider.client_auth)

    def unsatisfied_groups(self) -> list[tuple[str, ...]]:
        """Return the groups of keys of which exactly one is required and none is set."""
        groups = self.provider.grants[self.grant].one_of
        return [group for group in groups if not any(name in self.keys for name in group)]

    def missing_values(self) -> list[str]:
        """Return the required keys that are missing and have no default, without the secrets."""
        required = required_keys(self.provider, self.grant, self.client_auth, self.keys)
        secrets = secret_key_names(self.provider)
        return [
            name
            for name in required
            if name not in self.keys
            and name not in secrets
            and not describe_field(self.provider, name).default
        ]

    def add_command(self, *options: str) -> str:
        """Return the command that adds the profile with these keys and further `options`."""
        words = ["tokencli profiles add", self.name or "NAME", "--provider", self.provider.name]
        given = (show_assignment(key, value) for key, value in self.keys.items())
        return " ".join((*words, *(option for each in given for option in each), *options))

    def missing_options_error(self) -> UsageError:
        """Return the error that names the options for everything that is missing."""
        secrets = secret_key_names(self.provider)
        groups = [
            [name for name in group if name not in secrets] for group in self.unsatisfied_groups()
        ]
        groups += [[name] for name in self.missing_values()]
        named = [] if self.name else ["NAME"]
        named += [join_alternatives(map(_show_option, group)) for group in groups]
        examples = [_show_option(group[0], self._example(group[0])) for group in groups]
        subject = f"profile {self.name!r}" if self.name else "a profile"
        return UsageError(
            f"{subject} of provider {self.provider.name} also requires {', '.join(named)}",
            cause="there is no terminal to ask at",
            fix=self.add_command(*examples),
        )

    def _example(self, name: str) -> str:
        return quote(describe_field(self.provider, name).example or name.upper())


def _choice_or_first(choice: object, choices: Sequence[str]) -> str:
    return next((name for name in choices if name == choice), choices[0])


def _show_option(key: str, value: str = "") -> str:
    if key not in KEY_OPTIONS:
        return f"--set {key}={value or '…'}"
    return f"{name_option(key)} {value}".rstrip()


def show_assignment(key: str, value: Any) -> Iterator[str]:
    """Yield the options that set a key, ready to be pasted; several for a table."""
    if isinstance(value, Mapping):  # where a secret comes from
        for inner, target in value.items():
            yield from show_assignment(f"{key}.{inner}", target)
    elif key in KEY_OPTIONS:
        yield f"{name_option(key)} {quote(str(value))}"
    else:
        if isinstance(value, list | tuple):
            text = join_arguments(value) if key.endswith(".command") else ",".join(value)
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
        yield f"--set {quote(f'{key}={text}')}"


def describe_field(provider: Provider, name: str) -> Field:
    """Return how to ask for a value."""
    return (
        provider.fields.get(name)
        or _DEFAULT_FIELDS.get(name)
        or Field(ask=name.replace("_", " ").capitalize())
    )
