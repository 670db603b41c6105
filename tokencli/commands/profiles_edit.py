"""`tokencli profiles add` and `tokencli profiles edit`."""

import shlex
from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands.error_report import report_error
from tokencli.commands.options import CommonOptions, common_options
from tokencli.config.config_file import find_config_path, read_config_text
from tokencli.core.profile_status import suggest_next_commands
from tokencli.errors import ConfigError, UsageError
from tokencli.humanize import join_alternatives
from tokencli.secret_sources import list_example_arguments
from tokencli.terminal.editor import edit_text
from tokencli.token_store import TOKEN_STORES

ProfileNameArgument = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="Profile name; the default profile if omitted."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a configuration key; repeatable."),
]
SecretOption = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        metavar="NAME=SOURCE",
        help=f"Source of a secret: {join_alternatives(list_example_arguments())}; repeatable.",
    ),
]


@common_options()
def add(
    common: CommonOptions,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new profile.")],
    provider: Annotated[
        str | None,
        typer.Option(
            "--provider", metavar="PROVIDER", help="Kind of endpoint; see: tokencli providers."
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", metavar="HOST[:PORT]", help="The server's host name.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="Base URL of the API.")
    ] = None,
    token_url: Annotated[
        str | None, typer.Option("--token-url", metavar="URL", help="URL of the token endpoint.")
    ] = None,
    client_id: Annotated[
        str | None, typer.Option("--client-id", metavar="ID", help="Client ID.")
    ] = None,
    username: Annotated[
        str | None, typer.Option("--username", metavar="NAME", help="User name.")
    ] = None,
    email_address: Annotated[
        str | None,
        typer.Option("--email-address", metavar="ADDRESS", help="User's email address."),
    ] = None,
    identity_store_id: Annotated[
        str | None,
        typer.Option("--identity-store-id", metavar="ID", help="ID of the GroupID identity store."),
    ] = None,
    scope: Annotated[
        str | None,
        typer.Option("--scope", metavar="SCOPES", help="Scopes to request, separated by spaces."),
    ] = None,
    audience: Annotated[
        str | None, typer.Option("--audience", metavar="API", help="The API that the token is for.")
    ] = None,
    grant: Annotated[
        str | None, typer.Option("--grant", metavar="GRANT", help="OAuth grant.")
    ] = None,
    client_auth: Annotated[
        str | None,
        typer.Option("--client-auth", metavar="METHOD", help="Client authentication method."),
    ] = None,
    ca_file: Annotated[
        str | None,
        typer.Option(
            "--ca-file", metavar="FILE", help="CA bundle to trust for this profile (PEM)."
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store", metavar="STORE", help=f"Token store: {join_alternatives(TOKEN_STORES)}."
        ),
    ] = None,
    export: Annotated[
        str | None, typer.Option("--export", metavar="VARIABLE", help="Variable that export sets.")
    ] = None,
    set_: SetOption = None,
    secret: SecretOption = None,
    password_env: Annotated[
        str | None,
        typer.Option(
            "--password-env", metavar="VAR", help="Environment variable that holds the password."
        ),
    ] = None,
    client_secret_env: Annotated[
        str | None,
        typer.Option(
            "--client-secret-env",
            metavar="VAR",
            help="Environment variable that holds the client secret.",
        ),
    ] = None,
) -> None:
    """Add a profile to the configuration.

    You are asked for required settings that are missing. Secrets are stored later, by
    `tokencli login`.

    \b
    tokencli profiles add groupid --provider groupid
    tokencli profiles add ci --provider oauth2 --no-input \\
        --token-url https://id.example.com/token --client-id batch --client-secret-env CI_SECRET
    """
    from tokencli.config.edit import add_profile  # loads tomlkit
    from tokencli.core.profile_wizard import (  # loads pydantic
        PartialProfile,
        ask_missing_values,
        parse_assignments,
        parse_secret_sources,
    )
    from tokencli.providers.catalog import BUILTIN_NAMES  # start-up: only this command needs them
    from tokencli.providers.origins import list_request_origins

    named = {
        "grant": grant,
        "client_auth": client_auth,
        "host": host,
        "base_url": base_url,
        "token_url": token_url,
        "client_id": client_id,
        "username": username,
        "email_address": email_address,
        "identity_store_id": identity_store_id,
        "scope": scope,
        "audience": audience,
        "ca_file": ca_file,
        "store": store,
        "export": export,
    }
    app = App(common)
    if name in app.config.profile_names():
        raise UsageError(
            f"profile {name!r} already exists", fix=f"tokencli profiles edit {name} --set KEY=VALUE"
        )
    provider_spec = app.config.get_provider(_choose_provider_name(provider, name, app))
    assignments = [f"{key}={value}" for key, value in named.items() if value is not None]
    sources = [
        f"{key}=env:{env_name}"
        for key, env_name in (("password", password_env), ("client_secret", client_secret_env))
        if env_name is not None
    ]
    command = f"tokencli profiles add {name} --provider {provider_spec.name}"
    keys = parse_assignments(
        [*assignments, *(set_ or [])], provider_spec, command
    ) | parse_secret_sources([*sources, *(secret or [])], provider_spec, command)
    keys = ask_missing_values(PartialProfile(name, provider_spec, keys), app.terminal)
    with app.locked_config() as current:
        config = add_profile(current, name, {"provider": provider_spec.name, **keys})
    app.terminal.print_note(f"added profile {name} to {config.path}")
    profile = config.get_profile_ignoring_top_level(name)
    if profile.provider.name not in BUILTIN_NAMES:
        for row in list_request_origins(profile.provider, profile):
            app.terminal.print_note(f"provider {profile.provider.name} uses {row.describe()}")
    for command in suggest_next_commands(profile):
        app.terminal.print_note(f"next: {command}")


def _choose_provider_name(given: str | None, name: str, app: App) -> str:
    if given is not None:
        return given
    names = app.config.provider_names()
    if not app.terminal.interactive:
        raise UsageError(
            "--provider is required, because there is no terminal to ask at",
            cause=None
            if name in names
            else "tokencli providers lists them; oauth2 is any OAuth server",
            fix=f"tokencli profiles add {name} --provider {name if name in names else 'oauth2'}",
        )
    default = name if name in names else None
    return app.terminal.ask_line("Kind of endpoint", default=default, choices=names)


@common_options()
def edit(
    common: CommonOptions,
    name: ProfileNameArgument = None,
    set_: SetOption = None,
    unset: Annotated[
        list[str] | None,
        typer.Option("--unset", metavar="KEY", help="Remove a configuration key; repeatable."),
    ] = None,
    secret: SecretOption = None,
) -> None:
    """Change a profile with options, or in $EDITOR.

    Comments and the order of keys are kept.

    \b
    tokencli profiles edit groupid --set host=demomachine:4443 --unset ca_file
    tokencli profiles edit groupid
    """
    from tokencli.config.edit import update_profile  # loads tomlkit
    from tokencli.core.profile_wizard import (  # loads pydantic
        parse_assignments,
        parse_secret_sources,
    )

    app = App(common)
    if not (set_ or unset or secret):
        _edit_in_editor(app, name)
        return
    chosen = app.config.choose_profile(name)
    table = app.config.profile_table(chosen)
    assigned = dict(pair.partition("=")[::2] for pair in set_ or [])
    provider = app.config.get_provider(str(assigned.get("provider", table.get("provider"))))
    command = f"tokencli profiles edit {chosen}"
    keys = parse_assignments(set_ or [], provider, command) | parse_secret_sources(
        secret or [], provider, command
    )
    with app.locked_config() as config:
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
            fix="tokencli profiles add NAME --provider PROVIDER",
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
