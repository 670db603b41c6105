"""Read the configuration: files and environment, judged only as far as somebody asks."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokencli.config import resolve
from tokencli.config.config_file import expand_path, parse_toml, read_config_text
from tokencli.config.toml_positions import find_line, map_key_lines
from tokencli.config.top_level import check_top_level as top_findings
from tokencli.errors import ConfigError, ConfigProblem
from tokencli.models import Profile
from tokencli.problems import Finding, closest_match
from tokencli.provider_schema import Provider
from tokencli.providers.catalog import BUILTIN_NAMES, load_builtin

if TYPE_CHECKING:
    from tokencli.config.profile_schema import ProfileTable


class UnknownProfileError(ConfigError):
    """There is no profile of that name."""


def load_config(path: Path, environ: Mapping[str, str], *, must_exist: bool) -> "Config":
    """Read the configuration at `path`; where there is none and none is demanded, it is empty.

    Raises:
        ConfigError: it can't be read, others may write it, or it is not TOML.
    """
    try:
        text, warnings = read_config_text(path)
    except FileNotFoundError:
        if must_exist:
            raise ConfigError(
                f"there is no configuration file {path}",
                fix="tokencli profiles add NAME --provider PROVIDER   writes the first profile",
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
        self._data = parse_toml(text, path)
        self._profile_models: dict[str, type[ProfileTable]] = {}
        self._resolved_providers: dict[str, Provider | list[Finding]] = {}
        self._resolved_profiles: dict[str, Profile | list[Finding]] = {}

    @property
    def default_profile(self) -> str | None:
        """Return the profile that is meant where none is named."""
        name = self._data.get("default_profile")
        return name if isinstance(name, str) else None

    def profile_names(self) -> tuple[str, ...]:
        """List the profiles in the order of the file."""
        return tuple(self._top_level_table("profiles"))

    def provider_names(self) -> tuple[str, ...]:
        """List the providers: those built in, then the user's own."""
        return (
            *BUILTIN_NAMES,
            *(name for name in self._top_level_table("providers") if name not in BUILTIN_NAMES),
        )

    def profile_table(self, name: str) -> Mapping[str, Any]:
        """Return what the file says of a profile, as it stands there."""
        return self._find_profile_table(name)

    def line_number(self, *path: str) -> int | None:
        """Return the line of a key, or of the table around it."""
        return find_line(self._key_lines, path)

    def choose_profile(self, flag: str | None) -> str:
        """Return the profile meant: by flag, TOKENCLI_PROFILE, `default_profile`, or the only one.

        Raises:
            ConfigError: none is named and there is not exactly one.
        """
        named = flag or self._environ.get("TOKENCLI_PROFILE") or self.default_profile
        if named:
            return named
        names = self.profile_names()
        if len(names) == 1:
            return names[0]
        if not names:
            raise self.no_profile_error()
        raise ConfigError(
            f"no profile is named, and there are {len(names)}: {self._format_profile_names()}",
            fix="name one, or set one for good: tokencli profiles use NAME",
        )

    def get_profile(self, name: str) -> Profile:
        """Return a profile with everything filled in.

        Raises:
            UnknownProfile: there is none of that name.
            ConfigError: it, its provider or the top of the file is wrong; with every problem of
                the whole file.
        """
        found = self._resolve_profile(name)
        if isinstance(found, list) or self._top_level_findings:
            raise self._invalid_config_error()
        return found

    def get_provider(self, name: str) -> Provider:
        """Return a provider, built in or the user's own; raises ConfigError."""
        found = self._find_provider(name)
        if isinstance(found, list):
            raise self._invalid_config_error()
        if found is None:
            known = self.provider_names()
            likely = closest_match(name, known) or "|".join(known[:20])
            raise ConfigError(
                f"there is no provider {name[:80]!r}",
                fix=f"tokencli profiles add NAME --provider {likely}",
            )
        return found

    def find_problems(self) -> tuple[ConfigProblem, ...]:
        """List everything that is wrong in the whole file."""
        found = list(self._top_level_findings)
        for name in self._top_level_table("providers"):
            judged = self._find_provider(name, own=True)
            found += judged if isinstance(judged, list) else []
        for name in self._top_level_table("profiles"):
            resolved = self._resolve_profile(name)
            found += resolved if isinstance(resolved, list) else []
        return self._to_problems(found)

    def find_profile_problems(self, name: str) -> tuple[ConfigProblem, ...]:
        """List what keeps one profile from being used."""
        found = self._resolve_profile(name)
        return self._to_problems(found if isinstance(found, list) else [])

    def get_profile_ignoring_top_level(self, name: str) -> Profile:
        """Return a profile whatever else is wrong in the file; raises ConfigError."""
        found = self._resolve_profile(name)
        if isinstance(found, list):
            raise self._invalid_config_error()
        return found

    def _to_problems(self, found: list[Finding]) -> tuple[ConfigProblem, ...]:
        """Give each problem its line, and put them in the order of the file."""
        problems = [
            finding.to_problem(self.line_number(*finding.key_path))
            for finding in dict.fromkeys(found)
        ]
        return tuple(sorted(problems, key=lambda problem: problem.line or 0))

    def _resolve_profile(self, name: str) -> Profile | list[Finding]:
        self._find_profile_table(name)
        if name not in self._resolved_profiles:
            self._resolved_profiles[name] = self._validate_profile(name)
        return self._resolved_profiles[name]

    def _validate_profile(self, name: str) -> Profile | list[Finding]:
        from tokencli.config.profile_schema import build_profile_model

        table = self._top_level_table("profiles")[name]
        if not isinstance(table, dict):
            return resolve.check_profile_name_and_type(name, table)
        named = table.get("provider")
        provider = self._find_provider(named) if isinstance(named, str) else None
        if provider is None:
            provider = [resolve.unknown_provider_finding(name, named, self.provider_names())]
        if isinstance(provider, list):
            return [*provider, *resolve.check_without_provider(name, table)]
        if provider.name not in self._profile_models:
            self._profile_models[provider.name] = build_profile_model(provider)
        model = self._profile_models[provider.name]
        place = resolve.ConfigLocation(self.path, self.state_dir)
        return resolve.resolve_profile(name, table, provider, model, place)

    def _find_provider(self, name: str, *, own: bool = False) -> Provider | list[Finding] | None:
        """Return a provider, what is wrong with it, or None where there is none of that name."""
        if name in BUILTIN_NAMES and not own:
            return load_builtin(name)
        if name not in self._resolved_providers:
            from tokencli.config.provider_validation import validate_user_provider

            table = self._top_level_table("providers").get(name)
            if table is None:
                return None
            if not isinstance(table, dict):
                wrong = Finding(("providers", name), "is not a table", f"write [providers.{name}]")
                self._resolved_providers[name] = [wrong]
            else:
                self._resolved_providers[name] = validate_user_provider(name, table)
        return self._resolved_providers[name]

    @cached_property
    def _top_level_findings(self) -> list[Finding]:
        return top_findings(self._data, self.profile_names())

    @property
    def state_dir(self) -> str | None:
        """Return the folder that the file chooses for locks, journals and the file store."""
        written = self._data.get("state_dir")
        fits = isinstance(written, str) and bool(written)
        return str(expand_path(str(written), self.path.parent)) if fits else None

    @cached_property
    def _key_lines(self) -> dict[tuple[str, ...], int]:
        return map_key_lines(self.text)

    def _top_level_table(self, key: str) -> Mapping[str, Any]:
        table = self._data.get(key)
        return table if isinstance(table, dict) else {}

    def _find_profile_table(self, name: str) -> Mapping[str, Any]:
        profiles = self._top_level_table("profiles")
        if name in profiles:
            table = profiles[name]
            return table if isinstance(table, dict) else {}
        if not profiles:
            raise self.no_profile_error()
        likely = closest_match(name, profiles)
        near = f"did you mean {likely}? " if likely else ""
        raise UnknownProfileError(
            f"there is no profile {name[:80]!r} in {self.path}",
            fix=f"{near}there is: {self._format_profile_names()}; or add it: tokencli profiles add NAME",
        )

    def _format_profile_names(self) -> str:
        names = self.profile_names()
        return ", ".join(names[:20]) + (" …" if len(names) > 20 else "")

    def no_profile_error(self) -> ConfigError:
        """Return what to say where there is no profile."""
        why = "" if self.exists else ", which does not exist"
        return UnknownProfileError(
            f"there is no profile yet in {self.path}{why}",
            fix=f"tokencli profiles add NAME --provider {'|'.join(BUILTIN_NAMES)}",
        )

    def _invalid_config_error(self) -> ConfigError:
        found = self.find_problems()
        count = "a problem" if len(found) == 1 else f"{len(found)} problems"
        fix = "tokencli profiles edit"
        return ConfigError(f"{self.path} has {count}", fix=fix, problems=found)
