"""Load the configuration: a profile and its provider are validated when they are first used."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokencli.config.config_file import (
    FileWarning,
    choose_config_command,
    expand_path,
    find_config_path,
    parse_toml,
    read_config_text,
)
from tokencli.config.toml_positions import find_line, map_key_lines
from tokencli.errors import ConfigError, ConfigProblem, check_profile_name
from tokencli.models import Profile
from tokencli.problems import (
    Finding,
    closest_match,
    count_problems,
    did_you_mean,
    list_names,
    quote_value,
)
from tokencli.provider_schema import Provider
from tokencli.providers.catalog import BUILTIN_NAMES, load_builtin
from tokencli.shell_words import quote, user_shell
from tokencli.system.user_dirs import SANDBOX_DIR_PREFIX, is_creatable
from tokencli.toml_writer import format_key_path

if TYPE_CHECKING:
    from tokencli.config.profile_schema import ProfileTable
    from tokencli.config.resolve import ConfigLocation

_ADD_PROFILE = "tokencli profiles add"


class UnknownProfileError(ConfigError):
    """There is no profile of that name."""


def load_config(path: Path, environ: Mapping[str, str], *, must_exist: bool) -> "Config":
    """Read the configuration at `path`; without a file it is empty, unless it `must_exist`.

    Raises:
        ConfigError: it can't be read, other users may write it, or it is not TOML.
    """
    try:
        text, warnings = read_config_text(path)
    except FileNotFoundError:
        if must_exist:
            raise ConfigError(
                f"the configuration file {path} does not exist", fix=_ADD_PROFILE
            ) from None
        return Config(path, "", environ, exists=False)
    return Config(path, text, environ, warnings)


class Config:
    """One configuration file."""

    def __init__(
        self, path: Path, text: str, environ: Mapping[str, str], warnings: tuple[FileWarning, ...] = (),
        *, exists: bool = True,
    ) -> None:  # fmt: skip
        self.path = path
        self.exists = exists
        self.text = text
        self.warnings = warnings
        """Warnings about the file's permissions."""
        self._environ = environ
        self.data = parse_toml(text, path)
        """The parsed file, which must not be changed."""
        self._profile_models: dict[str, type[ProfileTable]] = {}
        self._validated_providers: dict[str, Provider | list[Finding]] = {}
        self._resolved_profiles: dict[str, Profile | list[Finding]] = {}

    @property
    def default_profile(self) -> str | None:
        """Return the profile used if none is named."""
        name = self.data.get("default_profile")
        return name if isinstance(name, str) else None

    @cached_property
    def state_dir(self) -> str | None:
        """Return the directory that the file sets for locks, journals and the file store."""
        written = self.data.get("state_dir")
        if not isinstance(written, str) or not written:
            return None
        return str(expand_path(written, self.path.parent))

    @property
    def isolated(self) -> bool:
        """Return whether only the state directory is used, and neither keyring nor runtime directory."""
        return self.data.get("isolated") is True and self.state_dir is not None

    @property
    def event_log(self) -> bool:
        """Return whether the event log is on."""
        return self.data.get("event_log") is not False

    def profile_names(self) -> tuple[str, ...]:
        """List the profiles in the order of the file."""
        return tuple(self._top_level_table("profiles"))

    def provider_names(self) -> tuple[str, ...]:
        """List the built-in providers, then the user's."""
        user_defined = self._top_level_table("providers")
        return (*BUILTIN_NAMES, *(name for name in user_defined if name not in BUILTIN_NAMES))

    def provider_table(self, name: str) -> Mapping[str, Any]:
        """Return the keys of a user-defined provider as they are written."""
        table = self._top_level_table("providers").get(name)
        return table if isinstance(table, dict) else {}

    def provider_users(self, provider: str) -> tuple[str, ...]:
        """List the profiles that use a provider."""
        return tuple(
            name
            for name in self.profile_names()
            if self.profile_table(name).get("provider") == provider
        )

    def profile_table(self, name: str) -> Mapping[str, Any]:
        """Return a profile's keys as they are written; raises UnknownProfileError."""
        profiles = self._top_level_table("profiles")
        if name not in profiles:
            if misplaced := _find_misplaced_tables(self.data):
                raise self._problems_error(self._to_problems(misplaced))
            raise self._unknown_profile_error(name) if profiles else self.no_profile_error()
        table = profiles[name]
        return table if isinstance(table, dict) else {}

    def editable_profile_table(self, name: str) -> Mapping[str, Any]:
        """Return a profile's keys; raises ConfigError if something else stands there, such as `x = 5`."""
        table = self.profile_table(name)
        if not isinstance(self._top_level_table("profiles")[name], dict):
            raise self.invalid_config_error()
        return table

    def line_number(self, *path: str) -> int | None:
        """Return the 1-based line of a key, or of the table around it."""
        return find_line(self._key_lines, path)

    def choose_profile(self, flag: str | None) -> str:
        """Return the profile named by flag, TOKENCLI_PROFILE or `default_profile`, else the only one.

        Raises:
            UsageError: the flag is empty. ConfigError: none is named and there is not exactly one.
        """
        check_profile_name(flag)
        chosen = flag or self._environ.get("TOKENCLI_PROFILE") or self.default_profile
        if chosen:
            return chosen
        if misplaced := _find_misplaced_tables(self.data):
            raise self._problems_error(self._to_problems(misplaced))
        names = self.profile_names()
        if len(names) == 1:
            return names[0]
        if not names:
            raise self.no_profile_error()
        raise ConfigError(
            f"no profile was given, and no default profile is set (profiles: {list_names(names)})",
            fix=f"tokencli profiles use {quote(names[0])}",
        )

    def get_profile(self, name: str) -> Profile:
        """Return a profile with all defaults filled in.

        Raises:
            UnknownProfileError: there is no profile of that name.
            ConfigError: it, its provider or the top level of the file has a problem; carries every
                problem of the whole file.
        """
        profile = self._resolve_profile(name)
        if isinstance(profile, list) or self._top_level_findings:
            raise self.invalid_config_error()
        return profile

    def get_profile_ignoring_top_level(self, name: str) -> Profile:
        """Return a profile even if the top level of the file has a problem; raises ConfigError."""
        profile = self._resolve_profile(name)
        if isinstance(profile, list):
            raise self.invalid_config_error()
        return profile

    def get_provider(self, name: str) -> Provider:
        """Return a built-in or user-defined provider; raises ConfigError."""
        provider = self._find_provider(name)
        if isinstance(provider, list):
            raise self.invalid_config_error()
        if provider is None:
            likely = closest_match(name, self.provider_names())
            hint = f"; did you mean {likely}?" if likely else ""
            raise ConfigError(
                f"there is no provider {name[:80]!r}{hint}",
                fix=f"tokencli providers show {likely}" if likely else "tokencli providers",
            )
        return provider

    def find_problems(self) -> tuple[ConfigProblem, ...]:
        """List every problem of the whole file."""
        return self._to_problems(self._list_findings(self._top_level_table("profiles")))

    def find_added_problems(self, old: "Config") -> tuple[ConfigProblem, ...]:
        """List the problems that `old`, the file before a change, doesn't have.

        A profile is validated only if something that its problems depend on is different.
        """
        names = [name for name in self._top_level_table("profiles") if self._differs(old, name)]
        before = old._to_problems(old._list_findings(set(names) & set(old.profile_names())))
        known = {(problem.where, problem.what) for problem in before}
        return tuple(
            problem
            for problem in self._to_problems(self._list_findings(names))
            if (problem.where, problem.what) not in known
        )

    def _differs(self, old: "Config", name: str) -> bool:
        """Tell whether a profile, its provider or the file's settings are different."""
        table, old_table = (one._top_level_table("profiles").get(name) for one in (self, old))
        if self._location != old._location or repr(table) != repr(old_table):  # 1 == True
            return True
        provider = table.get("provider") if isinstance(table, dict) else None
        tables = (one._top_level_table("providers").get(str(provider)) for one in (self, old))
        return len(set(map(repr, tables))) > 1

    def _list_findings(self, profile_names: Iterable[str]) -> list[Finding]:
        findings = list(self._top_level_findings)
        for name in self._top_level_table("providers"):
            provider = self._find_provider(name, user_defined=True)
            findings += provider if isinstance(provider, list) else []
        for name in profile_names:
            profile = self._resolve_profile(name)
            findings += profile if isinstance(profile, list) else []
        return findings

    def find_profile_problems(self, name: str) -> tuple[ConfigProblem, ...]:
        """List the problems that keep one profile from being used."""
        profile = self._resolve_profile(name)
        return self._to_problems(profile if isinstance(profile, list) else [])

    def no_profile_error(self) -> ConfigError:
        """Return the error for a configuration without any profile."""
        usual = _usual_config_path(self._environ)
        if self.exists or self.path == usual:
            if not self.exists and not is_creatable(self.path):
                return UnknownProfileError(
                    "there is no profile yet",
                    cause=f"{self.path} does not exist, and you can't create it",
                    fix=choose_config_command(),
                )
            where = f"{self.path} {'has no profiles' if self.exists else 'does not exist'}"
            return UnknownProfileError("there is no profile yet", cause=where, fix=_ADD_PROFILE)
        by_variable = find_config_path(None, self._environ) == self.path
        named_by = "TOKENCLI_CONFIG" if by_variable else "--config"
        cause, fix = f"{named_by} names this file", None
        if self.path.parent.name.startswith(SANDBOX_DIR_PREFIX):
            cause = f"{named_by} names the configuration of a sandbox that has ended"
        elif not (by_variable and usual is not None and usual.exists()):
            option = "" if by_variable else f" --config {quote(str(self.path))}"
            fix = _ADD_PROFILE + option
        if by_variable:
            fix = fix or user_shell().unset_variable("TOKENCLI_CONFIG")
        return UnknownProfileError(
            f"the configuration file {self.path} does not exist", cause=cause, fix=fix
        )

    def _to_problems(self, findings: list[Finding]) -> tuple[ConfigProblem, ...]:
        """Give each problem its line, and sort them in the order of the file."""
        problems = [
            finding.to_problem(self.line_number(*finding.key_path))
            for finding in dict.fromkeys(findings)
        ]
        return tuple(sorted(problems, key=lambda problem: problem.line or 0))

    def _resolve_profile(self, name: str) -> Profile | list[Finding]:
        self.profile_table(name)
        if name not in self._resolved_profiles:
            self._resolved_profiles[name] = self._validate_profile(name)
        return self._resolved_profiles[name]

    def _validate_profile(self, name: str) -> Profile | list[Finding]:
        # Start-up cost: they load pydantic, and a list of names needs none.
        from tokencli.config import resolve
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
        return resolve.resolve_profile(name, table, provider, model, self._location)

    def _find_provider(
        self, name: str, *, user_defined: bool = False
    ) -> Provider | list[Finding] | None:
        """Return a provider, its problems, or None if there is none of that name."""
        if name in BUILTIN_NAMES and not user_defined:
            return load_builtin(name)
        if name not in self._validated_providers:
            table = self._top_level_table("providers").get(name)
            if table is None:
                return None
            from tokencli.config.provider_validation import validate_user_provider  # start-up cost

            self._validated_providers[name] = validate_user_provider(name, table)
        return self._validated_providers[name]

    @cached_property
    def _location(self) -> "ConfigLocation":
        from tokencli.config import resolve

        return resolve.ConfigLocation(self.path, self.state_dir, self.isolated, self.event_log)

    @cached_property
    def _top_level_findings(self) -> list[Finding]:
        return _check_top_level(self.data, self.profile_names())

    @cached_property
    def _key_lines(self) -> dict[tuple[str, ...], int]:
        return map_key_lines(self.text)

    def _top_level_table(self, key: str) -> Mapping[str, Any]:
        table = self.data.get(key)
        return table if isinstance(table, dict) else {}

    def _unknown_profile_error(self, name: str) -> ConfigError:
        check_profile_name(name)
        names = self.profile_names()
        likely = closest_match(name, names)
        hint = f"; did you mean {likely}?" if likely else ""
        return UnknownProfileError(
            f"there is no profile {name[:80]!r} in {self.path}{hint}",
            cause=f"profiles: {list_names(names)}",
            fix="tokencli profiles",
        )

    def invalid_config_error(self) -> ConfigError:
        """Return the error that carries every problem of the file."""
        return self._problems_error(self.find_problems())

    def _problems_error(self, problems: tuple[ConfigProblem, ...]) -> ConfigError:
        return ConfigError(
            f"{self.path} has {count_problems(problems)}",
            fix=edit_command(self.path, self._environ),
            problems=problems,
        )


