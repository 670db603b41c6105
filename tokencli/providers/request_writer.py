"""Write token requests: the standard OAuth request, and those that a provider describes.

Every value is escaped here for the part of the request that it goes into. So no value, whatever its
source, can become another parameter, header, JSON member, XML element or URL.
"""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import quote_plus

from tokencli.errors import ConfigError
from tokencli.fast_dataclass import dataclass
from tokencli.models import AuthAdditions, HttpRequest, ParamValue, Profile, Secret
from tokencli.provider_schema import Call, Provider, Request
from tokencli.providers import template
from tokencli.providers.endpoint_urls import check_server_is_known
from tokencli.providers.template_values import (
    complete_values,
    iter_request_templates,
    list_request_values,
)

CONTENT_TYPES = {
    "form": "application/x-www-form-urlencoded",
    "json": "application/json",
    "text": "text/plain",
    "xml": "application/xml",
}
"""Body format -> Content-Type, unless the provider's own headers set another."""
RETRIABLE_GRANT_TYPES = ("client_credentials",)
"""Values of `grant_type` whose request may be sent twice: it spends nothing and can lock no account.

An assertion is an exception, because it is good for one request only."""
_BASIC_USER = r"((?:[^{}:]|\{\{|\}\}|\{[^{}]*\})*):"
"""What stands before the template's own first colon."""


def find_renewal_request(provider: Provider) -> Request | None:
    """Return the request that renews a token: empty for the standard OAuth one, None if there is none."""
    if provider.refresh is not None:
        return provider.refresh
    if not provider.request.is_custom:
        return Request()
    renews = "refresh_token" in list_request_values(provider, provider.request)
    return provider.request if renews else None


def write_oauth_request(
    profile: Profile,
    params: Mapping[str, ParamValue],
    auth: AuthAdditions,
    *,
    url: str | None = None,
    header_values: Mapping[str, str | Secret] | None = None,
) -> HttpRequest:
    """Return the standard OAuth request with these logical parameters.

    It is form-encoded (RFC 6749 appendix B), unless the provider sends the same parameters as JSON or
    in the query. It goes to the token endpoint, or to `url`, another endpoint of the same server. The
    provider's headers are filled from `header_values`, by default from the profile's values.
    """
    secrets = list(auth.encoded_secrets)

    def reveal(value: Secret) -> str:
        secrets.append(value)
        return value.reveal()

    values = profile.values if header_values is None else header_values
    request = _render_oauth_request(profile, params, auth, url, values, reveal)
    masked = _render_oauth_request(profile, params, auth, url, values, lambda _: template.MASK)
    return replace(request, secrets=tuple(secrets), masked_copy=masked)


def _render_oauth_request(
    profile: Profile,
    params: Mapping[str, ParamValue],
    auth: AuthAdditions,
    url: str | None,
    header_values: Mapping[str, str | Secret],
    spell_secret: Callable[[Secret], str],
) -> HttpRequest:
    """Return the request with each secret spelled by `spell_secret`."""
    spec = profile.provider.request

    def spell(value: str | Secret) -> str:
        return spell_secret(value) if isinstance(value, Secret) else value

    pairs = [
        (spec.names.get(name, name), spell(item))
        for name, value in {**params, **auth.params}.items()
        for item in (value if isinstance(value, tuple) else (value,))
    ]
    body_format = (spec.body or "form") if url is None else "form"
    headers = {"Accept": "application/json"}
    if body_format in CONTENT_TYPES:
        headers["Content-Type"] = CONTENT_TYPES[body_format]
    for name, text in spec.headers.items():
        value = template.fill_with_secrets(text, header_values)
        if value is not None:
            _set_header(headers, name, spell(value))
    headers |= {name: spell(value) for name, value in auth.headers.items()}
    target, body = url or profile.token_url, ""
    if body_format == "query":
        target = _append_query(target, _encode_pairs(pairs))
    elif body_format == "json":
        body = _encode_json_object(pairs)
    else:
        body = _encode_pairs(pairs)
    return HttpRequest(
        method="POST",
        url=target,
        headers=headers,
        body=body.encode("ascii"),
        is_retry_safe=params.get("grant_type") in RETRIABLE_GRANT_TYPES
        and "client_assertion" not in auth.params,
        expects_token=url is None,
        client_certificate=auth.certificate,
        grant="" if url else "refresh_token" if "refresh_token" in params else profile.grant,
    )


