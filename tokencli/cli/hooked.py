"""What a hooked shell is given: the functions, once, and the statements that renew its variables."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tokencli import __version__
from tokencli.actions.export import export, unset
from tokencli.actions.get import Obtained
from tokencli.app import App
from tokencli.cli.boundary import report
from tokencli.errors import TokencliError, UsageError
from tokencli.model import Profile

SHELLS = {
    "bash": "_tokencli_next=%d;",
    "zsh": "_tokencli_next=%d;",
    "fish": "set -g _tokencli_next %d;",
}
"""Shell -> the statement that says when its variables have to be looked at again (epoch seconds)."""
PATIENCE_S = 10.0
"""Seconds that a prompt may wait for a token, and another process' lock; the profile may say less."""
AGAIN_S = 60.0
"""Seconds after which a renewal that failed is tried again."""
UNKNOWN_S = 3600.0
"""Seconds that a token of unknown life stays in a shell."""

_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


def script(shell: str, profiles: Sequence[str]) -> str:
    """Return the functions for a shell, which will keep the variables of the profiles.

    Raises:
        UsageError: the shell is not known, or a name is none.
    """
    _check(shell, profiles)
    text = Path(__file__).with_name(f"hook.{shell}").read_text(encoding="utf-8")
    words = {
        "@VERSION@": __version__,
        "@PROFILES@": " ".join(f"'{name}'" for name in profiles),
        "@RUN_USER@": f"/run/user/{os.geteuid()}",
    }
    for placeholder, value in words.items():
        text = text.replace(placeholder, value)
    return text


def renewal(shell: str, profiles: Sequence[str], app: App) -> str:
    """Return the statements that set the profiles' variables, and when to ask again.

    A variable that can't be renewed is unset: what fails is told, and no stale token stays.

    Raises:
        UsageError: the shell is not known, or a name is none.
    """
    _check(shell, profiles)
    dialect = "fish" if shell == "fish" else "sh"
    now = app.clock.now()
    statements, due = [], [now + UNKNOWN_S]
    for name in profiles:
        profile: Profile | None = None
        try:
            profile = app.profile(name)
            exported = export(_hurried(profile), app, to=dialect)
            statements.append(exported.text.strip())
            due.append(_due(profile, exported.obtained, now))
        except TokencliError as error:
            report(error)
            due.append(now + AGAIN_S)
            if profile is not None:
                gone = unset(profile, to=dialect, variable=None, all_variables=False)
                statements.append(gone.strip())
    return " ".join((*statements, SHELLS[shell] % min(due))) + "\n"


def _check(shell: str, profiles: Sequence[str]) -> None:
    if shell not in SHELLS:
        raise UsageError(
            f"there is no hook for {shell[:40]!r}: it is one of {', '.join(SHELLS)}",
            hint="tokencli hook --help",
        )
    for name in profiles:
        if not name[:1].isalnum() or not _NAME.issuperset(name):
            raise UsageError(f"{name[:80]!r} is no profile's name", hint="tokencli profiles")


def _hurried(profile: Profile) -> Profile:
    connection = replace(profile.connection, timeout=min(PATIENCE_S, profile.connection.timeout))
    return replace(
        profile, connection=connection, lock_timeout=min(PATIENCE_S, profile.lock_timeout)
    )


def _due(profile: Profile, obtained: Obtained, now: float) -> float:
    """Return the second from which the token may not be handed out any more."""
    token = obtained.token
    if token.expires_at is None:
        return now + UNKNOWN_S
    return max(now + 1.0, token.expires_at - max(token.margin_s, profile.min_ttl or 0.0))
