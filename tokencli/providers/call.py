"""Write a request that is the provider's own from method to body, by its templates.

Each value is escaped for the place it lands in, here and nowhere else: so no value, wherever it
comes from, can become another parameter, header, member, element or address.
"""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote_plus

from tokencli.errors import ConfigError
from tokencli.frozen import dataclass
from tokencli.model import Profile, Secret, WireRequest
from tokencli.providers import filters, template
from tokencli.providers.address import check_origin
from tokencli.providers.spec import Call, Provider, Request
from tokencli.providers.values import FROM_REPLY, GENERATED, complete

KINDS = {
    "form": "application/x-www-form-urlencoded",
    "json": "application/json",
    "text": "text/plain",
    "xml": "application/xml",
}
"""Body -> the Content-Type that goes with it, unless the headers name another."""


def names(provider: Provider, request: Request) -> tuple[str, ...]:
    """Name the values that a request is made of; in place of a computed one, what that is made of."""
    found = [name for text in _texts(request) for name in expanded(provider, text)]
    return tuple(dict.fromkeys(found))


def expanded(provider: Provider, text: str) -> Iterator[str]:
    """Yield the names in a template; in place of a computed value, what that is made of."""
    for name in template.names(text):
        if name in provider.values:
            yield from expanded(provider, provider.values[name])
        elif name in provider.signed:
            signed = provider.signed[name]
            yield signed.key
            if signed.key == "private_key":
                yield "key_passphrase"
            for leaf in template.leaves((signed.header, signed.claims)):
                yield from expanded(provider, leaf)
        else:
            yield name


def inputs(provider: Provider) -> tuple[str, ...]:
    """Name what a profile must give for the requests that are the provider's own."""
    calls = (provider.request, provider.then, provider.refresh, provider.logout)
    replied = {*FROM_REPLY, *provider.outputs} - set(provider.fields)
    found = [name for call in calls if call is not None for name in names(provider, call)]
    optional = {name for name, field in provider.fields.items() if field.optional}
    left_out = {*GENERATED, *replied, *optional, "scope", "key_passphrase"}
    return tuple(dict.fromkeys(name for name in found if name not in left_out))


def beside(provider: Provider, grant: str) -> tuple[str, ...]:
    """Name the values that OAuth's own request carries beside what OAuth makes it of."""
    texts = (*provider.grants[grant].params.values(), *provider.request.headers.values())
    found = [name for text in texts for name in expanded(provider, text)]
    return tuple(dict.fromkeys(name for name in found if name not in GENERATED))


def needed_beside(provider: Provider, grant: str) -> tuple[str, ...]:
    """Name those among them that a profile must give: fields that are not optional, and keys."""
    spec = provider.grants[grant]
    free = {*spec.optional, *(name for group in spec.one_of for name in group)}
    keys = {signed.key for signed in provider.signed.values()}
    return tuple(
        name
        for name in beside(provider, grant)
        if name not in free
        and (name in keys or (name in provider.fields and not provider.fields[name].optional))
    )


def _texts(request: Request) -> Iterator[str]:
    """Yield every template of a request."""
    if isinstance(request, Call) and request.url:
        yield request.url
    yield from template.leaves(request.send)
    yield from request.query.values()
    yield from request.headers.values()
    if request.basic is not None:
        yield request.basic


def renewal(provider: Provider) -> Request | None:
    """Return the request that renews a token; an empty one is OAuth's own, None says there is none."""
    if provider.refresh is not None:
        return provider.refresh
    if not provider.request.whole:
        return Request()
    return provider.request if "refresh_token" in names(provider, provider.request) else None


def write(
    profile: Profile, request: Request, given: Mapping[str, str | Secret], now: float,
    *, masked: bool = False,
) -> WireRequest:  # fmt: skip
    """Return the request with these values in it; `masked` writes `***` for what is secret.

    Raises:
        ConfigError: a value is missing, does not fit its place, or would go to another server.
    """
    values = complete(profile, given, now, masked=masked)
    hidden = template.MASK if masked else None
    shown = {
        name: (hidden or value.reveal()) if isinstance(value, Secret) else value
        for name, value in values.items()
    }
    pen = _Pen(profile, request, shown, masked)
    headers, secrets = pen.headers(), pen.secrets(values)
    body, parameters = pen.body()
    url = pen.url(parameters)
    reply = (request.reply if isinstance(request, Call) else None) or profile.provider.reply
    redirects = any(300 <= status < 400 for status in reply.status)
    return WireRequest(request.method, url, headers, body, secrets, redirect_is_reply=redirects)


