"""Find out what a new profile has to say: ask for what its provider needs, and only that."""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokencli.config.case import needed
from tokencli.config.findings import Finding, did_you_mean, meant
from tokencli.config.schema import COMMON, ProfileTable, keys_of, profile_model, secret_keys
from tokencli.config.trial import objections
from tokencli.errors import ConfigError, UsageError
from tokencli.ports import Terminal
from tokencli.providers.spec import Field, Provider

NAMED = {
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

_FLAGS = frozenset(
    name for name, field in ProfileTable.model_fields.items() if isinstance(field.default, bool)
)
_LABELS = {
    "client_id": Field(ask="Client id"),
    "username": Field(ask="User name"),
    "token_url": Field(ask="URL of the token endpoint"),
}

_PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "env": lambda target: {"env": target},
    "file": lambda target: {"file": target},
    "command": lambda target: {"command": _words(target)},
    "prompt": lambda _: {"prompt": True},
}


@dataclass(frozen=True, slots=True)
class Form:
    """What is known of a profile to be written, and what is still to be found out."""

    name: str
    provider: Provider
    keys: Mapping[str, Any]

    @property
    def grant(self) -> str:
        """Return the grant; the first one where none, or none that there is, is named."""
        return _among(self.keys.get("grant"), tuple(self.provider.grants))

    @property
    def client_auth(self) -> str:
        """Return the client authentication method, in the same way."""
        return _among(self.keys.get("client_auth"), self.provider.client_auth)

    def open_groups(self) -> list[tuple[str, ...]]:
        """Return the groups of which exactly one is needed and none is given."""
        groups = self.provider.grants[self.grant].one_of
        return [group for group in groups if not any(name in self.keys for name in group)]

    def missing(self) -> list[str]:
        """Name the values, not the secrets, that are needed and not given."""
        wanted = needed(self.provider, self.grant, self.client_auth, self.keys)
        secret = secret_keys(self.provider)
        return [name for name in wanted if name not in self.keys and name not in secret]


def _among(named: object, known: Sequence[str]) -> str:
    return next((name for name in known if name == named), known[0])


def fill_in(form: Form, terminal: Terminal) -> dict[str, Any]:
    """Ask for everything that is missing and return all keys of the profile.

    An answer that the configuration would not take is asked for again.

    Raises:
        UsageError: nobody is there to ask; with every option that is missing.
        ConfigError: what is known already is wrong, so that asking for the rest would be in vain.
    """
    lacking = [name for name in form.missing() if not _default(form.provider, name)]
    if not terminal.interactive:
        if lacking or form.open_groups():
            raise _lacking(form, lacking)
        return nested(form.keys)
    if lacking or form.open_groups():
        _refuse(objections(form.name, form.provider, nested(form.keys)))
    keys = dict(form.keys)
    for group in form.open_groups():
        secret = secret_keys(form.provider)
        choices = [name for name in group if name not in secret]
        chosen = choices[0]
        if len(choices) > 1 and "token_url" not in choices:
            chosen = terminal.ask("Which one do you have", default=chosen, choices=choices)
        keys[chosen] = _ask(form, keys, chosen, terminal)
    for name in lacking:
        keys[name] = _ask(form, keys, name, terminal)
    return nested(keys)


def _ask(form: Form, keys: Mapping[str, Any], name: str, terminal: Terminal) -> str:
    """Ask for a value until it fits beside those that are known."""
    field = described(form.provider, name)
    about = f" ({field.help})" if field.help else ""
    such_as = f", such as {field.example}" if field.example else ""
    while True:
        answer = terminal.ask(f"{field.ask}{about}{such_as}", default=field.default)
        found = objections(form.name, form.provider, nested({**keys, name: answer}))
        wrong = [one for one in found if one.path[2:3] == (name,)]
        if not wrong:
            return answer
        for one in wrong:
            terminal.show("; ".join(filter(None, (one.what, one.right))))


