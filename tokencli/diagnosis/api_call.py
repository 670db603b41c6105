"""The call that fails: how it carries the token, sending it again, and what its reply says.

The token goes only to the origin that the URL names, over https (or http to this machine), and never
along a redirect.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import parse_qsl, quote, urljoin, urlsplit

from tokencli.diagnosis.evidence import BodyKind, CallFacts
from tokencli.errors import ConfigError, DeadlineError, TokencliError
from tokencli.models import (
    ClientCertificate,
    Connection,
    HttpReply,
    HttpRequest,
    Profile,
    Secret,
    TokenSet,
)
from tokencli.oauth import dpop
from tokencli.oauth.server_reason import ServerReason, read_server_reason
from tokencli.oauth.token_usage import (
    AUTH_SCHEMES,
    append_query,
    fill_usage_lines,
    missing_value_error,
)
from tokencli.oauth.www_authenticate import Challenge, parse_challenges
from tokencli.protocols import Context
from tokencli.providers.endpoint_urls import check_endpoint_url
from tokencli.providers.redaction import MASK, SECRET_NAME_PATTERN, mask_secrets, redact_text
from tokencli.providers.reply_locator import ReplyDocument

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing (RFC 9110 section 9.2.1), so that they can be sent once more without a token."""
MAX_PAGE_CHARS = 64 * 1024
MAX_TITLE_CHARS = 200
MAX_SCOPES = 16
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}")
"""A scope (RFC 6749 section 3.3)."""
OWN_HEADERS = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect",
     "proxy-authorization", "proxy-connection", "accept-encoding", "keep-alive")
)  # fmt: skip
"""Headers that only the transport may set; those of a pasted request are left out."""
_COOKIE_HEADERS = ("set-cookie", "set-cookie2", "cookie")
_OWN_HEADERS_SIZE = 130
"""Bytes of the headers that the transport adds: User-Agent, Accept, Accept-Encoding, Connection."""
_TITLE = re.compile(r"(?is)<(title|h1|h2)\b[^>]*>(.*?)</\1\s*>")
_TAG = re.compile(r"<[^>]*>")
_SIGN_IN_PAGE = re.compile(
    r"""(?ix) <input\b[^>]*\btype\s*=\s*["']?password
    | name\s*=\s*["']?(?:SAMLRequest|SAMLResponse|RelayState|id_token_hint)
    | action\s*=\s*["'][^"']*(?:/authorize|/saml2?/|/login|/signin|/sso)\b
    | <title[^>]*>[^<]*\b(?:sign|log)[ ]?-?(?:in|on)\b"""
)
_DOCUMENT_START = re.compile(r"(?is)\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b")
_TOKEN_NAME = re.compile(r"(?i)token|auth|bearer|jwt|session|key")
SECRET_NAME = re.compile(rf"(?i){SECRET_NAME_PATTERN}|sig|key|jwt|session|auth|state|nonce")
"""Matches names of headers and parameters whose values are not shown."""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A request to an API, without what carries the token."""

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    follows_redirects: bool = False
    carries_token: bool = False
    """Whether the headers, the URL or the body have the token already, as in a pasted command."""
    token_placeholder: str | None = None
    """What stands in the place of the token in headers, URL and body."""
    secrets: tuple[Secret, ...] = ()
    """What must not be shown of it: cookies, passwords, the values of secret parameters."""
    ca_file: str | None = None
    """A CA bundle to trust instead of the usual ones."""

    @property
    def is_safe(self) -> bool:
        """Whether it can be sent again, and without the token, because it changes nothing."""
        return self.method in SAFE_METHODS

    def with_token(self, token: Secret) -> "ApiCall":
        """Return the call with a token in the place where its placeholder is."""
        if self.token_placeholder is None:
            return self
        place, text = self.token_placeholder, token.reveal()
        return replace(
            self,
            url=self.url.replace(place, quote(text, safe="")),
            headers=tuple((name, value.replace(place, text)) for name, value in self.headers),
            body=self.body.replace(place.encode(), text.encode()),
            token_placeholder=None,
        )

    def without_token(self) -> "ApiCall":
        """Return the same call without anything that may be a credential."""
        parts = urlsplit(self.url)
        query = [
            pair
            for pair in parts.query.split("&")
            if pair and not SECRET_NAME.search(pair.partition("=")[0])
        ]
        headers = tuple(
            (name, value)
            for name, value in self.headers
            if name.lower() not in ("cookie", "dpop") and not SECRET_NAME.search(name)
        )
        url = parts._replace(query="&".join(query)).geturl()
        return replace(self, url=url, headers=headers, carries_token=False)


@dataclass(frozen=True, slots=True)
class Carrier:
    """What carries a token in a request."""

    name: str | None
    """As in `CallFacts.carrier`."""
    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    """Values are percent-encoded."""
    secrets: tuple[Secret, ...] = ()


NO_CARRIER = Carrier(None)


@dataclass(frozen=True, slots=True)
class TokenBearer:
    """A token, and everything with which a call presents it."""

    token: TokenSet
    profile: Profile | None = None
    usage_secrets: Mapping[str, Secret] = field(default_factory=dict)
    certificate: ClientCertificate | None = None

    def build_carrier(self, now: float) -> Carrier:
        """Return what carries the token, by the provider's `use`; without a profile, by its type.

        Raises:
            ConfigError: a value is missing. ReplyError: the token can't be sent in a header.
        """
        if self.profile is None:
            scheme = AUTH_SCHEMES.get(self.token.token_type.lower(), self.token.token_type)
            value = f"{scheme} {self.token.access_token.reveal()}"
            return Carrier(f"Authorization: {scheme}", (("Authorization", value),))
        headers: list[tuple[str, str]] = []
        query: list[tuple[str, str]] = []
        secrets: list[Secret] = []
        names: list[tuple[bool, str]] = []
        for line in fill_usage_lines(self.profile, self.token, self.usage_secrets, now):
            if line.missing_values:
                raise missing_value_error(self.profile, line)
            if line.value is None:
                continue
            (query if line.is_query else headers).append((line.name, line.value))
            secrets += line.secrets
            has_token = self.token.access_token.reveal() in line.value
            names.append((has_token, name_carrier(line.name, line.value, is_query=line.is_query)))
        name = max(names, key=lambda each: each[0])[1] if names else None
        return Carrier(name, tuple(headers), tuple(query), tuple(secrets))

    def list_secrets(self) -> tuple[Secret, ...]:
        """Return what a server may repeat: every token of the set, and the parts of a JWT."""
        issued = (self.token.access_token, self.token.refresh_token, self.token.id_token)
        return tuple(
            each
            for secret in (*issued, *self.token.outputs.values(), *self.usage_secrets.values())
            if secret
            for each in list_token_parts(secret)
        )


def list_token_parts(secret: Secret) -> tuple[Secret, ...]:
    """Return a token and, if it has parts, each of them."""
    parts = [part for part in secret.reveal().split(".") if len(part) >= 16]
    return (secret, *map(Secret, parts)) if len(parts) > 1 else (secret,)


def name_carrier(name: str, value: str, *, is_query: bool = False) -> str:
    """Return the name of what carries a token: `Authorization: Bearer`, `X-Api-Token`, `?access_token`."""
    if is_query:
        return f"?{name}"
    scheme = re.match(r"([A-Za-z][\w-]{0,19})\s+\S", value)
    return f"{name}: {scheme[1]}" if name.lower() == "authorization" and scheme else name


def list_carriers(profile: Profile, token: TokenSet | None) -> tuple[str, ...]:
    """Return what carries the profile's tokens, as in `CallFacts.carrier`."""
    names = []
    scheme = "DPoP" if profile.dpop else "Bearer"
    if token is not None:
        scheme = AUTH_SCHEMES.get(token.token_type.lower(), token.token_type)
    for usage in profile.provider.use or (f"Authorization: {scheme} {{token}}",):
        if "{token}" not in usage:
            continue
        is_query = usage.startswith("?")
        name, _, text = usage.removeprefix("?").partition("=" if is_query else ": ")
        names.append(name_carrier(name, text, is_query=is_query))
    return tuple(names)


