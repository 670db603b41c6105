"""Read OpenAPI 3 and Swagger 2: OAuth flows, OpenID issuers and login operations."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urlencode

from tokencli.importers.document import as_list, as_rows, as_table, as_text, first_text
from tokencli.importers.model import Imported, ImportedRequest, OAuthServer
from tokencli.importers.name_patterns import (
    CONSTANT_PARAMETERS,
    SECRET_NAME_PATTERN,
    has_token_member,
)
from tokencli.importers.tool_request import GRANT_BY_TOOL_NAME, normalize_name

MAX_URL_LENGTH = 4096
METADATA_PATHS = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")


def read_requests(data: Mapping[str, Any]) -> Iterator[Imported]:
    """Yield the OAuth servers of the security schemes, then the login operations."""
    schemas = SchemaExamples(dict(data))
    base, defaults = _read_base_url(data)
    name = as_text(as_table(data.get("info")).get("title"))
    schemes = as_table(as_table(data.get("components")).get("securitySchemes"))
    schemes = schemes or as_table(data.get("securityDefinitions"))
    found: dict[tuple[str, str], list[OAuthServer]] = {}
    for scheme in schemes.values():
        for server in _read_oauth_servers(schemas.resolve_ref(scheme), base, defaults, name):
            found.setdefault((server.token_url, server.issuer), []).append(server)
    yield from map(_merge_servers, found.values())
    for seen in find_login_requests(data, schemas, base, defaults, name, schemes):
        if (seen.url, "") not in found:
            yield seen


def _merge_servers(flows: list[OAuthServer]) -> OAuthServer:
    """Return the OAuth server that flows with the same token endpoint describe together."""
    return replace(
        flows[0],
        authorization_url=next(
            (each.authorization_url for each in flows if each.authorization_url), ""
        ),
        device_url=next((each.device_url for each in flows if each.device_url), ""),
        grants=tuple(dict.fromkeys(grant for each in flows for grant in each.grants)),
        scope=" ".join(each.scope for each in flows if each.scope),
    )


def make_absolute_url(url: str, base: str) -> str:
    """Return an absolute URL, given one that may be relative to `base`."""
    if "://" in url or not url:
        return url
    if url.startswith("//"):
        return f"https:{url}"
    if url.startswith("/"):
        scheme, colons, rest = base.partition("://")
        host = rest.partition("/")[0] if colons else base.partition("/")[0]
        return f"{scheme}://{host}{url}" if colons else f"{host}{url}"
    return f"{base.rstrip('/')}/{url.removeprefix('./')}"


def _read_base_url(data: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the base URL of the API, and the default values of its variables."""
    if "swagger" in data:
        host = as_text(data.get("host")) or "{base_url}"
        path = as_text(data.get("basePath")).strip("/")
        schemes = data.get("schemes")
        only = as_text(schemes[0]) if isinstance(schemes, list) and len(schemes) == 1 else "https"
        start = "" if host.startswith("{") else f"{only or 'https'}://"
        return f"{start}{host}{f'/{path}' if path else ''}", {}
    servers = as_rows(data.get("servers"))
    best = next((one for one in servers if as_text(one.get("url")).startswith("https")), None)
    server = best or (servers[0] if servers else {})
    url = as_text(server.get("url")).rstrip("/")
    defaults = {
        key: as_text(as_table(about).get("default"))
        for key, about in as_table(server.get("variables")).items()
    }
    if len(url) > MAX_URL_LENGTH:
        return "", {}
    for key, value in defaults.items():
        if f"{{{key}}}" == url.partition("/")[0] or (f"{{{key}}}://" in url):
            url = url.replace(f"{{{key}}}", value, 1)  # a whole URL, or its scheme
    if "://" not in url:
        url = f"{{base_url}}{'/' if url and url[0] != '/' else ''}{url}"
    return url, defaults


