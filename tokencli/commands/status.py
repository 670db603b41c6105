"""`tokencli status`: all profiles at a glance, for people and for monitoring."""

from collections.abc import Sequence
from time import monotonic
from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.live_view import require_live_terminal, run_live_view
from tokencli.commands.options import CommonOptions, JsonOption, common_options
from tokencli.commands.status_view import render_open_metrics, render_status, status_to_dict
from tokencli.core.profile_health import ProfileHealth, list_profile_health
from tokencli.errors import (
    ConfigError,
    CredentialsError,
    InvalidTokenError,
    TokencliError,
    UsageError,
)
from tokencli.formats.json import dump_json_line

OPEN_METRICS = "openmetrics"
RELOAD_SHARE = 10
"""In a live view, at most one part in so many of the time is spent on reading the stores."""
MAX_NAMES = 5


@common_options()
def status(
    common: CommonOptions,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROFILE...", help="Only these profiles; all if omitted."),
    ] = None,
    json_output: JsonOption = False,
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="NAME", help=f"{OPEN_METRICS}, for Prometheus and others."
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Redraw it every second, until Ctrl-C.")
    ] = False,
) -> int:
    """Show all profiles at a glance.

    Shows how long each token is valid, how renewals went (from the event log), and when a person will
    be needed next. Nothing is sent to a server, and nothing is prompted for. The exit code is 3 if a
    profile is invalid, else 4 if a person is needed now, else 9 if a token has expired and the last
    attempt to renew it failed, else 0.

    \b
    tokencli status
    tokencli status --watch
    tokencli status --json
    tokencli status --format openmetrics > /var/lib/node_exporter/tokencli.prom
    """
    app = App(common)
    if format_name not in (None, OPEN_METRICS):
        raise UsageError(
            f"unknown format {format_name!r}", fix=f"tokencli status --format {OPEN_METRICS}"
        )
    if json_output + watch + (format_name is not None) > 1:
        raise UsageError("use only one of --json, --format and --watch")
    for name in names or ():
        app.config.choose_profile(name)
    if watch:
        require_live_terminal("tokencli status")
        return run_live_view(app, _LiveStatus(app, names or ()).render)
    profiles = _read_health(app, names or ())
    now = app.clock.now()
    if format_name is not None:
        output.write_stdout(render_open_metrics(profiles, now))
    elif json_output:
        output.write_stdout(dump_json_line(status_to_dict(profiles, now)))
    elif profiles:
        output.write_stdout(render_status(profiles, now))
    else:
        raise app.config.no_profile_error()
    for reason in dict.fromkeys(each.reason for each in profiles if each.state == "unknown"):
        app.terminal.print_warning(f"some states are unknown: {reason}")
    if error := find_problem(profiles, app):
        raise error
    return 0


def _read_health(app: App, names: Sequence[str]) -> list[ProfileHealth]:
    return list(list_profile_health(app.config, app, app.with_cached_endpoints, names))


def find_problem(profiles: Sequence[ProfileHealth], app: App) -> TokencliError | None:
    """Return the most important error, whose exit code is the command's; None if all is well."""
    if any(each.state == "invalid" for each in profiles):
        return app.config.invalid_config_error()
    needing = [each for each in profiles if each.person.now]
    if needing:
        first = needing[0]
        return CredentialsError(
            f"a person is needed for {_join_names(needing)}",
            cause=first.person.basis,
            fix=first.person.command,
        )
    for each in profiles:
        if each.row.token_status.keyring_error is not None:
            return each.row.token_status.keyring_error
    failing = [each for each in profiles if each.is_failing]
    if failing:
        failure = failing[0].renewals.last_failure
        return InvalidTokenError(
            f"no token could be obtained for {_join_names(failing)}",
            cause=None if failure is None else failure.message or failure.error,
            fix=f"tokencli get {failing[0].name}",
        )
    return None


def _join_names(profiles: Sequence[ProfileHealth]) -> str:
    names = ", ".join(each.name for each in profiles[:MAX_NAMES])
    more = len(profiles) - MAX_NAMES
    return f"{names} and {more} more" if more > 0 else names


class _LiveStatus:
    """The table of a live view; it is read again as often as that is cheap."""

    def __init__(self, app: App, names: Sequence[str]) -> None:
        self._app, self._names = app, names
        self._profiles: list[ProfileHealth] = []
        self._due = 0.0
        self._problem = ""

    def render(self) -> str:
        """Return the lines for this second."""
        if (started := monotonic()) >= self._due:
            try:
                self._app.reload_config()
                self._profiles = _read_health(self._app, self._names)
                self._problem = ""
            except ConfigError as error:
                self._problem = f"\n{error.message}\n"
            self._due = started + (monotonic() - started) * RELOAD_SHARE
        table = render_status(self._profiles, self._app.clock.now())
        return f"{table}{self._problem}\nCtrl-C to stop"
