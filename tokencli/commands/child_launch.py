"""Run a command with tokens: what `exec` does with and without Typer."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tokencli import platforms
from tokencli.app import App
from tokencli.commands.error_report import (
    build_missing_dashes_error,
    is_repeatable,
    report_error,
)
from tokencli.commands.token_output import describe_source
from tokencli.core.export import (
    ExportVariables,
    build_all_variables,
    build_token_variable,
    check_distinct_variables,
    list_all_variables,
    list_export_variables,
)
from tokencli.core.get_token import get_token
from tokencli.core.secret_resolver import resolve_usage_secrets
from tokencli.core.token_renewal import TokenResult
from tokencli.errors import UsageError
from tokencli.fastpath.launcher import (
    DESCRIPTOR_SUFFIX,
    EXPIRY_SUFFIX,
    FILE_SUFFIX,
    replace_process,
    strip_variables,
)
from tokencli.formats.variable_checks import check_variable_name
from tokencli.models import Profile, Secret, TokenSet
from tokencli.system.child_process import build_start_error, exit_status_of, run_command

if TYPE_CHECKING:
    from tokencli.commands.token_hand_over import TokenFiles

EXAMPLE_COMMAND = "sh"


def launch_command(
    app: App,
    *profiles: str,
    command: Sequence[str] = (),
    variable: str | None = None,
    all_variables: bool = False,
    scope: str | None = None,
    min_ttl: float | None = None,
    force: bool = False,
    by_file: bool = False,
    by_descriptor: bool = False,
    mask: bool = False,
) -> int:
    """Run a command in place of this process, with a token of each profile in its environment.

    Instead of the token, the environment has the path of a file with it if `by_file`, or the number
    of a descriptor if `by_descriptor`. With `mask`, the command is a child, and the tokens are hidden
    in its output. Nothing is started unless all tokens have been obtained.

    Return:
        The exit status of a shell for a command that can't be run, which is reported. On Windows,
        where no process can be replaced, that of the command.

    Raises:
        UsageError: there is no command, or a variable is wrong. ConfigError: two profiles set the
            same variable. TokencliError: a token can't be obtained.
    """
    names = list(dict.fromkeys(profiles))
    require_command(app, names, command)
    if variable is not None and len(names) > 1:
        raise UsageError(
            f"--var names one variable, and there are {len(names)} profiles",
            cause="each profile names its own with the key `export`",
        )
    if by_file and by_descriptor:
        raise UsageError("--file and --fd can't be combined")
    if all_variables and (by_file or by_descriptor):
        raise UsageError(
            f"--all-vars and {'--file' if by_file else '--fd'} can't be combined",
            cause="NAME_HEADER has the token, which would be in the environment",
        )
    loaded = [app.get_profile(name, scope=scope) for name in names or (None,)]
    ending = FILE_SUFFIX if by_file else DESCRIPTOR_SUFFIX if by_descriptor else ""
    for profile in loaded:
        try:
            list_export_variables(profile, variable, all_variables=all_variables)
            check_variable_name((variable or profile.export) + ending)
        except UsageError as error:
            error.fix = _suggest_variable(loaded, command)
            raise
    check_distinct_variables(loaded, cause="the command can have only one of them")
    child_environ = strip_old_tokens(app, loaded, variable)
    obtained = []
    for profile in loaded:
        result = get_token(profile, app, min_ttl=min_ttl, force=force)
        app.terminal.print_detail(describe_source(result))
        exported = _build_variables(app, profile, result, variable, all_variables=all_variables)
        _warn(app, profile, result, exported)
        obtained.append((profile, result.token, exported))
    files = None
    if by_file:
        files = _write_files(app, obtained, scope=scope, min_ttl=min_ttl)
        child_environ |= files.variables
    else:
        for _, _, exported in obtained:
            child_environ |= _open_descriptor(exported) if by_descriptor else exported.variables
    try:
        if mask:
            return _run_masked(command, child_environ, [e for _, _, e in obtained], files)
        return run_in_place(command, child_environ)
    except OSError as error:
        report_error(build_start_error(command[0], error, child_environ.get("PATH")))
        return exit_status_of(error)


def _suggest_variable(profiles: Sequence[Profile], command: Sequence[str]) -> str | None:
    """Return the whole command with a variable that is allowed, unless it may contain a secret."""
    if len(profiles) > 1 or not is_repeatable(command):
        return None
    from tokencli.shell_words import join

    return f"tokencli exec {profiles[0].command_line_name} --var API_TOKEN -- {join(command)}"


def strip_old_tokens(
    app: App, profiles: Sequence[Profile], variable: str | None = None
) -> dict[str, str]:
    """Return the environment without the variables that may have an old token of the profiles."""
    names = [variable or profile.export for profile in profiles]
    environ = strip_variables(app.environ, names)
    for profile, name in zip(profiles, names, strict=True):
        for other in list_all_variables(profile, name):
            environ.pop(other, None)
    return environ


def require_command(app: App, profiles: Sequence[str], command: Sequence[str]) -> None:
    """Raise UsageError, which says what to type, unless there is a command."""
    if command:
        return
    known = app.list_profile_names()
    count = next((n for n, name in enumerate(profiles) if name not in known), len(profiles))
    raise build_missing_dashes_error(
        "exec", profiles[:count], profiles[count:] or [EXAMPLE_COMMAND]
    )


def _build_variables(
    app: App, profile: Profile, result: TokenResult, variable: str | None, *, all_variables: bool
) -> ExportVariables:
    """Return the token's variable and the one with its expiry, or all that `export` can set."""
    name, token = variable or profile.export, result.token
    if all_variables:
        return build_all_variables(
            profile, token, name, app.clock.now(), lambda: resolve_usage_secrets(profile, app)
        )
    exported = build_token_variable(token, name)
    if token.known_expiry is None:
        return exported
    expiry = (name + EXPIRY_SUFFIX, str(int(token.known_expiry)))
    return replace(exported, variables=[*exported.variables, expiry])


