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
from tokencli.fast_dataclass import dataclass
from tokencli.models import Profile, Secret
from tokencli.provider_schema import Call, Request
from tokencli.providers import template, template_filters, url_template
from tokencli.providers.endpoint_urls import check_server_is_known

CONTENT_TYPES = {
    "form": "application/x-www-form-urlencoded",
    "json": "application/json",
    "text": "text/plain",
    "xml": "application/xml",
}
"""Body -> the Content-Type that goes with it, unless the headers name another."""


_BASIC_USER = re.compile(r"((?:[^{}:]|\{\{|\}\}|\{[^{}]*\})*):")
"""What stands before the first colon that is the template's own."""


@dataclass(frozen=True, slots=True)
class RequestWriter:
    """Who writes: the request of a profile, with the values that stand in it."""

    profile: Profile
    request: Request
    values: Mapping[str, str]
    masked: bool

    @property
    def body_format(self) -> str:
        """What the body is; `query` where the parameters go into the address."""
        return self.request.body or ("query" if self.request.method == "GET" else "form")

    def collect_secrets(self, values: Mapping[str, str | Secret]) -> tuple[Secret, ...]:
        """Return what has to be masked wherever the request or an answer to it is shown."""
        found = [value for value in values.values() if isinstance(value, Secret) and value]
        basic = self._build_basic_header()
        if basic is not None:
            found.append(Secret(basic.removeprefix("Basic ")))
        return tuple(found)

    def build_headers(self) -> dict[str, str]:
        """Return the headers; one that names an absent optional value is left out."""
        found = {"Accept": "application/json"}
        if self.body_format in CONTENT_TYPES and self.request.send is not None:
            found["Content-Type"] = CONTENT_TYPES[self.body_format]
        for name, text in self.request.headers.items():
            fill = (
                template.fill_cookie_header if name.lower() == "cookie" else template.fill_template
            )
            self._check_required_values(text)
            filled = fill(text, self.values)
            if filled is not None:
                known = next((known for known in found if known.lower() == name.lower()), name)
                found.pop(known, None)
                found[name] = filled
        basic = self._build_basic_header()
        if basic is not None:
            found["Authorization"] = basic
        return found

    def build_body(self) -> tuple[bytes, list[tuple[str, str]]]:
        """Return the body and the parameters that go into the URL's query."""
        query = [
            (name, filled)
            for name, text in self.request.query.items()
            if (filled := self._fill_optional(text)) is not None
        ]
        send, kind = self.request.send, self.body_format
        if send is None or kind == "none":
            return b"", query
        if kind in ("text", "xml"):
            filled = self._fill_required(
                send, template_filters.escape_xml if kind == "xml" else None
            )
            return filled.encode(errors="surrogatepass"), query
        for leaf in template.iter_tree_texts(send):
            self._check_required_values(leaf)
        tree = template.fill_tree(send, self.values)
        if kind == "json":
            return json.dumps(tree, allow_nan=False).encode("ascii"), query
        pairs = [
            (name, text) for name, value in tree.items() for text in _iter_parameter_values(value)
        ]
        if kind == "query":
            return b"", [*query, *pairs]
        return self._encode_pairs(pairs).encode("ascii"), query

    def build_url(self, parameters: list[tuple[str, str]]) -> str:
        """Return the address; beside the token endpoint's, one on a server that the profile names."""
        text = self.request.url if isinstance(self.request, Call) else None
        url = self.profile.token_url
        if text is not None:
            filled = url_template.fill_url(text, self.values)
            if filled is None:
                raise self._missing_value_error(text)
            url = filled
            check_server_is_known(url, self.profile)
        if not parameters:
            return url
        return f"{url}{'&' if '?' in url else '?'}{self._encode_pairs(parameters)}"

    def _build_basic_header(self) -> str | None:
        """Return the Basic header (RFC 7617), None where there is none or what it names is left out."""
        text = self._fill_optional(self.request.basic) if self.request.basic is not None else None
        if text is None:
            return None
        user = _BASIC_USER.match(self.request.basic or "")
        if user and ":" in (template.fill_template(user[1], self.values) or ""):
            raise ConfigError(
                "the user name of HTTP Basic holds a colon, which would end it (RFC 7617 section 2)",
                fix=f"tokencli profiles show {self.profile.name}",
            )
        if self.masked:
            return f"Basic {template.MASK}"
        return f"Basic {b64encode(text.encode(errors='surrogatepass')).decode()}"

    def _fill_optional(self, text: str) -> str | None:
        self._check_required_values(text)
        return template.fill_template(text, self.values)

    def _fill_required(self, text: str, escape: Any = None) -> str:
        filled = template.fill_template(text, self.values, escape)
        if filled is None:
            raise self._missing_value_error(text)
        return filled

    def _check_required_values(self, text: str) -> None:
        """Raise where a value is absent that no profile may leave out."""
        fields = self.profile.provider.fields
        computed = {*self.profile.provider.values, *self.profile.provider.signed, "scope"}
        for name in template.list_value_names(text):
            optional = name in computed or (name in fields and fields[name].optional)
            if name not in self.values and not optional:
                raise self._missing_value_error(text)

    def _missing_value_error(self, text: str) -> ConfigError:
        absent = ", ".join(
            name for name in template.list_value_names(text) if name not in self.values
        )
        return ConfigError(
            f"the request needs {absent}, and profile {self.profile.name!r} has no such value",
            fix=f"tokencli profiles show {self.profile.name}",
        )

    def _encode_pairs(self, pairs: list[tuple[str, str]]) -> str:
        safe = "*" if self.masked else ""
        encode = [(quote_plus(name), quote_plus(text, safe=safe)) for name, text in pairs]
        return "&".join(f"{name}={text}" for name, text in encode)


def _iter_parameter_values(value: Any) -> Iterator[str]:
    """Yield the texts of a parameter: one, or each of an array."""
    for one in value if isinstance(value, list) else [value]:
        yield str(one).lower() if isinstance(one, bool) else str(one)
