"""List profiles: their problems, settings with their origin, secrets, and the state of their tokens."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tokencli.core.secret_account import read_secret
from tokencli.core.secret_resolver import source_interaction
from tokencli.core.stored_token import find_stored_token
from tokencli.errors import ConfigProblem, KeyringError, TokencliError
from tokencli.models import Profile, SecretRef, TokenSet
from tokencli.oauth import grants
from tokencli.protocols import Context
from tokencli.providers.endpoint_urls import KEY_BY_ENDPOINT, get_url_origin

if TYPE_CHECKING:
    from tokencli.config.load import Config

MAX_KEYRING_LOOKUPS = 100
"""How many tokens one listing looks up in the keyring, because each lookup takes milliseconds."""
_KEYRING_STORES = ("auto", "keyring")


@dataclass(frozen=True, slots=True)
class TokenStatus:
    """The state of a profile's stored token."""

    state: str
    """`fresh`, `expired`, `none`, `unknown` (no expiry), or `not_asked`."""
    reason: str | None = None
    """Why the store wasn't read, or couldn't be."""
    keyring_error: KeyringError | None = None
    """The error, if the OS keyring is locked, missing or not responding."""
    token: TokenSet | None = None
    """The stored token set itself."""

    @property
    def expires_at(self) -> float | None:
        """Epoch seconds by this computer's clock; None if unknown, or if the token does not expire."""
        return None if self.token is None else self.token.known_expiry

    @property
    def clock_skew(self) -> float | None:
        """See `TokenSet.clock_skew`; None if the expiry is unknown as well."""
        if self.token is None or self.token.expires_at is None:
            return None
        return self.token.clock_skew


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """One profile of the list."""

    name: str
    is_default: bool
    profile: Profile | None
    """None if the profile has problems."""
    problems: tuple[ConfigProblem, ...] = ()
    token_status: TokenStatus = field(default_factory=lambda: TokenStatus("none"))


def list_profiles(
    config: "Config",
    ctx: Context,
    with_endpoints: Callable[[Profile], Profile] = lambda profile: profile,
    names: Collection[str] = (),
) -> Iterator[ProfileRow]:
    """Yield every profile in the order of the file. An invalid one is listed with its problems.

    `with_endpoints` adds the endpoints from the issuer's cached metadata. If there are `names`, only
    these profiles are listed.
    """
    reader = _TokenStatusReader(ctx)
    for name in config.profile_names():
        if names and name not in names:
            continue
        problems = config.find_profile_problems(name)
        is_default = name == config.default_profile
        if problems:
            yield ProfileRow(name, is_default, None, problems)
        else:
            profile = with_endpoints(config.get_profile_ignoring_top_level(name))
            yield ProfileRow(
                name, is_default, profile, token_status=reader.read_token_status(profile)
            )


def read_token_status(profile: Profile, ctx: Context) -> TokenStatus:
    """Return the state of the profile's stored token."""
    return _TokenStatusReader(ctx).read_token_status(profile)


@dataclass(slots=True)
class _TokenStatusReader:
    """Reads token states. A keyring that failed isn't asked again, and the lookups are limited."""

    ctx: Context
    keyring_failure: KeyringError | None = None
    keyring_lookups: int = 0

    def read_token_status(self, profile: Profile) -> TokenStatus:
        if profile.store in _KEYRING_STORES:
            if self.keyring_failure is not None and profile.store == "keyring":
                return _keyring_failure_status(self.keyring_failure)
            if self.keyring_lookups >= MAX_KEYRING_LOOKUPS:
                return TokenStatus(
                    "not_asked", reason="too many profiles to look them all up in the keyring"
                )
        try:
            store = self.ctx.token_store(profile)
            self.keyring_lookups += store.name == "keyring"
            stored = find_stored_token(profile, self.ctx)
        except KeyringError as error:
            if error.affects_whole_keyring:
                self.keyring_failure = error
            return _keyring_failure_status(error)
        except TokencliError as error:
            return TokenStatus("not_asked", reason=error.message)
        if stored is None:
            return TokenStatus("none")
        if stored.token.expires_at is None:
            return TokenStatus("unknown", token=stored.token)
        fresh = stored.token.is_fresh(self.ctx.clock.now(), profile.reachable_min_ttl())
        return TokenStatus("fresh" if fresh else "expired", token=stored.token)


def _keyring_failure_status(error: KeyringError) -> TokenStatus:
    return TokenStatus("not_asked", reason=error.message, keyring_error=error)


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """One value of a profile, and its origin."""

    key: str
    value: str
    origin: str
    """`config.toml:12`, `provider groupid`, or `default`."""


