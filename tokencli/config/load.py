"""Read the configuration: files and environment, judged only as far as somebody asks."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokencli.config import resolve
from tokencli.config.file import parse, read
from tokencli.config.findings import Finding, meant
from tokencli.config.locate import line_of, lines
from tokencli.config.paths import expand
from tokencli.config.top import findings as top_findings
from tokencli.errors import ConfigError, Problem
from tokencli.model import Profile
from tokencli.providers.catalog import BUILTIN, builtin
from tokencli.providers.spec import Provider

if TYPE_CHECKING:
    from tokencli.config.schema import ProfileTable


class UnknownProfile(ConfigError):
    """There is no profile of that name."""


def load(path: Path, environ: Mapping[str, str], *, must_exist: bool) -> "Config":
    """Read the configuration at `path`; where there is none and none is demanded, it is empty.

    Raises:
        ConfigError: it can't be read, others may write it, or it is not TOML.
    """
    try:
        text, warnings = read(path)
    except FileNotFoundError:
        if must_exist:
            raise ConfigError(
                f"there is no configuration file {path}",
                hint="tokencli profiles add NAME --provider PROVIDER   writes the first profile",
            ) from None
        return Config(path, "", environ, exists=False)
    return Config(path, text, environ, warnings)


class Config:
    """One configuration file; a profile is judged when it is asked for, and no other with it."""

    def __init__(
        self, path: Path, text: str, environ: Mapping[str, str], warnings: tuple[str, ...] = (),
        *, exists: bool = True,
    ) -> None:  # fmt: skip
        self.path = path
        self.exists = exists
        self.text = text
        self.warnings = warnings
        """What is not good about the file itself, but no reason to stop."""
        self._environ = environ
        self._data = parse(text, path)
        self._models: dict[str, type[ProfileTable]] = {}
        self._providers: dict[str, Provider | list[Finding]] = {}
        self._profiles: dict[str, Profile | list[Finding]] = {}

    @property
    def default_profile(self) -> str | None:
        """Return the profile that is meant where none is named."""
        name = self._data.get("default_profile")
        return name if isinstance(name, str) else None

    def names(self) -> tuple[str, ...]:
        """List the profiles in the order of the file."""
        return tuple(self._table("profiles"))

    def provider_names(self) -> tuple[str, ...]:
        """List the providers: those built in, then the user's own."""
        return (*BUILTIN, *(name for name in self._table("providers") if name not in BUILTIN))

    def table(self, name: str) -> Mapping[str, Any]:
        """Return what the file says of a profile, as it stands there."""
        return self._known(name)

    def line(self, *path: str) -> int | None:
        """Return the line of a key, or of the table around it."""
        return line_of(self._lines, path)

    def choose(self, flag: str | None) -> str:
        """Return the profile meant: by flag, TOKENCLI_PROFILE, `default_profile`, or the only one.

        Raises:
            ConfigError: none is named and there is not exactly one.
        """
        named = flag or self._environ.get("TOKENCLI_PROFILE") or self.default_profile
        if named:
            return named
        names = self.names()
        if len(names) == 1:
            return names[0]
        if not names:
            raise self.none_yet()
        raise ConfigError(
            f"no profile is named, and there are {len(names)}: {self._listed()}",
            hint="name one, or set one for good: tokencli profiles use NAME",
        )

    def profile(self, name: str) -> Profile:
        """Return a profile with everything filled in.

        Raises:
            UnknownProfile: there is none of that name.
            ConfigError: it, its provider or the top of the file is wrong; with every problem of
                the whole file.
        """
        found = self._resolved(name)
        if isinstance(found, list) or self._top:
            raise self._broken()
        return found

    def provider(self, name: str) -> Provider:
        """Return a provider, built in or the user's own; raises ConfigError."""
        found = self._provider(name)
        if isinstance(found, list):
            raise self._broken()
        if found is None:
            known = self.provider_names()
            likely = meant(name, known) or "|".join(known[:20])
            raise ConfigError(
                f"there is no provider {name[:80]!r}",
                hint=f"tokencli profiles add NAME --provider {likely}",
            )
        return found

    def problems(self) -> tuple[Problem, ...]:
        """List everything that is wrong in the whole file."""
        found = list(self._top)
        for name in self._table("providers"):
            judged = self._provider(name, own=True)
            found += judged if isinstance(judged, list) else []
        for name in self._table("profiles"):
            resolved = self._resolved(name)
            found += resolved if isinstance(resolved, list) else []
        return self._located(found)

    def problems_of(self, name: str) -> tuple[Problem, ...]:
        """List what keeps one profile from being used."""
        found = self._resolved(name)
        return self._located(found if isinstance(found, list) else [])

    def profile_alone(self, name: str) -> Profile:
        """Return a profile whatever else is wrong in the file; raises ConfigError."""
        found = self._resolved(name)
        if isinstance(found, list):
            raise self._broken()
        return found

    def _located(self, found: list[Finding]) -> tuple[Problem, ...]:
        """Give each problem its line, and put them in the order of the file."""
        problems = [finding.problem(self.line(*finding.path)) for finding in dict.fromkeys(found)]
        return tuple(sorted(problems, key=lambda problem: problem.line or 0))

    def _resolved(self, name: str) -> Profile | list[Finding]:
        self._known(name)
        if name not in self._profiles:
            self._profiles[name] = self._judge(name)
        return self._profiles[name]

    def _judge(self, name: str) -> Profile | list[Finding]:
        from tokencli.config.schema import profile_model

        table = self._table("profiles")[name]
        if not isinstance(table, dict):
            return resolve.unfit(name, table)
        named = table.get("provider")
        provider = self._provider(named) if isinstance(named, str) else None
        if provider is None:
            provider = [resolve.unknown_provider(name, named, self.provider_names())]
        if isinstance(provider, list):
            return [*provider, *resolve.common(name, table)]
        if provider.name not in self._models:
            self._models[provider.name] = profile_model(provider)
        model = self._models[provider.name]
        place = resolve.Place(self.path, self.state_dir)
        return resolve.resolve(name, table, provider, model, place)

    def _provider(self, name: str, *, own: bool = False) -> Provider | list[Finding] | None:
        """Return a provider, what is wrong with it, or None where there is none of that name."""
        if name in BUILTIN and not own:
            return builtin(name)
        if name not in self._providers:
            from tokencli.config.own_provider import own_provider

            table = self._table("providers").get(name)
            if table is None:
                return None
            if not isinstance(table, dict):
                wrong = Finding(("providers", name), "is not a table", f"write [providers.{name}]")
                self._providers[name] = [wrong]
            else:
                self._providers[name] = own_provider(name, table)
        return self._providers[name]

    @cached_property
    def _top(self) -> list[Finding]:
        return top_findings(self._data, self.names())

    @property
    def state_dir(self) -> str | None:
        """Return the folder that the file chooses for locks, journals and the file store."""
        written = self._data.get("state_dir")
        fits = isinstance(written, str) and bool(written)
        return str(expand(str(written), self.path.parent)) if fits else None

    @cached_property
    def _lines(self) -> dict[tuple[str, ...], int]:
        return lines(self.text)

    def _table(self, key: str) -> Mapping[str, Any]:
        table = self._data.get(key)
        return table if isinstance(table, dict) else {}

    def _known(self, name: str) -> Mapping[str, Any]:
        profiles = self._table("profiles")
        if name in profiles:
            table = profiles[name]
            return table if isinstance(table, dict) else {}
        if not profiles:
            raise self.none_yet()
        likely = meant(name, profiles)
        near = f"did you mean {likely}? " if likely else ""
        raise UnknownProfile(
            f"there is no profile {name[:80]!r} in {self.path}",
            hint=f"{near}there is: {self._listed()}; or add it: tokencli profiles add NAME",
        )

    def _listed(self) -> str:
        names = self.names()
        return ", ".join(names[:20]) + (" …" if len(names) > 20 else "")

    def none_yet(self) -> ConfigError:
        """Return what to say where there is no profile."""
        why = "" if self.exists else ", which does not exist"
        return UnknownProfile(
            f"there is no profile yet in {self.path}{why}",
            hint=f"tokencli profiles add NAME --provider {'|'.join(BUILTIN)}",
        )

    def _broken(self) -> ConfigError:
        found = self.problems()
        count = "a problem" if len(found) == 1 else f"{len(found)} problems"
        hint = "tokencli profiles edit"
        return ConfigError(f"{self.path} has {count}", hint=hint, problems=found)