def find_token_in_request(
    url: str, headers: Iterable[tuple[str, str]], body: str = ""
) -> tuple[str, str] | None:
    """Return what carries a token in a request, and the text in its place; None if nothing does."""
    named = [(name, value) for name, value in headers if value]
    for name, value in sorted(named, key=lambda pair: pair[0].lower() != "authorization"):
        is_authorization = name.lower() == "authorization"
        if name.lower() in ("cookie", "dpop", "proxy-authorization"):
            continue
        if is_authorization or _TOKEN_NAME.search(name) or "eyJ" in value:
            carrier = name_carrier(name, value)
            scheme = carrier.partition(": ")[2]
            text = value[len(scheme) :] if scheme else value
            return carrier, text.strip(" ")
    for place, text in (("?", urlsplit(url).query), ("body: ", body)):
        for name, value in parse_qsl(text) if "=" in text[:4096] else ():
            if re.search(r"(?i)token|jwt|bearer", name) or value.startswith("eyJ"):
                return f"{place}{name}", value
    for name, value in named:
        if name.lower() == "cookie" and "eyJ" in value:
            return "Cookie", value[value.index("eyJ") :].partition(";")[0]
    return None


def describe_url(url: str, secrets: Iterable[Secret] = ()) -> str:
    """Return a URL without userinfo, fragment and the values of parameters that may be secret."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return MASK
    pairs = []
    for pair in parts.query.split("&") if parts.query else ():
        name, equals, value = pair.partition("=")
        hidden = SECRET_NAME.search(name) or redact_text(value, secrets) != value
        pairs.append(f"{name}{equals}{MASK if value and hidden else value}")
    path = "/".join(redact_text(part, secrets) for part in parts.path.split("/"))
    return mask_secrets(
        f"{parts.scheme}://{host}{path}{'?' if pairs else ''}{'&'.join(pairs)}", secrets
    )


def send_call(
    call: ApiCall, bearer: TokenBearer | None, ctx: Context, connection: Connection
) -> CallFacts:
    """Send the call once, with the token if there is a bearer, and return what came of it.

    A second request is sent only if the server asks for another DPoP proof, with its nonce. Nothing
    raises but a programming error: a failure is part of the facts.
    """
    if bearer is not None:
        call = call.with_token(bearer.token.access_token)
    secrets = (*call.secrets, *(bearer.list_secrets() if bearer is not None else ()))
    facts = CallFacts(
        call.method, describe_url(call.url, secrets), follows_redirects=call.follows_redirects
    )
    try:
        check_endpoint_url(call.url.partition("#")[0])
    except ConfigError as error:
        if call.url.lower().startswith("http://"):
            return replace(
                facts, withheld="the URL is not https, so the token would be sent unencrypted"
            )
        return replace(facts, failure="other", failure_error=error)
    nonce: str | None = None
    while True:
        try:
            request, carrier, proof = _build_request(call, bearer, ctx.clock.now(), nonce)
            facts = replace(
                facts,
                carrier=carrier,
                proof=proof,
                request_header_size=_OWN_HEADERS_SIZE
                + measure_request(request.method, request.url, request.headers.items()),
            )
            secrets = (*secrets, *request.secrets)
            reply = ctx.transport.send(request, connection)
        except TokencliError as error:
            if isinstance(error, DeadlineError) and "timeout=" in (error.fix or ""):
                error.fix = None  # it is this diagnosis that doesn't wait longer, not the profile
            return replace(
                facts,
                failure=getattr(error, "failure", None) or "other",
                failure_error=error,
                proxy=getattr(error, "proxy", None),
            )
        if proof != "dpop" or nonce is not None or not dpop.requires_nonce(reply):
            public = () if bearer is None or bearer.profile is None else list_public(bearer.profile)
            return read_reply(facts, reply, secrets, public)
        nonce = dpop.read_nonce(reply)


def _build_request(
    call: ApiCall, bearer: TokenBearer | None, now: float, nonce: str | None
) -> tuple[HttpRequest, str | None, Literal["dpop", "certificate"] | None]:
    """Return the request, the name of what carries the token, and how it proves possession of a key."""
    headers = {name: value for name, value in call.headers if name.lower() not in OWN_HEADERS}
    if not any(name.lower() == "accept" for name in headers):
        headers["Accept"] = "*/*"
    url = call.url.partition("#")[0]
    proof: Literal["dpop", "certificate"] | None = None
    carrier = NO_CARRIER
    if call.carries_token:
        found = find_token_in_request(url, call.headers, call.body.decode("utf-8", "replace"))
        carrier = Carrier(None if found is None else found[0])
        if any(name.lower() == "dpop" for name in headers):
            proof = "dpop"  # from a pasted command, so it has been used already
    elif bearer is not None:
        carrier = bearer.build_carrier(now)
        replaced = {name.lower() for name, _ in carrier.headers}
        headers = {name: value for name, value in headers.items() if name.lower() not in replaced}
        headers |= dict(carrier.headers)
        url = append_query(url, carrier.query)
        key = bearer.token.dpop_key
        if key is not None:
            proof = "dpop"
            headers[dpop.PROOF_HEADER] = dpop.create_proof(
                key, call.method, url, now, nonce=nonce, token=bearer.token.access_token
            )
    certificate = bearer.certificate if bearer is not None else None
    if certificate is not None and proof is None:
        proof = "certificate"
    proofs = [Secret(value) for name, value in headers.items() if name.lower() == "dpop"]
    secrets = [*call.secrets, *carrier.secrets, *proofs]
    if bearer is not None:
        secrets += bearer.list_secrets()
    request = HttpRequest(
        call.method,
        url,
        headers,
        call.body,
        tuple(secrets),
        client_certificate=certificate,
        redirect_is_reply=True,
    )
    return request, carrier.name, proof


def measure_request(method: str, url: str, headers: Iterable[tuple[str, str]]) -> int:
    """Return about how many bytes a request's line and headers have."""
    parts = urlsplit(url)
    line = f"{method} {parts.path or '/'}?{parts.query} HTTP/1.1 Host: {parts.netloc}"
    return len(line) + 4 + sum(len(name) + len(value) + 4 for name, value in headers)


