"""The users, clients and lifetimes of a sandbox, and the file that `--users` names."""

import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokencli.config.toml_positions import find_line, map_key_lines
from tokencli.duration import parse_duration
from tokencli.errors import ConfigError, UsageError
from tokencli.problems import Finding, count_problems, did_you_mean
from tokencli.providers.validation.values import PROFILE_NAME_PATTERN
from tokencli.toml_writer import KeyPath, format_key_path

if TYPE_CHECKING:
    from joserfc.jwk import ECKey

MAX_FILE_BYTES = 1 << 20
GRANTS = (
    "client_credentials",
    "authorization_code",
    "device_code",
    "password",
    "token_exchange",
)
"""The grants of a client, under the names that profiles use. Refresh tokens need no mention."""
CONFIDENTIAL_GRANTS = ("client_credentials", "token_exchange")
"""Grants that need a client secret (RFC 6749 section 4.4)."""
OWN_CLAIMS = (
    "iss",
    "aud",
    "iat",
    "exp",
    "nbf",
    "jti",
    "client_id",
    "scope",
    "cnf",
    "nonce",
    "auth_time",
)
"""Claims that the sandbox sets itself."""
SCOPE_PATTERN = r"[!#-\[\]-~]+"
"""A scope-token of RFC 6749 section 3.3."""
USER_KEYS = ("password", "claims")
CLIENT_KEYS = ("secret", "grants", "scopes", "redirect_uris", "audience", "claims")
LIFETIME_KEYS = ("access_token", "refresh_token", "id_token", "authorization_code", "device_code")
TABLES = ("users", "clients", "lifetimes")
USERNAME, PASSWORD = "alice", "made-up-password-of-alice"


@dataclass(frozen=True, slots=True)
class User:
    """A user of the sandbox."""

    password: str = field(repr=False)
    claims: Mapping[str, Any] = field(default_factory=dict)
    """What UserInfo, the ID token and access tokens say about the user."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client of the system `oauth2`."""

    secret: str | None = field(default=None, repr=False)
    """None for a public client."""
    grants: tuple[str, ...] = GRANTS
    scopes: tuple[str, ...] | None = None
    """The scopes it may request; None for all that the server knows."""
    redirect_uris: tuple[str, ...] | None = None
    """On a loopback address the port doesn't matter; None for any loopback URL."""
    audience: str | None = None
    """The `aud` of its access tokens; None for the sandbox's own resource."""
    claims: Mapping[str, Any] = field(default_factory=dict)
    """More claims of its access tokens."""
    public_key: "ECKey | None" = None
    """The key of a client that authenticates with `private_key_jwt`."""
    certificate_name: str | None = None
    """The DNS name in the certificate of a client that authenticates with `tls_client_auth`."""


