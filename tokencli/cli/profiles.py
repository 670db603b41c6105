"""`tokencli profiles`: list, show, use, remove, test and schema; `add` and `edit` are next door."""

import json
from typing import Annotated

import typer

from tokencli.app import App, Settings
from tokencli.cli import stdout
from tokencli.cli.options import (
    ConfigOption,
    JsonOption,
    LockTimeoutOption,
    NoInputOption,
    QuietOption,
    TimeoutOption,
    VerboseOption,
)
from tokencli.cli.profiles_edit import NameArgument, add, edit
from tokencli.errors import ConfigError, UsageError
from tokencli.formats.json import line

app = typer.Typer(
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback(invoke_without_command=True)
def profiles(
    context: typer.Context,
    json_output: JsonOption = False,
    config: ConfigOption = None,
    timeout: TimeoutOption = None,
    no_input: NoInputOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """List the profiles: endpoint, where secrets come from, and how long the token lasts.

    \b
    tokencli profiles
    tokencli profiles add groupid --provider groupid
    tokencli profiles show groupid
    """
    given = Settings(config, timeout, None, no_input, quiet, verbose)
    if context.invoked_subcommand is None:
        _list(App(given), json_output=json_output)
    elif given != Settings() or json_output:
        raise UsageError(
            "options stand after the command's name",
            hint=f"tokencli profiles {context.invoked_subcommand} …",
        )


def _list(app: App, *, json_output: bool) -> None:
    from tokencli.actions.profiles import rows
    from tokencli.cli.profiles_view import as_objects, as_table

    found = list(rows(app.config, app, app.known))
    now = app.clock.now()
    if json_output:
        listed = {
            "profiles": as_objects(found, now),
            "default_profile": app.config.default_profile,
        }
        stdout.emit(line(listed))
    elif found:
        stdout.emit(as_table(found, now))
    for why in dict.fromkeys(row.life.why for row in found if row.life.why):
        app.terminal.warn(f"some tokens were not looked at: {why}")
    problems = app.config.problems()
    if problems:
        raise ConfigError(
            f"{app.config.path} has {len(problems)} problem{'s' if len(problems) > 1 else ''}",
            hint="tokencli profiles edit",
            problems=problems,
        )
    if not found and not json_output:
        app.terminal.note("there is no profile yet: tokencli profiles add NAME --provider PROVIDER")


app.command()(add)
app.command()(edit)


@app.command()
def show(
    name: NameArgument = None,
    json_output: JsonOption = False,
    config: ConfigOption = None,
    no_input: NoInputOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Show every setting of a profile and where it comes from; of secrets only whether they are there."""
    from tokencli.actions.profiles import life, presences, settings
    from tokencli.cli.profiles_view import shown_as_object, shown_as_text

    app = App(Settings(config=config, no_input=no_input, quiet=quiet, verbose=verbose))
    profile = app.known(app.config.profile(app.config.choose(name)))
    parts = (
        profile,
        tuple(settings(profile, app.config)),
        tuple(presences(profile, app)),
        life(profile, app),
    )
    if json_output:
        stdout.emit(line(shown_as_object(*parts, app.clock.now())))
    else:
        stdout.emit(shown_as_text(*parts, app.clock.now()))


@app.command()
def use(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The profile.")],
    config: ConfigOption = None,
    no_input: NoInputOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Make a profile the default, the one that is meant where none is named."""
    from tokencli.cli.changing import changing
    from tokencli.config import edit as write

    app = App(Settings(config=config, no_input=no_input, quiet=quiet, verbose=verbose))
    with changing(app) as now:
        write.use(now, name)
    app.terminal.note(f"{name} is now the default profile")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The profile.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="Forget its secrets in the OS keyring, too.")
    ] = False,
    config: ConfigOption = None,
    no_input: NoInputOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Take a profile out of the configuration, and forget its tokens.

    Its secrets in the OS keyring stay, unless --secrets or an answer says otherwise.

    \b
    tokencli profiles remove groupid
    tokencli profiles remove groupid --yes --secrets
    """
    from tokencli.actions import remove as action
    from tokencli.cli.changing import changing
    from tokencli.config import edit as write

    app = App(Settings(config=config, no_input=no_input, quiet=quiet, verbose=verbose))
    terminal = app.terminal
    profile = None if app.config.problems_of(name) else app.config.profile_alone(name)
    if not yes:
        if not terminal.interactive:
            raise UsageError(
                f"removing {name} wants a yes", hint=f"tokencli profiles remove {name} --yes"
            )
        if not terminal.confirm(f"Remove profile {name} and forget its tokens?", default=False):
            terminal.note("nothing is changed")
            return
        there = (
            [ref.name for ref, sure in action.in_keyring(profile, app) if sure] if profile else []
        )
        if there and not secrets:
            question = f"Forget what the OS keyring has for it, too ({', '.join(there)})?"
            secrets = terminal.confirm(question, default=False)
    tokens = action.forget(name, app.config, app, secrets=secrets)
    with changing(app) as now:
        write.remove(now, name)
    app.records.leave()
    terminal.note(f"removed profile {name} from {app.config.path}")
    terminal.note(f"forgot {tokens or 'no'} token{'' if tokens == 1 else 's'} of it")
    if profile is None:
        if action.may_be_in_keyring(name, app):
            way = action.clearing(f"tokencli:{name}:password")
            terminal.note(f"the OS keyring may hold secrets of it; to forget one: {way}")
        return
    for ref, sure in action.in_keyring(profile, app):
        service, username = ref.target
        own = service.startswith(f"tokencli:{name}:")
        way = action.clearing(service, "" if own else username)
        stays = "stays" if sure else "may be"
        terminal.note(f"a {ref.name} stored for it {stays} in the OS keyring; to forget it: {way}")


@app.command()
def test(
    name: NameArgument = None,
    config: ConfigOption = None,
    timeout: TimeoutOption = None,
    lock_timeout: LockTimeoutOption = None,
    no_input: NoInputOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Get a new token with a profile, and say what that proves; the token itself is not shown.

    It comes by the profile's own secrets, even where a refresh token is stored; only where a person
    would have to sign in, the refresh token is tried. It replaces the stored one if it comes.
    """
    from tokencli.actions.prove import prove
    from tokencli.cli.profiles_view import proof_in_words

    app = App(Settings(config, timeout, lock_timeout, no_input, quiet, verbose))
    profile = app.profile(name)
    proof = prove(profile, app)
    stdout.emit(proof_in_words(profile, proof))
    if proof.obtained.unsaved is not None:
        raise proof.obtained.unsaved


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, by which an editor completes and checks it.

    \b
    tokencli profiles schema > ~/.config/tokencli/schema.json
    and as the first line of config.toml:  #:schema ./schema.json
    """
    from tokencli.config.json_schema import json_schema

    stdout.emit(json.dumps(json_schema(), indent=2) + "\n")
