"""The composition root: builds each implementation of a protocol on first use.

Imported at the top is what every `get` needs; imports inside methods keep start-up fast.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tokencli import platforms
from tokencli.errors import SetupCommand, TokencliError
from tokencli.fastpath import profile_cache, reader
from tokencli.fastpath.records import FastPathRecords
from tokencli.fastpath.token_cache import CachingStore, TokenCache
from tokencli.models import Profile, Secret, SecretRef
from tokencli.protocols import (
    Browser,
    Clock,
    EventLog,
    RememberedValue,
    SecretSource,
    Terminal,
    TokenStore,
    Transport,
    WritableSecretSource,
)
from tokencli.secret_sources import open_secret_source
from tokencli.system.clock import SystemClock
from tokencli.system.user_dirs import list_runtime_dirs, state_dir
from tokencli.token_store import PERSISTENT_STORES, StoreContext, open_store

if TYPE_CHECKING:
    from tokencli.config.load import Config


@dataclass(frozen=True, slots=True)
class AppOptions:
    """The options that every command has."""

    config: str | None = None
    timeout: float | None = None
    lock_timeout: float | None = None
    no_input: bool = False
    quiet: bool = False
    verbose: int = 0
    no_browser: bool = False
    wait: float | None = None


@dataclass
class App:
    """Everything that `core` and `oauth` need (`protocols.Context`), each part built on first use."""

    options: AppOptions = field(default_factory=AppOptions)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def __post_init__(self) -> None:
        self._stores: dict[str, TokenStore] = {}
        self._sources: dict[str, SecretSource] = {}
        self._loaded_profile: Profile | None = None

    @cached_property
    def config_path(self) -> Path:
        """Where the configuration file is, whether it exists or not."""
        usual = None if self.options.config else reader.config_file_path(self.environ)
        if usual is not None and platforms.current().uses_xdg_directories:
            return Path(usual)
        from tokencli.config.config_file import find_config_path

        return find_config_path(self.options.config, self.environ)

    @cached_property
    def fast_path_records(self) -> FastPathRecords:
        """What earlier runs cached; valid while the configuration is unchanged."""
        return FastPathRecords(str(self.config_path), self.environ)

    @cached_property
    def config(self) -> "Config":
        """The configuration file, read once."""
        from tokencli.config.load import load_config

        assert self.fast_path_records is not None, "takes its stamp before the file is read"
        config = load_config(self.config_path, self.environ, must_exist=False)
        for warning in config.warnings:
            self.terminal.print_warning(str(warning))
        return config

    def reload_config(self) -> None:
        """Read the configuration file again on its next use, after this process changed it."""
        self.__dict__.pop("config", None)

    def lock_config(self) -> AbstractContextManager[None]:
        """Hold the lock for changing configuration files."""
        from tokencli.config.config_lock import hold_config_lock

        return hold_config_lock(self.terminal.show_wait)

    @contextmanager
    def locked_config(self) -> Iterator["Config"]:
        """Yield the configuration, read anew under the lock, for a change that no other overlaps."""
        from tokencli.config.load import load_config

        path = self.config.path
        with self.lock_config():
            yield load_config(path, self.environ, must_exist=False)

    def get_profile(
        self, name: str | None = None, *, scope: str | None = None, anew: bool | None = False
    ) -> Profile:
        """Return the profile of that name, else the one chosen by the environment or the file.

        Options of the command line override the file. Endpoints come from the issuer's metadata if
        the profile needs them: with `anew` they are fetched even if cached, with None not at all.

        Raises:
            UsageError: `scope` is invalid. ConfigError: the profile doesn't exist or has a problem.
        """
        if scope is not None:
            from tokencli.config.validators import validate_scope_argument

            validate_scope_argument(scope)
        profile = self._load_cached_profile(name) or self._load_validated_profile(name)
        self._loaded_profile = profile
        if not profile.hot_copy:
            self.token_cache(profile).delete_token()
        if scope is not None:
            origins = {**profile.value_sources, "scope": "--scope"}
            profile = replace(profile, scope=scope, value_sources=origins, hot_copy=False)
        settings = self.options
        if settings.timeout is not None:
            profile = replace(
                profile,
                connection=replace(
                    profile.connection, timeout=settings.timeout, is_timeout_option=True
                ),
            )
        if settings.lock_timeout is not None:
            profile = replace(profile, lock_timeout=settings.lock_timeout)
        if settings.wait is not None:
            profile = replace(profile, sign_in=replace(profile.sign_in, wait=settings.wait))
        return profile if anew is None else self.with_token_endpoint(profile, anew=anew)

    def with_token_endpoint(self, profile: Profile, *, anew: bool = False) -> Profile:
        """Return the profile with the endpoints for getting a token; a failure is that of the token."""
        try:
            return self.with_endpoints(profile, anew=anew)
        except TokencliError as error:
            from tokencli.core.token_events import record_failure

            record_failure(profile, self, error)
            raise

    def with_endpoints(self, profile: Profile, *names: str, anew: bool = False) -> Profile:
        """Return the profile with the endpoints `names`, and those its grant needs, from its issuer.

        With `anew`, the issuer's metadata is fetched even if it is cached.

        Raises:
            ConfigError: a user-defined provider puts one of `names` on a server that the profile
                doesn't name.
        """
        from tokencli.providers.endpoint_urls import check_endpoint_is_named

        for name in names:
            check_endpoint_is_named(profile, name)
        if profile.issuer is None:
            return profile
        from tokencli.oauth.discovery import MetadataCache, resolve_endpoints
        from tokencli.token_store.metadata_cache import MetadataCacheFile

        file = MetadataCacheFile(profile)
        return resolve_endpoints(
            profile, self, MetadataCache(file.load, file.save), *names, anew=anew
        )

    def with_cached_endpoints(self, profile: Profile) -> Profile:
        """Return the profile with endpoints from cached metadata, without any request."""
        if profile.issuer is None:
            return profile
        from tokencli.oauth.discovery import MetadataCache, apply_cached_metadata
        from tokencli.token_store.metadata_cache import MetadataCacheFile

        file = MetadataCacheFile(profile)
        return apply_cached_metadata(profile, MetadataCache(file.load, file.save))

    def move_cached_metadata(self, old: Profile, new: Profile) -> None:
        """Move the cached metadata of a renamed profile's issuer, to which its tokens are tied."""
        from tokencli.token_store.metadata_cache import MetadataCacheFile

        MetadataCacheFile(old).move_to(MetadataCacheFile(new))

    def remembered_spelling(self, profile: Profile, name: str) -> RememberedValue:
        """Return the file with the spelling of a constant that the token endpoint accepts."""
        from tokencli.token_store.metadata_cache import SpellingFile

        return SpellingFile(profile, name)

    def list_profile_names(self) -> tuple[str, ...]:
        """List the profiles, and cache the list for shell completion."""
        names = self.config.profile_names()
        if names:
            self.fast_path_records.write("names", "", names)
        return names

    def _load_cached_profile(self, name: str | None) -> Profile | None:
        """Return the profile as an earlier run resolved it, if nothing can have changed since."""
        if name == "":
            return None
        (default,) = self.fast_path_records.read("default") or ("",)
        chosen = name or self.environ.get("TOKENCLI_PROFILE") or default
        record = self.fast_path_records.read("profile", chosen) if chosen else None
        try:
            home, text = record or ("", "")
            return (
                profile_cache.parse_profile(text) if home == self.environ.get("HOME", "") else None
            )
        except ValueError:
            return None

    def _load_validated_profile(self, name: str | None) -> Profile:
        chosen = self.config.choose_profile(name)
        profile = self.config.get_profile(chosen)
        if not name and not self.environ.get("TOKENCLI_PROFILE"):
            self.fast_path_records.write("default", "", [chosen])
        # HOME is stored with it, since `~` in the file expands to HOME.
        home = self.environ.get("HOME", "")
        with suppress(ValueError):
            self.fast_path_records.write(
                "profile", chosen, [home, profile_cache.dump_profile(profile)]
            )
        return profile

    @cached_property
    def clock(self) -> Clock:
        """The system clock."""
        return SystemClock()

    @cached_property
    def terminal(self) -> Terminal:
        """The user at stderr."""
        from tokencli.terminal.console import StderrTerminal

        settings = self.options
        return StderrTerminal(
            self.environ,
            no_input=settings.no_input,
            quiet=settings.quiet,
            verbose=settings.verbose,
        )

    @cached_property
    def transport(self) -> Transport:
        """HTTP; only built when a request is sent, since its import is the slowest of all."""
        from tokencli.net.transport import HttpTransport

        terminal = self.terminal
        detail = terminal.print_detail if self.options.verbose else None
        return HttpTransport(
            self.environ, terminal.print_warning, detail, show_wait=terminal.show_wait
        )

    @cached_property
    def browser(self) -> Browser:
        """The user's browser; never opened without a user, as in CI."""
        from tokencli.terminal.browser import SystemBrowser

        settings = self.options
        in_ci = self.environ.get("CI", "").lower() not in ("", "0", "false")
        forbidden = settings.no_browser or settings.no_input or in_ci
        return SystemBrowser(self.environ, forbidden=forbidden)

    @cached_property
    def keyring(self) -> WritableSecretSource:
        """The OS keyring, for storing secrets."""
        return cast("WritableSecretSource", self.secret_source("keyring"))

    def secret_source(self, kind: str) -> SecretSource:
        """Return the secret source of that kind."""
        if kind not in self._sources:
            self._sources[kind] = open_secret_source(
                kind, environ=self.environ, terminal=self.terminal
            )
        return self._sources[kind]

    def list_setup_commands(
        self, profile: Profile, refs: Sequence[SecretRef]
    ) -> Sequence[SetupCommand]:
        """Return commands that make the profile take these secrets from elsewhere than the keyring."""
        from tokencli.secret_sources.setup_commands import list_setup_commands
        from tokencli.shell_words import quote

        config = f" --config {quote(self.options.config)}" if self.options.config else ""
        commands = list_setup_commands(
            refs,
            self.environ,
            edit=f"tokencli profiles edit {profile.name}{config}",
            then=f"tokencli login {profile.command_line_name}{config}",
            can_type=self.terminal.can_user_type,
        )
        return tuple(commands)

    def get_profile_token(self, name: str, requesters: tuple[str, ...]) -> Secret:
        """Return the access token of another profile, for the profiles that exchange it."""
        from tokencli.core.get_token import get_subject_token

        return get_subject_token(self.get_profile(name), self, requesters)

    def token_store(self, profile: Profile) -> TokenStore:
        """Return the profile's token store; `auto` is resolved here, once."""
        if profile.isolated and profile.store != "none":
            profile = replace(profile, store="file")
        key = f"{profile.store} {profile.state_dir} {profile.hot_copy} {profile.name}"
        if key not in self._stores:
            self._stores[key] = self._open_store(profile, self._store_context)
        return self._stores[key]

    @cached_property
    def _store_context(self) -> StoreContext:
        return StoreContext(self.environ, self.terminal, self.clock)

    def _open_store(self, profile: Profile, context: StoreContext) -> TokenStore:
        opened = open_store(profile, context)
        return CachingStore(opened, self.token_cache(profile), self.fast_path_records)

    def token_cache(self, profile: Profile) -> TokenCache:
        """Return the cache of the profile's access token."""
        return TokenCache(self.fast_path_records, profile)

    @cached_property
    def event_log(self) -> EventLog:
        """The log of what happened to the profiles' tokens, in the configuration's state directory."""
        # start-up cost: a fresh token is no event
        from tokencli.system.event_log import FileEventLog

        settings = self._loaded_profile or self.config  # a cached profile saves reading the file
        return FileEventLog(
            state_dir(settings.state_dir),
            self.terminal.print_detail,
            enabled=settings.event_log,
        )

    def all_token_stores(self, profile: Profile) -> Sequence[TokenStore]:
        """Return every store that may hold tokens of the profile."""
        if profile.isolated:
            return [self.token_store(replace(profile, store="file"))]
        stores = [self.token_store(replace(profile, store=name)) for name in PERSISTENT_STORES]
        for base in list_runtime_dirs(state_dir(profile.state_dir)):
            if base != self.fast_path_records.base_dir:
                environ = {**self.environ, "XDG_RUNTIME_DIR": str(base)}
                context = StoreContext(environ, self.terminal, self.clock)
                stores.append(self._open_store(replace(profile, store="runtime"), context))
        return stores

    def defer_signals(
        self, purpose: str, *, keep_reply: bool = True
    ) -> AbstractContextManager[None]:
        """Hold back signals inside the block, and deliver them after it."""
        from tokencli.system.signals import defer_signals

        return defer_signals(self.terminal.print_note, purpose, keep_reply=keep_reply)