@dataclass(frozen=True, slots=True)
class _Pen:
    profile: Profile
    request: Request
    values: Mapping[str, str]
    masked: bool

    @property
    def kind(self) -> str:
        return self.request.body or ("query" if self.request.method == "GET" else "form")

    def secrets(self, values: Mapping[str, str | Secret]) -> tuple[Secret, ...]:
        """Return what has to be masked wherever the request or an answer to it is shown."""
        found = [value for value in values.values() if isinstance(value, Secret) and value]
        basic = self._basic()
        if basic is not None:
            found.append(Secret(basic.removeprefix("Basic ")))
        return tuple(found)

    def headers(self) -> dict[str, str]:
        """Return the headers; one that names an absent optional value is left out."""
        found = {"Accept": "application/json"}
        if self.kind in KINDS and self.request.send is not None:
            found["Content-Type"] = KINDS[self.kind]
        for name, text in self.request.headers.items():
            filled = self._filled(text)
            if filled is not None:
                known = next((known for known in found if known.lower() == name.lower()), name)
                found.pop(known, None)
                found[name] = filled
        basic = self._basic()
        if basic is not None:
            found["Authorization"] = basic
        return found

    def body(self) -> tuple[bytes, list[tuple[str, str]]]:
        """Return the body and the parameters that go into the URL's query."""
        query = [
            (name, filled)
            for name, text in self.request.query.items()
            if (filled := self._filled(text)) is not None
        ]
        send, kind = self.request.send, self.kind
        if send is None or kind == "none":
            return b"", query
        if kind in ("text", "xml"):
            filled = self._needed(send, filters.xml if kind == "xml" else None)
            return filled.encode(errors="surrogatepass"), query
        for leaf in template.leaves(send):
            self._require(leaf)
        tree = template.fill_tree(send, self.values)
        if kind == "json":
            return json.dumps(tree, allow_nan=False).encode("ascii"), query
        pairs = [(name, text) for name, value in tree.items() for text in _flat(value)]
        if kind == "query":
            return b"", [*query, *pairs]
        return self._encoded(pairs).encode("ascii"), query

    def url(self, parameters: list[tuple[str, str]]) -> str:
        """Return the address; beside the token endpoint's, one on a server that the profile names."""
        text = self.request.url if isinstance(self.request, Call) else None
        url = self.profile.token_url
        if text is not None:
            filled = template.fill_url(text, self.values)
            if filled is None:
                raise self._missing(text)
            url = filled
            check_origin(url, self.profile)
        if not parameters:
            return url
        return f"{url}{'&' if '?' in url else '?'}{self._encoded(parameters)}"

    def _basic(self) -> str | None:
        """Return the Basic header (RFC 7617), None where there is none or what it names is left out."""
        text = self._filled(self.request.basic) if self.request.basic is not None else None
        if text is None:
            return None
        if self.masked:
            return f"Basic {template.MASK}"
        return f"Basic {b64encode(text.encode(errors='surrogatepass')).decode()}"

    def _filled(self, text: str) -> str | None:
        self._require(text)
        return template.fill(text, self.values)

    def _needed(self, text: str, escape: Any = None) -> str:
        filled = template.fill(text, self.values, escape)
        if filled is None:
            raise self._missing(text)
        return filled

    def _require(self, text: str) -> None:
        """Raise where a value is absent that no profile may leave out."""
        fields = self.profile.provider.fields
        computed = {*self.profile.provider.values, *self.profile.provider.signed, "scope"}
        for name in template.names(text):
            optional = name in computed or (name in fields and fields[name].optional)
            if name not in self.values and not optional:
                raise self._missing(text)

    def _missing(self, text: str) -> ConfigError:
        absent = ", ".join(name for name in template.names(text) if name not in self.values)
        return ConfigError(
            f"the request needs {absent}, and profile {self.profile.name!r} has no such value",
            hint=f"tokencli profiles show {self.profile.name}",
        )

    def _encoded(self, pairs: list[tuple[str, str]]) -> str:
        safe = "*" if self.masked else ""
        encode = [(quote_plus(name), quote_plus(text, safe=safe)) for name, text in pairs]
        return "&".join(f"{name}={text}" for name, text in encode)


def _flat(value: Any) -> Iterator[str]:
    """Yield the texts of a parameter: one, or each of an array."""
    for one in value if isinstance(value, list) else [value]:
        yield str(one).lower() if isinstance(one, bool) else str(one)
