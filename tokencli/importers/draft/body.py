"""Turn the body of a request into a template: members stay, values become references."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl

from tokencli.errors import ConfigError
from tokencli.importers.document import parse_document
from tokencli.importers.draft.builder import MAX_NAME_LENGTH, ProviderDraft, escape_template
from tokencli.importers.model import ImportedRequest, get_body_format
from tokencli.importers.name_patterns import LIFETIME_NAME_PATTERN, SECRET_NAME_PATTERN
from tokencli.providers.reply_locator import get_local_name, read_xml_events
from tokencli.providers.template import escape_xml

_UNQUOTED_VARIABLE = re.compile(
    r"""("(?:[^"\\]|\\.)*+"?)|(\{\{\s*+[^{}"\s](?:[^{}"]{0,98}[^{}"\s])?+\s*+\}\})""", re.DOTALL
)
"""A text, to its end if it is not closed; or a variable without quotes."""
_FORM_PAIR = re.compile(r"[A-Za-z_@$][\w.@$:%+\[\]-]{0,60}=")
AMBIGUOUS_NAMES = ("id", "name", "value", "key", "code")
"""Names that are clear only together with the name of their parent."""
MAX_CONSTANT_NUMBER = 999
"""A greater number may be personal, e.g. a PIN or an account number."""


def draft_body(request: ImportedRequest, draft: ProviderDraft) -> tuple[str | None, Any]:
    """Return the format of the request's body and its template, or None and None."""
    text = request.body.strip()
    if not text:
        return None, None
    kind = request.body_format or _get_declared_format(request)
    if kind in ("", "json", "text", "form"):
        tree = _parse_json(text, draft)
        if isinstance(tree, dict | list):
            return "json", _draft_tree("", tree, draft)
    if kind == "xml" or (kind in ("", "text") and text.startswith("<")):
        found = draft_xml(text, draft)
        if found is not None:
            return "xml", found
        draft.add_open_question(
            "the XML body, which could not be parsed: write {name} for each value"
        )
    elif kind in ("form", "multipart") or (kind == "" and _looks_like_form(text)):
        if kind == "multipart":
            draft.add_open_question(
                "whether a form works, because tokencli does not write multipart/form-data bodies"
            )
        return "form", _draft_form(text, draft)
    draft.add_open_question("the body, which is text and was not kept")
    draft.add_field("credential", "secret")
    return "xml" if kind == "xml" else "text", "{credential}"


def _get_declared_format(request: ImportedRequest) -> str:
    """Return the format of the body according to its Content-Type header."""
    return get_body_format(
        next((text for name, text in request.headers if name.lower() == "content-type"), "")
    )


def _looks_like_form(text: str) -> bool:
    """Return whether the text is a form, and not a secret that ends in = signs."""
    pairs = text.split("&")
    return all(map(_FORM_PAIR.match, pairs)) and not (len(pairs) == 1 and text.endswith("="))


def _parse_json(text: str, draft: ProviderDraft) -> Any:
    """Parse a JSON body, in which variables need not be quoted."""
    if text[:1] not in ("{", "["):
        return None
    bare = False

    def quoted(found: re.Match[str]) -> str:
        nonlocal bare
        bare = bare or bool(found[2])
        return found[1] or json.dumps(found[2])

    for form in (text, _UNQUOTED_VARIABLE.sub(quoted, text)):
        try:
            tree = json.loads(form)
        except (ValueError, RecursionError):
            continue
        if form is not text and bare:
            draft.add_open_question(
                "the type of a value without quotes in the JSON: {name|number} or {name|bool}"
            )
        try:
            parse_document(form)  # raises if it is nested too deeply
        except ConfigError:
            return None
        return tree
    return None


def _draft_form(text: str, draft: ProviderDraft) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, word in parse_qsl(text, keep_blank_values=True):
        if not name:
            continue
        value = draft.draft_value(name, word)
        before = found.setdefault(name, value)
        if isinstance(before, list):
            before.append(value)
        elif before != value:
            found[name] = [before, value]
    return found


def _draft_tree(name: str, tree: Any, draft: ProviderDraft) -> Any:
    name = name[:MAX_NAME_LENGTH]
    if isinstance(tree, dict):
        return {
            key: _draft_tree(
                f"{name}_{key}" if name and key.lower() in AMBIGUOUS_NAMES else key, branch, draft
            )
            for key, branch in tree.items()
            if branch is not None and key
        }
    if isinstance(tree, list):
        return [_draft_tree(name, branch, draft) for branch in tree if branch is not None]
    if isinstance(tree, bool):
        return tree
    if isinstance(tree, int | float):
        # A PIN or an account number becomes {name|number}. Small numbers and lifetimes are constants.
        small = abs(tree) <= MAX_CONSTANT_NUMBER or LIFETIME_NAME_PATTERN.search(name)
        if name in draft.constant_members or (small and not SECRET_NAME_PATTERN.search(name)):
            return tree
        return draft.add_reference(name).replace("}", "|number}")
    return draft.draft_value(name, tree, typed=True)


_VENDOR_ATTRIBUTE = re.compile(
    r"xmlns(:.*)?|(xsi|xml|soap|soapenv|env|s|SOAP-ENV|wsse|wsu):[A-Za-z]+"
)
"""Attributes whose values belong to the protocol."""
_MAX_VENDOR_ATTRIBUTE = 200


def draft_xml(text: str, draft: ProviderDraft) -> str | None:
    """Return the document as a template, or None if it is not XML that is accepted."""
    output: list[str] = []
    open_elements: list[str] = []
    pending_text: list[str] = []
    fields_before = dict(draft.fields)

    def start_element(name: str, attributes: dict[str, str]) -> None:
        flush_text()
        open_elements.append(get_local_name(name))
        written = (f' {key}="{draft_attribute(key, value)}"' for key, value in attributes.items())
        output.append(f"<{escape_template(name)}{''.join(written)}>")

    def draft_attribute(name: str, value: str) -> str:
        if _VENDOR_ATTRIBUTE.fullmatch(name) and len(value) <= _MAX_VENDOR_ATTRIBUTE:
            return escape_template(escape_xml(value))
        return draft.draft_value(get_local_name(name), escape_xml(value))

    def end_element(name: str) -> None:
        flush_text()
        open_elements.pop()
        output.append(f"</{escape_template(name)}>")

    def add_text(piece: str) -> None:
        pending_text.append(piece)

    def flush_text() -> None:
        word = "".join(pending_text).strip()
        pending_text.clear()
        if word and open_elements:
            output.append(draft.draft_value(open_elements[-1], escape_xml(word)))

    body = re.sub(r"^<\?xml[^>]*\?>", "", text).encode()
    if not read_xml_events(body, start_element, end_element, add_text):
        draft.fields = fields_before
        return None
    return "".join(output)
