"""Collect the keys of a new profile: from options, and by asking for those that are missing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokencli.config.profile_assignments import nest_keys
from tokencli.config.profile_draft import required_keys
from tokencli.config.profile_schema import secret_key_names
from tokencli.config.resolve import check_new_profile
from tokencli.core.profile_options import show_option
from tokencli.errors import ConfigError, UsageError
from tokencli.problems import Finding
from tokencli.protocols import Terminal
from tokencli.provider_schema import Field, Provider

_DEFAULT_FIELDS = {
    "client_id": Field(ask="Client id"),
    "username": Field(ask="User name"),
    "token_url": Field(ask="URL of the token endpoint"),
}


@dataclass(frozen=True, slots=True)
class PartialProfile:
    """A new profile with the keys that are known so far."""

    name: str
    provider: Provider
    keys: Mapping[str, Any]

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
        """Return the required keys that are missing, without the secrets."""
        required = required_keys(self.provider, self.grant, self.client_auth, self.keys)
        secrets = secret_key_names(self.provider)
        return [name for name in required if name not in self.keys and name not in secrets]


def _choice_or_first(choice: object, choices: Sequence[str]) -> str:
    return next((name for name in choices if name == choice), choices[0])


def ask_missing_values(draft: PartialProfile, terminal: Terminal) -> dict[str, Any]:
    """Ask for every missing value and return all keys of the profile.

    An invalid answer is asked for again.

    Raises:
        UsageError: there is no terminal to ask at. The message names the missing options.
        ConfigError: the known keys are invalid already.
    """
    missing = [name for name in draft.missing_values() if not _default_value(draft.provider, name)]
    if not terminal.interactive:
        if missing or draft.unsatisfied_groups():
            raise _missing_options_error(draft, missing)
        return nest_keys(draft.keys)
    if missing or draft.unsatisfied_groups():
        _raise_if_invalid(check_new_profile(draft.name, draft.provider, nest_keys(draft.keys)))
    keys = dict(draft.keys)
    for group in draft.unsatisfied_groups():
        secrets = secret_key_names(draft.provider)
        choices = [name for name in group if name not in secrets]
        chosen = choices[0]
        if len(choices) > 1 and "token_url" not in choices:
            chosen = terminal.ask_line("Which one do you have", default=chosen, choices=choices)
        keys[chosen] = _ask_value(draft, keys, chosen, terminal)
    for name in missing:
        keys[name] = _ask_value(draft, keys, name, terminal)
    return nest_keys(keys)


def _ask_value(
    draft: PartialProfile, keys: Mapping[str, Any], name: str, terminal: Terminal
) -> str:
    """Ask for a value until it is valid together with the known keys."""
    field = describe_field(draft.provider, name)
    example = f", e.g. {field.example}" if field.example else ""
    if field.help:
        terminal.show_message(field.help)
    while True:
        answer = terminal.ask_line(f"{field.ask}{example}", default=field.default)
        findings = [
            finding
            for finding in check_new_profile(
                draft.name, draft.provider, nest_keys({**keys, name: answer})
            )
            if finding.key_path[2:3] == (name,)
        ]
        if not findings:
            return answer
        for finding in findings:
            terminal.show_message("; ".join(filter(None, (finding.message, finding.suggestion))))


def _raise_if_invalid(findings: Sequence[Finding]) -> None:
    if findings:
        raise ConfigError(
            "the profile would be invalid, so nothing was written",
            problems=[finding.to_problem(None) for finding in findings],
        )


def describe_field(provider: Provider, name: str) -> Field:
    """Return how to ask for a value."""
    return (
        provider.fields.get(name) or _DEFAULT_FIELDS.get(name) or Field(ask=name.replace("_", " "))
    )


def _default_value(provider: Provider, name: str) -> str | None:
    return describe_field(provider, name).default


def _missing_options_error(draft: PartialProfile, names: Iterable[str]) -> UsageError:
    options = [show_option(name) for name in names]
    options += [
        " or ".join(show_option(name) for name in group) for group in draft.unsatisfied_groups()
    ]
    return UsageError(
        f"profile {draft.name!r} of provider {draft.provider.name} also requires {', '.join(options)}",
        fix=f"tokencli profiles add {draft.name} --provider {draft.provider.name} "
        + " ".join(option.split(" or ")[0] for option in options),
    )
