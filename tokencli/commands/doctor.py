"""`tokencli doctor`."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.doctor_bundle import Examination, confirm_overwriting, write_bundle
from tokencli.commands.doctor_context import DoctorApp
from tokencli.commands.doctor_view import render_results, results_to_dicts
from tokencli.commands.options import (
    CommonOptions,
    JsonOption,
    ProfileArgument,
    ProfileOption,
    common_options,
    select_profile_name,
)
from tokencli.config.load import Config
from tokencli.diagnosis.check_runner import CheckResult, find_exit_code, run_checks
from tokencli.diagnosis.checks import DEFAULT_TIMEOUT_S, Subject
from tokencli.errors import ConfigError, TokencliError, UsageError, add_config
from tokencli.formats.json import dump_json_line
from tokencli.protocols import ShowWait


@common_options()
def doctor(
    common: CommonOptions,
    profile: ProfileArgument = None,
    profile_option: ProfileOption = None,
    all_profiles: Annotated[bool, typer.Option("--all", help="Check every profile.")] = False,
    json_output: JsonOption = False,
    request_token: Annotated[
        bool,
        typer.Option(
            "--request-token",
            help="Also get a new token, as `profiles test` does: this sends the profile's secrets.",
        ),
    ] = False,
    bundle: Annotated[
        str | None,
        typer.Option(
            "--bundle", metavar="FILE", help="Write a redacted report for a ticket; - for stdout."
        ),
    ] = None,
    hook: Annotated[
        str | None, typer.Option("--hook", hidden=True, help="Version of the shell's hook.")
    ] = None,
) -> int:
    """Check everything that a token depends on.

    Checks this computer and the profile: configuration, keyring, store, proxy, TLS, clock, issuer
    and so on. Each failure comes with a command that fixes it, if there is one. No password is sent.
    All checks together take at most 10 seconds, or --timeout. The exit code is 0, or that of the
    first failure, e.g. 3 for the configuration, 4 for credentials, 6 for the network.

    \b
    tokencli doctor
    tokencli doctor groupid --json
    tokencli doctor --all --bundle report.txt
    """
    name = select_profile_name(profile, profile_option)
    if name is not None and all_profiles:
        raise UsageError("give a profile or --all, not both", fix="tokencli doctor --all")
    terminal = App(common).terminal
    if bundle == "":
        raise UsageError(
            "--bundle needs the name of a file", fix="tokencli doctor --bundle report.txt"
        )
    if bundle is not None and bundle != "-":
        words = (
            name,
            "--all" * all_profiles,
            "--request-token" * request_token,
            "--json" * json_output,
            "" if common.timeout is None else f"--timeout {common.timeout:g}s",
        )
        command = " ".join(("tokencli doctor", *filter(None, words)))
        confirm_overwriting(Path(bundle), command, terminal)
    app = DoctorApp(common, loaded_hook=hook)
    examined = _examine(
        app, name, terminal.show_wait, all_profiles=all_profiles, may_request_token=request_token
    )
    if bundle == "-":
        pass  # the report has the checks
    elif json_output:
        output.write_stdout(dump_json_line({"checks": results_to_dicts(examined.results)}))
    else:
        output.write_stdout(render_results(examined.results))
    if bundle is not None:  # now that the results are shown, because the file may be unwritable
        write_bundle(bundle, app, examined, terminal, as_json=json_output)
    return find_exit_code(examined.results)


def _examine(
    app: DoctorApp,
    name: str | None,
    show_wait: ShowWait,
    *,
    all_profiles: bool,
    may_request_token: bool,
) -> Examination:
    """Run the checks of the machine, and of the profiles that are meant."""
    timeout = DEFAULT_TIMEOUT_S if app.options.timeout is None else app.options.timeout
    deadline = app.clock.monotonic() + timeout
    config: Config | None = None
    error: ConfigError | None = None
    try:
        config = app.config
    except ConfigError as problem:
        error = problem
    names = [] if config is None else _choose_names(config, name, all_profiles=all_profiles)
    profiles = {}
    for each in names:
        assert config is not None
        if not config.find_profile_problems(each):
            profile = config.get_profile_ignoring_top_level(each)
            with suppress(TokencliError):  # `permissions` reports that the cache can't be read
                profile = app.with_cached_endpoints(profile)
            profiles[each] = profile
    machine = Subject(app, deadline, config, error, tuple(profiles.values()), time_limit=timeout)
    subjects = [
        Subject(
            app,
            deadline,
            config,
            error,
            machine.checked_profiles,
            each,
            profiles.get(each),
            may_request_token,
            machine.shared,
            timeout,
        )
        for each in names
    ]
    results = run_checks(machine, subjects, show_wait)
    named = [_name_config(result, app.options.config) for result in results]
    return Examination(named, config, machine.checked_profiles)


def _name_config(result: CheckResult, config: str | None) -> CheckResult:
    """Let the fix use the file that `--config` named."""
    if config is None or result.outcome.fix is None:
        return result
    fix = add_config(result.outcome.fix, config)
    return replace(result, outcome=replace(result.outcome, fix=fix))


def _choose_names(config: Config, name: str | None, *, all_profiles: bool) -> list[str]:
    """Return the profiles to check: the named one, all, or the default; none if there is no default."""
    if all_profiles or not config.profile_names():  # `configuration` reports that there is none
        return list(config.profile_names())
    if name is not None:
        config.profile_table(name)  # raises if there is none
        return [name]
    try:
        chosen = config.choose_profile(None)
    except ConfigError:
        return []
    return [chosen] if chosen in config.profile_names() else []
