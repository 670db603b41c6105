"""Look at profiles: what there is, where each value comes from, and how long a token lasts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tokencli import grants
from tokencli.actions.look import look
from tokencli.errors import KeyringError, Problem, TokencliError
from tokencli.model import Profile, SecretRef
from tokencli.ports import Edges
from tokencli.stores.key import binding, origin

if TYPE_CHECKING:
    from tokencli.config.load import Config

MOST_LOOKUPS = 100
"""Profiles whose token is looked up in the keyring for one listing: each lookup takes milliseconds."""
_KEYRING = ("auto", "keyring")


@dataclass(frozen=True, slots=True)
class Life:
    """What a store says of a profile's token."""

    state: str
    """`fresh`, `expired`, `none`, `unknown` (its life was not said), or `not_asked`."""
    expires_at: float | None = None
    """Epoch seconds."""
    why: str | None = None
    """Why the store was not asked, or did not answer."""


@dataclass(frozen=True, slots=True)
class Row:
    """One profile of the list."""

    name: str
    is_default: bool
    profile: Profile | None
    """None where the profile has problems."""
    problems: tuple[Problem, ...] = ()
    life: Life = field(default_factory=lambda: Life("none"))


def rows(
    config: "Config", edges: Edges, known: Callable[[Profile], Profile] = lambda profile: profile
) -> Iterator[Row]:
    """Yield every profile in the order of the file; a broken one is told, not raised.

    `known` fills in what is remembered of a profile's issuer.
    """
    asker = _Asker(edges)
    for name in config.names():
        wrong = config.problems_of(name)
        is_default = name == config.default_profile
        if wrong:
            yield Row(name, is_default, None, wrong)
        else:
            profile = known(config.profile_alone(name))
            yield Row(name, is_default, profile, life=asker.life(profile))


def life(profile: Profile, edges: Edges) -> Life:
    """Return what the profile's store says of its token."""
    return _Asker(edges).life(profile)


@dataclass(slots=True)
class _Asker:
    """Asks stores, but a keyring that failed never again, and no keyring endlessly."""

    edges: Edges
    failure: str | None = None
    lookups: int = 0

    def life(self, profile: Profile) -> Life:
        if profile.store in _KEYRING:
            if self.failure is not None and profile.store == "keyring":
                return Life("not_asked", why=self.failure)
            if self.lookups >= MOST_LOOKUPS:
                return Life("not_asked", why="too many to ask the keyring for all of them")
        try:
            store = self.edges.store(profile)
            self.lookups += store.name == "keyring"
            bound = binding(profile)
            stored = look(profile, self.edges)
        except KeyringError as error:
            if error.lasting:
                self.failure = error.message
            return Life("not_asked", why=error.message)
        except TokencliError as error:
            return Life("not_asked", why=error.message)
        if stored is None or stored.binding != bound:
            return Life("none")
        if stored.token.expires_at is None:
            return Life("unknown")
        fresh = stored.token.fresh(self.edges.clock.now(), profile.min_ttl)
        return Life("fresh" if fresh else "expired", stored.token.expires_at)


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of a profile, and where it comes from."""

    key: str
    value: str
    origin: str
    """`config.toml:12`, `provider groupid`, or `default`."""


def settings(profile: Profile, config: "Config") -> Iterator[Setting]:
    """Yield everything that a profile amounts to, but its secrets, in one order for all."""
    from tokencli.config.server_keys import ENDPOINT_KEYS

    by_person = grants.by_person(profile.grant)
    values: dict[str, object] = {
        "provider": profile.provider.name,
        "grant": profile.grant,
        "client_auth": profile.client_auth,
        "issuer": profile.issuer,
        "token_url": None if profile.token_url == profile.issuer else profile.token_url,
        **{key: profile.endpoints.get(name) for key, name in ENDPOINT_KEYS.items()},
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
            yield Setting(key, _shown(value), _origin(profile, config, key))
    for key, value in profile.params.items():
        place = key if key in own and key in profile.origins else "params"
        named = key if place == key else f"params.{key}"
        yield Setting(named, _param(key, value), _origin(profile, config, place))


def _origin(profile: Profile, config: "Config", key: str) -> str:
    """Say where a value was written, with the line where it stands in the file."""
    at_top = key == "state_dir"
    usual = "issuer" if key.endswith("_url") else "default"
    source = config.path.name if at_top else profile.origins.get(key, usual)
    if source != config.path.name:
        return source
    line = config.line(*((key,) if at_top else ("profiles", profile.name, key)))
    return f"{source}:{line}" if line else source


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}s"
    return str(value)


_LIKE_SECRETS = ("secret", "password", "passwd", "token", "key", "pin", "otp", "assertion")


def _param(name: str, value: str | tuple[str, ...]) -> str:
    """Show an extra parameter, unless its name sounds like a secret's."""
    if any(word in name.casefold() for word in _LIKE_SECRETS):
        return "***"
    return value if isinstance(value, str) else ", ".join(value)


@dataclass(frozen=True, slots=True)
class Presence:
    """Where a secret rests, and whether it is there."""

    ref: SecretRef
    present: bool | None
    """None where its place could not be asked, or asking means a person or a program."""
    why: str | None = None


def presences(profile: Profile, edges: Edges) -> Iterator[Presence]:
    """Yield each secret of the profile; no prompt is shown and no command run."""
    failed: str | None = None
    for ref in profile.secrets.values():
        if ref.kind in ("prompt", "command", "stdin", "profile"):
            yield Presence(ref, None, "asked for when it is needed")
            continue
        if ref.kind == "keyring" and failed is not None:
            yield Presence(ref, None, failed)
            continue
        try:
            yield Presence(ref, bool(edges.source(ref.kind).read(ref)))
        except TokencliError as error:
            if isinstance(error, KeyringError) and error.lasting:
                failed = error.message
            yield Presence(ref, None, error.message)


def next_steps(profile: Profile) -> Sequence[str]:
    """Return what to type after a profile was written."""
    steps = []
    in_keyring = any(ref.kind == "keyring" for ref in profile.secrets.values())
    if in_keyring or grants.by_person(profile.grant):
        steps.append(f"tokencli login {profile.name}")
    return (*steps, f"tokencli get {profile.name}")


def endpoint_host(profile: Profile) -> str:
    """Return the token endpoint's host, with its port where that is not the usual one."""
    return origin(profile.token_url).partition("://")[2].removesuffix(":443")
