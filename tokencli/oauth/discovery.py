"""Issuer metadata (RFC 8414, OpenID Connect Discovery): fetch it, check it, cache it, apply it.

The cache also pins the origins of the endpoints. Nothing is sent to an endpoint that has moved to
a new origin until the user has confirmed the move.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from tokencli.errors import (
    ConfigError,
    ReplyError,
    TokencliError,
    UnreachableError,
)
from tokencli.models import CLOCK_TOLERANCE_S, HttpRequest, Profile
from tokencli.oauth import grants
from tokencli.protocols import Context
from tokencli.providers import response_body
from tokencli.providers.endpoint_urls import (
    KEY_BY_ENDPOINT,
    check_endpoint_is_named,
    check_endpoint_url,
    endpoint_unknown_error,
    get_url_origin,
    is_plain_http,
)
from tokencli.providers.reply_locator import ReplyDocument
from tokencli.providers.template import fill_url

METADATA_MAX_AGE_S = 24 * 3600.0
"""Cached metadata older than this is fetched again …"""
REVALIDATION_TIMEOUT_S = 5.0
"""… within this many seconds. If the issuer does not respond, the cached metadata stays in use."""
MAX_QUOTED_CHARS = 200
"""Characters of a server's text that a message quotes at most."""

ENDPOINT_BY_METADATA_KEY: dict[str, str] = {
    "jwks_uri" if name == "jwks" else f"{name}_endpoint": name
    for name in KEY_BY_ENDPOINT
    if name != "issuer"
}
"""Metadata member -> logical name of the endpoint."""

_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class MetadataNotFoundError(ReplyError):
    """The issuer has no document at either of its well-known URLs."""


@dataclass(frozen=True, slots=True)
class IssuerMetadata:
    """The part of an issuer's metadata that tokencli uses; cached as JSON under these field names."""

    issuer: str
    endpoints: Mapping[str, str]
    """Logical name -> URL."""
    asked_at: float
    """Epoch seconds at which it was fetched."""
    wants_par: bool = False
    """Whether authorization requests must be pushed (RFC 9126 section 5)."""
    names_itself: bool = False
    """Whether every authorization response carries `iss` (RFC 9207 section 3)."""
    unfit: Mapping[str, str] = field(default_factory=dict)
    """Logical name -> why the URL in the metadata is not used."""


@dataclass(frozen=True, slots=True)
class MetadataCache:
    """Load and save the cached metadata of one profile's issuer."""

    load: Callable[[], bytes | None]
    save: Callable[[bytes], None]


def resolve_endpoints(
    profile: Profile, ctx: Context, cache: MetadataCache, *names: str, anew: bool = False
) -> Profile:
    """Return the profile with the endpoints that its grant needs, and those in `names`.

    The issuer is queried only for endpoints that the profile does not define: the first time, once
    a day, and with `anew`. With `anew` the user may also confirm an endpoint that has moved.

    Raises:
        ConfigError: the issuer does not publish such an endpoint, or one has moved.
        TokencliError: the issuer can't be reached and nothing is cached.
    """
    issuer = profile.issuer
    required = ("token", *names, *grants.load_grant(profile.grant).endpoints)
    defined = {*profile.endpoints, *(("token",) if profile.token_url != issuer else ())}
    if issuer is None or defined.issuperset(required):
        return profile
    check_endpoint_is_named(profile, "issuer")
    metadata, now = _parse_cached_metadata(cache.load(), issuer), ctx.clock.now()
    if metadata is None or anew or not _is_current(metadata, now):
        metadata = _refresh_metadata(profile, ctx, cache, metadata, may_ask=anew)
    resolved = _apply_metadata(profile, metadata)
    for name in required:
        if name != "token" and name not in resolved.endpoints:
            if (problem := metadata.unfit.get(name)) is not None:
                raise _unusable_endpoint_error(profile, name, problem)
            raise endpoint_unknown_error(profile, name)
    return resolved


def apply_cached_metadata(profile: Profile, cache: MetadataCache) -> Profile:
    """Return the profile with what is cached about its issuer; sends nothing."""
    if profile.issuer is None:
        return profile
    metadata = _parse_cached_metadata(cache.load(), profile.issuer)
    return profile if metadata is None else _apply_metadata(profile, metadata)


