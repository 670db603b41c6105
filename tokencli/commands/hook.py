"""`tokencli hook`."""

from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.hook_renewal import check_shared_variables, print_renewal
from tokencli.commands.options import CommonOptions, common_options
from tokencli.fastpath.hooks import HOOK_SHELLS, render_hook_script


@common_options(examples=[*dict.fromkeys(shell.example for shell in HOOK_SHELLS.values())])
def hook(
    common: CommonOptions,
    shell: Annotated[str, typer.Argument(metavar="SHELL", help=f"{', '.join(HOOK_SHELLS)}.")],
    profiles: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROFILE", help="Profiles whose variables to set and keep fresh."),
    ] = None,
    renew: Annotated[
        bool,
        typer.Option("--renew", help="Print statements that renew the variables (for the prompt)."),
    ] = False,
    after_logout: Annotated[
        bool,
        typer.Option(
            "--after-logout",
            hidden=True,
            help="With --renew: stop renewing profiles for which no token is stored.",
        ),
    ] = False,
) -> None:
    """Speed up `get` and `export` in your shell.

    In a hooked shell, `tokencli get` and `tokencli export` read a fresh token from memory without
    starting a process. When in doubt, they run the program. The variables of the profiles named here
    are set, and renewed at the prompt before they expire. `tokencli_unhook` undoes all of it.

    In PowerShell, `tokencli` itself isn't changed; `Get-TokencliToken` returns a fresh token.
    """
    names = profiles or ()
    if renew:
        print_renewal(App(common), shell, *names, stops_without_token=after_logout)
    else:
        script = render_hook_script(shell, names)
        check_shared_variables(App(common), names)
        output.write_stdout(script)
