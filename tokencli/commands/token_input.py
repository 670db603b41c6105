"""Find the token that a command line means: a profile's stored one, or one from stdin, a file or an argument."""

import os
import re
import stat
import sys
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread

from tokencli import platforms
from tokencli.app import App
from tokencli.commands.options import select_profile_name
from tokencli.core.inspect import Inspection, inspect_token
from tokencli.core.pasted_token import PastedToken, decode_input, find_pasted_token
from tokencli.core.secret_resolver import source_interaction
from tokencli.core.stored_token import require_stored_token
from tokencli.core.token_checks import RequestedChecks
from tokencli.core.token_life import RefreshEnd, find_refresh_end, read_events
from tokencli.errors import ConfigError, CredentialsError, InvalidTokenError, UsageError
from tokencli.humanize import describe_clock
from tokencli.jwt.decode import decode_token
from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.grants import is_interactive
from tokencli.providers.validation.values import PROFILE_NAME_PATTERN
from tokencli.shell_words import quote
from tokencli.system.timeout import join_thread, wait_for

MAX_INPUT_BYTES = 1 << 18
"""More bytes than any token has, even in UTF-16, so that a longer one is recognized as too long."""
STDIN_NOTE_S = 1.0
STDIN_TIMEOUT_S = 10.0
"""Seconds to wait for the first byte on a stdin that is a pipe."""
_PATH_START = re.compile(r"(?:~?|\.\.?)/\S*$|[A-Za-z]:\\")
"""What starts like this is the name of a file, even if there is none."""


@dataclass(frozen=True, slots=True)
class LoadedToken:
    """A token, decoded, and where it came from."""

    token: Secret
    inspection: Inspection
    now: float
    """Epoch seconds by the clock that its times were compared with."""
    profile: Profile | None = None
    """The profile that it is compared with, or whose stored token it is."""
    stored: TokenSet | None = None
    """The stored token set that it is from, with its times by the server's clock."""
    clock_skew: float = 0.0
    """Seconds by which this computer's clock is ahead of the server's, by what is stored."""
    refresh_end: RefreshEnd | None = None
    """When the stored refresh token ends, by the server's clock, if that is known."""
    is_argument: bool = False
    """Whether the token itself was on the command line."""

    @property
    def stored_for(self) -> str | None:
        """The profile whose stored token it is."""
        return None if self.stored is None or self.profile is None else self.profile.name


def load_token(
    what: str | None,
    profile_name: str | None,
    app: App,
    checks: RequestedChecks = RequestedChecks(),  # noqa: B008 - it is frozen
    *,
    may_compare: bool = False,
) -> LoadedToken:
    """Return the token that the argument `what` or the option `profile_name` means.

    A token that isn't stored may be compared with a profile only for `checks`, or if it `may_compare`.

    Raises:
        UsageError, ConfigError: there is no such file or profile. CredentialsError: no token is stored.
        InvalidTokenError: there is none in the input. StorageError, KeyringError: the store can't be read.
    """
    pasted = _read_pasted_text(what, profile_name, app, checks)
    if pasted is None:
        profile = app.get_profile(select_profile_name(what, profile_name))
        return load_stored_token(profile, app, checks)
    if profile_name is not None and not (checks.any_requested or may_compare):
        raise UsageError(
            "give a token or a profile, not both",
            cause="--profile can be combined with a token only for --verify, --introspect,"
            " --userinfo or --lint",
        )
    prefer = "id_token" if checks.id_token else "access_token"
    now = app.clock.now()
    try:
        found = find_pasted_token(pasted.token, prefer=prefer)
        compared = None if profile_name is None else app.get_profile(profile_name)
        inspection = inspect_token(
            found.token,
            now=now,
            remarks=(*pasted.remarks, *found.remarks),
            profile=compared,
            is_id_token=checks.id_token,
        )
    except InvalidTokenError as error:
        if what is None:
            error.cause = "stdin was read, because no profile, file or token was given"
        raise
    return LoadedToken(
        Secret(found.token), inspection, now, compared, is_argument=pasted.token == what
    )


def load_stored_token(
    profile: Profile,
    app: App,
    checks: RequestedChecks = RequestedChecks(),  # noqa: B008 - it is frozen
) -> LoadedToken:
    """Return the profile's stored token; raises as `load_token` does."""
    id_token = checks.id_token
    stored = require_stored_token(
        profile, app, will_be_sent=checks.introspect or checks.userinfo, id_token=id_token
    )
    events = read_events(app, profile.name) if stored.refresh_token else ()
    refresh_end = None if id_token else find_refresh_end(stored, events, app)
    now = app.clock.now()
    skew = now - stored.server_time(now)
    stored = stored.in_server_time()
    if refresh_end is not None:
        refresh_end = replace(refresh_end, epoch=refresh_end.epoch - skew)
    token = _require_id_token(profile, stored) if id_token else stored.access_token
    inspection = inspect_token(
        token.reveal(),
        now=now - skew,
        stored=None if id_token else stored,
        remarks=(f"its expiry is judged {describe_clock(skew)}",) if skew else (),
        profile=profile,
        refresh_end=refresh_end,
        is_id_token=id_token,
    )
    return LoadedToken(token, inspection, now - skew, profile, stored, skew, refresh_end)


