"""Write each part of a request by its templates.

Each value is escaped for the place it lands in, here and nowhere else: so no value, wherever it
comes from, can become another parameter, header, member, element or address.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote_plus

from tokencli.errors import ConfigError
from tokencli.frozen import dataclass
from tokencli.model import Profile, Secret
from tokencli.providers import filters, template, url_template
from tokencli.providers.address import check_origin
from tokencli.providers.spec import Call, Request

KINDS = {
    "form": "application/x-www-form-urlencoded",
    "json": "application/json",
    "text": "text/plain",
    "xml": "application/xml",
}
"""Body -> the Content-Type that goes with it, unless the headers name another."""


_USER = re.compile(r"((?:[^{}:]|\{\{|\}\}|\{[^{}]*\})*):")
"""What stands before the first colon that is the template's own."""


@dataclass(frozen=True, slots=True)
class Pen:
    """Who writes: the request of a profile, with the values that stand in it."""

    profile: Profile
    request: Request
    values: Mapping[str, str]
    masked: bool

    @property
    def kind(self) -> str:
        """What the body is; `query` where the parameters go into the address."""
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
            fill = template.fill_cookies if name.lower() == "cookie" else template.fill
            self._require(text)
            filled = fill(text, self.values)
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
            filled = url_template.fill_url(text, self.values)
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
        user = _USER.match(self.request.basic or "")
        if user and ":" in (template.fill(user[1], self.values) or ""):
            raise ConfigError(
                "the user name of HTTP Basic holds a colon, which would end it (RFC 7617 section 2)",
                hint=f"tokencli profiles show {self.profile.name}",
            )
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
