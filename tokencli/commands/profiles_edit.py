"""`tokencli profiles edit`, and the options that set the keys of a profile."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokencli.app import App
from tokencli.commands.error_report import report_error
from tokencli.commands.options import CommonOptions, add_options, common_options
from tokencli.config.config_file import expand_path, find_config_path, read_config_text
from tokencli.core.profile_options import KEY_OPTIONS, name_option
from tokencli.errors import ConfigError, UsageError
from tokencli.humanize import join_alternatives
from tokencli.protocols import Choice
from tokencli.secret_sources import list_example_arguments
from tokencli.shell_words import quote
from tokencli.terminal.editor import edit_text

if TYPE_CHECKING:
    from tokencli.provider_schema import Provider

ProfileNameArgument = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="Profile name; the default profile if omitted."),
]
UnsetOption = Annotated[
    list[str] | None,
    typer.Option("--unset", metavar="KEY", help="Remove a configuration key; repeatable."),
]


@dataclass(frozen=True, slots=True)
class GivenKeys:
    """The keys of a profile that the command line sets, not parsed yet."""

    provider: str | None
    assignments: list[str]
    """`KEY=VALUE` pairs of `--set` and of the other options, without the provider."""
    secret_sources: list[str]
    """`NAME=SOURCE` pairs of `--secret` and of the other options."""

    def __bool__(self) -> bool:
        return bool(self.provider or self.assignments or self.secret_sources)

    def parse(
        self, provider: "Provider", command: str, current: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the keys with their values; see `parse_assignments`. Raises UsageError."""
        from tokencli.config.profile_assignments import (  # loads pydantic
            parse_assignments,
            parse_secret_sources,
        )

        keys = parse_assignments(self.assignments, provider, command, current)
        keys |= parse_secret_sources(self.secret_sources, provider, command)
        return keys if self.provider is None else {"provider": provider.name, **keys}


def _build_key_options() -> Iterator[Parameter]:
    """Yield the options that set keys of a profile."""
    repeatable = list[str] | None
    sources = join_alternatives(list_example_arguments())
    rows: list[tuple[str, Any, str, str, str]] = [
        (key, str | None, name_option(key), *row) for key, row in KEY_OPTIONS.items()
    ]
    rows += [
        ("set_", repeatable, "--set", "KEY=VALUE", "Set a configuration key; repeatable."),
        ("secret", repeatable, "--secret", "NAME=SOURCE", f"Source of a secret: {sources}; repeatable."),
        ("password_env", str | None, "--password-env", "VAR", "Environment variable that holds the password."),
        ("client_secret_env", str | None, "--client-secret-env", "VAR", "Environment variable that holds the client secret."),
    ]  # fmt: skip
    for name, kind, option, metavar, text in rows:
        yield Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[kind, typer.Option(option, metavar=metavar, help=text)],
        )


def key_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that set keys; the parameter `given` receives them as `GivenKeys`."""
    return add_options(command, "given", list(_build_key_options()), _collect_given_keys)


def _collect_given_keys(values: dict[str, Any]) -> GivenKeys:
    named = [f"{key}={values[key]}" for key in KEY_OPTIONS if values[key] is not None]
    assignments = [*named, *(values["set_"] or [])]
    providers = [text for text in assignments if text.startswith("provider=")]
    sources = [
        f"{secret}=env:{values[f'{secret}_env']}"
        for secret in ("password", "client_secret")
        if values[f"{secret}_env"] is not None
    ]
    return GivenKeys(
        providers[-1].partition("=")[2] if providers else None,
        [text for text in assignments if text not in providers],
        [*sources, *(values["secret"] or [])],
    )


def list_providers(app: App) -> Iterator[Choice]:
    """Yield the providers by title, the user's own first; invalid ones are left out."""
    from tokencli.providers.catalog import BUILTIN_NAMES

    names = app.config.provider_names()
    for name in sorted(names, key=lambda each: each in BUILTIN_NAMES):
        try:
            yield Choice(name, app.config.get_provider(name).title, name)
        except ConfigError:
            continue


