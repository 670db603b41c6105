"""Turn an XML body into a template: elements and namespaces stay, texts and attributes become references."""

import re

from tokencli.importers.draft.builder import ProviderDraft, escape_template
from tokencli.providers.reply_locator import get_local_name, read_xml_events
from tokencli.providers.template_filters import escape_xml

_VENDOR_ATTRIBUTE = re.compile(
    r"xmlns(:.*)?|(xsi|xml|soap|soapenv|env|s|SOAP-ENV|wsse|wsu):[A-Za-z]+"
)
"""Attributes whose values belong to the protocol."""
_MAX_VENDOR_ATTRIBUTE = 200


def draft_xml(text: str, draft: ProviderDraft) -> str | None:
    """Return the document as a template, or None if it is not XML that is accepted."""
    output: list[str] = []
    open_elements: list[str] = []
    pending_text = ""
    fields_before = dict(draft.fields)

    def start_element(name: str, attributes: dict[str, str]) -> None:
        flush_text()
        open_elements.append(name)
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
        nonlocal pending_text
        pending_text += piece

    def flush_text() -> None:
        nonlocal pending_text
        word, pending_text = pending_text.strip(), ""
        if word and open_elements:
            output.append(draft.draft_value(get_local_name(open_elements[-1]), escape_xml(word)))

    body = re.sub(r"^<\?xml[^>]*\?>", "", text).encode()
    if not read_xml_events(body, start_element, end_element, add_text):
        draft.fields = fields_before
        return None
    return "".join(output)