def write_custom_request(
    profile: Profile,
    request: Request,
    given: Mapping[str, str | Secret],
    now: float,
    *,
    spelled: Mapping[str, Mapping[str, Any]] | None = None,
    masked: bool = False,
) -> HttpRequest:
    """Return a request that the provider describes itself; `masked` writes `***` for every secret.

    `spelled` replaces constants, see `template.replace_constants`.

    Raises:
        ConfigError: a value is missing, does not fit its place, or would go to another server.
    """
    values = complete_values(profile, given, now, masked=masked)
    renews = request == find_renewal_request(profile.provider) and "refresh_token" in values
    grant = "refresh_token" if renews else profile.grant
    if spelled:
        send, query = template.replace_constants((request.send, request.query), spelled)
        request = replace(request, send=send, query=query)
    if masked:
        return _render_custom_request(profile, request, values, grant, masked=True)
    written = _render_custom_request(profile, request, values, grant, masked=False)
    with suppress(ConfigError):  # a mask need not fit where the secret does, e.g. in a host name
        masked_copy = _render_custom_request(profile, request, values, grant, masked=True)
        written = replace(written, masked_copy=masked_copy)
    return written


def _render_custom_request(
    profile: Profile,
    request: Request,
    values: Mapping[str, str | Secret],
    grant: str,
    *,
    masked: bool,
) -> HttpRequest:
    shown = {
        name: (template.MASK if masked else value.reveal()) if isinstance(value, Secret) else value
        for name, value in values.items()
    }
    writer = _CustomRequestWriter(profile, request, shown, masked)
    body, query = writer.build_body()
    secret_parts: list[str] = []
    if not masked:
        for text in iter_request_templates(request):
            secret_parts += template.list_secret_parts(text, values)
    reply = (request.reply if isinstance(request, Call) else None) or profile.provider.reply
    return HttpRequest(
        request.method,
        writer.build_url(query),
        writer.build_headers(),
        body,
        (*writer.collect_secrets(values), *map(Secret, dict.fromkeys(secret_parts))),
        redirect_is_reply=any(300 <= status < 400 for status in reply.status),
        grant=grant,
    )