def _require_id_token(profile: Profile, stored: TokenSet) -> Secret:
    if stored.id_token is None:
        scope = profile.scope or ""
        setting = quote(f"scope=openid {scope}".rstrip())
        fix: str | None = f"tokencli profiles edit {profile.name} --set {setting}"
        cause = 'a server issues one only for the scope "openid"'
        if "openid" in scope.split():
            fix = None
            cause = "the server sent none, although the profile's scope contains openid"
        if stored.refresh_token is not None:  # a refresh drops an ID token that has expired
            cause += "; or it has expired, and a refresh brought no other"
            if fix is None and is_interactive(profile.grant):
                fix = f"tokencli login {profile.command_line_name}"
        raise CredentialsError(
            f"no ID token is stored for profile {profile.name!r}", cause=cause, fix=fix
        )
    return stored.id_token


def _read_pasted_text(
    what: str | None, profile_name: str | None, app: App, checks: RequestedChecks
) -> PastedToken | None:
    """Return the text of stdin, of a file, or of the argument; None if a profile is meant.

    A profile comes before a file of the same name, and an existing file before a token.
    """
    if what is None:
        if profile_name is not None or (checks.introspect and _reads_secret_from_stdin(app)):
            return None
        raw = _read_piped_stdin(app)
        return decode_input(raw) if raw else None
    if what == "-":
        return decode_input(read_stdin("the token", MAX_INPUT_BYTES, app))
    if not _is_existing_path(what):
        if _PATH_START.match(what):
            raise UsageError(f"can't read the file '{what}': it doesn't exist")
        if not re.fullmatch(PROFILE_NAME_PATTERN, what) or decode_token(what).kind != "opaque":
            return None if what in _profile_names(app) else PastedToken(what)
        return None
    if what in _profile_names(app):
        return None
    try:
        with Path(what).open("rb") as file:
            return decode_input(file.read(MAX_INPUT_BYTES))
    except OSError as error:
        raise UsageError(f"can't read the file '{what}': {error.strerror}") from None


def _is_existing_path(what: str) -> bool:
    try:
        return bool(what) and Path(what).exists()
    except (OSError, ValueError):  # too long, or with a null character
        return False


def _profile_names(app: App) -> Collection[str]:
    """Return the names of the profiles; none if the configuration can't be read."""
    try:
        return app.config.profile_names()
    except ConfigError:
        return ()


def _reads_secret_from_stdin(app: App) -> bool:
    secrets = app.get_profile(None).secrets.values()
    return any(source_interaction(secret, app) == "stdin" for secret in secrets)


def read_stdin(what: str, limit: int, app: App) -> bytes:
    """Return at most `limit` bytes of stdin; in a terminal, the user is told to paste `what`."""
    if sys.stdin is None:
        raise UsageError(f"can't read {what}: stdin is closed")
    if app.terminal.interactive:
        app.terminal.print_note(f"paste {what}, then press {platforms.current().end_of_input}")
    return sys.stdin.buffer.read(limit)


def _read_piped_stdin(app: App) -> bytes | None:
    """Return the content of stdin if it is a file or a pipe; None if nothing is there.

    An inherited pipe may stay open without ever bringing anything, so the wait for the first byte
    is limited. It takes a thread, because Windows has no `select` for pipes.
    """
    try:
        descriptor = sys.stdin.fileno()
        mode = os.fstat(descriptor).st_mode
    except (AttributeError, ValueError, OSError):  # closed
        return None
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return None
    content = bytearray()
    arrived = Event()

    def read() -> None:
        with suppress(OSError):
            while len(content) < MAX_INPUT_BYTES and (piece := os.read(descriptor, 1 << 16)):
                content.extend(piece)
                arrived.set()
        arrived.set()

    reader = Thread(target=read, daemon=True)
    reader.start()
    if not wait_for(arrived.wait, STDIN_NOTE_S):
        app.terminal.print_note(
            f"waiting up to {STDIN_TIMEOUT_S:.0f} seconds for a token, because stdin is an open pipe;"
            " to inspect a stored one, name its profile"
        )
        if not wait_for(arrived.wait, STDIN_TIMEOUT_S - STDIN_NOTE_S):
            app.terminal.print_warning(
                "nothing arrived on stdin, so the default profile is inspected"
            )
            return None
    join_thread(reader)
    return bytes(content[:MAX_INPUT_BYTES])
