"""`tokencli sandbox`."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from inspect import Parameter, Signature, signature
from shlex import quote
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from tokencli.app import App, Settings
from tokencli.cli import boundary, stdout
from tokencli.cli.options import QuietOption, VerboseOption
from tokencli.errors import UsageError
from tokencli.sandbox.faults import FAULTS, Fault, option

if TYPE_CHECKING:
    from tokencli.sandbox.server import Sandbox

BEFORE = """\
A sandbox is running at {url} until Ctrl-C.
Paste this line into another terminal:

"""
AFTER = """\

and then, there, for example:

    {tokencli} get
    {tokencli} inspect
    {tokencli} get socialid
    {tokencli} profiles
    eval "$({tokencli} export)"
    curl --cacert {ca_file} -H "Authorization: Bearer $ACCESS_TOKEN" {url}{resource}

Its profiles are {profiles}; the first is the default.
"""
ENDS = ("SIGINT", "SIGTERM", "SIGHUP")
INTERRUPTED = 130


def sandbox(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="Run this against it, then end."),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Listen here; 0 is any free port.")
    ] = 0,
    config: Annotated[str | None, typer.Option("--config", hidden=True)] = None,
    timeout: Annotated[str | None, typer.Option("--timeout", hidden=True)] = None,
    no_input: Annotated[bool, typer.Option("--no-input", hidden=True)] = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    **faults: object,
) -> int:
    """Run a server of your own to try everything on: no account, no keyring, none of your files.

    It speaks as GroupID, Screening Eagle ID, Social-ID NOW and a standard OAuth endpoint do, over
    HTTPS on this machine alone. COMMAND finds a configuration of its own, $SANDBOX_URL and
    $SANDBOX_CA_FILE; its exit status is passed on. Without COMMAND the server runs until Ctrl-C.

    \b
    tokencli sandbox
    tokencli sandbox -- tokencli get groupid
    tokencli sandbox --lifetime 20s -v -- sh -c 'tokencli get; sleep 21; tokencli get'
    tokencli sandbox --fail 503 -- tokencli get socialid
    """
    from tokencli.sandbox.server import Sandbox

    terminal = App(Settings(quiet=quiet, verbose=verbose)).terminal
    with _ending() as end, Sandbox(port=port, **faults) as running:  # type: ignore[arg-type]  # no fault is named `now`
        running.state.listener = lambda entry: terminal.detail(str(entry))
        try:
            if command:
                return INTERRUPTED if end.is_set() else _run(command, running)
            return _serve(running, end, quiet=quiet)
        finally:  # what its profiles left in memory
            App(Settings(config=str(running.config_file))).records.leave()


def _serve(running: "Sandbox", end: Event, *, quiet: bool) -> int:
    """Say how to use it, and wait for the end, which is no failure."""
    from tokencli.sandbox.child import own_program
    from tokencli.sandbox.groupid import GroupId
    from tokencli.sandbox.systems import SYSTEMS

    program = own_program()
    on_path = shutil.which("tokencli") is not None
    known = {
        "tokencli": "tokencli" if on_path or program is None else quote(str(program)),
        "url": running.url,
        "ca_file": quote(running.ca_file),
        "resource": GroupId.resource_path,
        "profiles": ", ".join(SYSTEMS),
    }
    _tell("" if quiet else BEFORE.format(**known))
    stdout.emit(f"export TOKENCLI_CONFIG={quote(running.config_file)}\n")
    _tell("" if quiet else AFTER.format(**known))
    while not end.wait(1.0):  # a wait without a limit can't be interrupted on Windows
        pass
    return 0


def _run(command: Sequence[str], running: "Sandbox") -> int:
    """Run the command against the sandbox and return its exit status."""
    from tokencli.sandbox.child import failure, own_program, run

    environ = running.environ(os.environ)
    program = own_program()
    if program is not None:
        environ["PATH"] = os.pathsep.join((str(program.parent), environ.get("PATH", os.defpath)))
    try:
        return run(command, environ)
    except OSError as error:
        what = "was not found" if isinstance(error, FileNotFoundError) else "can't be run"
        boundary.report(
            UsageError(
                f"the command {command[0]!r} {what}",
                hint="tokencli sandbox -- tokencli get groupid",
            )
        )
        return failure(error)


@contextmanager
def _ending() -> Iterator[Event]:
    """Note the signals that ask for the end, so that everything is cleaned up however they come."""
    end = Event()
    numbers = [getattr(signal, name) for name in ENDS if hasattr(signal, name)]
    before = {number: signal.signal(number, lambda *_: end.set()) for number in numbers}
    try:
        yield end
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return  # a stderr that is closed is no reason to fail


def _parameter(name: str, fault: Fault) -> Parameter:
    """Make an option of a row of the table of faults."""
    kind = bool if fault.read is None else str | None
    about = typer.Option(option(name), help=fault.help, metavar=fault.metavar)
    return Parameter(
        name,
        Parameter.KEYWORD_ONLY,
        default=False if fault.read is None else None,
        annotation=Annotated[kind, about],
    )


def _with_faults(own: Signature) -> Signature:
    """Put an option for each fault in the place of `**faults`, where Typer looks for them."""
    kept = [one for one in own.parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
    return own.replace(parameters=[*kept, *(_parameter(*row) for row in FAULTS.items())])


# Typer reads the signature; the boundary's table reads the settings: what follows COMMAND is its own.
sandbox.__signature__ = _with_faults(signature(sandbox))  # type: ignore[attr-defined]  # inspect's own protocol
sandbox.context_settings = {"allow_interspersed_args": False}  # type: ignore[attr-defined]  # read by cli.main