def find_provider(text: str, app: App) -> "Provider":
    """Return the provider whose name or title contains the text, in any case.

    Raises:
        UsageError: it could be several. ConfigError: it is none.
    """
    from tokencli.terminal.prompts import match_options

    choices = [] if text in app.config.provider_names() else list(list_providers(app))
    matches = [] if text.strip().isdecimal() else match_options(choices, text)
    if len(matches) > 1 and text.strip():
        found = ", ".join(
            f"{choices[index].value} ({choices[index].label})" for index in matches[:8]
        )
        raise UsageError(f"--provider {text[:80]!r} can be several systems", cause=found)
    return app.config.get_provider(choices[matches[0]].value if len(matches) == 1 else text)


def parse_changes(
    given: GivenKeys, table: Mapping[str, Any], command: str, app: App
) -> dict[str, Any]:
    """Return the keys that change an existing profile, of which `table` is what is written.

    As in `profiles add`, a URL may be given for a host, and a CA file in the working directory.

    Raises:
        UsageError: see `GivenKeys.parse`. ConfigError: there is no such provider.
    """
    from tokencli.providers.url_matching import split_pasted_url

    if given.provider is not None:
        provider = find_provider(given.provider, app)
    else:
        provider = app.config.get_provider(str(table.get("provider")))
    keys = given.parse(provider, command, table)
    for name, value in tuple(keys.items()):
        if isinstance(value, str) and name in provider.fields:
            found = split_pasted_url(provider, name, value)
            if found != {name: value}:
                del keys[name]
                keys |= found
                shown = ", ".join(f"{key} = {text}" for key, text in found.items())
                app.terminal.print_note(f"from that URL: {shown}")
    if isinstance(path := keys.get("ca_file"), str):
        here = expand_path(path, Path.cwd())
        if here.exists() and not expand_path(path, app.config.path.parent).exists():
            keys["ca_file"] = str(here)
    return keys


@common_options()
@key_options
def edit(
    common: CommonOptions,
    given: GivenKeys,
    name: ProfileNameArgument = None,
    unset: UnsetOption = None,
) -> None:
    """Change a profile with options, or in $EDITOR.

    Comments and the order of keys are kept.

    \b
    tokencli profiles edit groupid --host demomachine:4443 --unset ca_file
    tokencli profiles edit jobs --set subject_token.profile=portal --set params.tenant=acme
    tokencli profiles edit groupid
    """
    from tokencli.config.edit import update_profile  # loads tomlkit

    app = App(common)
    if not (given or unset):
        _edit_in_editor(app, name)
        return
    chosen = app.config.choose_profile(name)
    with app.locked_config() as config:
        table = config.editable_profile_table(chosen)
        keys = parse_changes(given, table, f"tokencli profiles edit {chosen}", app)
        update_profile(config, chosen, keys, unset or [])
    app.terminal.print_note(f"changed profile {chosen} in {app.config.path}")
    app.reload_config()
    _warn_of_unusable_secrets(chosen, app)


def _warn_of_unusable_secrets(name: str, app: App) -> None:
    """Name the secrets in the keyring that are no longer sent, because they are another account's."""
    from tokencli.core.secret_account import describe_account_change

    if app.config.find_profile_problems(name):
        return
    profile = app.config.get_profile_ignoring_top_level(name)
    for ref in profile.secrets.values():
        if ref.kind == "keyring" and (change := describe_account_change(profile, ref, app)):
            app.terminal.print_warning(
                f"the {ref.name} {change}; to store the new account's: tokencli login {name} --again"
            )


def _edit_in_editor(app: App, name: str | None) -> None:
    """Open the configuration, valid or not, in the user's editor until it is valid or unchanged."""
    from tokencli.config.edit import replace_config_text  # loads tomlkit

    if not app.terminal.interactive:
        raise UsageError(
            "can't open an editor without a terminal",
            fix=f"tokencli profiles edit {f'{quote(name)} ' if name else ''}--set KEY=VALUE",
        )
    path = find_config_path(app.options.config, app.environ)
    try:
        old, _ = read_config_text(path)
    except FileNotFoundError:
        raise ConfigError(
            f"no configuration file at {path}",
            fix="tokencli profiles add",
        ) from None
    text = old
    while True:
        text = edit_text(text, app.environ, suffix=".toml")
        if text == old:
            app.terminal.print_note("nothing changed")
            return
        try:
            with app.lock_config():
                replace_config_text(path, old, text)
        except ConfigError as error:
            report_error(error)
            if not app.terminal.ask_yes_no("Edit again? (n discards your changes)", default=True):
                raise
        else:
            app.terminal.print_note(f"changed {path}")
            return