@dataclass(frozen=True, slots=True)
class _CustomRequestWriter:
    """Writes the parts of one request from the provider's templates and these values."""

    profile: Profile
    request: Request
    values: Mapping[str, str]
    masked: bool

    @property
    def body_format(self) -> str:
        """The format of the body; `query` if the parameters go into the URL."""
        return self.request.body or ("query" if self.request.method == "GET" else "form")

    def collect_secrets(self, values: Mapping[str, str | Secret]) -> tuple[Secret, ...]:
        """Return what must be masked wherever the request or a reply to it is shown."""
        found = [value for value in values.values() if isinstance(value, Secret) and value]
        basic = self._build_basic_header()
        if basic is not None:
            found.append(Secret(basic.removeprefix("Basic ")))
        return tuple(found)

    def build_headers(self) -> dict[str, str]:
        """Return the headers, without those that name an absent optional value."""
        headers = {"Accept": "application/json"}
        if self.body_format in CONTENT_TYPES and self.request.send is not None:
            headers["Content-Type"] = CONTENT_TYPES[self.body_format]
        for name, text in self.request.headers.items():
            fill = (
                template.fill_cookie_header if name.lower() == "cookie" else template.fill_template
            )
            self._check_required_values(text)
            value = fill(text, self.values)
            if value is not None:
                _set_header(headers, name, value)
        basic = self._build_basic_header()
        if basic is not None:
            headers["Authorization"] = basic
        return headers

    def build_body(self) -> tuple[bytes, list[tuple[str, str]]]:
        """Return the body, and the parameters for the URL's query."""
        query = [
            (name, value)
            for name, text in self.request.query.items()
            if (value := self._fill_optional(text)) is not None
        ]
        send, body_format = self.request.send, self.body_format
        if send is None or body_format == "none":
            return b"", query
        if body_format in ("text", "xml"):
            text = self._fill_required(send, template.escape_xml if body_format == "xml" else None)
            return text.encode(errors="surrogatepass"), query
        for leaf in template.iter_tree_texts(send):
            self._check_required_values(leaf)
        tree = template.fill_tree(send, self.values)
        if body_format == "json":
            return json.dumps(tree, allow_nan=False).encode("ascii"), query
        pairs = [
            (name, text) for name, value in tree.items() for text in _iter_parameter_values(value)
        ]
        if body_format == "query":
            return b"", [*query, *pairs]
        return _encode_pairs(pairs, masked=self.masked).encode("ascii"), query

    def build_url(self, query: list[tuple[str, str]]) -> str:
        """Return the URL: the token endpoint, or one on a server that the profile names."""
        text = self.request.url if isinstance(self.request, Call) else None
        url = self.profile.token_url
        if text is not None:
            filled = template.fill_url(text, self.values)
            if filled is None:
                raise self._missing_value_error(text)
            url = filled
            check_server_is_known(url, self.profile)
        return _append_query(url, _encode_pairs(query, masked=self.masked)) if query else url

    def _build_basic_header(self) -> str | None:
        """Return the Basic header (RFC 7617), or None if the request has none or a value is absent."""
        text = self._fill_optional(self.request.basic) if self.request.basic is not None else None
        if text is None:
            return None
        user = re.match(_BASIC_USER, self.request.basic or "")
        if user and ":" in (template.fill_template(user[1], self.values) or ""):
            raise ConfigError(
                "the user name for HTTP Basic contains a colon, which would end it (RFC 7617 section 2)",
                fix=f"tokencli profiles show {self.profile.name}",
            )
        if self.masked:
            return f"Basic {template.MASK}"
        return f"Basic {b64encode(text.encode(errors='surrogatepass')).decode()}"

    def _fill_optional(self, text: str) -> str | None:
        self._check_required_values(text)
        return template.fill_template(text, self.values)

    def _fill_required(self, text: str, escape: Callable[[str], str] | None) -> str:
        filled = template.fill_template(text, self.values, escape)
        if filled is None:
            raise self._missing_value_error(text)
        return filled

    def _check_required_values(self, text: str) -> None:
        """Raise ConfigError if a value is absent that is not optional."""
        provider = self.profile.provider
        derived = {*provider.values, *provider.signed, "scope"}
        for name in template.list_value_names(text):
            optional = name in derived or (
                name in provider.fields and provider.fields[name].optional
            )
            if name not in self.values and not optional:
                raise self._missing_value_error(text)

    def _missing_value_error(self, text: str) -> ConfigError:
        missing = [name for name in template.list_value_names(text) if name not in self.values]
        return ConfigError(
            f"the request needs {', '.join(missing)}, which profile {self.profile.name!r} does not set",
            fix=f"tokencli profiles show {self.profile.name}",
        )


def _set_header(headers: dict[str, str], name: str, value: str) -> None:
    """Set a header, replacing one whose name differs only in case."""
    previous = next((known for known in headers if known.lower() == name.lower()), name)
    headers.pop(previous, None)
    headers[name] = value


def _append_query(url: str, query: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{query}"


def _encode_pairs(pairs: list[tuple[str, str]], *, masked: bool = False) -> str:
    """Form-encode the pairs; `masked` keeps the `*` of masks readable."""
    safe = "*" if masked else ""
    return "&".join(f"{quote_plus(name)}={quote_plus(text, safe=safe)}" for name, text in pairs)


def _encode_json_object(pairs: list[tuple[str, str]]) -> str:
    """Return the pairs as one flat JSON object; a repeated parameter becomes an array."""
    members: dict[str, list[str]] = {}
    for name, value in pairs:
        members.setdefault(name, []).append(value)
    return json.dumps({name: v[0] if len(v) == 1 else v for name, v in members.items()})


def _iter_parameter_values(value: Any) -> Iterator[str]:
    """Yield the texts of a parameter: one, or each item of an array."""
    for item in value if isinstance(value, list) else [value]:
        yield str(item).lower() if isinstance(item, bool) else str(item)
