"""Find the operations of an API description at which one logs in, and make requests of them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from tokencli.providers.draft.made import SECRET
from tokencli.providers.draft.reply import holds_token
from tokencli.providers.recorded import tree
from tokencli.providers.recorded.schema import Schemas
from tokencli.providers.recorded.seen import Seen

LOGIN = re.compile(r"(?i)token|auth(?!ors?\b)|log-?in|log_in|sign-?in|session|ticket|credential")
METHODS = ("post", "put", "get", "patch")
_FORM = "application/x-www-form-urlencoded"
_KINDS = ((_FORM, "form"), ("json", "json"), ("multipart/form-data", "multipart"))
MOST = 50
"""Operations that are looked at: a description of an authorization server has some."""


def operations(
    data: Mapping[str, Any],
    schemas: Schemas,
    base: str,
    defaults: dict[str, str],
    name: str,
    schemes: dict[str, Any],
) -> Iterator[Seen]:
    """Yield a request for each operation that looks like a login and takes something."""
    left = MOST
    for path, told in tree.table(data.get("paths")).items():
        item = schemas.resolved(told)
        if not LOGIN.search(path):
            continue
        for method in METHODS:
            operation = tree.table(item.get(method))
            if not operation or not left:
                continue
            left -= 1
            maker = _Maker(Schemas(schemas.root), operation, item, _consumed(data, operation))
            kind, body = maker.body()
            basic, headers, query = maker.secured(schemes)
            reply = maker.reply()
            if not (basic or SECRET.search(f"{body} {headers} {query}") or holds_token(reply)):
                continue  # nothing that one proves oneself with goes in, and no token comes out
            own = tree.rows(operation.get("servers")) or tree.rows(item.get("servers"))
            start = tree.text(own[0].get("url")) if own else ""
            start = start if "://" in start else base
            yield Seen(
                method.upper(),
                f"{start.rstrip('/')}/{path.lstrip('/')}{'?' if query else ''}{urlencode(query)}",
                tuple(headers),
                body,
                basic,
                reply,
                kind=kind,
                defaults=defaults,
                optional=frozenset(maker.schemas.optional),
                constants=frozenset(maker.schemas.constants),
                name=name,
            )


def _consumed(data: Mapping[str, Any], operation: dict[str, Any]) -> str:
    """Return what Swagger 2 says that a form is sent as."""
    kinds = operation.get("consumes") or data.get("consumes")
    words = [tree.text(one) for one in kinds] if isinstance(kinds, list) else []
    only = bool(words) and all("multipart" in one for one in words)
    return "multipart" if only else "form"


class _Maker:
    """Make the parts of a request of one operation."""

    def __init__(
        self, schemas: Schemas, operation: dict[str, Any], item: dict[str, Any], form: str
    ) -> None:
        self.schemas = schemas
        self.operation = operation
        self.form = form
        told = [*_list(item.get("parameters")), *_list(operation.get("parameters"))]
        self.parameters = [schemas.resolved(one) for one in told]

    def body(self) -> tuple[str, str]:
        """Return the kind of the body and an example of it; Swagger 2 keeps it in parameters."""
        asked = self.schemas.resolved(self.operation.get("requestBody"))
        content = tree.table(asked.get("content"))
        for word, kind in _KINDS:
            media = next((media for key, media in content.items() if word in key.lower()), None)
            if media is not None:
                example = self.schemas.request(tree.table(media).get("schema"))
                return self._written(kind, example or self._names(media))
        whole = next((one for one in self.parameters if one.get("in") == "body"), None)
        if whole is not None:
            return self._written("json", self.schemas.request(whole.get("schema")))
        rows = [one for one in self.parameters if one.get("in") == "formData"]
        return self._written(self.form, self._examples(rows))

    def _names(self, media: Any) -> Any:
        """Return the members of an example where there is no schema; its values become references."""
        example = tree.table(media).get("example")
        several = list(tree.table(tree.table(media).get("examples")).values())
        example = example or (self.schemas.resolved(several[0]).get("value") if several else None)
        return example if isinstance(example, dict | list) else None

    def _examples(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for row in rows:
            key = tree.text(row.get("name"))
            schema = row.get("schema") if isinstance(row.get("schema"), dict) else row
            properties = {"properties": {key: schema}, "required": [key] if row.get("required") else []}  # fmt: skip
            found |= self.schemas.request(properties) or {}
        return found

    def _written(self, kind: str, example: Any) -> tuple[str, str]:
        if not example or not isinstance(example, dict | list):
            return "", ""
        if kind == "json" or isinstance(example, list):
            return "json", json.dumps(example)
        flat = [(key, tree.text(one) or "x") for key, one in example.items() if one is not None]
        return kind, urlencode(flat)

    def secured(self, schemes: dict[str, Any]) -> tuple[bool, list[tuple[str, str]], list[tuple[str, str]]]:  # fmt: skip
        """Return whether HTTP Basic is wanted, and the headers and parameters that are required."""
        wanted = {
            place: list(self._examples([
                one for one in self.parameters
                if one.get("in") == place and one.get("required") is True
            ]).items())
            for place in ("header", "query")
        }  # fmt: skip
        basic = False
        for each in tree.rows(self.operation.get("security"))[:1]:
            for key in each:
                scheme = self.schemas.resolved(schemes.get(key))
                kind, place = tree.text(scheme.get("type")), tree.text(scheme.get("in"))
                basic |= kind == "basic" or tree.text(scheme.get("scheme")).lower() == "basic"
                if kind == "apiKey" and place in wanted:
                    wanted[place].append((tree.text(scheme.get("name")), "x"))
        headers, query = ([(key, tree.text(one) or "x") for key, one in wanted[place]] for place in ("header", "query"))  # fmt: skip
        return basic, headers, query

    def reply(self) -> str:
        """Return an example of what a success answers, as JSON."""
        answers = tree.table(self.operation.get("responses"))
        good = [key for key in ("200", "201", "2XX", "202", "default") if key in answers]
        for key in good:
            answer = self.schemas.resolved(answers[key])
            media: Any = next(iter(tree.table(answer.get("content")).values()), answer)
            schema = tree.table(media).get("schema")
            example = self.schemas.reply(schema) if isinstance(schema, dict) else None
            example = example if isinstance(example, dict | list) else self._names(media)
            if example:
                return json.dumps(example)
        return ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