def _read_oauth_servers(
    scheme: dict[str, Any], base: str, defaults: dict[str, str], name: str
) -> Iterator[OAuthServer]:
    kind = normalize_name(as_text(scheme.get("type")))
    metadata = first_text(scheme.get("openIdConnectUrl"), scheme.get("oauth2MetadataUrl"))
    if kind == "openidconnect" or (metadata and kind == "oauth2"):
        issuer = make_absolute_url(metadata, base)
        for each in METADATA_PATHS:
            issuer = issuer.partition(each)[0]
        if issuer:
            yield OAuthServer(issuer=issuer.rstrip("/"), defaults=defaults, name=name)
    if kind != "oauth2":
        return
    flows = as_table(scheme.get("flows")) or {as_text(scheme.get("flow")): scheme}
    for flow_name, told in flows.items():
        flow = as_table(told)
        grant = GRANT_BY_TOOL_NAME.get(normalize_name(flow_name))
        url = make_absolute_url(as_text(flow.get("tokenUrl")), base)
        if grant and url:
            yield OAuthServer(
                url,
                make_absolute_url(as_text(flow.get("authorizationUrl")), base),
                make_absolute_url(as_text(flow.get("deviceAuthorizationUrl")), base),
                grants=(grant,),
                scope=" ".join(as_table(flow.get("scopes"))),
                defaults=defaults,
                name=name,
            )


MAX_DEPTH = 8
MAX_NODES = 2000
MAX_REFERENCES = 20
MAX_MERGED_KEYS = 100
"""Keys of a table that is copied for a reference to it with other keys beside it."""
PREFERRED_GRANTS = ("client_credentials", "password")
"""The grant types that an example uses if there are several."""
_FORMAT_EXAMPLES = {"date-time": "2030-01-01T00:00:00Z", "date": "2030-01-01"}
_DATE_EXAMPLE = re.compile(r"\d{4}-\d\d-\d\d")
MAX_DESCRIPTION_LENGTH = 500
_TIME_UNITS = (
    (re.compile(r"(?i)\b(?:milliseconds?|millis|ms)\b"), "ms"),
    (re.compile(r"(?i)\bseconds?\b"), ""),
    (re.compile(r"(?i)\bminutes?\b"), "min"),
    (re.compile(r"(?i)\bhours?\b"), "h"),
)
"""Pattern in a description -> value of `reply.time_unit`; the first one that is found counts."""


