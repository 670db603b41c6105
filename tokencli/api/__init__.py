"""The Python API: get an access token, or an `auth` object for requests or httpx.

It never prompts and prints nothing but warnings. Every failure is a `TokencliError`.

Until a token has to be fetched, `token` needs only `fastpath.reader`, as a warm `get` does, and looks
only at the times of two files from the second call on. Everything else is imported on first use.
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
    microseconds, or as long as the keyring if that has the only copy. Otherwise it takes as long as
    the server, so in a coroutine use `await asyncio.to_thread(tokencli.token, ...)`.

    Args:
        profile: The profile's name. The default is $TOKENCLI_PROFILE, else the default profile.
        config: The configuration file. The default is that of the command line.
        scope: Scopes to request instead of the profile's, separated by spaces.
        min_ttl: The minimum remaining lifetime: seconds, a `timedelta`, or text such as "5m".
        force: Get a new token even if the stored one is fresh.

    Raises:
        TokencliError: There is no token; see its subclasses in `tokencli.errors`.
    """
    path, least = check_arguments(profile, config, scope, min_ttl)
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
        UsageError: It is not text.
    """
    if not isinstance(token, str):
        from tokencli.errors import UsageError

        raise UsageError(f"a token is text, not {type(token).__name__}")
    from tokencli.core.inspect import inspect_token
    from tokencli.core.pasted_token import find_pasted_token

    found = find_pasted_token(token)
    return inspect_token(found.token, now=time.time(), remarks=found.remarks)


def check_arguments(
    profile: str | None,
    config: "str | os.PathLike[str] | None",
    scope: str | None,
    min_ttl: "str | float | timedelta | None",
) -> tuple[str | None, float | None]:
    """Return the path of the configuration file, None if it is the usual one, and the seconds of `min_ttl`.

    Raises:
        UsageError: an argument has another type than its annotation, or can't be understood.
    """
    for name, value in (("profile", profile), ("scope", scope)):
        if value is not None and not isinstance(value, str):
            from tokencli.errors import UsageError

            raise UsageError(f"{name} is not text: {value!r}")
    path = None if config is None else _to_path(config)
    return path, None if min_ttl is None else _to_seconds(min_ttl)


def _to_path(config: "str | os.PathLike[str]") -> str:
    try:
        path = os.fspath(config)
        if isinstance(path, str) and "\0" not in path:
            return path
    except TypeError:
        pass
    from tokencli.errors import UsageError

    raise UsageError(f"config is not a path: {config!r}")


def _to_seconds(min_ttl: "str | float | timedelta") -> float:
    from tokencli.duration import parse_duration

    try:
        # Not by its class, as importing datetime takes a millisecond.
        in_seconds = getattr(min_ttl, "total_seconds", None)
        return parse_duration(min_ttl if in_seconds is None else in_seconds())
    except ValueError as error:
        from tokencli.errors import UsageError

        raise UsageError(f"min_ttl is {min_ttl!r}: {error}") from None


class _CachedToken:
    """A token in the fast path's cache, and how to tell that the cache still has it."""

    def __init__(
        self, fields: list[str], files: tuple[str, str], stamps: tuple[tuple[int, ...], str]
    ) -> None:
        self._fresh_from, self._stale_from = int(fields[0]), int(fields[1])
        self.token = fields[3]
        self._obtained_at, self._expires_at = float(fields[4]), float(fields[5])
        margin = fields[6].partition(" ")[0]
        self._margin = float(margin) if margin else None
        self._path, self._config = files
        self._stamps = stamps

    def is_current(self) -> bool:
        """Tell whether neither the cache nor the configuration has changed; raises OSError if one is gone."""
        return (_stamp_file(self._path), reader.config_stamp(self._config)) == self._stamps

    def is_fresh(self, min_ttl: float | None) -> bool:
        """Tell whether the token lives long enough."""
        now = time.time()
        return self._fresh_from <= now < self._stale_from and (
            min_ttl is None
            or now < reader.fresh_until(self._obtained_at, self._expires_at, self._margin, min_ttl)
        )


_VARIABLES = ("TOKENCLI_CONFIG", "TOKENCLI_PROFILE", "HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")
"""Environment variables that decide where the cache is and whose token is meant."""
_MAX_REMEMBERED = 64
_remembered: dict[tuple[str | None, ...], _CachedToken] = {}


def _read_cached_token(
    profile: str | None, config: str | None, min_ttl: float | None
) -> str | None:
    """Return the profile's token in the fast path's cache, or None if it isn't certain or fresh."""
    key = (profile, config, *map(os.environ.get, _VARIABLES))
    cached = _remembered.get(key)
    try:
        if cached is None or not cached.is_current():
            _remembered.pop(key, None)
            found = reader.find_token_record(profile, os.environ, config)
            if found is None:
                return None
            name, path_of_config, config_stamp = found
            path = reader.find_record_path("token", name, path_of_config, os.environ)
            if path is None or config_stamp is None:
                return None
            stamp = _stamp_file(path)  # before it is read, so that a later change is noticed
            fields = reader.read_fresh_token(*found, os.environ)
            if fields is None:
                return None
            cached = _CachedToken(fields, (path, path_of_config), (stamp, config_stamp))
            if len(_remembered) >= _MAX_REMEMBERED:
                _remembered.clear()
            _remembered[key] = cached
        return cached.token if cached.is_fresh(min_ttl) else None
    except (OSError, ValueError, IndexError):
        return None


def _stamp_file(path: str) -> tuple[int, ...]:
    status = os.lstat(path)
    return status.st_ino, status.st_ctime_ns, status.st_size, status.st_dev
