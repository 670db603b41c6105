"""`tokencli providers`: list, show, check, new and reference."""

from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.options import (
    CommonOptions,
    JsonOption,
    common_options,
)
from tokencli.commands.providers_new import new
from tokencli.errors import ConfigError
from tokencli.formats.json import dump_json_line

app = typer.Typer(
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback(invoke_without_command=True)
@common_options()
def providers(
    common: CommonOptions,
    context: typer.Context,
    json_output: JsonOption = False,
) -> None:
    """Describe token endpoints: list, show, check, and make new ones.

    A provider says how one kind of token endpoint speaks. It is data: a TOML file of about ten
    lines. `tokencli providers reference` explains every key.

    \b
    tokencli providers
    tokencli providers show groupid
    tokencli providers new Acme --from-curl - < command.txt > acme.toml
    tokencli providers check acme.toml
    """
    if context.invoked_subcommand is None:
        _list_providers(App(common), json_output=json_output)


@app.command("list")
@common_options()
def list_providers(
    common: CommonOptions,
    json_output: JsonOption = False,
) -> None:
    """List the built-in providers and your own."""
    _list_providers(App(common), json_output=json_output)


def _list_providers(app: App, *, json_output: bool) -> None:
    from tokencli.commands.tables import render_table
    from tokencli.core.provider_list import list_providers

    found = list(list_providers(app.config))
    if json_output:
        objects = [
            {
                "name": row.name,
                "title": row.title,
                "grants": list(row.grants),
                "gives": list(row.required_keys),
                "builtin": row.is_builtin,
                "broken": row.is_invalid,
            }
            for row in found
        ]
        output.write_stdout(dump_json_line({"providers": objects}))
        return
    cells = [
        (row.name, row.title or "has problems: tokencli profiles", ", ".join(row.grants))
        for row in found
    ]
    output.write_stdout(render_table(("PROVIDER", "SYSTEM", "GRANTS"), cells))


@app.command()
@common_options()
def show(
    common: CommonOptions,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The provider.")],
) -> None:
    """Print a provider as TOML: every built-in one is an example for your own."""
    from tokencli.core.provider_list import read_provider_toml

    output.write_stdout(read_provider_toml(App(common).config, name))


@app.command()
@common_options()
def check(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A provider's file, or a configuration; - is stdin."),
    ],
    json_output: JsonOption = False,
) -> None:
    """Check a provider's file and say what a profile has to give; every problem with its line."""
    from tokencli.config.provider_file import load_providers, read_provider_text
    from tokencli.core.provider_list import describe_provider

    found = load_providers(read_provider_text(file), file)
    if not found:
        raise ConfigError(f"{file} describes no provider", fix="tokencli providers reference")
    for provider in found:
        told = describe_provider(provider, builtin=False)
        sent_to = provider.endpoints.token
        if json_output:
            about = {"name": told.name, "gives": list(told.required_keys), "token_url": sent_to}
            output.write_stdout(dump_json_line({**about, "grants": list(told.grants)}))
        else:
            gives = ", ".join(told.required_keys) or "nothing"
            output.write_stdout(
                f"{told.name}: good. A profile gives {gives}; they are sent to {sent_to}\n"
            )


app.command()(new)


@app.command()
@common_options()
def reference() -> None:
    """Print the reference of the provider language: every key, its type, default and example."""
    from tokencli.config.provider_validation import KNOWN_NAMES
    from tokencli.providers.reference import render_reference

    output.write_stdout(render_reference(KNOWN_NAMES.reserved_field_names))
