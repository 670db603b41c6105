"""The tokens of a program that runs for a long time: each call costs little while nothing has changed.

What a configuration says is loaded once, and again whenever its file, the environment or the process
has changed. A token is used again while it is fresh and its store has the same: a renewal or a logout by
another process counts at once. Only a store that can be asked cheaply is (`TokenStore.fingerprint`);
with any other, each call reads the token anew.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from tokencli.app import App, AppOptions
from tokencli.core.get_token import get_token
from tokencli.core.secret_resolver import list_exchanged_secrets, resolve_usage_secrets
from tokencli.errors import TokencliError, UsageError
from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.token_usage import build_headers_and_query, is_usage_constant
from tokencli.token_store.credential_key import derive_binding

_VARIABLES = (
    "TOKENCLI_CONFIG",
    "TOKENCLI_PROFILE",
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
)
"""Environment variables that decide which configuration, profile and stores are used."""
_MIN_CONFIG_AGE_S = 0.05
"""Seconds for which a configuration may change again without another modification time."""
_MAX_CONFIGS = 32
"""Limit of configurations that are remembered."""
_MAX_ENCODINGS = 5
"""How often a parameter of a redirect may be percent-encoded so that the token in it is still found."""


@dataclass(frozen=True, slots=True)
class FoundToken:
    """A token and the profile it is of."""

    profile: Profile
    token: TokenSet
    fingerprint: object | None
    """What the store said when it had the token; None if it may change unnoticed."""
    read_fingerprint: Callable[[], object | None]


@dataclass(frozen=True, slots=True)
class TokenCarrier:
    """What carries a token in a request."""

    token: Secret
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    query: tuple[tuple[str, str], ...] = field(repr=False)
    """Parameters of the URL; the values are percent-encoded."""


class _LoadedConfig:
    """A configuration in one state, with what was found by it."""

    def __init__(self, config: str | None) -> None:
        self.app = App(AppOptions(config=config, no_input=True, quiet=True))
        self._path = str(self.app.config_path)
        self._state = self._read_state()
        self._profiles: dict[tuple[str | None, str | None], Profile] = {}
        self._tokens: dict[tuple[str | None, str | None], FoundToken] = {}

    def is_current(self) -> bool:
        """Return whether another one would be the same."""
        return self._state == self._read_state()

    def get_profile(self, name: str | None, scope: str | None) -> Profile:
        """Return a profile, without the endpoints in its issuer's metadata."""
        profile = self._profiles.get((name, scope))
        if profile is None:
            profile = self.app.get_profile(name, scope=scope, anew=None)
            self._profiles[name, scope] = profile
        return profile

    def find_token(
        self, name: str | None, scope: str | None, min_ttl: float | None
    ) -> FoundToken | None:
        """Return the token of an earlier call if it is fresh and still stored."""
        found = self._tokens.get((name, scope))
        if (
            found is not None
            and found.token.is_fresh(time.time(), found.profile.reachable_min_ttl(min_ttl))
            and found.read_fingerprint() == found.fingerprint
        ):
            return found
        return None

    def get_token(
        self,
        name: str | None,
        scope: str | None,
        *,
        min_ttl: float | None = None,
        force: bool = False,
        refused: Secret | None = None,
    ) -> FoundToken:
        """Return the stored token or a new one, and remember it if it may be used again."""
        profile = self.app.with_token_endpoint(self.get_profile(name, scope))
        store, key = self.app.token_store(profile), derive_binding(profile).key

        def read_fingerprint() -> object | None:
            return store.fingerprint(key)

        before = read_fingerprint()
        obtained = get_token(profile, self.app, min_ttl=min_ttl, force=force, refused=refused)
        if obtained.save_error is not None:  # the token is valid nevertheless
            self.app.terminal.print_warning(obtained.save_error.message)
        found = FoundToken(profile, obtained.token, read_fingerprint(), read_fingerprint)
        if (
            # It is what the store has, if that was the same before and after.
            obtained.source == "stored"
            and before is not None
            and before == found.fingerprint
            # Use must extend a sliding lifetime, and the subject of an exchanged token may change.
            and obtained.token.sliding_lifetime is None
            and not list_exchanged_secrets(profile)
        ):
            self._tokens[name, scope] = found
        else:
            self._tokens.pop((name, scope), None)
        return found

    def _read_state(self) -> tuple[object, ...]:
        """Return what changes whenever something else might be loaded."""
        variables = tuple(map(os.environ.get, _VARIABLES))
        named = self.app.options.config or variables[0] or "/"
        directory = "" if named.startswith(("/", "~")) else _find_working_dir()
        try:
            status = os.stat(self._path)  # noqa: PTH116 - a string, on each call
        except OSError:
            stamp: object = None
        else:
            is_young = 0 <= time.time() - status.st_mtime < _MIN_CONFIG_AGE_S
            stamp = object() if is_young else _file_stamp(status)
        return os.getpid(), variables, directory, stamp


