"""Ask an issuer where its endpoints are (RFC 8414, OpenID Connect Discovery), and remember it.

What is remembered is also a pin: an endpoint that turns up on an origin where there was none before
gets nothing until a person has said that this is right.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from tokencli import grants
from tokencli.actions.metadata import Known, addresses, read
from tokencli.actions.person import unaddressed
from tokencli.errors import ConfigError, ReplyError, TokencliError, UnreachableError
from tokencli.model import CLOCK_TOLERANCE_S, Profile, WireRequest
from tokencli.ports import Edges
from tokencli.providers import body
from tokencli.providers.address import endpoint
from tokencli.stores.key import origin

OLD_S = 24 * 3600.0
"""After so long an issuer is asked again …"""
GLANCE_S = 5.0
"""… within this many seconds; if it does not answer, what is remembered goes on being good."""


class NoMetadata(ReplyError):
    """There is nothing at either of the issuer's well-known addresses."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Where what is known of a profile's issuer rests between runs."""

    load: Callable[[], bytes | None]
    save: Callable[[bytes], None]


def located(
    profile: Profile, edges: Edges, memory: Memory, *names: str, anew: bool = False
) -> Profile:
    """Return the profile with the endpoints that its grant needs, and those of these names.

    The issuer is asked only for what the profile does not say itself: the first time, once a day,
    and with `anew`, which also lets a person say yes to an endpoint that has moved.

    Raises:
        ConfigError: the issuer does not name such an endpoint, or one has moved.
        TokencliError: the issuer can't be asked, and never was.
    """
    issuer = profile.issuer
    wanted = ("token", *names, *grants.endpoints(profile.grant))
    have = {*profile.endpoints, *(("token",) if profile.token_url != issuer else ())}
    if issuer is None or have.issuperset(wanted):
        return profile
    known, now = _parsed(memory.load(), issuer), edges.clock.now()
    if known is None or anew or not -CLOCK_TOLERANCE_S <= now - known.asked_at < OLD_S:
        known = _asked(profile, edges, memory, known, anew=anew)
    found = _with(profile, known)
    for name in wanted:
        if name != "token" and name not in found.endpoints:
            why = known.unfit.get(name)
            raise unaddressed(profile, name) if why is None else _unfit(profile, name, why)
    return found


def _unfit(profile: Profile, name: str, why: str) -> ConfigError:
    return ConfigError(
        f"the metadata of {profile.issuer} are of no use for the {name.replace('_', ' ')} endpoint:"
        f" {why}",
        hint="tell the server's operators, or give the address in the profile:"
        f" tokencli profiles edit {profile.name}",
    )


def remembered(profile: Profile, memory: Memory) -> Profile:
    """Return the profile with what is known of its issuer already, asking nobody."""
    known = None if profile.issuer is None else _parsed(memory.load(), profile.issuer)
    return profile if known is None else _with(profile, known)


def discover(profile: Profile, edges: Edges) -> Known:
    """Ask the profile's issuer for its metadata, by both of its well-known addresses.

    Raises:
        NoMetadata: there is nothing at either of them.
        ReplyError: neither brings metadata whose issuer is exactly this one (RFC 8414 section 3.3).
        UnreachableError: no answer came.
    """
    assert profile.issuer is not None
    tried, absent = [], 0
    for url in addresses(profile.issuer):
        request = WireRequest("GET", url, {"Accept": "application/json"}, retry=True)
        try:
            reply = edges.transport.send(request, profile.connection)
            if reply.status != 200:
                absent += reply.status in (404, 410)
                tried.append(f"{url}: HTTP {reply.status}")
                continue
            return read(profile, body.members(reply), edges.clock.now())
        except (ReplyError, body.Unreadable) as error:
            tried.append(f"{url}: {error}")
    failure = NoMetadata if absent == len(tried) else ReplyError
    raise failure(
        f"{profile.issuer} does not say where its endpoints are ({'; '.join(tried)})",
        hint="check `issuer`, letter by letter; or give token_url and the other addresses instead:"
        f" tokencli profiles edit {profile.name}",
    )


def _asked(
    profile: Profile, edges: Edges, memory: Memory, known: Known | None, *, anew: bool
) -> Known:
    """Ask the issuer and remember what it says; what is known already outlasts a silence of its."""
    if known is None:
        found = discover(profile, edges)
    else:
        seconds = min(profile.connection.timeout, GLANCE_S)
        hurried = replace(profile, connection=replace(profile.connection, timeout=seconds))
        try:
            found = discover(hurried, edges)
        except (UnreachableError, ReplyError) as error:
            say = (
                edges.terminal.detail
                if isinstance(error, UnreachableError)
                else edges.terminal.warn
            )
            say(f"{error.message}; going on with what it said before")
            found = replace(known, asked_at=edges.clock.now())
        else:
            _moved(profile, edges, known, found, may_ask=anew)
    for why in found.unfit.values():
        edges.terminal.detail(f"of the metadata of {found.issuer}, {why}; it is left out")
    try:
        memory.save(json.dumps(asdict(found), sort_keys=True).encode("ascii"))
    except TokencliError as error:
        edges.terminal.detail(f"what {profile.issuer} says is not remembered: {error.message}")
    return found


def _moved(profile: Profile, edges: Edges, known: Known, found: Known, *, may_ask: bool) -> None:
    """Have a person confirm each origin on which no endpoint was before; raises ConfigError."""
    before = {origin(found.issuer), *map(origin, known.endpoints.values())}
    for name, url in found.endpoints.items():
        place = origin(url)
        if place in before:
            continue
        told = (
            f"{found.issuer} has moved its {name.replace('_', ' ')} endpoint to"
            f" {place.removesuffix(':443')}, where none of its endpoints was before"
        )
        if (
            may_ask
            and edges.terminal.interactive
            and edges.terminal.confirm(f"{told}. Trust it?", default=False)
        ):
            before.add(place)
            continue
        raise ConfigError(
            f"{told}; nothing was sent there",
            hint=f"if that is right: tokencli login {profile.as_typed}   in a terminal, which asks you;"
            " or write the addresses into the profile",
        )


def _with(profile: Profile, known: Known) -> Profile:
    """Fill in what is known; what the profile says itself stands."""
    rest = {name: url for name, url in known.endpoints.items() if name != "token"}
    alone = profile.token_url == profile.issuer
    return replace(
        profile,
        token_url=known.endpoints["token"] if alone else profile.token_url,
        endpoints={**rest, **profile.endpoints},
        sign_in=replace(
            profile.sign_in,
            par=profile.sign_in.par or known.wants_par,
            names_itself=profile.sign_in.names_itself or known.names_itself,
        ),
    )


def _parsed(data: bytes | None, issuer: str) -> Known | None:
    """Return what `_asked` saved; anything else is as good as nothing."""
    try:
        known = Known(**json.loads(data or b""))
        fit = known.issuer == issuer and "token" in known.endpoints
        for url in known.endpoints.values():
            endpoint(url)
        fit = fit and isinstance(known.unfit, dict) and isinstance(known.asked_at, float)
        return known if fit else None
    except (ValueError, TypeError, AttributeError, RecursionError, ConfigError):
        return None
