"""Find out what a new profile has to say: ask for what its provider needs, and only that."""

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
from tokencli.problems import Finding, closest_match, did_you_mean
from tokencli.protocols import Terminal
from tokencli.provider_schema import Field, Provider
from tokencli.secret_sources import SECRET_SOURCES

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
"""Keys that have an option of their own; all others are given by `--set KEY=VALUE`."""

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
    """What is known of a profile to be written, and what is still to be found out."""

    name: str
    provider: Provider
    keys: Mapping[str, Any]

    @property
    def grant(self) -> str:
        """Return the grant; the first one where none, or none that there is, is named."""
        return _known_or_first(self.keys.get("grant"), tuple(self.provider.grants))

    @property
    def client_auth(self) -> str:
        """Return the client authentication method, in the same way."""
        return _known_or_first(self.keys.get("client_auth"), self.provider.client_auth)

    def unsatisfied_groups(self) -> list[tuple[str, ...]]:
        """Return the groups of which exactly one is needed and none is given."""
        groups = self.provider.grants[self.grant].one_of
        return [group for group in groups if not any(name in self.keys for name in group)]

    def missing_values(self) -> list[str]:
        """Name the values, not the secrets, that are needed and not given."""
        wanted = required_keys(self.provider, self.grant, self.client_auth, self.keys)
        secret = secret_key_names(self.provider)
        return [name for name in wanted if name not in self.keys and name not in secret]


def _known_or_first(named: object, known: Sequence[str]) -> str:
    return next((name for name in known if name == named), known[0])


def ask_missing_values(form: PartialProfile, terminal: Terminal) -> dict[str, Any]:
    """Ask for everything that is missing and return all keys of the profile.

    An answer that the configuration would not take is asked for again.

    Raises:
        UsageError: nobody is there to ask; with every option that is missing.
        ConfigError: what is known already is wrong, so that asking for the rest would be in vain.
    """
    lacking = [name for name in form.missing_values() if not _default_value(form.provider, name)]
    if not terminal.interactive:
        if lacking or form.unsatisfied_groups():
            raise _missing_options_error(form, lacking)
        return nest_keys(form.keys)
    if lacking or form.unsatisfied_groups():
        _raise_if_invalid(check_new_profile(form.name, form.provider, nest_keys(form.keys)))
    keys = dict(form.keys)
    for group in form.unsatisfied_groups():
        secret = secret_key_names(form.provider)
        choices = [name for name in group if name not in secret]
        chosen = choices[0]
        if len(choices) > 1 and "token_url" not in choices:
            chosen = terminal.ask_line("Which one do you have", default=chosen, choices=choices)
        keys[chosen] = _ask_value(form, keys, chosen, terminal)
    for name in lacking:
        keys[name] = _ask_value(form, keys, name, terminal)
    return nest_keys(keys)


def _ask_value(form: PartialProfile, keys: Mapping[str, Any], name: str, terminal: Terminal) -> str:
    """Ask for a value until it fits beside those that are known."""
    field = describe_field(form.provider, name)
    about = f" ({field.help})" if field.help else ""
    such_as = f", such as {field.example}" if field.example else ""
    while True:
        answer = terminal.ask_line(f"{field.ask}{about}{such_as}", default=field.default)
        found = check_new_profile(form.name, form.provider, nest_keys({**keys, name: answer}))
        wrong = [one for one in found if one.key_path[2:3] == (name,)]
        if not wrong:
            return answer
        for one in wrong:
            terminal.show_message("; ".join(filter(None, (one.message, one.suggestion))))


def _raise_if_invalid(wrong: Sequence[Finding]) -> None:
    if wrong:
        raise ConfigError(
            "nothing was asked or written: the profile would not load",
            fix="the same command again, with what is named above put right",
            problems=[one.to_problem(None) for one in wrong],
        )


def describe_field(provider: Provider, name: str) -> Field:
    """Return how a value is asked for."""
    return (
        provider.fields.get(name) or _DEFAULT_FIELDS.get(name) or Field(ask=name.replace("_", " "))
    )


