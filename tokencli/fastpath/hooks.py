"""What a hooked shell is given: the functions, once, and the statements that renew its variables."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tokencli import __version__
from tokencli.app import App
from tokencli.commands.run import report_error
from tokencli.core.export import export_token, unset_profile_variables
from tokencli.core.get_token import TokenResult
from tokencli.errors import TokencliError, UsageError
from tokencli.models import Profile

SCHEDULE_STATEMENTS = {
    "bash": "_tokencli_next=%d;",
    "zsh": "_tokencli_next=%d;",
    "fish": "set -g _tokencli_next %d;",
}
"""Shell -> the statement that says when its variables have to be looked at again (epoch seconds)."""
PROMPT_TIMEOUT_S = 10.0
"""Seconds that a prompt may wait for a token, and another process' lock; the profile may say less."""
RETRY_S = 60.0
"""Seconds after which a renewal that failed is tried again."""
UNKNOWN_EXPIRY_RENEWAL_S = 3600.0
"""Seconds that a token of unknown life stays in a shell."""

_NAME_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


def render_hook_script(shell: str, profiles: Sequence[str]) -> str:
    """Return the functions for a shell, which will keep the variables of the profiles.

    Raises:
        UsageError: the shell is not known, or a name is none.
    """
    _validate_arguments(shell, profiles)
    text = Path(__file__).with_name(f"hook.{shell}").read_text(encoding="utf-8")
    words = {
        "@VERSION@": __version__,
        "@PROFILES@": " ".join(f"'{name}'" for name in profiles),
        "@RUN_USER@": f"/run/user/{os.geteuid()}",
    }
    for placeholder, value in words.items():
        text = text.replace(placeholder, value)
    return text


def render_renewal(shell: str, profiles: Sequence[str], app: App) -> str:
    """Return the statements that set the profiles' variables, and when to ask again.

    A variable that can't be renewed is unset: what fails is told, and no stale token stays.

    Raises:
        UsageError: the shell is not known, or a name is none.
    """
    _validate_arguments(shell, profiles)
    dialect = "fish" if shell == "fish" else "sh"
    now = app.clock.now()
    statements, due = [], [now + UNKNOWN_EXPIRY_RENEWAL_S]
    for name in profiles:
        profile: Profile | None = None
        try:
            profile = app.get_profile(name)
            exported = export_token(_with_short_timeouts(profile), app, to=dialect)
            statements.append(exported.text.strip())
            due.append(_renewal_time(profile, exported.token_result, now))
        except TokencliError as error:
            report_error(error)
            due.append(now + RETRY_S)
            if profile is not None:
                gone = unset_profile_variables(
                    profile, to=dialect, variable=None, all_variables=False
                )
                statements.append(gone.strip())
    return " ".join((*statements, SCHEDULE_STATEMENTS[shell] % min(due))) + "\n"


def _validate_arguments(shell: str, profiles: Sequence[str]) -> None:
    if shell not in SCHEDULE_STATEMENTS:
        raise UsageError(
            f"there is no hook for {shell[:40]!r}: it is one of {', '.join(SCHEDULE_STATEMENTS)}",
            fix="tokencli hook --help",
        )
    for name in profiles:
        if not name[:1].isalnum() or not _NAME_CHARACTERS.issuperset(name):
            raise UsageError(f"{name[:80]!r} is no profile's name", fix="tokencli profiles")


def _with_short_timeouts(profile: Profile) -> Profile:
    connection = replace(
        profile.connection, timeout=min(PROMPT_TIMEOUT_S, profile.connection.timeout)
    )
    return replace(
        profile, connection=connection, lock_timeout=min(PROMPT_TIMEOUT_S, profile.lock_timeout)
    )


def _renewal_time(profile: Profile, obtained: TokenResult, now: float) -> float:
    """Return the second from which the token may not be handed out any more."""
    token = obtained.token
    if token.expires_at is None:
        return now + UNKNOWN_EXPIRY_RENEWAL_S
    return max(now + 1.0, token.expires_at - token.required_lifetime(profile.min_ttl))