def fetch_metadata(profile: Profile, ctx: Context) -> IssuerMetadata:
    """Fetch the metadata of the profile's issuer, trying both well-known URLs.

    Raises:
        MetadataNotFoundError: there is nothing at either of them.
        ReplyError: neither has metadata with exactly this `issuer` (RFC 8414 section 3.3).
        UnreachableError: the server did not respond.
    """
    assert profile.issuer is not None
    failures, not_found = [], 0
    for url in metadata_urls(profile.issuer):
        request = HttpRequest("GET", url, {"Accept": "application/json"}, is_retry_safe=True)
        try:
            reply = ctx.transport.send(request, profile.connection)
            if reply.status != 200:
                not_found += reply.status in (404, 410)
                from tokencli.oauth.server_reason import read_server_reason  # start-up cost

                reason = read_server_reason(ReplyDocument(reply), None, None, ()).text
                failures.append(
                    f"{url}: HTTP {reply.status}"
                    + (f", {reason[:MAX_QUOTED_CHARS]}" if reason else "")
                )
                continue
            return parse_metadata(profile, response_body.parse_object(reply), ctx.clock.now())
        except (ReplyError, response_body.UnreadableBodyError) as error:
            failures.append(f"{url}: {error}")
    error_class = MetadataNotFoundError if not_found == len(failures) else ReplyError
    raise error_class(
        f"no usable metadata for issuer {profile.issuer} ({'; '.join(failures)})",
        cause="`issuer` must be exactly the issuer that the server's metadata names; for a server"
        " without metadata, set token_url and the other endpoints in the profile",
        fix=f"tokencli profiles edit {profile.name}",
    )


def metadata_urls(issuer: str) -> Iterator[str]:
    """Yield the well-known URLs of an issuer (OpenID Connect Discovery 4.1, RFC 8414 section 3.1)."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    origin = f"{parts.scheme}://{parts.netloc}"
    yield f"{origin}{path}/.well-known/openid-configuration"
    yield f"{origin}/.well-known/oauth-authorization-server{path}"


def parse_metadata(profile: Profile, members: Mapping[str, Any], now: float) -> IssuerMetadata:
    """Return the usable part of the metadata; optional endpoints with a bad URL are dropped.

    Raises:
        ReplyError: it belongs to another issuer, or has no usable token endpoint.
    """
    issuer = members.get("issuer")
    if not isinstance(issuer, str) or issuer != profile.issuer:
        raise ReplyError(
            f"the metadata belongs to another issuer, {str(issuer)[:MAX_QUOTED_CHARS]!r}"
        )
    if profile.client_auth.startswith(("tls_", "self_signed_tls_")):  # RFC 8705 section 5
        aliases = members.get("mtls_endpoint_aliases")
        members = {**members, **(aliases if isinstance(aliases, dict) else {})}
    endpoints, unfit = read_endpoints(members, issuer)
    if "token" not in endpoints:
        raise ReplyError(unfit.get("token", "the metadata has no token_endpoint"))
    return IssuerMetadata(
        issuer,
        endpoints,
        now,
        wants_par=members.get("require_pushed_authorization_requests") is True,
        names_itself=members.get("authorization_response_iss_parameter_supported") is True,
        unfit=unfit,
    )


def read_endpoints(
    members: Mapping[str, Any], issuer: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the endpoints in an issuer's metadata, and why others can't be used, by logical name."""
    endpoints, unfit = {}, {}
    for member, name in ENDPOINT_BY_METADATA_KEY.items():
        url = members.get(member)
        if url is None:
            continue
        problem = _find_url_problem(url, issuer)
        if problem is None:
            endpoints[name] = url
        else:
            unfit[name] = f"{member} {problem}"
    return endpoints, unfit


def matches_issuer(profile: Profile, claims: Mapping[str, object]) -> bool:
    """Return whether `iss` is exactly the profile's issuer; True if the profile has no issuer.

    A profile may name a tenant by an alias that its tokens don't use, e.g. a domain. Then the
    expected issuer is the same URL with the tenant that the token itself names. A token without
    that claim (Microsoft's, unless `profile` is requested) matches with any tenant in that place.
    """
    template, values, iss = profile.provider.endpoints.issuer, profile.values, claims.get("iss")
    tenants = {
        key: claims.get(claim, ...)
        for key, claim in profile.provider.issuer_claims.items()
        if not _GUID.fullmatch(values.get(key, ""))
    }
    if not tenants or template is None or profile.issuer != fill_url(template, values):
        return profile.issuer is None or iss == profile.issuer
    placeholders = {key: f"00000000-0000-0000-0000-{n:012}" for n, key in enumerate(tenants)}
    pattern = re.escape(fill_url(template, {**values, **placeholders}) or "")
    for key, placeholder in placeholders.items():
        tenant = tenants[key]
        if tenant is not ... and not (isinstance(tenant, str) and _GUID.fullmatch(tenant)):
            return False
        pattern = pattern.replace(
            re.escape(placeholder), tenant if isinstance(tenant, str) else f"(?:{_GUID.pattern})"
        )
    return isinstance(iss, str) and re.fullmatch(pattern, iss) is not None


def _is_current(metadata: IssuerMetadata, now: float) -> bool:
    return -CLOCK_TOLERANCE_S <= now - metadata.asked_at < METADATA_MAX_AGE_S