def _refuse(wrong: Sequence[Finding]) -> None:
    if wrong:
        raise ConfigError(
            "nothing was asked or written: the profile would not load",
            hint="the same command again, with what is named above put right",
            problems=[one.problem(None) for one in wrong],
        )


def described(provider: Provider, name: str) -> Field:
    """Return how a value is asked for."""
    return provider.fields.get(name) or _LABELS.get(name) or Field(ask=name.replace("_", " "))


def _default(provider: Provider, name: str) -> str | None:
    return described(provider, name).default


def _lacking(form: Form, names: Iterable[str]) -> UsageError:
    options = [option(name) for name in names]
    options += [" or ".join(option(name) for name in group) for group in form.open_groups()]
    return UsageError(
        f"profile {form.name!r} of provider {form.provider.name} also needs {', '.join(options)}",
        hint=f"tokencli profiles add {form.name} --provider {form.provider.name} "
        + " ".join(each.split(" or ")[0] for each in options),
    )


def option(name: str) -> str:
    """Return the option that gives a value on the command line."""
    return f"{NAMED[name]} …" if name in NAMED else f"--set {name}=…"


def assignments(written: Iterable[str], provider: Provider) -> dict[str, Any]:
    """Read `KEY=VALUE` pairs; raises UsageError for an unknown key, or a secret in plain sight."""
    known = keys_of(profile_model(provider))
    found: dict[str, Any] = {}
    for text in written:
        key, equals, value = text.partition("=")
        top = key.partition(".")[0]
        if top in secret_keys(provider):
            raise UsageError(
                f"{top} is a secret, and a command line can be read by others",
                hint="tokencli login NAME   stores it; or --secret "
                f"{top}=env:VAR, file:PATH, command:'pass show x' or prompt",
            )
        if top not in known:
            likely = meant(top, known)
            raise UsageError(
                f"{top[:80]!r} is not a key of {provider.name} profiles",
                hint=f"did you mean {likely}?" if likely else "tokencli profiles schema",
            )
        if not equals:
            raise UsageError(f"--set {key[:80]} lacks a value", hint=f"--set {key[:80]}=VALUE")
        found[key] = _typed(top, key, value)
    return found


def nested(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a new profile with `params.x` inside a table `params`."""
    found: dict[str, Any] = {}
    for key, value in keys.items():
        top, _, inner = key.partition(".")
        if inner:
            found.setdefault(top, {})[inner] = value
        else:
            found[key] = value
    return found


def _typed(top: str, key: str, value: str) -> Any:
    if key != top and top != "params":
        raise UsageError(f"{top} is not a table, so there is no {key[:80]}")
    if top in _FLAGS and top in COMMON:
        if value not in ("true", "false"):
            raise UsageError(f"{key} is true or false", hint=f"--set {key}=true")
        return value == "true"
    if top == "resource" and "," in value:
        return [part.strip() for part in value.split(",")]
    return value


def places(written: Iterable[str], provider: Provider) -> dict[str, dict[str, Any]]:
    """Read `NAME=env:VAR`, `NAME=file:PATH`, `NAME=command:…` and `NAME=prompt`."""
    found = {}
    for text in written:
        name, _, place = text.partition("=")
        kind, _, target = place.partition(":")
        if name not in secret_keys(provider):
            right = did_you_mean(name, sorted(secret_keys(provider)))
            raise UsageError(
                f"{name[:80]!r} is not a secret of {provider.name} profiles", hint=right
            )
        if kind not in _PLACES or (kind != "prompt" and not target):
            # What stands there may be the secret itself, so it is not repeated.
            raise UsageError(
                f"--secret {name} does not say where the secret rests",
                hint=f"--secret {name}=env:VAR, file:PATH, command:'pass show x' or prompt",
            )
        found[name] = _PLACES[kind](target)
    return found


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError:
        raise UsageError("the command of --secret has a quotation mark without its pair") from None
    if not words:
        raise UsageError("the command of --secret is empty")
    return words
