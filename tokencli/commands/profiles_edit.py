"""`tokencli profiles add` and `tokencli profiles edit`."""

from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands.options import CommonOptions, common_options
from tokencli.commands.run import report_error
from tokencli.errors import ConfigError, UsageError

ProfileNameArgument = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="The profile; without it the default one."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set any key; can be given several times."),
]
SecretOption = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        metavar="NAME=PLACE",
        help="Where a secret rests: env:VAR, file:PATH, command:'pass show x' or prompt.",
    ),
]


@common_options()
def add(
    common: CommonOptions,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name of your own.")],
    provider: Annotated[
        str | None,
        typer.Option("--provider", metavar="PROVIDER", help="What kind of endpoint it is."),
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", metavar="HOST[:PORT]", help="The server.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="The API's base URL.")
    ] = None,
    token_url: Annotated[
        str | None, typer.Option("--token-url", metavar="URL", help="The whole token endpoint.")
    ] = None,
    client_id: Annotated[
        str | None, typer.Option("--client-id", metavar="ID", help="The client's id.")
    ] = None,
    username: Annotated[
        str | None, typer.Option("--username", metavar="NAME", help="The user's name.")
    ] = None,
    email_address: Annotated[
        str | None,
        typer.Option("--email-address", metavar="ADDRESS", help="The user's e-mail address."),
    ] = None,
    identity_store_id: Annotated[
        str | None,
        typer.Option("--identity-store-id", metavar="ID", help="GroupID's identity store."),
    ] = None,
    scope: Annotated[
        str | None, typer.Option("--scope", metavar="SCOPES", help="Scopes to ask for.")
    ] = None,
    audience: Annotated[
        str | None, typer.Option("--audience", metavar="API", help="The API it is for.")
    ] = None,
    grant: Annotated[
        str | None, typer.Option("--grant", metavar="GRANT", help="The grant to use.")
    ] = None,
    client_auth: Annotated[
        str | None,
        typer.Option("--client-auth", metavar="METHOD", help="How the client authenticates."),
    ] = None,
    ca_file: Annotated[
        str | None, typer.Option("--ca-file", metavar="FILE", help="A CA bundle of its own.")
    ] = None,
    store: Annotated[
        str | None, typer.Option("--store", metavar="STORE", help="Where tokens rest.")
    ] = None,
    export: Annotated[
        str | None, typer.Option("--export", metavar="VARIABLE", help="What export sets.")
    ] = None,
    set_: SetOption = None,
    secret: SecretOption = None,
    password_env: Annotated[
        str | None,
        typer.Option("--password-env", metavar="VAR", help="Variable that holds the password."),
    ] = None,
    client_secret_env: Annotated[
        str | None,
        typer.Option("--client-secret-env", metavar="VAR", help="The client secret's variable."),
    ] = None,
) -> None:
    """Add a profile: asks for what its provider needs, and only that; never for a secret.

    \b
    tokencli profiles add groupid --provider groupid
    tokencli profiles add ci --provider oauth2 --no-input \\
        --token-url https://id.example.com/token --client-id batch --client-secret-env CI_SECRET
    """
    from tokencli.commands.config_change import locked_config
    from tokencli.config import edit as write
    from tokencli.core.profile_status import suggest_next_commands
    from tokencli.core.profile_wizard import (
        PartialProfile,
        ask_missing_values,
        parse_assignments,
        parse_secret_sources,
    )

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
            f"there is a profile {name!r} already", fix=f"tokencli profiles edit {name}"
        )
    known = app.config.get_provider(_choose_provider_name(provider, name, app))
    told = [f"{key}={value}" for key, value in named.items() if value is not None]
    asked = [
        f"{key}=env:{variable}"
        for key, variable in (("password", password_env), ("client_secret", client_secret_env))
        if variable is not None
    ]
    keys = parse_assignments([*told, *(set_ or [])], known) | parse_secret_sources(
        [*asked, *(secret or [])], known
    )
    keys = ask_missing_values(PartialProfile(name, known, keys), app.terminal)
    with locked_config(app) as now:
        written = write.add_profile(now, name, {"provider": known.name, **keys})
    app.terminal.print_note(f"wrote profile {name} to {written.path}")
    for step in suggest_next_commands(written.get_profile_ignoring_top_level(name)):
        app.terminal.print_note(f"next: {step}")


def _choose_provider_name(given: str | None, name: str, app: App) -> str:
    names = app.config.provider_names()
    if given is not None:
        return given
    if not app.terminal.interactive:
        raise UsageError(
            f"--provider is missing, one of: {', '.join(names)}",
            fix=f"tokencli profiles add {name} --provider {names[0]}",
        )
    usual = name if name in names else None
    return app.terminal.ask_line("What kind of endpoint is it", default=usual, choices=names)


@common_options()
def edit(
    common: CommonOptions,
    name: ProfileNameArgument = None,
    set_: SetOption = None,
    unset: Annotated[
        list[str] | None,
        typer.Option("--unset", metavar="KEY", help="Take a key out; several times if need be."),
    ] = None,
    secret: SecretOption = None,
) -> None:
    """Change a profile: by options, or without any in $EDITOR; comments and order stay.

    \b
    tokencli profiles edit groupid --set host=demomachine:4443 --unset ca_file
    tokencli profiles edit groupid
    """
    from tokencli.commands.config_change import locked_config
    from tokencli.config import edit as write
    from tokencli.core.profile_wizard import parse_assignments, parse_secret_sources

    app = App(common)
    if not (set_ or unset or secret):
        _edit_in_editor(app)
        return
    chosen = app.config.choose_profile(name)
    table = app.config.profile_table(chosen)
    pairs = dict(pair.partition("=")[::2] for pair in set_ or [])
    provider = app.config.get_provider(str(pairs.get("provider", table.get("provider"))))
    keys = parse_assignments(set_ or [], provider) | parse_secret_sources(secret or [], provider)
    with locked_config(app) as now:
        write.update_profile(now, chosen, keys, unset or [])
    app.terminal.print_note(f"changed profile {chosen} in {app.config.path}")


def _edit_in_editor(app: App) -> None:
    """Let a person change the file, valid before or not, until it is."""
    from tokencli.config.config_file import find_config_path, read_config_text
    from tokencli.config.edit import replace_config_text
    from tokencli.terminal.editor import edit_text as open_editor

    if not app.terminal.interactive:
        raise UsageError(
            "there is no terminal for an editor", fix="tokencli profiles edit NAME --set KEY=VALUE"
        )
    path = find_config_path(app.options.config, app.environ)
    try:
        old, _ = read_config_text(path)
    except FileNotFoundError:
        raise ConfigError(
            f"there is no configuration file {path}",
            fix="tokencli profiles add NAME --provider PROVIDER",
        ) from None
    text = old
    while True:
        text = open_editor(text, app.environ, suffix=".toml")
        if text == old:
            app.terminal.print_note("nothing is changed")
            return
        try:
            with app.lock_config():
                replace_config_text(path, old, text)
        except ConfigError as error:
            report_error(error)
            if not app.terminal.ask_yes_no(
                "Edit again? (n: leave the file as it was)", default=True
            ):
                raise
        else:
            app.terminal.print_note(f"wrote {path}")
            return