@dataclass(slots=True)
class SchemaExamples:
    """Builds examples from the schemas of one document."""

    root: Any
    visited_nodes: int = 0
    optional_members: set[str] = field(default_factory=set)
    """Members that a request may leave out."""
    constant_members: set[str] = field(default_factory=set)
    """Members that can have only one value."""
    time_units: dict[str, str] = field(default_factory=dict)
    """Members of a reply whose description names a unit of time -> `reply.time_unit`."""

    def resolve_ref(self, node: Any) -> dict[str, Any]:
        """Return a table, or the table in this document that it refers to."""
        found = as_table(node)
        for _ in range(MAX_REFERENCES):
            where = found.get("$ref")
            if not isinstance(where, str) or not where.startswith("#/"):
                return found if where is None else {}
            here: Any = self.root
            for part in where[2:].split("/"):
                name = unquote(part).replace("~1", "/").replace("~0", "~")
                here = as_table(here).get(name)
            target, beside = as_table(here), {k: v for k, v in found.items() if k != "$ref"}
            # OpenAPI 3.0 ignores keys beside a reference; many copies of a large table would be costly.
            found = {**target, **beside} if beside and len(target) <= MAX_MERGED_KEYS else target
        return {}

    def build_request_example(self, node: Any) -> Any:
        """Return an example of a request's body, with `{{name}}` for variable values."""
        return self._build_example(node, "", 0, True)

    def build_reply_example(self, node: Any) -> Any:
        """Return an example of a reply."""
        return self._build_example(node, "", 0, False)

    def _build_example(self, node: Any, name: str, depth: int, asked: bool) -> Any:
        self.visited_nodes += 1
        if depth > MAX_DEPTH or self.visited_nodes > MAX_NODES:
            return None
        schema = self._merge_subschemas(self.resolve_ref(node), depth, asked)
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), None)
        properties = as_table(schema.get("properties"))
        if properties or kind == "object":
            return self._build_object(schema, properties, depth, asked)
        if kind == "array":
            inner = self._build_example(schema.get("items"), name, depth + 1, asked)
            return [] if inner is None else [inner]
        if asked:
            return self._build_request_value(schema, name, as_text(kind))
        if unit := _find_time_unit(schema):
            self.time_units[name] = unit
        return _build_reply_value(schema, as_text(kind))

    def _build_object(
        self, schema: dict[str, Any], properties: dict[str, Any], depth: int, asked: bool
    ) -> dict[str, Any]:
        needed = schema.get("required")
        required = (
            {one for one in needed if isinstance(one, str)} if isinstance(needed, list) else set()
        )
        found: dict[str, Any] = {}
        for key, each in properties.items():
            if asked and self.resolve_ref(each).get("readOnly") is True:
                continue
            found[key] = self._build_example(each, key, depth + 1, asked)
            if asked and key not in required:
                self.optional_members.add(key)
        return found

    def _merge_subschemas(self, schema: dict[str, Any], depth: int, asked: bool) -> dict[str, Any]:
        """Return a schema merged with its allOf parts and with oneOf and anyOf.

        Of those, a request has the first part. A reply has all: the token may be in any of them.
        """
        parts = [
            one
            for key in ("oneOf", "anyOf")
            for one in _list_tables(schema, key)[: 1 if asked else None]
        ]
        parts = [*_list_tables(schema, "allOf"), *parts]
        self.visited_nodes += len(parts)
        if not parts or depth > MAX_DEPTH or self.visited_nodes > MAX_NODES:
            return schema
        whole = dict(schema)
        properties, required = (
            {**as_table(schema.get("properties"))},
            [*as_list(schema.get("required"))],
        )
        for part in parts:
            other = self._merge_subschemas(self.resolve_ref(part), depth + 1, asked)
            properties |= as_table(other.get("properties"))
            required += as_list(other.get("required"))
            whole |= {key: value for key, value in other.items() if key not in whole}
        return {**whole, "properties": properties, "required": required}

    def _build_request_value(self, schema: dict[str, Any], name: str, kind: str) -> Any:
        """Return the value of a member in a request: a constant of the API, or a placeholder."""
        words = as_list(schema.get("enum"))
        only = [schema["const"]] if "const" in schema else words if len(words) == 1 else []
        if only and isinstance(only[0], str | int | float):
            self.constant_members.add(name)
            return only[0]
        if kind == "boolean":
            given = schema.get("default")
            return given if isinstance(given, bool) else f"{{{{{name}|bool}}}}"
        if kind in ("integer", "number"):
            return f"{{{{{name}|number}}}}"
        if name.lower() in CONSTANT_PARAMETERS:
            liked = [one for one in PREFERRED_GRANTS if one in words]
            given = first_text(*liked, schema.get("default"), schema.get("example"), *words[:1])
            return given or f"{{{{{name}}}}}"
        return f"{{{{{name}}}}}"


def _build_reply_value(schema: dict[str, Any], kind: str) -> Any:
    """Return a value of a member in a reply. Of its examples, only numbers and dates are used."""
    examples = [schema.get("example"), *as_list(schema.get("examples")), schema.get("default")]
    if kind in ("integer", "number"):
        numbers = [one for one in examples if isinstance(one, int | float)]
        return next((one for one in numbers if not isinstance(one, bool)), 0)
    if kind == "boolean":
        return True
    dates = (one for one in examples if isinstance(one, str) and _DATE_EXAMPLE.match(one))
    return next(dates, _FORMAT_EXAMPLES.get(as_text(schema.get("format")), "x"))


def _find_time_unit(schema: dict[str, Any]) -> str:
    """Return the unit of a time or lifetime that its description names, if it isn't seconds."""
    text = f"{as_text(schema.get('title'))} {as_text(schema.get('description'))}"[
        :MAX_DESCRIPTION_LENGTH
    ]
    return next((unit for pattern, unit in _TIME_UNITS if pattern.search(text)), "")


def _list_tables(schema: dict[str, Any], key: str) -> list[Any]:
    return [one for one in as_list(schema.get(key)) if isinstance(one, dict)]


