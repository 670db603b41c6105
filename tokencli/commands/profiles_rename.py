"""`tokencli profiles rename` and `tokencli profiles copy`."""

from contextlib import ExitStack
from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands.options import CommonOptions, common_options
from tokencli.commands.profiles_edit import GivenKeys, UnsetOption, key_options, parse_changes
from tokencli.core.profile_rename import (
    copy_secrets,
    list_copyable_secrets,
    rename_stored_data,
)
from tokencli.core.profile_status import suggest_next_commands
from tokencli.shell_words import quote, user_shell

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Profile name.")]
NewNameArgument = Annotated[
    str, typer.Argument(metavar="NEW_NAME", help="Name of the new profile.")
]


@common_options()
def rename(
    common: CommonOptions,
    name: NameArgument,
    new_name: Annotated[str, typer.Argument(metavar="NEW_NAME", help="New name of the profile.")],
) -> None:
    """Rename a profile, and move its tokens and its secrets in the OS keyring.

    References to it in default_profile and in other profiles are updated.

    \b
    tokencli profiles rename groupid work
    """
    from tokencli.config.edit import list_token_users, stage_rename, write_staged  # loads tomlkit

    app = App(common)
    with ExitStack() as deferred_signals, app.locked_config() as config:
        staged = stage_rename(config, name, new_name)
        old = app.with_cached_endpoints(config.get_profile_ignoring_top_level(name))
        new = staged.get_profile_ignoring_top_level(new_name)
        app.move_cached_metadata(old, new)
        try:
            moved = rename_stored_data(
                old,
                app.with_cached_endpoints(new),
                app,
                lambda: write_staged(config, staged),
                deferred_signals,
            )
        except BaseException:
            app.move_cached_metadata(new, old)
            raise
        app.fast_path_records.delete_all()
        app.terminal.print_note(f"renamed profile {name} to {new_name} in {config.path}")
    terminal = app.terminal
    stored = [_count(moved.token_count, "token"), *moved.secret_names]
    if what := " and ".join(filter(None, stored)):
        terminal.print_note(f"moved with it: {what}")
    if deleted := _count(moved.deleted_token_count, "token"):
        terminal.print_note(f"deleted {deleted} of earlier settings of {name}")
    for user, key in list_token_users(staged, new_name):
        terminal.print_note(f"changed {key} of profile {user}")
    if app.environ.get("TOKENCLI_PROFILE") == name:
        terminal.print_warning(
            f"TOKENCLI_PROFILE still names {name}; in this shell: {user_shell().set_variable('TOKENCLI_PROFILE', new_name)}"
        )


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}" if count else ""


@common_options()
@key_options
def copy(
    common: CommonOptions,
    given: GivenKeys,
    name: NameArgument,
    new_name: NewNameArgument,
    unset: UnsetOption = None,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="Also copy its secrets in the OS keyring.")
    ] = False,
) -> None:
    """Copy a profile, with other values for some keys.

    Comments are copied as well. Tokens are not, because two profiles can't share a refresh token.
    A secret in the OS keyring is copied only if both profiles have the same server.

    \b
    tokencli profiles copy groupid test --host test-machine:4443
    tokencli profiles copy ci nightly --scope "read write" --secrets
    """
    from tokencli.config.edit import copy_profile, require_new_name  # loads tomlkit

    app = App(common)
    with app.locked_config() as config:
        require_new_name(config, new_name)
        table = config.editable_profile_table(name)
        command = f"tokencli profiles copy {quote(name)} {new_name}"
        keys = parse_changes(given, table, command, app)
        changed = copy_profile(config, name, new_name, keys, unset or [])
    app.fast_path_records.delete_all()
    terminal = app.terminal
    terminal.print_note(f"copied profile {name} to {new_name} in {config.path}")
    if config.find_profile_problems(name):
        return  # the copy has the same problems, and nothing is stored for either
    source = config.get_profile_ignoring_top_level(name)
    profile = changed.get_profile_ignoring_top_level(new_name)
    is_asked = terminal.interactive and not secrets
    copyable = list_copyable_secrets(source, profile, app) if is_asked else []
    if copyable:
        question = f"Also copy its secrets in the OS keyring ({', '.join(copyable)})?"
        secrets = terminal.ask_yes_no(question, default=False)
    copied = copy_secrets(source, profile, app) if secrets else ()
    if copied:
        terminal.print_note(f"copied from {name} in the OS keyring: {', '.join(copied)}")
    for suggestion in suggest_next_commands(profile, stored_secrets=copied):
        terminal.print_note(f"next: {suggestion}")
