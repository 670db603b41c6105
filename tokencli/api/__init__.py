"""The Python API: get an access token, or an `auth` object for requests or httpx.

It never prompts and prints nothing but warnings. Every failure is a `TokencliError`.

Until a token has to be fetched, `token` needs only `fastpath.reader`, as a warm `get` does. Everything
else is imported on first use.
"""

import os
import time

from tokencli.fastpath import reader

TYPE_CHECKING = False  # importing typing would cost more than everything here
if TYPE_CHECKING:
    from datetime import timedelta

    from tokencli.core.inspect import Inspection


def token(
    profile: str | None = None,
    *,
    config: "str | os.PathLike[str] | None" = None,
    scope: str | None = None,
    min_ttl: "str | float | timedelta | None" = None,
    force: bool = False,
) -> str:
    """Return the access token that `tokencli get` would print.

    It may be called as often as one is needed: while the stored token is fresh, a call takes a few
    microseconds. Otherwise it takes as long as the server, so in a coroutine use
    `await asyncio.to_thread(tokencli.token, ...)`.

    Args:
        profile: The profile's name. The default is $TOKENCLI_PROFILE, else the default profile.
        config: The configuration file. The default is that of the command line.
        scope: Scopes to request instead of the profile's, separated by spaces.
        min_ttl: The minimum remaining lifetime: seconds, a `timedelta`, or text such as "5m".
        force: Get a new token even if the stored one is fresh.

    Raises:
        TokencliError: There is no token; see its subclasses in `tokencli.errors`.
    """
    path, least = to_config_path(config), to_seconds(min_ttl)
    if scope is None and not force:
        cached = _read_cached_token(profile, path, least)
        if cached is not None:
            return cached
    from tokencli.api.token_source import get_token_set

    found = get_token_set(profile, config=path, scope=scope, min_ttl=least, force=force)
    return found.token.access_token.reveal()


def inspect(token: str) -> "Inspection":
    """Return what a token says about itself, as `tokencli inspect` does; nothing is verified.

    `token` is a JWT or any other token, or a text that contains one, e.g. an `Authorization` header.
    No server is asked.

    Raises:
        InvalidTokenError: The text has no token, or more than one.
    """
    from tokencli.core.inspect import inspect_token
    from tokencli.core.pasted_token import find_pasted_token

    found = find_pasted_token(token)
    return inspect_token(found.token, now=time.time(), remarks=found.remarks)


def to_config_path(config: "str | os.PathLike[str] | None") -> str | None:
    """Return the path of a configuration file as text; None if it is the usual one."""
    path = None if config is None else os.fspath(config)
    if path is None or isinstance(path, str):
        return path
    from tokencli.errors import UsageError

    raise UsageError(f"config is not a path: {path!r}")


def to_seconds(min_ttl: "str | float | timedelta | None") -> float | None:
    """Return a minimum lifetime in seconds.

    Raises:
        UsageError: it isn't a duration.
    """
    if min_ttl is None:
        return None
    from tokencli.duration import parse_duration

    try:
        # Not by its class, as importing datetime takes a millisecond.
        in_seconds = getattr(min_ttl, "total_seconds", None)
        return parse_duration(min_ttl if in_seconds is None else in_seconds())
    except ValueError as error:
        from tokencli.errors import UsageError

        raise UsageError(f"min_ttl is {min_ttl!r}: {error}") from None


def _read_cached_token(
    profile: str | None, config: str | None, min_ttl: float | None
) -> str | None:
    """Return the profile's token in the fast path's cache, or None if it isn't certain or fresh."""
    try:
        fields = reader.read_fresh_token(profile, os.environ, config)
        if fields is None:
            return None
        if min_ttl is not None:
            obtained_at, expires_at = float(fields[4]), float(fields[5])
            margin = fields[6].partition(" ")[0]
            until = reader.fresh_until(
                obtained_at, expires_at, float(margin) if margin else None, min_ttl
            )
            if time.time() >= until:
                return None
    except (OSError, ValueError, IndexError):
        return None
    return fields[3]