def _refresh_metadata(
    profile: Profile,
    ctx: Context,
    cache: MetadataCache,
    cached: IssuerMetadata | None,
    *,
    may_ask: bool,
) -> IssuerMetadata:
    """Fetch and cache the metadata; if that fails, go on with what was cached before."""
    if cached is None:
        metadata = fetch_metadata(profile, ctx)
    else:
        timeout = min(profile.connection.timeout, REVALIDATION_TIMEOUT_S)
        impatient = replace(profile, connection=replace(profile.connection, timeout=timeout))
        try:
            metadata = fetch_metadata(impatient, ctx)
        except (UnreachableError, ReplyError) as error:
            report = (
                ctx.terminal.print_detail
                if isinstance(error, UnreachableError)
                else ctx.terminal.print_warning
            )
            report(f"{error.message}; using the cached metadata")
            metadata = replace(cached, asked_at=ctx.clock.now())
        else:
            _confirm_moved_endpoints(profile, ctx, cached, metadata, may_ask=may_ask)
    for problem in metadata.unfit.values():
        ctx.terminal.print_detail(f"ignored in the metadata of {metadata.issuer}: {problem}")
    try:
        cache.save(json.dumps(asdict(metadata), sort_keys=True).encode("ascii"))
    except TokencliError as error:
        ctx.terminal.print_detail(
            f"the metadata of {profile.issuer} could not be cached: {error.message}"
        )
    return metadata


def _confirm_moved_endpoints(
    profile: Profile,
    ctx: Context,
    cached: IssuerMetadata,
    metadata: IssuerMetadata,
    *,
    may_ask: bool,
) -> None:
    """Have the user confirm each origin that no endpoint had before; raises ConfigError."""
    trusted = {get_url_origin(metadata.issuer), *map(get_url_origin, cached.endpoints.values())}
    for name, url in metadata.endpoints.items():
        origin = get_url_origin(url)
        if origin in trusted:
            continue
        move = (
            f"{metadata.issuer} moved its {name.replace('_', ' ')} endpoint to a new origin,"
            f" {origin.removesuffix(':443')}"
        )
        if (
            may_ask
            and ctx.terminal.interactive
            and ctx.terminal.ask_yes_no(f"{move}. Trust it?", default=False)
        ):
            trusted.add(origin)
            continue
        raise ConfigError(
            f"{move}; nothing was sent there",
            cause="a moved endpoint must be confirmed in a terminal, or defined in the profile",
            fix=f"tokencli login {profile.command_line_name}",
        )


def _apply_metadata(profile: Profile, metadata: IssuerMetadata) -> Profile:
    """Fill in the endpoints that the profile itself does not define."""
    published = {name: url for name, url in metadata.endpoints.items() if name != "token"}
    has_token_url = profile.token_url != profile.issuer
    return replace(
        profile,
        token_url=profile.token_url if has_token_url else metadata.endpoints["token"],
        endpoints={**published, **profile.endpoints},
        sign_in=replace(
            profile.sign_in,
            par=profile.sign_in.par or metadata.wants_par,
            iss_in_redirect=profile.sign_in.iss_in_redirect or metadata.names_itself,
        ),
    )


def _parse_cached_metadata(data: bytes | None, issuer: str) -> IssuerMetadata | None:
    """Return what `_refresh_metadata` saved, or None if it is damaged or of another issuer."""
    try:
        metadata = IssuerMetadata(**json.loads(data or b""))
        valid = metadata.issuer == issuer and "token" in metadata.endpoints
        for url in metadata.endpoints.values():
            check_endpoint_url(url)
        valid = valid and isinstance(metadata.unfit, dict) and isinstance(metadata.asked_at, float)
        return metadata if valid else None
    except (ValueError, TypeError, AttributeError, RecursionError, ConfigError):
        return None


def _find_url_problem(url: object, issuer: str) -> str | None:
    """Return why an endpoint's URL can't be used, as the end of a clause, or None."""
    try:
        check_endpoint_url(url if isinstance(url, str) else "")
    except ConfigError as error:
        return f"is not usable: {error.message}"
    if is_plain_http(str(url)) and not is_plain_http(issuer):
        return "is http, which would send credentials in clear text"
    return None


def _unusable_endpoint_error(profile: Profile, name: str, problem: str) -> ConfigError:
    return ConfigError(
        f"the {name.replace('_', ' ')} endpoint in the metadata of {profile.issuer} can't be used:"
        f" {problem}",
        cause="the server's administrators have to correct it; until then, the profile can define the URL",
        fix=f"tokencli profiles edit {profile.name} --set {KEY_BY_ENDPOINT[name]}=https://login.example.com/{name}",
    )
