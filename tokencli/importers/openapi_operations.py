"""Find the operations of an API description at which one logs in, and make requests of them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from tokencli.importers import json_access
from tokencli.importers.draft.builder import SECRET_NAME_PATTERN
from tokencli.importers.draft.reply import has_token_member
from tokencli.importers.model import ImportedRequest
from tokencli.importers.openapi_schema import SchemaExamples

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
"""Operations that are looked at: a description of an authorization server has some."""


def find_login_requests(
    data: Mapping[str, Any],
    schemas: SchemaExamples,
    base: str,
    defaults: dict[str, str],
    name: str,
    schemes: dict[str, Any],
) -> Iterator[ImportedRequest]:
    """Yield a request for each operation that looks like a login and takes something."""
    left = MAX_OPERATIONS
    for path, told in json_access.as_table(data.get("paths")).items():
        item = schemas.resolve_ref(told)
        if not LOGIN_PATH.search(path):
            continue
        for method in HTTP_METHODS:
            operation = json_access.as_table(item.get(method))
            if not operation or not left:
                continue
            left -= 1
            maker = _OperationRequestBuilder(
                SchemaExamples(schemas.root), operation, item, _get_form_format(data, operation)
            )
            kind, body = maker.build_body()
            basic, headers, query = maker.build_credentials(schemes)
            reply = maker.build_reply()
            if not (
                basic
                or SECRET_NAME_PATTERN.search(f"{body} {headers} {query}")
                or has_token_member(reply)
            ):
                continue  # nothing that one proves oneself with goes in, and no token comes out
            own = json_access.as_rows(operation.get("servers")) or json_access.as_rows(
                item.get("servers")
            )
            start = json_access.as_text(own[0].get("url")) if own else ""
            start = start if "://" in start else base
            yield ImportedRequest(
                method.upper(),
                f"{start.rstrip('/')}/{path.lstrip('/')}{'?' if query else ''}{urlencode(query)}",
                tuple(headers),
                body,
                basic,
                reply,
                body_format=kind,
                defaults=defaults,
                optional_members=frozenset(maker.schemas.optional_members),
                constant_members=frozenset(maker.schemas.constant_members),
                name=name,
            )


def _get_form_format(data: Mapping[str, Any], operation: dict[str, Any]) -> str:
    """Return what Swagger 2 says that a form is sent as."""
    kinds = operation.get("consumes") or data.get("consumes")
    words = [json_access.as_text(one) for one in kinds] if isinstance(kinds, list) else []
    only = bool(words) and all("multipart" in one for one in words)
    return "multipart" if only else "form"


class _OperationRequestBuilder:
    """Make the parts of a request of one operation."""

    def __init__(
        self, schemas: SchemaExamples, operation: dict[str, Any], item: dict[str, Any], form: str
    ) -> None:
        self.schemas = schemas
        self.operation = operation
        self.form = form
        told = [*_as_list(item.get("parameters")), *_as_list(operation.get("parameters"))]
        self.parameters = [schemas.resolve_ref(one) for one in told]

    def build_body(self) -> tuple[str, str]:
        """Return the kind of the body and an example of it; Swagger 2 keeps it in parameters."""
        asked = self.schemas.resolve_ref(self.operation.get("requestBody"))
        content = json_access.as_table(asked.get("content"))
        for word, kind in _BODY_FORMATS:
            media = next((media for key, media in content.items() if word in key.lower()), None)
            if media is not None:
                example = self.schemas.build_request_example(
                    json_access.as_table(media).get("schema")
                )
                return self._encode_example(kind, example or self._read_media_example(media))
        whole = next((one for one in self.parameters if one.get("in") == "body"), None)
        if whole is not None:
            return self._encode_example(
                "json", self.schemas.build_request_example(whole.get("schema"))
            )
        rows = [one for one in self.parameters if one.get("in") == "formData"]
        return self._encode_example(self.form, self._build_example_values(rows))

    def _read_media_example(self, media: Any) -> Any:
        """Return the members of an example where there is no schema; its values become references."""
        example = json_access.as_table(media).get("example")
        several = list(json_access.as_table(json_access.as_table(media).get("examples")).values())
        example = example or (
            self.schemas.resolve_ref(several[0]).get("value") if several else None
        )
        return example if isinstance(example, dict | list) else None

    def _build_example_values(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for row in rows:
            key = json_access.as_text(row.get("name"))
            schema = row.get("schema") if isinstance(row.get("schema"), dict) else row
            properties = {"properties": {key: schema}, "required": [key] if row.get("required") else []}  # fmt: skip
            found |= self.schemas.build_request_example(properties) or {}
        return found

    def _encode_example(self, kind: str, example: Any) -> tuple[str, str]:
        if not example or not isinstance(example, dict | list):
            return "", ""
        if kind == "json" or isinstance(example, list):
            return "json", json.dumps(example)
        flat = [
            (key, json_access.as_text(one) or "x")
            for key, one in example.items()
            if one is not None
        ]
        return kind, urlencode(flat)

    def build_credentials(self, schemes: dict[str, Any]) -> tuple[bool, list[tuple[str, str]], list[tuple[str, str]]]:  # fmt: skip
        """Return whether HTTP Basic is wanted, and the headers and parameters that are required."""
        wanted = {
            place: list(self._build_example_values([
                one for one in self.parameters
                if one.get("in") == place and one.get("required") is True
            ]).items())
            for place in ("header", "query")
        }  # fmt: skip
        basic = False
        for each in json_access.as_rows(self.operation.get("security"))[:1]:
            for key in each:
                scheme = self.schemas.resolve_ref(schemes.get(key))
                kind, place = (
                    json_access.as_text(scheme.get("type")),
                    json_access.as_text(scheme.get("in")),
                )
                basic |= (
                    kind == "basic" or json_access.as_text(scheme.get("scheme")).lower() == "basic"
                )
                if kind == "apiKey" and place in wanted:
                    wanted[place].append((json_access.as_text(scheme.get("name")), "x"))
        headers, query = ([(key, json_access.as_text(one) or "x") for key, one in wanted[place]] for place in ("header", "query"))  # fmt: skip
        return basic, headers, query

    def build_reply(self) -> str:
        """Return an example of what a success answers, as JSON."""
        answers = json_access.as_table(self.operation.get("responses"))
        good = [key for key in ("200", "201", "2XX", "202", "default") if key in answers]
        for key in good:
            answer = self.schemas.resolve_ref(answers[key])
            media: Any = next(iter(json_access.as_table(answer.get("content")).values()), answer)
            schema = json_access.as_table(media).get("schema")
            example = self.schemas.build_reply_example(schema) if isinstance(schema, dict) else None
            example = (
                example if isinstance(example, dict | list) else self._read_media_example(media)
            )
            if example:
                return json.dumps(example)
        return ""


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
