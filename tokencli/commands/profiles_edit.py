"""`tokencli profiles edit`, and the options that set the keys of a profile."""

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokencli.app import App
from tokencli.commands.error_report import report_error
from tokencli.commands.options import CommonOptions, add_options, common_options
from tokencli.config.config_file import find_config_path, read_config_text
from tokencli.core.profile_options import KEY_OPTIONS, name_option
from tokencli.errors import ConfigError, UsageError
from tokencli.humanize import join_alternatives
from tokencli.secret_sources import list_example_arguments
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
        table = config.profile_table(chosen)
        provider = config.get_provider(given.provider or str(table.get("provider")))
        keys = given.parse(provider, f"tokencli profiles edit {chosen}", table)
        update_profile(config, chosen, keys, unset or [])
    app.terminal.print_note(f"changed profile {chosen} in {app.config.path}")


def _edit_in_editor(app: App, name: str | None) -> None:
    """Open the configuration, valid or not, in the user's editor until it is valid or unchanged."""
    from tokencli.config.edit import replace_config_text  # loads tomlkit

    if not app.terminal.interactive:
        raise UsageError(
            "can't open an editor without a terminal",
            fix=f"tokencli profiles edit {f'{shlex.quote(name)} ' if name else ''}--set KEY=VALUE",
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
