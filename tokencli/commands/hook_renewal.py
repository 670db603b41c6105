"""The statements that a hooked shell evaluates at its prompt to renew its variables."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.error_report import format_in_one_line, report_error
from tokencli.core.export import (
    build_token_variable,
    check_distinct_variables,
    list_export_variables,
)
from tokencli.core.get_token import get_token
from tokencli.core.stored_token import find_stored_token
from tokencli.core.token_keeper import (
    RETRY_S,
    UNKNOWN_EXPIRY_RENEWAL_S,
    compute_renewal_time,
)
from tokencli.errors import TokencliError
from tokencli.fastpath.hooks import HOOK_SHELLS, HookShell, check_hook_arguments
from tokencli.models import Profile
from tokencli.sanitize import sanitize_text

PROMPT_TIMEOUT_S = 10.0
"""Longest wait at a prompt for a server or for another process's lock; a profile may set less."""


def print_renewal(app: App, shell: str, *profiles: str, stops_without_token: bool = False) -> None:
    """Print statements that set the profiles' variables and schedule the next renewal.

    The shell unsets what earlier statements have set before it evaluates these. If a profile fails,
    the error is reported and its variable is unset, so that no stale token stays.

    With `stops_without_token`, a profile of which no token is stored is not renewed any more.

    Raises:
        UsageError: the shell is not supported, or a profile name is invalid.
    """
    check_hook_arguments(shell, profiles)
    hook_shell = HOOK_SHELLS[shell]
    now = app.clock.now()
    statements, due = [hook_shell.update_statement], [now + UNKNOWN_EXPIRY_RENEWAL_S]
    names = list(profiles)
    for name in profiles:
        variable = ""
        try:
            profile = _with_short_timeouts(app.get_profile(name))
            (variable,) = list_export_variables(profile, None, all_variables=False)
            if stops_without_token and find_stored_token(profile, app) is None:
                names.remove(name)
                note = f"{name}: {variable} is unset and no longer renewed in this shell"
                if hook_shell.message_statement:
                    statements.append(_show(hook_shell, note))
                else:
                    app.terminal.print_note(note)
                continue
            check_shared_variables(app, profiles, only=name)
            result = get_token(profile, app)
            ((_, token),) = build_token_variable(result.token, variable).variables
            value = _quote_value(hook_shell, token)
            statements.append(
                hook_shell.set_statement.format(profile=name, variable=variable, value=value)
            )
            due.append(compute_renewal_time(profile, result.token))
        except TokencliError as error:
            if hook_shell.message_statement:
                statements.append(_show(hook_shell, format_in_one_line(error)))
            else:
                report_error(error)
            due.append(now + RETRY_S)
            if variable:
                statements.append(hook_shell.unset_statement.format(variable=variable))
    if stops_without_token:
        statements.append(hook_shell.profiles_statement % " ".join(names))
    statements.append(hook_shell.schedule_statement % min(due))
    output.write_stdout(hook_shell.separator.join(filter(None, statements)) + "\n")


def check_shared_variables(
    app: App,
    profiles: Sequence[str],
    *,
    only: str | None = None,
) -> None:
    """Raise ConfigError if two of the profiles, or `only` and another one, set the same variable.

    Profiles with problems are left out.
    """
    loaded = []
    for name in dict.fromkeys(profiles) if len(profiles) > 1 else ():
        with suppress(TokencliError):
            loaded.append(app.get_profile(name, anew=None))
    check_distinct_variables(
        loaded, only=only, cause="a shell can't keep it fresh for more than one of them"
    )


def _show(shell: HookShell, text: str) -> str:
    """Return the statement that shows a line of text; other characters than ASCII become `?`."""
    line = sanitize_text(text).encode("ascii", "replace").decode("ascii")
    return shell.message_statement.format(text=line)


def _quote_value(shell: HookShell, value: str) -> str:
    """Quote a value, which is one word of visible ASCII characters, as the shell's dialect does."""
    if not shell.dialect:
        return value
    quoted: str = import_module(f"tokencli.formats.{shell.dialect}").quote_value(value)
    return quoted


def _with_short_timeouts(profile: Profile) -> Profile:
    connection = replace(
        profile.connection, timeout=min(PROMPT_TIMEOUT_S, profile.connection.timeout)
    )
    return replace(
        profile, connection=connection, lock_timeout=min(PROMPT_TIMEOUT_S, profile.lock_timeout)
    )
