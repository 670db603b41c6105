"""Look at profiles: what there is, where each value comes from, and how long a token lasts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tokencli.core.secret_resolver import source_interaction
from tokencli.core.stored_token import find_stored_token
from tokencli.errors import ConfigProblem, KeyringError, TokencliError
from tokencli.models import Profile, SecretRef
from tokencli.oauth import grants
from tokencli.protocols import Context
from tokencli.token_store.credential_key import derive_binding, get_url_origin

if TYPE_CHECKING:
    from tokencli.config.load import Config

MAX_KEYRING_LOOKUPS = 100
"""Profiles whose token is looked up in the keyring for one listing: each lookup takes milliseconds."""
_KEYRING_STORES = ("auto", "keyring")


@dataclass(frozen=True, slots=True)
class TokenStatus:
    """What a store says of a profile's token."""

    state: str
    """`fresh`, `expired`, `none`, `unknown` (its life was not said), or `not_asked`."""
    expires_at: float | None = None
    """Epoch seconds."""
    reason: str | None = None
    """Why the store was not asked, or did not answer."""


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """One profile of the list."""

    name: str
    is_default: bool
    profile: Profile | None
    """None where the profile has problems."""
    problems: tuple[ConfigProblem, ...] = ()
    token_status: TokenStatus = field(default_factory=lambda: TokenStatus("none"))


def list_profiles(
    config: "Config", ctx: Context, known: Callable[[Profile], Profile] = lambda profile: profile
) -> Iterator[ProfileRow]:
    """Yield every profile in the order of the file; a broken one is told, not raised.

    `known` fills in what is remembered of a profile's issuer.
    """
    asker = _TokenStatusReader(ctx)
    for name in config.profile_names():
        wrong = config.find_profile_problems(name)
        is_default = name == config.default_profile
        if wrong:
            yield ProfileRow(name, is_default, None, wrong)
        else:
            profile = known(config.get_profile_ignoring_top_level(name))
            yield ProfileRow(
                name, is_default, profile, token_status=asker.read_token_status(profile)
            )


def read_token_status(profile: Profile, ctx: Context) -> TokenStatus:
    """Return what the profile's store says of its token."""
    return _TokenStatusReader(ctx).read_token_status(profile)


@dataclass(slots=True)
class _TokenStatusReader:
    """Asks stores, but a keyring that failed never again, and no keyring endlessly."""

    ctx: Context
    keyring_failure: str | None = None
    keyring_lookups: int = 0

    def read_token_status(self, profile: Profile) -> TokenStatus:
        if profile.store in _KEYRING_STORES:
            if self.keyring_failure is not None and profile.store == "keyring":
                return TokenStatus("not_asked", reason=self.keyring_failure)
            if self.keyring_lookups >= MAX_KEYRING_LOOKUPS:
                return TokenStatus(
                    "not_asked", reason="too many to ask the keyring for all of them"
                )
        try:
            store = self.ctx.token_store(profile)
            self.keyring_lookups += store.name == "keyring"
            bound = derive_binding(profile)
            stored = find_stored_token(profile, self.ctx)
        except KeyringError as error:
            if error.affects_whole_keyring:
                self.keyring_failure = error.message
            return TokenStatus("not_asked", reason=error.message)
        except TokencliError as error:
            return TokenStatus("not_asked", reason=error.message)
        if stored is None or stored.binding != bound:
            return TokenStatus("none")
        if stored.token.expires_at is None:
            return TokenStatus("unknown")
        fresh = stored.token.is_fresh(self.ctx.clock.now(), profile.min_ttl)
        return TokenStatus("fresh" if fresh else "expired", stored.token.expires_at)


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """One value of a profile, and where it comes from."""

    key: str
    value: str
    origin: str
    """`config.toml:12`, `provider groupid`, or `default`."""


def list_settings(profile: Profile, config: "Config") -> Iterator[EffectiveSetting]:
    """Yield everything that a profile amounts to, but its secrets, in one order for all."""
    from tokencli.config.profile_schema import ENDPOINT_BY_KEY

    by_person = grants.is_interactive(profile.grant)
    values: dict[str, object] = {
        "provider": profile.provider.name,
        "grant": profile.grant,
        "client_auth": profile.client_auth,
        "issuer": profile.issuer,
        "token_url": None if profile.token_url == profile.issuer else profile.token_url,
        **{key: profile.endpoints.get(name) for key, name in ENDPOINT_BY_KEY.items()},
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
        "browser": profile.sign_in.browser if by_person else None,
        "interactive": profile.sign_in.interactive if by_person else None,
        "redirect_port": profile.sign_in.redirect_port,
        "par": profile.sign_in.par or None,
        "state_dir": profile.state_dir,
    }
    own = {"audience", "resource"}
    for key, value in values.items():
        if value is not None:
            yield EffectiveSetting(key, _format_value(value), _setting_origin(profile, config, key))
    for key, value in profile.params.items():
        place = key if key in own and key in profile.value_sources else "params"
        named = key if place == key else f"params.{key}"
        yield EffectiveSetting(
            named, _format_param(key, value), _setting_origin(profile, config, place)
        )


def _setting_origin(profile: Profile, config: "Config", key: str) -> str:
    """Say where a value was written, with the line where it stands in the file."""
    at_top = key == "state_dir"
    usual = "issuer" if key.endswith("_url") else "default"
    source = config.path.name if at_top else profile.value_sources.get(key, usual)
    if source != config.path.name:
        return source
    line = config.line_number(*((key,) if at_top else ("profiles", profile.name, key)))
    return f"{source}:{line}" if line else source


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}s"
    return str(value)


_SECRET_NAME_PARTS = ("secret", "password", "passwd", "token", "key", "pin", "otp", "assertion")


def _format_param(name: str, value: str | tuple[str, ...]) -> str:
    """Show an extra parameter, unless its name sounds like a secret's."""
    if any(word in name.casefold() for word in _SECRET_NAME_PARTS):
        return "***"
    return value if isinstance(value, str) else ", ".join(value)


@dataclass(frozen=True, slots=True)
class SecretStatus:
    """Where a secret rests, and whether it is there."""

    ref: SecretRef
    present: bool | None
    """None where its place could not be asked, or asking means a person or a program."""
    reason: str | None = None


def list_secret_statuses(profile: Profile, ctx: Context) -> Iterator[SecretStatus]:
    """Yield each secret of the profile; no prompt is shown and no command run."""
    failed: str | None = None
    for ref in profile.secrets.values():
        if source_interaction(ref, ctx) != "none":
            yield SecretStatus(ref, None, "asked for when it is needed")
            continue
        if ref.kind == "keyring" and failed is not None:
            yield SecretStatus(ref, None, failed)
            continue
        try:
            yield SecretStatus(ref, bool(ctx.secret_source(ref.kind).read(ref)))
        except TokencliError as error:
            if isinstance(error, KeyringError) and error.affects_whole_keyring:
                failed = error.message
            yield SecretStatus(ref, None, error.message)


def suggest_next_commands(profile: Profile) -> Sequence[str]:
    """Return what to type after a profile was written."""
    steps = []
    in_keyring = any(ref.kind == "keyring" for ref in profile.secrets.values())
    if in_keyring or grants.is_interactive(profile.grant):
        steps.append(f"tokencli login {profile.name}")
    return (*steps, f"tokencli get {profile.name}")


def endpoint_host(profile: Profile) -> str:
    """Return the token endpoint's host, with its port where that is not the usual one."""
    return get_url_origin(profile.token_url).partition("://")[2].removesuffix(":443")
