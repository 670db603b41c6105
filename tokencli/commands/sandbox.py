"""`tokencli sandbox`."""

import os
import shutil
from collections.abc import Callable, Sequence
from inspect import Parameter, signature
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokencli.app import App, AppOptions
from tokencli.commands import output
from tokencli.commands.error_report import report_error, write_stderr
from tokencli.commands.options import CommonOptions, common_options
from tokencli.sandbox.faults import FAULT_OPTIONS, FaultOption, option_name
from tokencli.sandbox.groupid import GroupId
from tokencli.shell_words import user_shell
from tokencli.system.child_process import (
    build_start_error,
    exit_status_of,
    find_tokencli_program,
    run_command,
)
from tokencli.system.signals import stop_on_signals
from tokencli.system.timeout import wait_for

if TYPE_CHECKING:
    from tokencli.sandbox.server import Sandbox

STARTED_TEXT = """\
The sandbox is running at {url}. Stop it with Ctrl-C.
Paste these lines into another terminal:

"""
EXAMPLES_TEXT = """\

and then try, for example:

    {tokencli} get
    {tokencli} inspect
    {tokencli} get socialid
    {tokencli} login corp
    {tokencli} profiles
    {tokencli} request groupid me
    {tokencli} request oauth2 resource --json '{{"id": 7}}'
    {tokencli} curl groupid -- --cacert {ca_file} {url}{resource}

Profiles: {profiles}. The first is the default.
More about them: {tokencli} help sandbox
"""
SCENARIO_TEXT = """\

and then try:

    {command}

{summary} More about scenarios: {tokencli} help sandbox
"""


def _build_fault_parameter(name: str, fault: FaultOption) -> Parameter:
    """Build the option of one row of the table of faults."""
    kind = bool if fault.parse is None else str | None
    option = typer.Option(option_name(name), help=fault.help, metavar=fault.metavar)
    return Parameter(
        name,
        Parameter.KEYWORD_ONLY,
        default=False if fault.parse is None else None,
        annotation=Annotated[kind, option],
    )


def _with_fault_options(command: Callable[..., int]) -> Callable[..., int]:
    """Replace `**faults` in a command's signature, which Typer reads, by an option for each fault."""
    own = signature(command)
    others = [p for p in own.parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
    faults = [_build_fault_parameter(*row) for row in FAULT_OPTIONS.items()]
    command.__signature__ = own.replace(parameters=[*others, *faults])  # type: ignore[attr-defined]  # inspect's own protocol
    return command


@common_options(hidden=("config", "timeout", "no_input"))
@_with_fault_options
def sandbox(
    common: CommonOptions,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="Run this against the sandbox, then stop."),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 picks a free one.")
    ] = 0,
    users: Annotated[
        str | None,
        typer.Option(
            "--users",
            metavar="FILE",
            help="Users, clients, claims and lifetimes, as TOML or JSON; see `tokencli help sandbox`.",
        ),
    ] = None,
    sign_in: Annotated[
        str | None,
        typer.Option(
            "--sign-in",
            metavar="USER",
            help="Sign this user in at once, without a page or a browser, e.g. alice.",
        ),
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option(
            "--scenario",
            metavar="CAUSE[:VARIANT]",
            help="Prepare an API call that fails for this cause, e.g. key_rotated; see `tokencli help sandbox`.",
        ),
    ] = None,
    **faults: object,
) -> int:
    """Run a local test server to experiment with.

    It needs no account and no keyring, and leaves your files alone. It behaves like GroupID,
    Screening Eagle ID, Social-ID NOW and a standard OAuth endpoint, over HTTPS on this machine
    only. COMMAND gets its own configuration, $SANDBOX_URL and $SANDBOX_CA_FILE, and its exit status
    is passed on. Without COMMAND the server runs until Ctrl-C.

    \b
    tokencli sandbox
    tokencli sandbox -- tokencli get groupid
    tokencli sandbox --lifetime 20s -v -- sh -c 'tokencli get; sleep 21; tokencli get'
    tokencli sandbox --fail 503 -- tokencli get socialid
    tokencli sandbox --sign-in alice -- tokencli login corp
    tokencli sandbox --users users.toml
    tokencli sandbox --scenario key_rotated -- sh -c 'tokencli why "$SANDBOX_PROFILE" "$SANDBOX_API"'
    """
    from tokencli.sandbox.server import Sandbox
    from tokencli.sandbox.workspace import delete_abandoned_workspaces

    terminal = App(common).terminal
    for directory in delete_abandoned_workspaces():
        terminal.print_detail(f"deleted {directory} of a sandbox that was killed")
        _delete_hot_copies(str(directory / "config.toml"))
    options: dict[str, Any] = faults  # FAULT_OPTIONS names only parameters of Sandbox
    server = Sandbox(port=port, users=users, sign_in=sign_in, scenario=scenario, **options)
    with stop_on_signals() as stopped, server as running:
        running.database.on_request_logged = lambda entry: terminal.print_detail(str(entry))
        try:
            if command:
                return (
                    output.EXIT_INTERRUPTED if stopped.is_set() else _run_command(command, running)
                )
            return _serve_until_stopped(running, stopped, quiet=common.quiet)
        finally:
            _delete_hot_copies(running.config_file)


def _delete_hot_copies(config_file: str) -> None:
    """Delete the tokens of a sandbox's profiles from the fast path's cache."""
    App(AppOptions(config=config_file)).fast_path_records.delete_all()


def _serve_until_stopped(running: "Sandbox", stopped: Event, *, quiet: bool) -> int:
    """Print how to use the sandbox, and wait until it is stopped."""
    shell = user_shell()
    program = find_tokencli_program()
    on_path = shutil.which("tokencli") is not None
    values = {
        "tokencli": "tokencli" if on_path or program is None else shell.quote_program(str(program)),
        "url": running.url,
        "ca_file": shell.quote(running.ca_file),
        "resource": GroupId.resource_path,
        "profiles": ", ".join(running.profiles),
    }
    write_stderr("" if quiet else STARTED_TEXT.format(**values))
    text = EXAMPLES_TEXT
    if running.scenario is not None:
        text = SCENARIO_TEXT
        values |= {"command": running.scenario.command, "summary": running.scenario.summary}
    for name, value in running.variables.items():
        output.write_stdout(f"{shell.set_variable(name, value)}\n")
    write_stderr("" if quiet else text.format(**values))
    wait_for(stopped.wait)
    return 0


def _run_command(command: Sequence[str], running: "Sandbox") -> int:
    """Run the command against the sandbox and return its exit status."""
    environ = running.build_environ(os.environ)
    program = find_tokencli_program()
    if program is not None:
        environ["PATH"] = os.pathsep.join((str(program.parent), environ.get("PATH", os.defpath)))
    try:
        return run_command(command, environ)
    except OSError as error:
        report_error(build_start_error(command[0], error, environ.get("PATH")))
        return exit_status_of(error)


# Everything after COMMAND belongs to it.
sandbox.typer_settings = {"context_settings": {"allow_interspersed_args": False}}  # type: ignore[attr-defined]  # read by registry
