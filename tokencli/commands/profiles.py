"""`tokencli profiles`: list, show, use, remove, test and schema; for add see profiles_add, for edit profiles_edit."""

import json
from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.options import (
    CommonOptions,
    JsonOption,
    common_options,
)
from tokencli.commands.profiles_add import add
from tokencli.commands.profiles_edit import ProfileNameArgument, edit
from tokencli.commands.profiles_rename import copy, rename
from tokencli.commands.profiles_view import (
    print_profile_list,
    profile_details_to_dict,
    render_profile_details,
    render_test_result,
)
from tokencli.commands.registry import create_command_group
from tokencli.core.local_data import (
    find_keyring_secrets,
    may_have_keyring_secrets,
)
from tokencli.core.logout import delete_profile_data
from tokencli.core.profile_status import (
    list_secret_statuses,
    list_settings,
    read_token_status,
)
from tokencli.core.profile_test import run_profile_test
from tokencli.errors import UsageError
from tokencli.formats.json import dump_json_line
from tokencli.models import Profile

app = create_command_group()


@app.callback(invoke_without_command=True)
@common_options()
def profiles(
    common: CommonOptions,
    context: typer.Context,
    json_output: JsonOption = False,
) -> None:
    """List profiles with their secrets and tokens, or manage them.

    \b
    tokencli profiles
    tokencli profiles add groupid --provider groupid
    tokencli profiles show groupid
    """
    if context.invoked_subcommand is None:
        print_profile_list(App(common), json_output=json_output)
    elif common != CommonOptions() or json_output:
        raise UsageError(
            f"options go after the subcommand: tokencli profiles {context.invoked_subcommand} …",
            fix=f"tokencli profiles {context.invoked_subcommand} --help",
        )


@app.command("list")
@common_options()
def list_all(
    common: CommonOptions,
    json_output: JsonOption = False,
) -> None:
    """List profiles with their secrets and tokens (short: `ls`)."""
    print_profile_list(App(common), json_output=json_output)


app.command()(add)
app.command()(edit)
app.command()(rename)
app.command()(copy)


@app.command()
@common_options()
def show(
    common: CommonOptions,
    name: ProfileNameArgument = None,
    json_output: JsonOption = False,
) -> None:
    """Show a profile's settings, their origin, and its secrets.

    For each secret, only its source is shown, and whether it is set.
    """
    app = App(common)
    profile = app.with_cached_endpoints(app.config.get_profile(app.config.choose_profile(name)))
    parts = (
        profile,
        tuple(list_settings(profile, app.config)),
        tuple(list_secret_statuses(profile, app)),
        read_token_status(profile, app),
    )
    if json_output:
        output.write_stdout(dump_json_line(profile_details_to_dict(*parts, app.clock.now())))
    else:
        output.write_stdout(render_profile_details(*parts, app.clock.now()))


@app.command()
@common_options()
def use(
    common: CommonOptions,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Profile name.")],
) -> None:
    """Make a profile the default."""
    from tokencli.config.edit import set_default_profile  # loads tomlkit

    app = App(common)
    with app.locked_config() as config:
        set_default_profile(config, name)
    app.terminal.print_note(f"{name} is now the default profile")


@app.command()
@common_options()
def remove(
    common: CommonOptions,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Profile name.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask for confirmation.")] = False,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="Also delete its secrets from the OS keyring.")
    ] = False,
) -> None:
    """Remove a profile and delete its tokens (short: `rm`).

    Its secrets in the OS keyring are kept unless you give --secrets or confirm their deletion.

    \b
    tokencli profiles remove groupid
    tokencli profiles remove groupid --yes --secrets
    """
    from tokencli.config.edit import remove_profile  # loads tomlkit

    app = App(common)
    terminal = app.terminal
    profile = (
        None
        if app.config.find_profile_problems(name)
        else app.config.get_profile_ignoring_top_level(name)
    )
    if not yes:
        if not terminal.interactive:
            raise UsageError(
                f"removing profile {name} needs confirmation",
                fix=f"tokencli profiles remove {name} --yes",
            )
        if not terminal.ask_yes_no(f"Remove profile {name} and delete its tokens?", default=False):
            terminal.print_note("nothing changed")
            return
        stored = _list_stored_secrets(app, profile)
        if stored and not secrets:
            question = f"Also delete its secrets from the OS keyring ({', '.join(stored)})?"
            secrets = terminal.ask_yes_no(question, default=False)
    secret_names = _list_stored_secrets(app, profile) if secrets else []
    tokens = delete_profile_data(name, app.config, app, secrets=secrets)
    with app.locked_config() as config:
        remove_profile(config, name)
    app.fast_path_records.delete_all()
    terminal.print_note(f"removed profile {name} from {app.config.path}")
    deleted = f"{tokens or 'no'} token{'' if tokens == 1 else 's'}"
    if secret_names:
        deleted += f", and its secrets in the OS keyring ({', '.join(secret_names)})"
    terminal.print_note(f"deleted {deleted}")
    _print_remaining_secrets(app, name, profile)


def _list_stored_secrets(app: App, profile: Profile | None) -> list[str]:
    """Return the names of the secrets that the OS keyring holds for the profile."""
    found = find_keyring_secrets(profile, app) if profile else ()
    return [ref.name for ref, is_stored in found if is_stored]


def _print_remaining_secrets(app: App, name: str, profile: Profile | None) -> None:
    """Name the secrets that the OS keyring still holds for a removed profile."""
    if profile is None:
        if not app.config.isolated and may_have_keyring_secrets(name, app):
            command = app.keyring.delete_command(f"tokencli:{name}:password")
            app.terminal.print_note(
                f"the OS keyring may still hold its secrets; to delete one: {command}"
            )
        return
    for ref, is_stored in find_keyring_secrets(profile, app):
        service, username = ref.target
        is_own_service = service.startswith(f"tokencli:{name}:")
        command = app.keyring.delete_command(service, "" if is_own_service else username)
        holds = "still holds" if is_stored else "may still hold"
        app.terminal.print_note(f"the OS keyring {holds} its {ref.name}; to delete it: {command}")


@app.command()
@common_options(lock_timeout=True)
def test(
    common: CommonOptions,
    name: ProfileNameArgument = None,
) -> None:
    """Get a new token and report which secrets it verifies.

    The stored refresh token is used only if the grant needs an interactive sign-in. The new token
    replaces the stored one; it is not printed.
    """
    app = App(common)
    profile = app.get_profile(name)
    result = run_profile_test(profile, app)
    output.write_stdout(render_test_result(profile, result))
    if result.token_result.save_error is not None:
        raise result.token_result.save_error


@app.command()
@common_options()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors.

    \b
    tokencli profiles schema > ~/.config/tokencli/schema.json
    then make this the first line of config.toml:  #:schema ./schema.json
    """
    from tokencli.config.json_schema import build_json_schema

    output.write_stdout(json.dumps(build_json_schema(), indent=2) + "\n")