_loaded_configs: dict[str | None, _LoadedConfig] = {}


def get_token_set(
    profile: str | None = None,
    *,
    config: str | None = None,
    scope: str | None = None,
    min_ttl: float | None = None,
    force: bool = False,
) -> FoundToken:
    """Return a profile's token, which is fresh for `min_ttl` seconds.

    Raises:
        TokencliError: any subclass.
    """
    loaded = _load_config(config)
    if not force:
        found = loaded.find_token(profile, scope, min_ttl)
        if found is not None:
            return found
    with _naming_config(config):
        return loaded.get_token(profile, scope, min_ttl=min_ttl, force=force)


class TokenSource:
    """The tokens for the requests of one `auth` object, which threads may share.

    Raises:
        TokencliError: the profile doesn't exist, or its tokens need a proof for each request.
    """

    def __init__(
        self, profile: str | None, *, config: str | None, scope: str | None, min_ttl: float | None
    ) -> None:
        self._name, self._config, self._scope, self._min_ttl = profile, config, scope, min_ttl
        self._last: tuple[FoundToken, TokenCarrier] | None = None
        self._unrenewable: Secret | None = None
        with _naming_config(config):
            checked = _load_config(config).get_profile(profile, scope)
            if checked.dpop:
                raise UsageError(
                    f"the token of profile {checked.name!r} is bound to a key, so each request needs"
                    " its own proof",
                    cause="an HTTP client can't make one (RFC 9449); tokencli proxy does",
                    fix=f"tokencli proxy {checked.command_line_name}" if checked.api_url else None,
                )

    def __getstate__(self) -> dict[str, object]:
        """Leave out tokens, so that the `auth` object can be copied and pickled."""
        return {**vars(self), "_last": None, "_unrenewable": None}

    def find(self) -> TokenCarrier | None:
        """Return what carries the token of an earlier request, if that needs no waiting at all."""
        last = self._last
        found = _load_config(self._config).find_token(self._name, self._scope, self._min_ttl)
        return last[1] if last is not None and last[0] is found else None

    def get(self, refused: TokenCarrier | None = None) -> TokenCarrier:
        """Return what carries a token that is fresh, and another one than the server `refused`.

        Raises:
            TokencliError: any subclass.
        """
        if refused is None and (carrier := self.find()) is not None:
            return carrier
        loaded = _load_config(self._config)
        with _naming_config(self._config):
            found = loaded.get_token(
                self._name,
                self._scope,
                min_ttl=self._min_ttl,
                refused=None if refused is None else refused.token,
            )
            profile, app = found.profile, loaded.app
            headers, query = build_headers_and_query(
                profile, found.token, resolve_usage_secrets(profile, app), app.clock.now()
            )
        carrier = TokenCarrier(found.token.access_token, tuple(headers), tuple(query))
        self._last = (found, carrier) if is_usage_constant(profile) else None
        return carrier

    def renew(self, refused: TokenCarrier) -> TokenCarrier | None:
        """Return what carries another token than the one that a resource server refused.

        None means that there is no other. Then this token isn't renewed again, so that a server that
        refuses every token doesn't cause a token request each time.
        """
        if refused.token == self._unrenewable:
            return None
        problem = None
        try:
            renewed = self.get(refused)
            if renewed.token != refused.token:
                return renewed
        except TokencliError as error:
            problem = error.message
        self.give_up(refused)
        if problem is not None:
            _load_config(self._config).app.terminal.print_warning(
                f"the server refused the token (HTTP 401), and there is no other: {problem}"
            )
        return None

    def give_up(self, refused: TokenCarrier) -> None:
        """Note that a token is refused although it is new, so that it isn't renewed."""
        self._unrenewable = refused.token


def contains_any(parameter: str, values: Sequence[str]) -> bool:
    """Tell whether a parameter has one of the percent-encoded values, also in a URL inside it."""
    wanted = [unquote(value) for value in values]
    for _ in range(_MAX_ENCODINGS):
        parameter = unquote(parameter)
        if any(value in parameter for value in wanted):
            return True
    return False


def _load_config(config: str | None) -> _LoadedConfig:
    """Return the configuration as it is now."""
    loaded = _loaded_configs.get(config)
    if loaded is None or not loaded.is_current():
        if len(_loaded_configs) >= _MAX_CONFIGS:
            _loaded_configs.clear()
        loaded = _loaded_configs[config] = _LoadedConfig(config)
    return loaded


@contextmanager
def _naming_config(config: str | None) -> Iterator[None]:
    """Let the fix of an error use the same configuration file as the call."""
    try:
        yield
    except TokencliError as error:
        if config:
            error.name_config(config)
        raise


def _find_working_dir() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # it was deleted
        return None


def _file_stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev
