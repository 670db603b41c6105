"""`tokencli profiles`: list, show, use, remove, test and schema; `add` and `edit` are next door."""

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
from tokencli.commands.profiles_edit import ProfileNameArgument, add, edit
from tokencli.errors import ConfigError, UsageError
from tokencli.formats.json import dump_json_line

app = typer.Typer(
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback(invoke_without_command=True)
@common_options()
def profiles(
    common: CommonOptions,
    context: typer.Context,
    json_output: JsonOption = False,
) -> None:
    """List the profiles: endpoint, where secrets come from, and how long the token lasts.

    \b
    tokencli profiles
    tokencli profiles add groupid --provider groupid
    tokencli profiles show groupid
    """
    if context.invoked_subcommand is None:
        _list_profiles(App(common), json_output=json_output)
    elif common != CommonOptions() or json_output:
        raise UsageError(
            "options stand after the command's name",
            fix=f"tokencli profiles {context.invoked_subcommand} …",
        )


def _list_profiles(app: App, *, json_output: bool) -> None:
    from tokencli.commands.profiles_view import profiles_to_dicts, render_profile_table
    from tokencli.core.profile_status import list_profiles

    found = list(list_profiles(app.config, app, app.with_cached_endpoints))
    now = app.clock.now()
    if json_output:
        listed = {
            "profiles": profiles_to_dicts(found, now),
            "default_profile": app.config.default_profile,
        }
        output.write_stdout(dump_json_line(listed))
    elif found:
        output.write_stdout(render_profile_table(found, now))
    for why in dict.fromkeys(row.token_status.reason for row in found if row.token_status.reason):
        app.terminal.print_warning(f"some tokens were not looked at: {why}")
    problems = app.config.find_problems()
    if problems:
        raise ConfigError(
            f"{app.config.path} has {len(problems)} problem{'s' if len(problems) > 1 else ''}",
            fix="tokencli profiles edit",
            problems=problems,
        )
    if not found and not json_output:
        app.terminal.print_note(
            "there is no profile yet: tokencli profiles add NAME --provider PROVIDER"
        )


app.command()(add)
app.command()(edit)


@app.command()
@common_options()
def show(
    common: CommonOptions,
    name: ProfileNameArgument = None,
    json_output: JsonOption = False,
) -> None:
    """Show every setting of a profile and where it comes from; of secrets only whether they are there."""
    from tokencli.commands.profiles_view import profile_details_to_dict, render_profile_details
    from tokencli.core.profile_status import list_secret_statuses, list_settings, read_token_status

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
    name: Annotated[str, typer.Argument(metavar="NAME", help="The profile.")],
) -> None:
    """Make a profile the default, the one that is meant where none is named."""
    from tokencli.commands.config_change import locked_config
    from tokencli.config import edit as write

    app = App(common)
    with locked_config(app) as now:
        write.set_default_profile(now, name)
    app.terminal.print_note(f"{name} is now the default profile")


@app.command()
@common_options()
def remove(
    common: CommonOptions,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The profile.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="Forget its secrets in the OS keyring, too.")
    ] = False,
) -> None:
    """Take a profile out of the configuration, and forget its tokens.

    Its secrets in the OS keyring stay, unless --secrets or an answer says otherwise.

    \b
    tokencli profiles remove groupid
    tokencli profiles remove groupid --yes --secrets
    """
    from tokencli.commands.config_change import locked_config
    from tokencli.config import edit as write
    from tokencli.core.local_data import (
        find_keyring_secrets,
        keyring_delete_command,
        may_have_keyring_secrets,
    )
    from tokencli.core.logout import delete_profile_data

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
                f"removing {name} wants a yes", fix=f"tokencli profiles remove {name} --yes"
            )
        if not terminal.ask_yes_no(f"Remove profile {name} and forget its tokens?", default=False):
            terminal.print_note("nothing is changed")
            return
        there = (
            [ref.name for ref, sure in find_keyring_secrets(profile, app) if sure]
            if profile
            else []
        )
        if there and not secrets:
            question = f"Forget what the OS keyring has for it, too ({', '.join(there)})?"
            secrets = terminal.ask_yes_no(question, default=False)
    tokens = delete_profile_data(name, app.config, app, secrets=secrets)
    with locked_config(app) as now:
        write.remove_profile(now, name)
    app.fast_path_records.delete_all()
    terminal.print_note(f"removed profile {name} from {app.config.path}")
    terminal.print_note(f"forgot {tokens or 'no'} token{'' if tokens == 1 else 's'} of it")
    if profile is None:
        if may_have_keyring_secrets(name, app):
            way = keyring_delete_command(f"tokencli:{name}:password")
            terminal.print_note(f"the OS keyring may hold secrets of it; to forget one: {way}")
        return
    for ref, sure in find_keyring_secrets(profile, app):
        service, username = ref.target
        own = service.startswith(f"tokencli:{name}:")
        way = keyring_delete_command(service, "" if own else username)
        stays = "stays" if sure else "may be"
        terminal.print_note(
            f"a {ref.name} stored for it {stays} in the OS keyring; to forget it: {way}"
        )


@app.command()
@common_options(lock_timeout=True)
def test(
    common: CommonOptions,
    name: ProfileNameArgument = None,
) -> None:
    """Get a new token with a profile, and say what that proves; the token itself is not shown.

    It comes by the profile's own secrets, even where a refresh token is stored; only where a person
    would have to sign in, the refresh token is tried. It replaces the stored one if it comes.
    """
    from tokencli.commands.profiles_view import render_test_result
    from tokencli.core.profile_test import run_profile_test

    app = App(common)
    profile = app.get_profile(name)
    proof = run_profile_test(profile, app)
    output.write_stdout(render_test_result(profile, proof))
    if proof.token_result.save_error is not None:
        raise proof.token_result.save_error


@app.command()
@common_options()
def schema() -> None:
    """Print the JSON Schema of the configuration, by which an editor completes and checks it.

    \b
    tokencli profiles schema > ~/.config/tokencli/schema.json
    and as the first line of config.toml:  #:schema ./schema.json
    """
    from tokencli.config.json_schema import build_json_schema

    output.write_stdout(json.dumps(build_json_schema(), indent=2) + "\n")