def _default_value(provider: Provider, name: str) -> str | None:
    return describe_field(provider, name).default


def _missing_options_error(form: PartialProfile, names: Iterable[str]) -> UsageError:
    options = [option_for_key(name) for name in names]
    options += [
        " or ".join(option_for_key(name) for name in group) for group in form.unsatisfied_groups()
    ]
    return UsageError(
        f"profile {form.name!r} of provider {form.provider.name} also needs {', '.join(options)}",
        fix=f"tokencli profiles add {form.name} --provider {form.provider.name} "
        + " ".join(each.split(" or ")[0] for each in options),
    )


def option_for_key(name: str) -> str:
    """Return the option that gives a value on the command line."""
    return f"{OPTION_NAMES[name]} …" if name in OPTION_NAMES else f"--set {name}=…"


def parse_assignments(written: Iterable[str], provider: Provider) -> dict[str, Any]:
    """Read `KEY=VALUE` pairs; raises UsageError for an unknown key, or a secret in plain sight."""
    known = allowed_keys(build_profile_model(provider))
    found: dict[str, Any] = {}
    for text in written:
        key, equals, value = text.partition("=")
        top = key.partition(".")[0]
        if top in secret_key_names(provider):
            raise UsageError(
                f"{top} is a secret, and a command line can be read by others",
                fix="tokencli login NAME   stores it; or --secret "
                f"{top}=env:VAR, file:PATH, command:'pass show x' or prompt",
            )
        if top not in known:
            likely = closest_match(top, known)
            raise UsageError(
                f"{top[:80]!r} is not a key of {provider.name} profiles",
                fix=f"did you mean {likely}?" if likely else "tokencli profiles schema",
            )
        if not equals:
            raise UsageError(f"--set {key[:80]} lacks a value", fix=f"--set {key[:80]}=VALUE")
        found[key] = _parse_value(top, key, value)
    return found


def nest_keys(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a new profile with `params.x` inside a table `params`."""
    found: dict[str, Any] = {}
    for key, value in keys.items():
        top, _, inner = key.partition(".")
        if inner:
            found.setdefault(top, {})[inner] = value
        else:
            found[key] = value
    return found


def _parse_value(top: str, key: str, value: str) -> Any:
    if key != top and top != "params":
        raise UsageError(f"{top} is not a table, so there is no {key[:80]}")
    if top in _BOOLEAN_KEYS and top in COMMON_KEYS:
        if value not in ("true", "false"):
            raise UsageError(f"{key} is true or false", fix=f"--set {key}=true")
        return value == "true"
    if top == "resource" and "," in value:
        return [part.strip() for part in value.split(",")]
    return value


def parse_secret_sources(written: Iterable[str], provider: Provider) -> dict[str, dict[str, Any]]:
    """Read `NAME=env:VAR`, `NAME=file:PATH`, `NAME=command:…` and `NAME=prompt`."""
    found = {}
    for text in written:
        name, _, place = text.partition("=")
        kind, _, target = place.partition(":")
        if name not in secret_key_names(provider):
            right = did_you_mean(name, sorted(secret_key_names(provider)))
            raise UsageError(
                f"{name[:80]!r} is not a secret of {provider.name} profiles", fix=right
            )
        source = SECRET_SOURCES.get(kind)
        target_type = source.target_type if source else "keyring_item"
        if target_type == "keyring_item" or (target_type != "flag" and not target):
            # What stands there may be the secret itself, so it is not repeated.
            raise UsageError(
                f"--secret {name} does not say where the secret rests",
                fix=f"--secret {name}=env:VAR, file:PATH, command:'pass show x' or prompt",
            )
        value: Any = _split_command(target) if target_type == "argv" else target
        found[name] = {kind: True if target_type == "flag" else value}
    return found


def _split_command(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError:
        raise UsageError("the command of --secret has a quotation mark without its pair") from None
    if not words:
        raise UsageError("the command of --secret is empty")
    return words