def list_settings(profile: Profile, config: "Config") -> Iterator[EffectiveSetting]:
    """Yield all effective settings of a profile except its secrets, in the same order for every profile."""
    is_interactive = grants.is_interactive(profile.grant)
    values: dict[str, object] = {
        "provider": profile.provider.name,
        "grant": profile.grant,
        "client_auth": profile.client_auth,
        "issuer": profile.issuer,
        "token_url": None if profile.token_url == profile.issuer else profile.token_url,
        **{
            key: profile.endpoints.get(name)
            for name, key in KEY_BY_ENDPOINT.items()
            if name not in ("token", "issuer")
        },
        "api_url": profile.api_url,
        **profile.values,
        "scope": profile.scope,
        "store": profile.store,
        "hot_copy": profile.hot_copy,
        "export": profile.export,
        "min_ttl": profile.min_ttl,
        "timeout": profile.connection.timeout,
        "lock_timeout": profile.lock_timeout,
        "ca_file": profile.connection.ca_file,
        "proxy": profile.connection.proxy,
        "insecure": profile.connection.insecure,
        "basic_encoding": profile.basic_encoding,
        "browser": profile.sign_in.browser if is_interactive else None,
        "interactive": profile.sign_in.interactive if is_interactive else None,
        "redirect_host": profile.sign_in.redirect_host,
        "redirect_port": profile.sign_in.redirect_port,
        "redirect_path": profile.sign_in.redirect_path
        if "redirect_path" in profile.value_sources
        else None,
        "par": profile.sign_in.par or None,
        "state_dir": profile.state_dir,
    }
    top_level_params = {"audience", "resource"}
    for key, value in values.items():
        if value is not None:
            yield EffectiveSetting(key, _format_value(value), _setting_origin(profile, config, key))
    for key, value in profile.params.items():
        is_top_level = key in top_level_params and key in profile.value_sources
        yield EffectiveSetting(
            key if is_top_level else f"params.{key}",
            _format_param(key, value),
            _setting_origin(profile, config, key if is_top_level else "params"),
        )


def _setting_origin(profile: Profile, config: "Config", key: str) -> str:
    """Return the origin of a value, with its line in the configuration file."""
    is_top_level = key == "state_dir"
    default = "issuer" if key.endswith("_url") else "default"
    source = config.path.name if is_top_level else profile.value_sources.get(key, default)
    if source != config.path.name:
        return source
    line = config.line_number(*((key,) if is_top_level else ("profiles", profile.name, key)))
    return f"{source}:{line}" if line else source


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}s"
    return str(value)


_SECRET_NAME_PARTS = ("secret", "password", "passwd", "token", "key", "pin", "otp", "assertion")


def _format_param(name: str, value: str | tuple[str, ...]) -> str:
    """Format an extra parameter; it is masked if its name sounds like a secret's."""
    if any(part in name.casefold() for part in _SECRET_NAME_PARTS):
        return "***"
    return value if isinstance(value, str) else ", ".join(value)


@dataclass(frozen=True, slots=True)
class SecretStatus:
    """Where a secret is stored, and whether it is there."""

    ref: SecretRef
    present: bool | None
    """None if its source can't be read, or if reading would prompt or run a command."""
    reason: str | None = None


def list_secret_statuses(profile: Profile, ctx: Context) -> Iterator[SecretStatus]:
    """Yield each secret of the profile, without prompting or running a command."""
    keyring_failure: str | None = None
    for ref in profile.secrets.values():
        if source_interaction(ref, ctx) != "none":
            yield SecretStatus(ref, None, "read only when needed")
            continue
        if ref.kind == "keyring" and keyring_failure is not None:
            yield SecretStatus(ref, None, keyring_failure)
            continue
        try:
            yield SecretStatus(ref, bool(read_secret(profile, ref, ctx)))
        except TokencliError as error:
            if isinstance(error, KeyringError) and error.affects_whole_keyring:
                keyring_failure = error.message
            yield SecretStatus(ref, None, error.message)


def suggest_next_commands(profile: Profile, stored_secrets: Collection[str] = ()) -> Sequence[str]:
    """Return the commands to run after a profile was added, some secrets of which are stored already."""
    commands = []
    missing = [
        name
        for name, ref in profile.secrets.items()
        if ref.kind == "keyring" and name not in stored_secrets
    ]
    if missing or grants.is_interactive(profile.grant):
        commands.append(f"tokencli login {profile.name}")
    return (*commands, f"tokencli get {profile.name}")


def endpoint_host(profile: Profile) -> str:
    """Return the token endpoint's host, with its port unless that is the default."""
    return get_url_origin(profile.token_url).partition("://")[2].removesuffix(":443")