def _write_files(
    app: App,
    obtained: Sequence[tuple[Profile, TokenSet, ExportVariables]],
    *,
    scope: str | None,
    min_ttl: float | None,
) -> "TokenFiles":
    """Write the tokens to files that are kept fresh."""
    from tokencli.commands.token_hand_over import TokenFiles

    files = TokenFiles(app)
    kept = []
    try:
        for profile, token, exported in obtained:
            name, value = exported.variables[0]
            files.write(name, Secret(value))
            kept.append((profile, token, name))
        files.keep_fresh(kept, scope=scope, min_ttl=min_ttl)
    except BaseException:
        files.remove()
        raise
    return files


def _open_descriptor(exported: ExportVariables) -> dict[str, str]:
    """Return the variables for a token that is read from a descriptor."""
    from tokencli.commands.token_hand_over import open_token_descriptor

    (name, token), *others = exported.variables
    return {name + DESCRIPTOR_SUFFIX: str(open_token_descriptor(Secret(token))), **dict(others)}


def _warn(app: App, profile: Profile, result: TokenResult, exported: ExportVariables) -> None:
    """Warn about what the command may find missing, and report a token that could not be stored."""
    for remark in exported.remarks:
        app.terminal.print_warning(remark)
    if profile.dpop:
        from tokencli.formats.dpop import bound_token_warning

        app.terminal.print_warning(bound_token_warning(profile.name))
    if result.save_error is not None:
        report_error(result.save_error)


def _run_masked(
    command: Sequence[str],
    environ: dict[str, str],
    exported: Sequence[ExportVariables],
    files: "TokenFiles | None",
) -> int:
    """Run the command as a child, with the tokens hidden in its output; end as it does."""
    from tokencli.commands.output_mask import run_masked

    secrets = dict.fromkeys(secret.reveal() for each in exported for secret in each.secrets)

    def list_secrets() -> Sequence[str]:
        if files is not None:  # renewed ones as well
            secrets.update(dict.fromkeys(files.read_all()))
        return tuple(secrets)

    return run_masked(command, environ, list_secrets)


def run_in_place(command: Sequence[str], environ: dict[str, str]) -> int:
    """Run a command in place of this process, or as a child if a process can't be replaced; raises OSError.

    Return:
        The child's exit status.
    """
    if sys.stderr is not None:
        sys.stderr.flush()
    if platforms.current().replaces_processes:
        replace_process([*command], environ)
    return run_command(command, environ)
