"""The statements that a hooked shell evaluates at its prompt to renew its variables."""

from dataclasses import replace

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.error_report import report_error
from tokencli.core.export import export_token, unset_profile_variables
from tokencli.core.get_token import TokenResult
from tokencli.errors import TokencliError
from tokencli.fastpath.hooks import HOOK_SHELLS, check_hook_arguments
from tokencli.models import Profile

PROMPT_TIMEOUT_S = 10.0
"""Longest wait at a prompt for a server or for another process's lock; a profile may set less."""
RETRY_S = 60.0
"""Seconds until a failed renewal is tried again."""
UNKNOWN_EXPIRY_RENEWAL_S = 3600.0
"""Seconds until a token whose expiry is unknown is replaced."""


def print_renewal(app: App, shell: str = "", *profiles: str) -> None:
    """Print statements that set the profiles' variables and schedule the next renewal.

    If a profile fails, the error is reported and its variable is unset, so that no stale token
    stays.

    Raises:
        UsageError: the shell is not supported, or a profile name is invalid.
    """
    check_hook_arguments(shell, profiles)
    hook_shell = HOOK_SHELLS[shell]
    now = app.clock.now()
    statements, due = [], [now + UNKNOWN_EXPIRY_RENEWAL_S]
    for name in profiles:
        profile: Profile | None = None
        try:
            profile = app.get_profile(name)
            exported = export_token(_with_short_timeouts(profile), app, to=hook_shell.dialect)
            statements.append(exported.text.strip())
            due.append(_renewal_time(profile, exported.token_result, now))
        except TokencliError as error:
            report_error(error)
            due.append(now + RETRY_S)
            if profile is not None:
                unset = unset_profile_variables(
                    profile, to=hook_shell.dialect, variable=None, all_variables=False
                )
                statements.append(unset.strip())
    schedule = hook_shell.schedule_statement % min(due)
    output.write_stdout(" ".join((*statements, schedule)) + "\n")


def _with_short_timeouts(profile: Profile) -> Profile:
    connection = replace(
        profile.connection, timeout=min(PROMPT_TIMEOUT_S, profile.connection.timeout)
    )
    return replace(
        profile, connection=connection, lock_timeout=min(PROMPT_TIMEOUT_S, profile.lock_timeout)
    )


def _renewal_time(profile: Profile, result: TokenResult, now: float) -> float:
    """Return the epoch second at which the token stops being fresh, at least one second from now."""
    fresh_until = result.token.fresh_until(profile.min_ttl)
    return now + UNKNOWN_EXPIRY_RENEWAL_S if fresh_until is None else max(now + 1.0, fresh_until)
