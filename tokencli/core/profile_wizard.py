"""Collect the keys of a new profile: from options, and by asking for those that are missing."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokencli.config.profile_draft import required_keys
from tokencli.config.profile_schema import (
    COMMON_KEYS,
    ProfileTable,
    allowed_keys,
    build_profile_model,
    secret_key_names,
)
from tokencli.config.resolve import check_new_profile
from tokencli.errors import ConfigError, UsageError
from tokencli.humanize import join_alternatives
from tokencli.problems import Finding, closest_match, did_you_mean
from tokencli.protocols import Terminal
from tokencli.provider_schema import Field, Provider
from tokencli.secret_sources import (
    ARGUMENT_TARGETS,
    SECRET_SOURCES,
    list_example_arguments,
)

OPTION_NAMES = {
    "host": "--host",
    "base_url": "--base-url",
    "token_url": "--token-url",
    "client_id": "--client-id",
    "username": "--username",
    "email_address": "--email-address",
    "identity_store_id": "--identity-store-id",
    "scope": "--scope",
    "audience": "--audience",
    "grant": "--grant",
    "client_auth": "--client-auth",
    "ca_file": "--ca-file",
    "store": "--store",
    "export": "--export",
}
"""Keys with their own option. All others are set by `--set KEY=VALUE`."""

EDIT_COMMAND = "tokencli profiles edit NAME"

_BOOLEAN_KEYS = frozenset(
    name for name, field in ProfileTable.model_fields.items() if isinstance(field.default, bool)
)
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
    options = [option_for_key(name) for name in names]
    options += [
        " or ".join(option_for_key(name) for name in group) for group in draft.unsatisfied_groups()
    ]
    return UsageError(
        f"profile {draft.name!r} of provider {draft.provider.name} also requires {', '.join(options)}",
        fix=f"tokencli profiles add {draft.name} --provider {draft.provider.name} "
        + " ".join(option.split(" or ")[0] for option in options),
    )


def option_for_key(name: str) -> str:
    """Return the command line option that sets a key."""
    return f"{OPTION_NAMES[name]} …" if name in OPTION_NAMES else f"--set {name}=…"


def parse_assignments(
    assignments: Iterable[str], provider: Provider, command: str = EDIT_COMMAND
) -> dict[str, Any]:
    """Parse the `KEY=VALUE` pairs of `--set`; `command` is the command that has them, for fixes.

    Raises:
        UsageError: a key is unknown, a value is missing, or the key is a secret.
    """
    allowed, secrets = allowed_keys(build_profile_model(provider)), secret_key_names(provider)
    values: dict[str, Any] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        top = key.partition(".")[0]
        if top in secrets:
            raise UsageError(
                f"{top} is a secret, so it can't be given with --set",
                cause="other users can read a command line; tokencli login stores the secret, and"
                f" --secret names another source: {join_alternatives(list_example_arguments())}",
                fix=f"{command} --secret {top}=env:VAR",
            )
        if top not in allowed:
            likely = closest_match(top, allowed)
            option = f"--secret {likely}=env:VAR" if likely in secrets else f"--set {likely}=VALUE"
            raise UsageError(
                f"{top[:80]!r} is not a key of {provider.name} profiles",
                fix=f"{command} {option}" if likely else "tokencli profiles schema",
            )
        if not equals:
            raise UsageError(
                f"--set {key[:80]} has no value",
                fix=f"{command} --set {shlex.quote(key[:80])}=VALUE",
            )
        values[key] = _parse_value(top, key, value, command)
    return values


def nest_keys(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Move keys such as `params.x` into a table `params`."""
    nested: dict[str, Any] = {}
    for key, value in keys.items():
        top, _, inner = key.partition(".")
        if inner:
            nested.setdefault(top, {})[inner] = value
        else:
            nested[key] = value
    return nested


def _parse_value(top: str, key: str, value: str, command: str) -> Any:
    if key != top and top != "params":
        raise UsageError(f"{key[:80]!r} is not a key: {top} is not a table")
    if top in _BOOLEAN_KEYS and top in COMMON_KEYS:
        if value not in ("true", "false"):
            raise UsageError(f"{key} must be true or false", fix=f"{command} --set {key}=true")
        return value == "true"
    if top == "resource" and "," in value:
        return [part.strip() for part in value.split(",")]
    return value


def parse_secret_sources(
    assignments: Iterable[str], provider: Provider, command: str = EDIT_COMMAND
) -> dict[str, dict[str, Any]]:
    """Parse the values of `--secret`: `NAME=KIND:TARGET` or `NAME=KIND`, by the table of secret sources.

    Raises:
        UsageError: the secret or the source is unknown.
    """
    refs = {}
    for text in assignments:
        name, _, location = text.partition("=")
        kind, _, target = location.partition(":")
        if name not in secret_key_names(provider):
            raise UsageError(
                f"{name[:80]!r} is not a secret of {provider.name} profiles",
                cause=did_you_mean(name, sorted(secret_key_names(provider))),
            )
        source = SECRET_SOURCES.get(kind)
        form = ARGUMENT_TARGETS.get(source.target_type) if source else None
        if form is None or (form.example and not target):
            # The value may be the secret itself, so it isn't quoted.
            raise UsageError(
                f"--secret {name} doesn't name a source of the secret",
                cause=f"write the source as {join_alternatives(list_example_arguments())}",
                fix=f"{command} --secret {name}=env:VAR",
            )
        refs[name] = {kind: form.parse(target)}
    return refs