DEFAULT_USERS: Mapping[str, User] = {
    USERNAME: User(
        PASSWORD, {"name": "Alice Example", "email": "alice@example.com", "email_verified": True}
    )
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set in the file; `users` and `clients` by name."""

    users: Mapping[str, User] = field(default_factory=lambda: DEFAULT_USERS)
    clients: Mapping[str, Client] = field(default_factory=dict)
    lifetimes: Mapping[str, float] = field(default_factory=dict)
    """Seconds, by what lives that long: the keys are LIFETIME_KEYS."""
    sign_in: str | None = None
    """The user who is signed in at once, without a page."""

    def check_password(self, name: str, password: str) -> bool:
        """Tell whether there is such a user with this password."""
        user = self.users.get(name)
        return user is not None and user.password == password


def read_settings(file: str, reserved_names: tuple[str, ...] = ()) -> Settings:
    """Read users, clients and lifetimes from a TOML or JSON file.

    Clients can't have the `reserved_names`: those of the sandbox's own clients and profiles.

    Raises:
        UsageError: the file can't be read.
        ConfigError: it is not valid TOML or JSON, or its content is wrong; lists every problem.
    """
    text = _read_text(file)
    is_json = Path(file).suffix == ".json" or text.lstrip().startswith("{")
    tables = _parse_tables(file, text, is_json=is_json)
    return parse_settings(tables, file, reserved_names, "" if is_json else text)


def parse_settings(
    tables: Mapping[str, Any],
    file: str = "users",
    reserved_names: tuple[str, ...] = (),
    toml: str = "",
) -> Settings:
    """Validate users, clients and lifetimes; the error names the `file` and the lines in `toml`.

    Raises:
        ConfigError: something is wrong; lists every problem.
    """
    checker = _Checker(reserved_names)
    settings = checker.read(tables)
    if checker.findings:
        lines = map_key_lines(toml)
        problems = [each.to_problem(find_line(lines, each.key_path)) for each in checker.findings]
        raise ConfigError(
            f"{file} has {count_problems(problems)}",
            fix="tokencli help sandbox",
            problems=sorted(problems, key=lambda problem: problem.line or 0),
        )
    return settings


def _read_text(file: str) -> str:
    try:
        with Path(file).open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ConfigError(f"{file} is larger than 1 MiB")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"can't read --users {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not encoded in UTF-8") from error


def _parse_tables(file: str, text: str, *, is_json: bool) -> dict[str, Any]:
    try:
        tables = (
            json.loads(text, object_pairs_hook=_reject_repeated_keys)
            if is_json
            else tomllib.loads(text)
        )
    except (ValueError, RecursionError) as error:
        kind = "JSON" if is_json else "TOML"
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ConfigError(f"{file} is not valid {kind}", cause=reason) from error
    if not isinstance(tables, dict):
        raise ConfigError(f"{file} must be a JSON object with {', '.join(TABLES)}")
    return tables


def _reject_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name!r} is there twice")
        found[name] = value
    return found


class _Checker:
    """Collects every problem of a file. Messages never quote passwords or secrets."""

    def __init__(self, reserved_names: tuple[str, ...]) -> None:
        self.findings: list[Finding] = []
        self._reserved_names = reserved_names

    def read(self, tables: Mapping[str, Any]) -> Settings:
        self._check_keys((), tables, TABLES)
        return Settings(
            users={
                name: User(
                    self._secret((*path, "password"), table.get("password")) or "",
                    self._claims((*path, "claims"), table.get("claims", {})),
                )
                for name, path, table in self._named_tables(tables, "users", USER_KEYS)
            }
            or DEFAULT_USERS,
            clients={
                name: self._client(path, table)
                for name, path, table in self._named_tables(tables, "clients", CLIENT_KEYS)
                if self._check_client_name(name, path)
            },
            lifetimes=self._lifetimes(tables.get("lifetimes", {})),
        )

    def _report(self, path: KeyPath, what: str, right: str | None = None) -> None:
        self.findings.append(Finding(path, what, right))

    def _check_keys(self, path: KeyPath, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for name in table:
            if name not in known:
                key = str(name)  # in a mapping it can be of any type
                self._report((*path, key), "is not a known key", did_you_mean(key, known))

    def _named_tables(
        self, tables: Mapping[str, Any], kind: str, keys: tuple[str, ...]
    ) -> Iterator[tuple[str, KeyPath, Mapping[str, Any]]]:
        """Yield name, key path and table of each user or client."""
        found = tables.get(kind, {})
        example = f"write [{kind}.NAME]"
        if not isinstance(found, dict):
            self._report((kind,), "must be a table", example)
            return
        for name, table in found.items():
            path = (kind, str(name))
            if not (isinstance(name, str) and name and name.isprintable()):
                self._report(path, "needs a name in printable characters")
            elif not isinstance(table, dict):
                self._report(path, "must be a table", f"write [{format_key_path(path)}]")
            else:
                self._check_keys(path, table, keys)
                yield name, path, table

    def _check_client_name(self, name: str, path: KeyPath) -> bool:
        if re.fullmatch(PROFILE_NAME_PATTERN, name) is None:
            self._report(
                path,
                "can't be the name of a profile, which each client gets",
                "use letters, digits, dots, hyphens and underscores",
            )
        elif name in self._reserved_names:
            self._report(path, "is already used by the sandbox", "choose another name")
        else:
            return True
        return False

    def _client(self, path: KeyPath, table: Mapping[str, Any]) -> Client:
        secret = self._secret((*path, "secret"), table["secret"]) if "secret" in table else None
        is_public = "secret" not in table
        possible = tuple(name for name in GRANTS if not (is_public and name in CONFIDENTIAL_GRANTS))
        grants = self._strings((*path, "grants"), table.get("grants"))
        for name in grants or ():
            if name not in GRANTS:
                self._report(
                    (*path, "grants"), f"{name!r} is not a grant", did_you_mean(name, GRANTS)
                )
            elif name not in possible:
                self._report((*path, "grants"), f"{name} needs a client secret", "add secret")
        audience = table.get("audience")
        if audience is not None and not (isinstance(audience, str) and audience):
            self._report((*path, "audience"), "must be text")
        redirect_uris = self._strings((*path, "redirect_uris"), table.get("redirect_uris"))
        for uri in redirect_uris or ():
            if re.fullmatch(r"[a-z][a-z0-9+.-]*:[!-~]+", uri) is None or "#" in uri:
                self._report((*path, "redirect_uris"), f"{uri!r} is not a URL without a fragment")
        scopes = self._strings((*path, "scopes"), table.get("scopes"))
        for scope in scopes or ():
            if re.fullmatch(SCOPE_PATTERN, scope) is None:
                instead = "name each scope by itself" if " " in scope else None
                self._report((*path, "scopes"), f"{scope!r} is not a scope", instead)
        return Client(
            secret,
            grants or possible,
            scopes,
            redirect_uris,
            audience,
            self._claims((*path, "claims"), table.get("claims", {})),
        )

    def _secret(self, path: KeyPath, value: object) -> str | None:
        if value is None:
            self._report(path, "is missing", f'write {path[-1]} = "…"')
        elif not isinstance(value, str):
            self._report(path, "must be text", "put it in quotes")
        elif not value or not value.isprintable():
            self._report(path, "is empty" if not value else "has a control character")
        else:
            return value
        return None

    def _strings(self, path: KeyPath, value: object) -> tuple[str, ...] | None:
        if value is None:
            return None
        if not isinstance(value, list | tuple) or not all(
            isinstance(item, str) and item and item.isprintable() for item in value
        ):
            self._report(path, "must be a list of texts", f'write {path[-1]} = ["…"]')
            return None
        if not value:
            self._report(path, "is empty", "remove it, or name at least one")
        return tuple(dict.fromkeys(value))

    def _claims(self, path: KeyPath, value: object) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self._report(path, "must be a table")
            return {}
        for name, item in value.items():
            if name in OWN_CLAIMS:
                instead = "set the client's audience" if name == "aud" else "remove it"
                self._report((*path, name), "is set by the sandbox itself", instead)
            elif name == "sub" and not (isinstance(item, str) and item):
                self._report((*path, name), "must be text")
            elif (problem := _find_json_problem(item)) is not None:
                self._report((*path, name), problem)
        return value

    def _lifetimes(self, value: object) -> Mapping[str, float]:
        if not isinstance(value, dict):
            self._report(("lifetimes",), "must be a table", "write [lifetimes]")
            return {}
        self._check_keys(("lifetimes",), value, LIFETIME_KEYS)
        found = {}
        for name in LIFETIME_KEYS:
            if name in value:
                try:
                    found[name] = parse_duration(value[name])
                except ValueError as error:
                    self._report(("lifetimes", name), f"is not valid: {error}")
        return found


def _find_json_problem(value: object) -> str | None:
    """Return why a claim can't be in a JWT, or None."""
    if value is None or isinstance(value, str | bool | int):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else "is not a number that JSON has"
    if isinstance(value, list | tuple):
        return next(filter(None, map(_find_json_problem, value)), None)
    if isinstance(value, dict):
        return next(filter(None, map(_find_json_problem, value.values())), None)
    if isinstance(value, date | time):
        return "is a date, which JSON doesn't have; write it as text, or as a number of seconds"
    return f"is of the type {type(value).__name__}, which JSON doesn't have"
