"""The composition root, written by hand: builds each edge on first use, and nothing else."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tokencli import hot
from tokencli.browsing import Browser
from tokencli.model import Profile
from tokencli.ports import Clock, SecretKeeper, SecretSource, Terminal, TokenStore, Transport

if TYPE_CHECKING:
    from tokencli.config.load import Config
    from tokencli.stores.hot import AccessCopy
    from tokencli.stores.shelf import Records


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says about every command."""

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
    """Everything that actions need, each part built when it is first asked for."""

    settings: Settings = field(default_factory=Settings)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def __post_init__(self) -> None:
        self._stores: dict[str, TokenStore] = {}
        self._sources: dict[str, SecretSource] = {}

    @cached_property
    def _config_path(self) -> Path:
        usual = None if self.settings.config else hot.config_file(self.environ)
        if usual is not None and sys.platform == "linux":
            return Path(usual)
        from tokencli.config.paths import config_path

        return config_path(self.settings.config, self.environ)

    @cached_property
    def records(self) -> "Records":
        """What earlier runs left for later ones, as long as the configuration stays as it is."""
        from tokencli.stores.shelf import Records

        return Records(str(self._config_path), self.environ)

    @cached_property
    def config(self) -> "Config":
        """The configuration file, read once."""
        from tokencli.config.load import load

        assert self.records is not None, "the stamp is older than what is read"
        found = load(self._config_path, self.environ, must_exist=False)
        for warning in found.warnings:
            self.terminal.warn(warning)
        return found

    def config_lock(self) -> AbstractContextManager[None]:
        """Hold the lock under which configuration files are changed."""
        from tokencli.stores.editing import editing

        return editing(self.terminal.note)

    def profile(
        self, name: str | None = None, *, scope: str | None = None, anew: bool | None = False
    ) -> Profile:
        """Return the profile of that name, or the one that the environment or the file chooses.

        What the command line says stands over what the file says. What only the profile's issuer
        can say is asked there, with `anew` even if its answer is remembered, with None not at all.

        Raises:
            UsageError: `scope` is none. ConfigError: there is no such profile, or it is wrong.
        """
        if scope is not None:
            from tokencli.config.rules import given_scope

            given_scope(scope)
        profile = self._remembered(name) or self._judged(name)
        if not profile.hot_copy:
            self.hot(profile).drop()
        if scope is not None:
            origins = {**profile.origins, "scope": "--scope"}
            profile = replace(profile, scope=scope, origins=origins, hot_copy=False)
        settings = self.settings
        if settings.timeout is not None:
            profile = replace(
                profile, connection=replace(profile.connection, timeout=settings.timeout)
            )
        if settings.lock_timeout is not None:
            profile = replace(profile, lock_timeout=settings.lock_timeout)
        if settings.wait is not None:
            profile = replace(profile, sign_in=replace(profile.sign_in, wait=settings.wait))
        return profile if anew is None else self.located(profile, anew=anew)

    def located(self, profile: Profile, *names: str, anew: bool = False) -> Profile:
        """Return the profile with what its issuer says of its endpoints: those that its grant needs,
        and these; with `anew` the issuer is asked even if its answer is remembered."""
        if profile.issuer is None:
            return profile
        from tokencli.actions.discover import Memory, located
        from tokencli.stores.issuers import IssuerFile

        file = IssuerFile(profile)
        return located(profile, self, Memory(file.load, file.save), *names, anew=anew)

    def known(self, profile: Profile) -> Profile:
        """Return the profile with what is remembered of its issuer, asking nobody."""
        if profile.issuer is None:
            return profile
        from tokencli.actions.discover import Memory, remembered
        from tokencli.stores.issuers import IssuerFile

        file = IssuerFile(profile)
        return remembered(profile, Memory(file.load, file.save))

    def names(self) -> tuple[str, ...]:
        """List the profiles, and leave the list for the next completion."""
        found = self.config.names()
        if found:
            self.records.write("names", "", found)
        return found

    def _remembered(self, name: str | None) -> Profile | None:
        """Return the profile as an earlier run judged it, if nothing can have changed since."""
        from tokencli.config import snapshot

        (default,) = self.records.read("default") or ("",)
        chosen = name or self.environ.get("TOKENCLI_PROFILE") or default
        found = self.records.read("profile", chosen) if chosen else None
        try:
            home, text = found or ("", "")
            return snapshot.parse(text) if home == self.environ.get("HOME", "") else None
        except ValueError:
            return None

    def _judged(self, name: str | None) -> Profile:
        from tokencli.config import snapshot

        chosen = self.config.choose(name)
        profile = self.config.profile(chosen)
        if not name and not self.environ.get("TOKENCLI_PROFILE"):
            self.records.write("default", "", [chosen])
        # `~` in the file stands for HOME.
        home = self.environ.get("HOME", "")
        with suppress(ValueError):
            self.records.write("profile", chosen, [home, snapshot.dump(profile)])
        return profile

    @cached_property
    def clock(self) -> Clock:
        """The machine's clock."""
        from tokencli.adapters.clock import SystemClock

        return SystemClock()

    @cached_property
    def terminal(self) -> Terminal:
        """The person at stderr."""
        from tokencli.adapters.terminal import StderrTerminal

        settings = self.settings
        return StderrTerminal(
            self.environ,
            no_input=settings.no_input,
            quiet=settings.quiet,
            verbose=settings.verbose,
        )

    @cached_property
    def transport(self) -> Transport:
        """HTTP, on a miss alone: its import is the dearest of all."""
        from tokencli.adapters.http import HttpTransport

        return HttpTransport(self.environ, warn=self.terminal.warn, detail=self.terminal.detail)

    @cached_property
    def browser(self) -> Browser:
        """The person's browser, which nothing opens where nobody can be asked."""
        from tokencli.adapters.browser import SystemBrowser

        settings = self.settings
        in_ci = self.environ.get("CI", "").lower() not in ("", "0", "false")
        forbidden = settings.no_browser or settings.no_input or in_ci
        return SystemBrowser(self.environ, forbidden=forbidden)

    @cached_property
    def keeper(self) -> SecretKeeper:
        """The OS keyring, as a place that can be written to."""
        from tokencli.sources.keyring import KeyringSource

        source = self.source("keyring")
        assert isinstance(source, KeyringSource)
        return source

    def source(self, kind: str) -> SecretSource:
        """Return the secret source of that kind."""
        from tokencli.sources import open_source

        if kind not in self._sources:
            self._sources[kind] = open_source(kind, environ=self.environ, terminal=self.terminal)
        return self._sources[kind]

    def store(self, profile: Profile) -> TokenStore:
        """Return the store that keeps the profile's tokens; `auto` is settled here, once."""
        from tokencli.stores import open_store
        from tokencli.stores.hot import Mirrored

        key = f"{profile.store} {profile.state_dir} {profile.hot_copy} {profile.name}"
        if key not in self._stores:
            opened = open_store(
                profile, environ=self.environ, terminal=self.terminal, clock=self.clock
            )
            self._stores[key] = Mirrored(opened, self.hot(profile), self.records)
        return self._stores[key]

    def hot(self, profile: Profile) -> "AccessCopy":
        """Return the copy of the profile's access token in memory."""
        from tokencli.stores.hot import AccessCopy

        return AccessCopy(self.records, profile)

    def every_store(self, profile: Profile) -> Sequence[TokenStore]:
        """Return every place where tokens of the profile may rest."""
        return [self.store(replace(profile, store=name)) for name in ("keyring", "runtime", "file")]

    def uninterrupted(self, at_most: float) -> AbstractContextManager[None]:
        """Hold back signals inside the block, of `at_most` seconds, and deliver them after it."""
        from tokencli.adapters.signals import uninterrupted

        return uninterrupted(self.terminal.note, at_most=at_most)