def list_public(profile: Profile) -> tuple[str, ...]:
    """Return what may be shown although it may look like a token: IDs, scopes and audiences."""
    values = (profile.values.get("client_id", ""), *(profile.scope or "").split())
    requested = [profile.params.get(name, ()) for name in ("audience", "resource")]
    return (
        *filter(None, values),
        *(each for value in requested for each in ([value] if isinstance(value, str) else value)),
    )


def read_reply(
    facts: CallFacts,
    reply: HttpReply,
    secrets: tuple[Secret, ...] = (),
    public: tuple[str, ...] = (),
) -> CallFacts:
    """Return the facts with what a reply says, redacted."""
    document = ReplyDocument(reply)
    kind = _find_body_kind(document)
    reason = _read_reason(document, kind, secrets, public)
    page = document.body_text[:MAX_PAGE_CHARS] if kind == "html" else ""
    title = next((text for each in _TITLE.finditer(page) if (text := _plain_text(each[2]))), None)
    header = "proxy-authenticate" if reply.status == 407 else "www-authenticate"
    return replace(
        facts,
        status=reply.status,
        headers=_redact_headers(reply.headers, facts.url, secrets, public),
        challenges=_read_challenges(reply.headers.get(header, ""), secrets),
        body_kind=kind,
        error_code=reason.code,
        error_text=reason.text,
        required_scopes=_read_required_scopes(document, kind, reason),
        page_title=redact_text(title, secrets)[:MAX_TITLE_CHARS] if title else None,
        is_sign_in_page=_SIGN_IN_PAGE.search(page) is not None,
        server_time=reply.server_time,
        received_at=reply.received_at,
        proxy=reply.proxy,
    )