def _usual_config_path(environ: Mapping[str, str]) -> Path | None:
    """Return the path that is used if neither `--config` nor TOKENCLI_CONFIG names one."""
    unnamed = {name: value for name, value in environ.items() if name != "TOKENCLI_CONFIG"}
    try:
        return find_config_path(None, unnamed)
    except ConfigError:
        return None


def edit_command(path: Path, environ: Mapping[str, str]) -> str:
    """Return the command that opens the configuration file at `path` in an editor."""
    try:
        is_default = find_config_path(None, environ) == path
    except ConfigError:
        is_default = False
    command = "tokencli profiles edit"
    return command if is_default else f"{command} --config {quote(str(path))}"


def _check_top_level(data: Mapping[str, object], names: tuple[str, ...]) -> list[Finding]:
    """List the problems outside the profiles and providers; the profiles are `names`."""
    from tokencli.config.profile_schema import TOP_LEVEL_KEYS

    findings = _find_misplaced_tables(data)
    reported = {finding.key_path[0] for finding in findings}
    for key, value in data.items():
        if key in reported:
            continue
        if key not in TOP_LEVEL_KEYS:
            suggestion = did_you_mean(key, TOP_LEVEL_KEYS)
            findings.append(Finding((key,), "is not a key of this file", suggestion))
        elif not isinstance(value, TOP_LEVEL_KEYS[key].kind):
            wanted = TOP_LEVEL_KEYS[key].wanted
            findings.append(Finding((key,), f"is {quote_value(value)}", f"must be {wanted}"))
    if data.get("isolated") is True and not data.get("state_dir"):
        findings.append(Finding(("isolated",), "requires state_dir", 'add state_dir = "…"'))
    default = data.get("default_profile")
    if isinstance(default, str) and default not in names:
        message = f"is {default[:80]!r}, but there is no such profile"
        findings.append(Finding(("default_profile",), message, did_you_mean(default, names)))
    return findings


