"""Send a request with a profile's token to the API that the token is for, and to no other server."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from tokencli.core.request_credentials import RequestCredentials
from tokencli.core.secret_resolver import SecretResolver
from tokencli.core.token_keeper import KeptToken, TokenKeeper
from tokencli.errors import ConfigError, UsageError
from tokencli.models import (
    ClientCertificate,
    HttpReply,
    HttpRequest,
    Profile,
    Secret,
    StreamedBody,
)
from tokencli.oauth.client_authentication import tls_client_certificate
from tokencli.oauth.token_usage import append_query
from tokencli.protocols import Context
from tokencli.providers.endpoint_urls import check_api_is_named, check_endpoint_url, get_url_origin

TakeBody = Callable[[bytes], object]
"""Gets the body of a reply, piece by piece."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request to an API, without what carries the token."""

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: StreamedBody | None = None


@dataclass(slots=True)
class ApiExchange:
    """A request that was answered: the last reply, and with which token it was sent."""

    reply: HttpReply
    """Without the body, which was handed on."""
    kept: KeptToken
    secrets: tuple[Secret, ...] = ()
    """The values of headers and parameters that carry the token."""
    certificate: ClientCertificate | None = None


class WrongSchemeError(UsageError):
    """The URL is on the API's server, but its scheme is another one or missing."""

    def __init__(self, message: str, cause: str, url: str) -> None:
        super().__init__(message, cause=cause)
        self.url = url
        """The same URL with the API's scheme."""


def resolve_api_url(profile: Profile, text: str, *, anywhere: bool = False) -> str:
    """Return the URL of a request: a whole URL as it is, a path appended to the profile's `api_url`.

    Dot segments are removed (RFC 3986 section 5.2.4), and so is a fragment.

    Raises:
        UsageError: it is no URL to which a token may be sent. ConfigError: a path was given, but the
            profile has no `api_url`; or the server is not the API's, unless `anywhere`.
    """
    target = text.partition("#")[0]
    if not anywhere:
        check_scheme(profile, target)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", target) is None:
        if target.startswith("//") or re.match(r"(?i)https?:", target):
            raise UsageError(
                "can't use the URL: it names a server, but no scheme",
                fix="write the whole URL, https://…, or a path for the profile's api_url",
            )
        target = _append_path(profile, target)
    try:
        check_endpoint_url(target)
    except ConfigError as error:
        raise UsageError(f"can't use the URL: {error.message}", fix=error.fix) from None
    parts = urlsplit(target)
    url = parts._replace(path=_remove_dot_segments(parts.path)).geturl()
    check_api_origin(profile, url, anywhere=anywhere)
    return url


def check_scheme(profile: Profile, url: str) -> None:
    """Check that a URL on the API's server has its scheme: a token isn't sent there unencrypted.

    Raises:
        WrongSchemeError: it has another scheme or none.
    """
    home = profile.api_url or profile.token_url
    match = re.fullmatch(r"(?:([A-Za-z]+)://)?([^/?#]+)(.*)", url, re.DOTALL)
    scheme = home.partition(":")[0].lower()
    if match is None or (match[1] or "").lower() == scheme:
        return
    if match[1] is None and not re.search(r"[.:]", match[2]):  # the first part of a path
        return
    right = f"{scheme}://{match[2]}{match[3]}"
    try:
        check_endpoint_url(right)
        if get_url_origin(right) != get_url_origin(home):
            return
    except ConfigError:
        return
    raise WrongSchemeError(
        f"can't use the URL: it begins with {match[1]}://, and not with {scheme}://"
        if match[1]
        else "can't use the URL: it names a server, but no scheme",
        f"the token of profile {profile.name!r} is for {_describe_origin(get_url_origin(home))}",
        right,
    )


def check_api_origin(profile: Profile, url: str, *, anywhere: bool = False) -> None:
    """Check that a URL is on the server of the profile's `api_url`, else of its token endpoint.

    Raises:
        ConfigError: it is on another server, and the token is not to be sent `anywhere`.
    """
    check_api_is_named(profile)
    home, origin = get_url_origin(profile.api_url or profile.token_url), get_url_origin(url)
    if anywhere or origin == home:
        return
    server, at_home = (_describe_origin(each) for each in (origin, home))
    whose = "its api_url" if profile.api_url else "its token endpoint, as it has no api_url"
    raise ConfigError(
        f"nothing was sent: the token of profile {profile.name!r} is only for {at_home}, and not for {server}",
        cause=f"{at_home} is the server of {whose}; if the token is meant for {server},"
        " set api_url, or add --anywhere for this once",
    )


