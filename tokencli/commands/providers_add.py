"""`tokencli providers add`, and the confirmation with which a provider gets into the configuration."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tokencli.app import App
from tokencli.commands.options import CommonOptions, common_options
from tokencli.errors import ConfigError, UsageError
from tokencli.problems import list_names
from tokencli.providers.catalog import BUILTIN_NAMES
from tokencli.shell_words import quote

if TYPE_CHECKING:
    from tokencli.config.provider_file import ProviderSection

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask for confirmation.")]
ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="Replace a provider that has the same name.")
]


@common_options()
def add(
    common: CommonOptions,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="Provider file or configuration; - reads stdin."),
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="Name to give the provider; if the file has several, the one to add.",
        ),
    ] = None,
    yes: YesOption = False,
    replace: ReplaceOption = False,
) -> None:
    """Add a provider to the configuration.

    You see every server to which the provider sends credentials, and are asked to confirm. Comments
    in the provider file and in the configuration are kept.

    \b
    tokencli providers add acme.toml
    tokencli providers add acme.toml --name acme-test --yes
    """
    from tokencli.config.provider_file import read_provider_text  # loads pydantic

    app = App(common)
    sections = read_sections(read_provider_text(file), file, name)
    command = None if file == "-" else f"tokencli providers add {quote(file)}"
    install_providers(app, sections, command, yes=yes, replace=replace)


def read_sections(text: str, file: str, name: str | None = None) -> "tuple[ProviderSection, ...]":
    """Return the providers of a file; see `read_provider_sections`.

    Raises:
        ConfigError: it is invalid, or a file that has to be imported first. UsageError: the name is
            invalid or unknown.
    """
    from tokencli.config.provider_file import read_provider_sections  # loads pydantic

    source = "stdin" if file == "-" else file
    if not text.strip():
        raise ConfigError(f"{source} is empty, so it describes no provider")
    try:
        return read_provider_sections(text, file, name)
    except ConfigError as error:
        from tokencli.importers.recording import name_format  # only for this message

        if error.problems and (kind := name_format(text)):
            raise ConfigError(
                f"{source} is {kind}, not a provider",
                cause="providers new --from FILE --add drafts a provider from the request in it",
                fix=None if file == "-" else f"tokencli providers new --from {quote(file)} --add",
            ) from None
        if error.fix == "tokencli profiles edit":  # it is about this file, not the configuration
            error.fix = None
        raise


def install_providers(
    app: App,
    sections: "Sequence[ProviderSection]",
    command: str | None,
    *,
    yes: bool,
    replace: bool,
    announce_next: bool = True,
) -> None:
    """Confirm and add providers; one that is there already, unchanged, is left alone.

    `command` is the command that adds them, for fixes; None if it reads stdin, so that it can't be
    repeated without its input.

    Raises:
        UsageError: there is no terminal for a confirmation, or a name is taken.
    """
    from tokencli.config.edit import add_providers  # loads tomlkit

    added = confirm_providers(app, sections, command, yes=yes, replace=replace)
    if not added:
        return
    with app.locked_config() as config:
        add_providers(config, added)
    app.fast_path_records.delete_all()
    for name in (section.name for section in added):
        if name in app.config.provider_names():
            app.terminal.print_note(f"replaced provider {name} in {app.config.path}")
            continue
        app.terminal.print_note(f"added provider {name} to {app.config.path}")
        if announce_next:
            app.terminal.print_note(f"next: tokencli profiles add {name} --provider {name}")


def confirm_providers(
    app: App,
    sections: "Sequence[ProviderSection]",
    command: str | None,
    *,
    yes: bool,
    replace: bool,
) -> "list[ProviderSection]":
    """Show which servers get credentials, ask, and return the providers to add.

    `command` is as in `install_providers`. Raises UsageError.
    """
    will_ask = app.terminal.interactive and not yes
    new = [
        section
        for section in sections
        if not _is_installed(app, section, command, replace=replace or will_ask)
    ]
    if not new:
        return []
    for section in new:
        _show_provider(app, section, quiet=yes)
    if yes:
        return new
    names = list_names([section.name for section in new])
    if not app.terminal.interactive:
        reason = "there is no terminal to ask at" if command else "stdin is not a terminal"
        options = f"{'--replace ' if replace else ''}--yes"
        raise _with_options(
            UsageError(f"adding provider {names} needs confirmation, and {reason}"),
            command,
            options,
        )
    known = [section.name for section in new if section.name in app.config.provider_names()]
    verb = f"Replace provider {list_names(known)} in" if known else f"Add provider {names} to"
    if not app.terminal.ask_yes_no(f"{verb} {app.config.path}?", default=False):
        app.terminal.print_note("nothing changed")
        raise typer.Exit
    return new


def _with_options(error: UsageError, command: str | None, options: str) -> UsageError:
    """Return the error with the options that help: a command, unless that can't be repeated."""
    if command is not None:
        error.fix = f"{command} {options}"
    else:
        hint = f"to add it, repeat the whole command with {options}"
        error.cause = f"{error.cause}; {hint}" if error.cause else hint
    return error


def _is_installed(
    app: App, section: "ProviderSection", command: str | None, *, replace: bool
) -> bool:
    """Return whether the configuration has this very provider; refuse a name that is taken."""
    name = section.name
    if name in BUILTIN_NAMES:
        error = UsageError(f"{name} is the name of a built-in provider")
        raise _with_options(error, command, f"--name my-{name}")
    if name not in app.config.provider_names():
        return False
    if app.config.provider_table(name) == section.table:
        app.terminal.print_note(f"provider {name} is already in {app.config.path}")
        return True
    if not replace:
        users = app.config.provider_users(name)
        error = UsageError(
            f"there is already another provider {name} in {app.config.path}",
            cause=f"profiles that use it: {list_names(users)}" if users else None,
        )
        raise _with_options(error, command, "--replace --yes")
    return False


def _show_provider(app: App, section: "ProviderSection", *, quiet: bool) -> None:
    """Print the servers that requests reach; in a terminal even under `-q`, because it asks next."""
    from tokencli.providers.origins import list_request_origins

    tell = app.terminal.print_note if quiet else app.terminal.show_message
    tell(f"provider {section.name} ({section.provider.title}) sends credentials to:")
    for row in list_request_origins(section.provider):
        tell(f"  {row.describe()}")
    users = app.config.provider_users(section.name)
    if users and section.name in app.config.provider_names():
        tell(f"it replaces the provider of profile {list_names(users)}")
