"""Ask an issuer where its endpoints are (RFC 8414, OpenID Connect Discovery), and remember it.

What is remembered is also a pin: an endpoint that turns up on an origin where there was none before
gets nothing until a person has said that this is right.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from tokencli.errors import ConfigError, ReplyError, TokencliError, UnreachableError
from tokencli.models import CLOCK_TOLERANCE_S, HttpRequest, Profile
from tokencli.oauth import grants
from tokencli.oauth.metadata import IssuerMetadata, metadata_urls, parse_metadata
from tokencli.protocols import Context
from tokencli.providers import response_body
from tokencli.providers.endpoint_urls import check_endpoint_url, endpoint_unknown_error
from tokencli.token_store.credential_key import get_url_origin

METADATA_MAX_AGE_S = 24 * 3600.0
"""After so long an issuer is asked again …"""
REVALIDATION_TIMEOUT_S = 5.0
"""… within this many seconds; if it does not answer, what is remembered goes on being good."""


class MetadataNotFoundError(ReplyError):
    """There is nothing at either of the issuer's well-known addresses."""


@dataclass(frozen=True, slots=True)
class MetadataCache:
    """Where what is known of a profile's issuer rests between runs."""

    load: Callable[[], bytes | None]
    save: Callable[[bytes], None]


def resolve_endpoints(
    profile: Profile, ctx: Context, memory: MetadataCache, *names: str, anew: bool = False
) -> Profile:
    """Return the profile with the endpoints that its grant needs, and those of these names.

    The issuer is asked only for what the profile does not say itself: the first time, once a day,
    and with `anew`, which also lets a person say yes to an endpoint that has moved.

    Raises:
        ConfigError: the issuer does not name such an endpoint, or one has moved.
        TokencliError: the issuer can't be asked, and never was.
    """
    issuer = profile.issuer
    wanted = ("token", *names, *grants.required_endpoints(profile.grant))
    have = {*profile.endpoints, *(("token",) if profile.token_url != issuer else ())}
    if issuer is None or have.issuperset(wanted):
        return profile
    known, now = _parse_cached_metadata(memory.load(), issuer), ctx.clock.now()
    if known is None or anew or not -CLOCK_TOLERANCE_S <= now - known.asked_at < METADATA_MAX_AGE_S:
        known = _refresh_metadata(profile, ctx, memory, known, anew=anew)
    found = _apply_metadata(profile, known)
    for name in wanted:
        if name != "token" and name not in found.endpoints:
            why = known.unfit.get(name)
            raise (
                endpoint_unknown_error(profile, name)
                if why is None
                else _unusable_endpoint_error(profile, name, why)
            )
    return found


def _unusable_endpoint_error(profile: Profile, name: str, why: str) -> ConfigError:
    return ConfigError(
        f"the metadata of {profile.issuer} are of no use for the {name.replace('_', ' ')} endpoint:"
        f" {why}",
        fix="tell the server's operators, or give the address in the profile:"
        f" tokencli profiles edit {profile.name}",
    )


def apply_cached_metadata(profile: Profile, memory: MetadataCache) -> Profile:
    """Return the profile with what is known of its issuer already, asking nobody."""
    known = (
        None if profile.issuer is None else _parse_cached_metadata(memory.load(), profile.issuer)
    )
    return profile if known is None else _apply_metadata(profile, known)