def _read_reason(
    document: ReplyDocument, kind: BodyKind, secrets: tuple[Secret, ...], public: tuple[str, ...]
) -> ServerReason:
    """Return why the server refused; nothing if a reply that succeeded names no error."""
    reply = document.reply
    is_success = reply.status < 400
    challenged = "www-authenticate" in reply.headers
    if is_success and not challenged:
        body = None if kind != "json" or document.unreadable_reason else document.parsed_body
        if not isinstance(body, dict) or not {"error", "errors", "fault"} & body.keys():
            return ServerReason()
        body_status = replace(reply, status=400)
        return read_server_reason(ReplyDocument(body_status), None, None, secrets, public)
    try:
        return read_server_reason(document, None, None, secrets, public)
    except RecursionError:
        return ServerReason()


def _read_required_scopes(
    document: ReplyDocument, kind: BodyKind, reason: ServerReason
) -> tuple[str, ...]:
    """Return the scopes that a JSON body says the call requires; few APIs use the same key."""
    if kind != "json" or document.unreadable_reason:
        return ()
    is_about_scopes = re.search(r"(?i)scope", f"{reason.code} {reason.text}") is not None
    found: list[str] = []
    bodies = [document.parsed_body]
    if isinstance(bodies[0], dict):
        bodies += [bodies[0].get(name) for name in ("error", "details", "data")]
    for body in bodies:
        for name, value in body.items() if isinstance(body, dict) else ():
            is_scope = re.fullmatch(r"(?i)(?:required|needed|missing)_?-?scopes?", name) is not None
            is_hint = is_about_scopes and name in ("required", "needed", "scope", "scopes")
            if not (is_scope or is_hint):
                continue
            values = re.split(r"[\s,]+", value) if isinstance(value, str) else value
            found += [
                each
                for each in (values if isinstance(values, list) else ())
                if isinstance(each, str) and _SCOPE.fullmatch(each)
            ]
    return tuple(dict.fromkeys(found))[:MAX_SCOPES]


