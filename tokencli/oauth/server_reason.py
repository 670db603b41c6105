"""Read why a server refused a request: in its own words, wherever the reply has them.

Only replies that are refusals are read like this. Everything is redacted, and no clue is cut.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NamedTuple

from tokencli.models import Secret
from tokencli.oauth.www_authenticate import parse_challenges
from tokencli.providers.redaction import mask_secrets, redact_text
from tokencli.providers.reply_locator import ReplyDocument

MAX_REASON = 1000
"""Characters of the server's reason that are passed on."""
MAX_CODE = 100
MAX_IDS = 3
MAX_DEPTH = 5
MAX_TEXT_BODY = 16 * 1024
"""Characters of a page or an XML document that are looked at."""
MAX_MEMBERS = 200
"""Members of a body that are looked at."""

REASON_MEMBERS = (
    "errordescription", "detail", "details", "errorsummary", "errormessage", "message", "msg",
    "errormsg", "faultstring", "usermessage", "developermessage", "statusmessage", "description",
    "reason", "error", "errors", "messages", "nonfielderrors", "summary", "title", "info", "hint", "errorhint", "errordetail", "errordetails",
)  # fmt: skip
"""Members that say why, without regard to case, `_` and `-`, the most telling first: RFC 6749,
RFC 9457, Okta, Apigee and others."""
CODE_MEMBERS = ("errorcode", "code", "error", "status")
"""Members that may be the error code if the provider's own place for it is empty."""
REASON_HEADERS = ("x-error-description", "x-error-message", "x-error", "x-amzn-errortype")
REASON_ELEMENTS = "error_?description|detail|message|msg|faultstring|reason|description|text"
"""Names of XML elements that say why."""

_ID_HEADER = re.compile(
    r"(?:.*-)?(?:request|correlation|trace|transaction|activity|incident|operation|event|debug)-?id"
    r"|cf-ray|traceparent|x-cloud-trace-context|x-azure-ref|x-amz-cf-id"
)
_ID_MEMBER = re.compile(
    r"(?:x)?(?:ms|fb)?(?:request|correlation|trace|transaction|activity|incident|error|support|operation|debug|ticket)id"
)
_PROSE = re.compile(r"\S{1,40} [^\W\d_]{2,40}\S? \S")
"""At least three words."""
_ID_VALUE = re.compile(r"[\w.:;/+=-]{4,200}")
_HTML = re.compile(
    r"\s*+(?:<!--(?:(?!-->).)*+-->\s*+)*+<(?:!doctype html|html|head|body)\b", re.I | re.DOTALL
)
_HTML_TITLE = re.compile(r"<title\b[^>]*+>([^<]*+)<", re.I)
_HTML_UNSEEN = re.compile(r"<(script|style|head)\b.*?(?:</\1\s*>|\Z)", re.I | re.DOTALL)
_TAG = re.compile(r"<[^>]*+>?")
_XML_REASON = re.compile(rf"<(?:[\w-]+:)?(?:{REASON_ELEMENTS})\b[^>]*+>([^<]++)<", re.I)


class ServerReason(NamedTuple):
    """Why the server refused, redacted."""

    code: str | None = None
    text: str | None = None
    request_ids: Mapping[str, str] = MappingProxyType({})
    """Name -> ID that the text doesn't contain, e.g. `x-request-id`."""
    is_html: bool = False


def read_server_reason(
    document: ReplyDocument,
    own_text: object,
    code: str | None,
    secrets: tuple[Secret, ...],
    public: Iterable[str] = (),
) -> ServerReason:
    """Return the reason in a refusal: at the provider's places, or else wherever servers put it.

    `own_text` and `code` are what is at the provider's places, `secrets` what must not be shown,
    and `public` what may be shown although it may look like a token, e.g. the client ID.
    """
    reply = document.reply
    body = None if document.unreadable_reason else document.parsed_body
    if reply.status < 400 and isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"]  # what is beside it may be a token
    members = list(_iter_members(body))
    challenge = next(
        (c.params for c in parse_challenges(reply.headers.get("www-authenticate", ""))
         if "error" in c.params or "error_description" in c.params), {},
    )  # fmt: skip
    is_html = _HTML.match(document.body_text[:4096]) is not None
    if code is None:
        code = challenge.get("error") or _find_code(members, reply.status)
    if isinstance(own_text, list):
        own_text = "; ".join(str(item) for item in own_text)
    texts = [own_text] if isinstance(own_text, str) and own_text.strip() else []
    if not texts:
        texts = [
            *_find_reasons(members, code),
            challenge.get("error_description", ""),
            *(reply.headers.get(name, "") for name in REASON_HEADERS),
        ]
        if not any(texts) and reply.status >= 400:  # any member of a success may be a token
            texts = list(_find_prose(members, code or ""))
        if not texts and not members:
            texts = list(_read_text_body(document, body, is_html=is_html))
    text = "; ".join(_without_repetitions(texts, code, reply.status))
    text = redact_text(text, secrets, public)[:MAX_REASON]
    code = redact_text(code, secrets)[: MAX_REASON if " " in code else MAX_CODE] if code else None
    ids = _find_request_ids(document, members, text, secrets)
    return ServerReason(code, text or None, ids, is_html)