def fetch_metadata(profile: Profile, ctx: Context) -> IssuerMetadata:
    """Ask the profile's issuer for its metadata, by both of its well-known addresses.

    Raises:
        NoMetadata: there is nothing at either of them.
        ReplyError: neither brings metadata whose issuer is exactly this one (RFC 8414 section 3.3).
        UnreachableError: no answer came.
    """
    assert profile.issuer is not None
    tried, absent = [], 0
    for url in metadata_urls(profile.issuer):
        request = HttpRequest("GET", url, {"Accept": "application/json"}, is_retry_safe=True)
        try:
            reply = ctx.transport.send(request, profile.connection)
            if reply.status != 200:
                absent += reply.status in (404, 410)
                tried.append(f"{url}: HTTP {reply.status}")
                continue
            return parse_metadata(profile, response_body.parse_object(reply), ctx.clock.now())
        except (ReplyError, response_body.UnreadableBodyError) as error:
            tried.append(f"{url}: {error}")
    failure = MetadataNotFoundError if absent == len(tried) else ReplyError
    raise failure(
        f"{profile.issuer} does not say where its endpoints are ({'; '.join(tried)})",
        fix="check `issuer`, letter by letter; or give token_url and the other addresses instead:"
        f" tokencli profiles edit {profile.name}",
    )


def _refresh_metadata(
    profile: Profile,
    ctx: Context,
    memory: MetadataCache,
    known: IssuerMetadata | None,
    *,
    anew: bool,
) -> IssuerMetadata:
    """Ask the issuer and remember what it says; what is known already outlasts a silence of its."""
    if known is None:
        found = fetch_metadata(profile, ctx)
    else:
        seconds = min(profile.connection.timeout, REVALIDATION_TIMEOUT_S)
        hurried = replace(profile, connection=replace(profile.connection, timeout=seconds))
        try:
            found = fetch_metadata(hurried, ctx)
        except (UnreachableError, ReplyError) as error:
            say = (
                ctx.terminal.print_detail
                if isinstance(error, UnreachableError)
                else ctx.terminal.print_warning
            )
            say(f"{error.message}; going on with what it said before")
            found = replace(known, asked_at=ctx.clock.now())
        else:
            _confirm_moved_endpoints(profile, ctx, known, found, may_ask=anew)
    for why in found.unfit.values():
        ctx.terminal.print_detail(f"of the metadata of {found.issuer}, {why}; it is left out")
    try:
        memory.save(json.dumps(asdict(found), sort_keys=True).encode("ascii"))
    except TokencliError as error:
        ctx.terminal.print_detail(f"what {profile.issuer} says is not remembered: {error.message}")
    return found


def _confirm_moved_endpoints(
    profile: Profile, ctx: Context, known: IssuerMetadata, found: IssuerMetadata, *, may_ask: bool
) -> None:
    """Have a person confirm each origin on which no endpoint was before; raises ConfigError."""
    before = {get_url_origin(found.issuer), *map(get_url_origin, known.endpoints.values())}
    for name, url in found.endpoints.items():
        place = get_url_origin(url)
        if place in before:
            continue
        told = (
            f"{found.issuer} has moved its {name.replace('_', ' ')} endpoint to"
            f" {place.removesuffix(':443')}, where none of its endpoints was before"
        )
        if (
            may_ask
            and ctx.terminal.interactive
            and ctx.terminal.ask_yes_no(f"{told}. Trust it?", default=False)
        ):
            before.add(place)
            continue
        raise ConfigError(
            f"{told}; nothing was sent there",
            fix=f"if that is right: tokencli login {profile.command_line_name}   in a terminal, which asks you;"
            " or write the addresses into the profile",
        )


def _apply_metadata(profile: Profile, known: IssuerMetadata) -> Profile:
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
            iss_in_redirect=profile.sign_in.iss_in_redirect or known.names_itself,
        ),
    )


def _parse_cached_metadata(data: bytes | None, issuer: str) -> IssuerMetadata | None:
    """Return what `_asked` saved; anything else is as good as nothing."""
    try:
        known = IssuerMetadata(**json.loads(data or b""))
        fit = known.issuer == issuer and "token" in known.endpoints
        for url in known.endpoints.values():
            check_endpoint_url(url)
        fit = fit and isinstance(known.unfit, dict) and isinstance(known.asked_at, float)
        return known if fit else None
    except (ValueError, TypeError, AttributeError, RecursionError, ConfigError):
        return None