def _find_body_kind(document: ReplyDocument) -> BodyKind:
    text = document.body_text
    if not text:
        return "empty"
    media_type = document.reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if _DOCUMENT_START.match(text[:8192]) or (media_type == "text/html" and "<" in text[:1024]):
        return "html"
    if text.startswith(("{", "[")) or media_type.endswith(("/json", "+json")):
        return "json"
    if text.startswith("<") or media_type.endswith(("/xml", "+xml")):
        return "xml"
    return "text"


def _plain_text(markup: str) -> str:
    from html import unescape

    return " ".join(unescape(_TAG.sub(" ", markup)).split())


def _read_challenges(header: str, secrets: tuple[Secret, ...]) -> tuple[Challenge, ...]:
    """Return the challenges of a header; of their texts, only what is no secret."""
    return tuple(
        replace(
            challenge,
            token68=MASK if challenge.token68 else None,
            params={
                name: redact_text(value, secrets)
                if name == "error_description"
                else mask_secrets(value, secrets)
                for name, value in challenge.params.items()
            },
        )
        for challenge in parse_challenges(header)
    )


def _redact_headers(
    headers: Mapping[str, str], url: str, secrets: tuple[Secret, ...], public: tuple[str, ...]
) -> Mapping[str, str]:
    shown = {}
    for name, value in headers.items():
        if name in _COOKIE_HEADERS:
            continue
        if name == "location":
            try:
                shown[name] = describe_url(urljoin(url, value), secrets)
            except ValueError:
                shown[name] = MASK
        elif (
            re.search(rf"(?i){SECRET_NAME_PATTERN}", name.replace("-", "_"))
            and name != "proxy-authenticate"
        ):
            shown[name] = MASK
        else:
            shown[name] = redact_text(value, secrets, public)
    return shown