def _find_misplaced_tables(data: Mapping[str, object]) -> list[Finding]:
    """List the tables that are meant as profiles or providers, but are written in another form.

    E.g. `[profile.p]`, `[[profiles]]` with a `name`, `[profiles]` without one, and `[p]`.
    """
    findings = []
    for key, value in data.items():
        plural = closest_match(key, ("profiles", "providers"))
        if isinstance(value, list) and plural and all(isinstance(each, dict) for each in value):
            names = [each.get("name") for each in value]
            findings.append(Finding((key,), "is an array of tables", _headers(plural, names)))
        elif not isinstance(value, dict):
            continue
        elif plural == key:
            if (
                key == "profiles"
                and "provider" in value
                and not isinstance(value["provider"], dict)
            ):
                message = "is a profile without a name"
                findings.append(Finding((key,), message, _headers(plural, [value.get("name")])))
        elif "provider" in value or "endpoints" in value:
            table = "profiles" if "provider" in value else "providers"
            name = None if plural else key
            findings.append(Finding((key,), "is not a key of this file", _headers(table, [name])))
        elif plural:
            tables = [name for name, inner in value.items() if isinstance(inner, dict)]
            findings.append(
                Finding((key,), "is not a key of this file", _headers(plural, tables or [None]))
            )
    return findings


def _headers(table: str, names: Sequence[object]) -> str:
    """Return the suggestion to write one header for each name, e.g. `write [profiles.p]`."""
    paths = [
        format_key_path((table, name)) if isinstance(name, str) else f"{table}.NAME"
        for name in names[:3]
    ]
    return f"write {' and '.join(f'[{path}]' for path in paths)}"