def _iter_members(value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield the scalar members of a body in order, each with its simplified name, outer ones first."""
    inner: list[Any] = []
    if isinstance(value, dict):
        if isinstance(value.get("loc"), list) and isinstance(value.get("msg"), str):  # FastAPI
            value = {"msg": f"{'.'.join(map(str, value['loc'][:MAX_DEPTH]))}: {value['msg']}"}
        for name, member in list(value.items())[:MAX_MEMBERS]:
            simple = re.sub(r"[\W_]", "", str(name)).lower()
            if simple == "errors" and isinstance(member, dict):  # field -> what is wrong with it
                texts = [
                    text
                    for each in member.values()
                    for text in (each if isinstance(each, list) else [each])
                ]
                yield from ((simple, text) for text in texts[:MAX_MEMBERS] if isinstance(text, str))
            for item in member if isinstance(member, list) else [member]:
                if isinstance(item, dict | list):
                    inner.append(item)
                elif item is not None and not isinstance(item, bool):
                    yield simple, item
    elif isinstance(value, list):
        inner = value[:MAX_MEMBERS]
    if depth < MAX_DEPTH:
        for item in inner[:MAX_MEMBERS]:
            yield from _iter_members(item, depth + 1)


def _find_code(members: list[tuple[str, Any]], status: int) -> str | None:
    """Return the first short text without spaces, or number, that isn't just the status."""
    for wanted in CODE_MEMBERS:
        for name, value in members:
            text = str(value)
            is_code = re.fullmatch(r"[\w.:/-]{2,100}", text) and not text.startswith("http")
            if (
                name == wanted
                and is_code
                and text.lower() not in (str(status), "error", "fail", "failed", "failure")
            ):
                return text
    return None


def _find_reasons(members: list[tuple[str, Any]], code: str | None) -> Iterator[str]:
    for wanted in REASON_MEMBERS:
        for name, value in members:
            if name == wanted and isinstance(value, str) and value != code:
                yield value


def _find_prose(members: list[tuple[str, Any]], code: str) -> Iterator[str]:
    """Yield the sentences in members of other names, e.g. of the fields that they are about."""
    for name, value in members:
        if isinstance(value, str) and value != code and _PROSE.match(value):
            yield f"{name}: {value}"


def _read_text_body(document: ReplyDocument, body: Any, *, is_html: bool) -> Iterator[str]:
    """Yield what a body without members says: plain text, a JSON text, XML or an HTML page."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, list):
        yield from (item for item in body[:10] if isinstance(item, str))
    elif body is None:
        text = document.body_text[:MAX_TEXT_BODY]
        if is_html:
            yield from _HTML_TITLE.findall(text)[:1]
            yield _TAG.sub(" ", _HTML_UNSEEN.sub(" ", text))[: MAX_REASON // 2]
        elif text.startswith("<"):
            yield from _XML_REASON.findall(text)[:4]
        elif text[:1] not in ("{", "[") and "\0" not in text and "\ufffd" not in text:
            yield text


def _without_repetitions(texts: Iterable[str], code: str | None, status: int) -> list[str]:
    """Return the texts on one line each, without those that another one or the code contains."""
    told: list[str] = []
    phrase = next((known.phrase for known in HTTPStatus if known == status), "")
    found = [" ".join(text.split()) for text in texts]
    for text in found:
        if not text or any(text.lower() in other.lower() for other in (*told, code or "")):
            continue
        if text.lower() == phrase.lower() and (code or any(t and t != text for t in found)):
            continue
        told = [other for other in told if other.lower() not in text.lower()]
        told.append(text)
    return told[:4]


def _find_request_ids(
    document: ReplyDocument,
    members: list[tuple[str, Any]],
    text: str,
    secrets: tuple[Secret, ...],
) -> dict[str, str]:
    """Return the IDs by which administrators find the request, whole, unless the text has them."""
    found = {
        f"{name.removesuffix('id')} ID": str(value)
        for name, value in members
        if _ID_MEMBER.fullmatch(name)
    }
    found |= {
        name: value for name, value in document.reply.headers.items() if _ID_HEADER.fullmatch(name)
    }
    ids: dict[str, str] = {}
    for name, value in found.items():
        is_safe = _ID_VALUE.fullmatch(value) and mask_secrets(value, secrets) == value
        if (
            is_safe
            and not value.startswith("eyJ")
            and value not in text
            and value not in ids.values()
        ):
            ids[name] = value
    return dict(list(ids.items())[:MAX_IDS])