_WHOLE_BODY = "the-body-is-the-token"
"""The example of a reply that is a single string."""
LOGIN_PATH = re.compile(
    r"(?i)token|auth(?!ors?\b)|log-?in|log_in|sign-?in|session|ticket|credential"
)
HTTP_METHODS = ("post", "put", "get", "patch")
_FORM_CONTENT_TYPE = "application/x-www-form-urlencoded"
_BODY_FORMATS = (
    (_FORM_CONTENT_TYPE, "form"),
    ("json", "json"),
    ("multipart/form-data", "multipart"),
)
MAX_OPERATIONS = 50
"""The most operations that are considered."""


def find_login_requests(
    data: Mapping[str, Any],
    schemas: SchemaExamples,
    base: str,
    defaults: dict[str, str],
    name: str,
    schemes: dict[str, Any],
) -> Iterator[ImportedRequest]:
    """Yield a request for each operation that looks like a login."""
    left = MAX_OPERATIONS
    for path, told in as_table(data.get("paths")).items():
        if not left:
            return
        if not LOGIN_PATH.search(path):
            continue
        item = schemas.resolve_ref(told)
        for method in HTTP_METHODS:
            operation = as_table(item.get(method))
            if not operation or not left:
                continue
            left -= 1
            maker = _OperationRequestBuilder(
                SchemaExamples(schemas.root), operation, item, _get_form_format(data, operation)
            )
            kind, body = maker.build_body()
            basic, headers, query = maker.build_credentials(schemes)
            reply, reply_headers = maker.build_reply(), maker.list_reply_headers()
            time_units = dict(maker.schemas.time_units)
            if not (
                basic
                or SECRET_NAME_PATTERN.search(f"{body} {headers} {query}")
                or has_token_member(reply)
            ):
                continue  # no credentials in the request and no token in the reply
            own = as_rows(operation.get("servers")) or as_rows(item.get("servers"))
            start = as_text(own[0].get("url")) if own else ""
            start = start if "://" in start else base
            yield ImportedRequest(
                method.upper(),
                f"{start.rstrip('/')}/{path.lstrip('/')}{'?' if query else ''}{urlencode(query)}",
                tuple(headers),
                body,
                basic,
                reply,
                body_format=kind,
                reply_headers=reply_headers,
                refusal_body=maker.build_refusal(),
                time_units=time_units,
                defaults=defaults,
                optional_members=frozenset(maker.schemas.optional_members),
                constant_members=frozenset(maker.schemas.constant_members),
                name=name,
            )


def _get_form_format(data: Mapping[str, Any], operation: dict[str, Any]) -> str:
    """Return the form encoding that Swagger 2 specifies."""
    kinds = operation.get("consumes") or data.get("consumes")
    words = [as_text(one) for one in kinds] if isinstance(kinds, list) else []
    only = bool(words) and all("multipart" in one for one in words)
    return "multipart" if only else "form"


