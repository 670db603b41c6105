"""How long a program is run: until its tokens have expired often enough."""

from collections.abc import Iterator

from tokencli.sandbox.server import Sandbox

EXPIRIES = 3


def until_expired(sandbox: Sandbox, times: int = EXPIRIES) -> Iterator[int]:
    """Count rounds until this many of the sandbox's tokens have expired and were replaced."""
    number = 0
    while len(sandbox.issued_tokens) <= times or count_expired(sandbox) < times:
        number += 1
        yield number


def count_expired(sandbox: Sandbox) -> int:
    """Return how many tokens have expired."""
    return [token.state for token in sandbox.issued_tokens].count("expired")
