"""`tokencli providers`: list, show, check, new and reference."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.options import (
    CommonOptions,
    JsonOption,
    common_options,
)
from tokencli.commands.providers_add import add
from tokencli.commands.providers_new import new
from tokencli.commands.registry import create_command_group
from tokencli.commands.tables import render_table
from tokencli.errors import ConfigError
from tokencli.formats.json import dump_json_line
from tokencli.providers.catalog import BUILTIN_NAMES, CODES_HEADER, read_builtin_text

if TYPE_CHECKING:
    from tokencli.config.load import Config
    from tokencli.provider_schema import Provider


MAX_SHOWN_CODES = 10
"""Error codes that `show` prints; Entra ID has 140, which would bury how the provider works."""


@dataclass(frozen=True, slots=True)
class _ProviderRow:
    """One provider of the list."""

    name: str
    title: str
    grants: tuple[str, ...]
    required_keys: tuple[str, ...]
    """The keys that a profile with the first grant must have."""
    is_builtin: bool
    is_invalid: bool = False


app = create_command_group()


@app.callback(invoke_without_command=True)
@common_options()
def providers(
    common: CommonOptions,
    context: typer.Context,
    json_output: JsonOption = False,
) -> None:
    """List, show, check and create descriptions of token endpoints.

    A provider describes how one kind of token endpoint works, in about ten lines of TOML.
    `tokencli providers reference` explains every key.

    \b
    tokencli providers
    tokencli providers show groupid
    tokencli providers new Acme --from-curl - < command.txt > acme.toml
    tokencli providers check acme.toml
    tokencli providers add acme.toml
    """
    if context.invoked_subcommand is None:
        _list_providers(App(common), json_output=json_output)


@app.command("list")
@common_options()
def list_all(
    common: CommonOptions,
    json_output: JsonOption = False,
) -> None:
    """List the built-in providers and your own (short: `ls`)."""
    _list_providers(App(common), json_output=json_output)


def _list_providers(app: App, *, json_output: bool) -> None:
    rows = list(_describe_providers(app.config))
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
            for row in rows
        ]
        output.write_stdout(dump_json_line({"providers": objects}))
        return
    cells = [
        (row.name, row.title or "invalid; see: tokencli profiles", ", ".join(row.grants))
        for row in rows
    ]
    output.write_stdout(render_table(("PROVIDER", "SYSTEM", "GRANTS"), cells))


def _describe_providers(config: "Config") -> Iterator[_ProviderRow]:
    """Yield every provider, built-in ones first. An invalid one is marked and doesn't stop the list."""
    for name in config.provider_names():
        try:
            yield _describe_provider(config.get_provider(name), builtin=name in BUILTIN_NAMES)
        except ConfigError:
            yield _ProviderRow(name, "", (), (), is_builtin=False, is_invalid=True)


def _describe_provider(provider: "Provider", *, builtin: bool) -> _ProviderRow:
    from tokencli.config.profile_draft import required_keys  # loads pydantic

    grant = next(iter(provider.grants))
    keys = required_keys(provider, grant, provider.client_auth[0], ())
    return _ProviderRow(provider.name, provider.title, tuple(provider.grants), keys, builtin)


@app.command()
@common_options()
def show(
    common: CommonOptions,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Provider name.")],
) -> None:
    """Print a provider as TOML, as a template for your own.

    Of many error codes only the first are printed; tokencli help error-codes lists them all.
    """
    if name in BUILTIN_NAMES:
        output.write_stdout(_shorten_codes(read_builtin_text(name)))
    else:
        from tokencli.config.provider_file import dump_user_provider  # loads pydantic

        app = App(common)
        output.write_stdout(dump_user_provider(app.config, name))
        app.terminal.print_note(
            f"[providers.{name}] is in {app.config.path}, where you can change it"
        )


def _shorten_codes(text: str) -> str:
    """Return a built-in file, whose error codes come last, with only the first of them."""
    before, header, codes = text.partition(CODES_HEADER)
    rows = codes.splitlines(keepends=True)
    if len(rows) <= MAX_SHOWN_CODES:
        return text
    rest = f"# and {len(rows) - MAX_SHOWN_CODES} more: tokencli help error-codes\n"
    return "".join((before, header, *rows[:MAX_SHOWN_CODES], rest))


@app.command()
@common_options()
def check(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="Provider file or configuration; - reads stdin."),
    ],
    json_output: JsonOption = False,
) -> None:
    """Check a provider file, or a whole configuration.

    Reports every problem with its line, which settings a profile must have, and every server that
    requests reach.
    """
    from tokencli.config.provider_file import check_file, read_provider_text  # loads pydantic
    from tokencli.providers.origins import list_request_origins

    checked = check_file(read_provider_text(file), file)
    for provider in checked.providers:
        row = _describe_provider(provider, builtin=False)
        token_url = provider.endpoints.token
        origins = list_request_origins(provider)
        if json_output:
            members: dict[str, object] = {
                "name": row.name,
                "gives": list(row.required_keys),
                "token_url": token_url,
                "grants": list(row.grants),
                "servers": [
                    {
                        "origin": each.origin,
                        "requests": list(each.requests),
                        "allowed": each.is_named,
                    }
                    for each in origins
                ],
            }
            output.write_stdout(dump_json_line(members))
            continue
        required = ", ".join(row.required_keys) or "none"
        output.write_stdout(
            f"{row.name}: valid. Required settings: {required}. Token URL: {token_url}\n"
        )
        for each in origins:
            output.write_stdout(f"  {each.describe()}\n")
    for profile in () if json_output else checked.profiles:
        output.write_stdout(f"profile {profile.name}: valid\n")


app.command()(new)
app.command()(add)


@app.command()
@common_options()
def reference() -> None:
    """Print the reference of all provider keys.

    It lists each key with its type, default and an example, as Markdown.
    """
    from tokencli.config.provider_validation import KNOWN_NAMES  # loads pydantic
    from tokencli.providers.reference import render_reference

    output.write_stdout(render_reference(KNOWN_NAMES.reserved_field_names))