class _OperationRequestBuilder:
    """Builds the parts of a request from one operation."""

    def __init__(
        self, schemas: SchemaExamples, operation: dict[str, Any], item: dict[str, Any], form: str
    ) -> None:
        self.schemas = schemas
        self.operation = operation
        self.form = form
        told = [*as_list(item.get("parameters")), *as_list(operation.get("parameters"))]
        self.parameters = [schemas.resolve_ref(one) for one in told]

    def build_body(self) -> tuple[str, str]:
        """Return the format of the body and an example. In Swagger 2 the body is a parameter."""
        asked = self.schemas.resolve_ref(self.operation.get("requestBody"))
        content = as_table(asked.get("content"))
        for word, kind in _BODY_FORMATS:
            media = next((media for key, media in content.items() if word in key.lower()), None)
            if media is not None:
                example = self.schemas.build_request_example(as_table(media).get("schema"))
                return self._encode_example(kind, example or self._read_media_example(media))
        whole = next((one for one in self.parameters if one.get("in") == "body"), None)
        if whole is not None:
            return self._encode_example(
                "json", self.schemas.build_request_example(whole.get("schema"))
            )
        rows = [one for one in self.parameters if one.get("in") == "formData"]
        return self._encode_example(self.form, self._build_example_values(rows))

    def _read_media_example(self, media: Any) -> Any:
        """Return the example of a media type without a schema. Its values become references."""
        example = as_table(media).get("example")
        several = list(as_table(as_table(media).get("examples")).values())
        example = example or (
            self.schemas.resolve_ref(several[0]).get("value") if several else None
        )
        return example if isinstance(example, dict | list) else None

    def _build_example_values(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for row in rows:
            key = as_text(row.get("name"))
            schema = row.get("schema") if isinstance(row.get("schema"), dict) else row
            properties = {"properties": {key: schema}, "required": [key] if row.get("required") else []}  # fmt: skip
            found |= self.schemas.build_request_example(properties) or {}
        return found

    def _encode_example(self, kind: str, example: Any) -> tuple[str, str]:
        if not example or not isinstance(example, dict | list):
            return "", ""
        if kind == "json" or isinstance(example, list):
            return "json", json.dumps(example)
        flat = [(key, as_text(one) or "x") for key, one in example.items() if one is not None]
        return kind, urlencode(flat)

    def build_credentials(self, schemes: dict[str, Any]) -> tuple[bool, list[tuple[str, str]], list[tuple[str, str]]]:  # fmt: skip
        """Return whether HTTP Basic is required, and the required headers and query parameters."""
        wanted = {
            place: list(self._build_example_values([
                one for one in self.parameters
                if one.get("in") == place and one.get("required") is True
            ]).items())
            for place in ("header", "query")
        }  # fmt: skip
        basic = False
        for each in as_rows(self.operation.get("security"))[:1]:
            for key in each:
                scheme = self.schemas.resolve_ref(schemes.get(key))
                kind, place = (
                    as_text(scheme.get("type")),
                    as_text(scheme.get("in")),
                )
                basic |= kind == "basic" or as_text(scheme.get("scheme")).lower() == "basic"
                if kind == "apiKey" and place in wanted:
                    wanted[place].append((as_text(scheme.get("name")), "x"))
        headers, query = ([(key, as_text(one) or "x") for key, one in wanted[place]] for place in ("header", "query"))  # fmt: skip
        return basic, headers, query

    def build_reply(self) -> str:
        """Return an example of a successful reply, as JSON."""
        return self._build_answer(lambda status: status.startswith("2")) or self._build_answer(
            lambda status: status == "default"
        )

    def build_refusal(self) -> str:
        """Return an example of a refusal, as JSON; beside a success, `default` is one."""
        answers = as_table(self.operation.get("responses"))
        has_success = any(status.startswith("2") for status in answers)
        return self._build_answer(lambda status: status[:1] == "4") or self._build_answer(
            lambda status: has_success and status == "default"
        )

    def list_reply_headers(self) -> tuple[str, ...]:
        """Return the names of the headers of a successful reply."""
        answers = as_table(self.operation.get("responses"))
        good = [answers[key] for key in sorted(answers) if key.startswith("2")]
        headers = [as_table(self.schemas.resolve_ref(one).get("headers")) for one in good]
        return tuple(dict.fromkeys(name for table in headers for name in table))

    def _build_answer(self, fits: Callable[[str], bool]) -> str:
        """Return an example of the first reply with a body whose status fits."""
        answers = as_table(self.operation.get("responses"))
        for key in sorted(key for key in answers if fits(key)):
            answer = self.schemas.resolve_ref(answers[key])
            content = as_table(answer.get("content"))
            for media in sorted(content, key=lambda name: "json" not in name.lower()) or [""]:
                example = self._build_media_example(content.get(media, answer))
                if isinstance(example, str) and "json" not in media.lower():
                    return example
                if example:
                    return json.dumps(example)
        return ""

    def _build_media_example(self, media: Any) -> Any:
        schema = as_table(media).get("schema")
        example = self.schemas.build_reply_example(schema) if isinstance(schema, dict) else None
        if isinstance(example, dict | list):
            return example
        if self.schemas.resolve_ref(schema).get("type") == "string":
            return _WHOLE_BODY
        return self._read_media_example(media)