def _append_path(profile: Profile, path: str) -> str:
    if profile.api_url is None:
        raise ConfigError(
            f"profile {profile.name!r} has no api_url, to which a path could be appended",
            fix="give the whole URL, or set api_url to the API's base URL with tokencli profiles edit",
        )
    if not path or path.startswith("?"):
        return profile.api_url + path
    return f"{profile.api_url.rstrip('/')}/{path.removeprefix('/')}"


def _remove_dot_segments(path: str) -> str:
    """Return a path as the server gets it, so that a DPoP proof names the same (RFC 3986 section 5.2.4)."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            kept = kept[:1] if len(kept) < 2 else kept[:-1]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept) or "/"


def _describe_origin(origin: str) -> str:
    """Return an origin without the default port."""
    return origin.removesuffix(":443" if origin.startswith("https:") else ":80")


def send_api_request(
    request: ApiRequest, profile: Profile, ctx: Context, receive: Callable[[HttpReply], TakeBody]
) -> ApiExchange:
    """Send a request with the profile's token, and hand on the reply, whatever its status.

    A token that is about to expire is renewed first. If the API refuses the token in a way that
    another one could help, it is renewed and the request repeated once; and once more with the nonce
    that the API requires in a DPoP proof (RFC 9449 section 9). `receive` gets the head of the final reply,
    and returns what gets its body.

    Raises:
        TokencliError: there is no token, or no complete reply.
    """
    certificate = load_client_certificate(profile, ctx)
    credentials = RequestCredentials(TokenKeeper(lambda: profile, ctx), ctx)
    exchange = ApiExchange(HttpReply(0, {}, b""), credentials.get(), certificate=certificate)
    left = set[Literal["renew", "resend"]]()
    if request.body is None or request.body.is_repeatable:
        left = {"renew", "resend"}
    while True:
        kept = exchange.kept
        headers, query = credentials.build_headers_and_query(kept, request.method, request.url)
        _check_parameters(query, request.url, profile.name)
        exchange.secrets = tuple(Secret(value) for _, value in (*headers, *query))

        def take_reply(head: HttpReply) -> TakeBody | None:
            may_be_repeated = credentials.judge_refusal(head.status, head.headers) in left
            return None if may_be_repeated else receive(head)

        reply = ctx.transport.send(
            HttpRequest(
                request.method,
                append_query(request.url, query),
                _merge_headers(headers, request.headers, profile.name),
                secrets=(*exchange.secrets, kept.token.access_token),
                client_certificate=certificate,
                redirect_is_reply=True,
                streamed_body=request.body,
                receive=take_reply,
            ),
            profile.connection,
        )
        exchange.reply = replace(reply, body=b"")
        remedy = credentials.judge_refusal(reply.status, reply.headers)
        if remedy not in left or reply.defect is not None:
            break
        left.discard(remedy)
        if remedy == "renew":
            exchange.kept = credentials.get(refused=kept.token.access_token)
            if exchange.kept.token.access_token == kept.token.access_token:
                receive(exchange.reply)(reply.body)
                break
            left.add("resend")
    if reply.defect is not None:
        raise reply.defect
    return exchange


def _merge_headers(
    carriers: Sequence[tuple[str, str]], own: Sequence[tuple[str, str]], profile: str
) -> dict[str, str]:
    """Return all headers of a request; those of the same name are joined (RFC 9110 section 5.3).

    Raises:
        UsageError: one of the request's own headers carries the token.
    """
    headers = dict(carriers)
    taken = {name.lower() for name in headers}
    for name, value in own:
        if name.lower() in taken:
            raise UsageError(
                f"the header {name} can't be set, because the token of profile {profile!r} is sent in it"
            )
        before = next((each for each in headers if each.lower() == name.lower()), None)
        if before is None:
            headers[name] = value
        else:
            headers[before] += f"{'; ' if name.lower() == 'cookie' else ', '}{value}"
    return headers


def _check_parameters(query: Sequence[tuple[str, str]], url: str, profile: str) -> None:
    """Refuse a URL with a parameter that carries the token: which of both counts isn't known."""
    own = {name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
    for name, _ in query:
        if name in own:
            raise UsageError(
                f"the parameter {name} can't be set, because the token of profile {profile!r} is sent"
                " in it"
            )


def load_client_certificate(profile: Profile, ctx: Context) -> ClientCertificate | None:
    """Return the certificate that the profile presents to servers, with its key's passphrase.

    Raises:
        CredentialsError: the passphrase can't be read.
    """
    if profile.client_cert is None:
        return None
    passphrase = None
    if "key_passphrase" in profile.secrets:
        resolver = SecretResolver(profile, ctx, may_prompt=True)
        passphrase = resolver.resolve("key_passphrase", optional=True)
    return tls_client_certificate(profile, passphrase)
