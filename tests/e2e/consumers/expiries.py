"""How long tokens live in a test of a program that uses them, and how long the program is run."""

import re
import subprocess
import time
from collections.abc import Iterator
from math import ceil
from pathlib import Path

from tests.conftest import script
from tokencli.sandbox.server import Sandbox

EXPIRIES = 3
IDLE_START_S = 0.2
"""How long tokencli takes to start on a machine that has nothing else to do."""


def set_lifetime(sandbox: Sandbox, seconds: int) -> int:
    """Let new tokens live for so long, or proportionally longer on a machine that is slow now.

    The sandbox's profile `oauth2` replaces them after half of that, so each one that a program gets
    lives long enough for it. Returns the seconds.
    """
    started = time.monotonic()
    subprocess.run([script(), "--version"], check=True, capture_output=True)
    slowness = (time.monotonic() - started) / IDLE_START_S
    lifetime = ceil(seconds * max(1.0, slowness))
    sandbox.set_faults(lifetime=f"{lifetime}s")
    path = Path(sandbox.config_file)
    text = re.sub(r"^min_ttl = .*\n", "", path.read_text(), flags=re.MULTILINE)
    path.write_text(
        text.replace("[profiles.oauth2]\n", f"[profiles.oauth2]\nmin_ttl = {lifetime / 2}\n")
    )
    return lifetime


def until_expired(sandbox: Sandbox, times: int = EXPIRIES) -> Iterator[int]:
    """Count rounds until this many of the sandbox's tokens have expired and were replaced."""
    number = 0
    while len(sandbox.issued_tokens) <= times or count_expired(sandbox) < times:
        number += 1
        yield number


def count_expired(sandbox: Sandbox) -> int:
    """Return how many tokens have expired."""
    return [token.state for token in sandbox.issued_tokens].count("expired")
