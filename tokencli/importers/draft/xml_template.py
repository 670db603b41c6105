"""An XML body as a template: elements and namespaces stay, texts and attributes become references."""

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from tokencli.importers.draft.builder import ProviderDraft, escape_template
from tokencli.providers.template_filters import escape_xml

MAX_DEPTH = 100
_VENDOR_ATTRIBUTE = re.compile(
    r"xmlns(:.*)?|(xsi|xml|soap|soapenv|env|s|SOAP-ENV|wsse|wsu):[A-Za-z]+"
)
"""Attributes that the vendor writes."""


class _UnsupportedXmlError(Exception):
    """The document is not one that is read here."""


@dataclass(slots=True)
class _XmlTemplateWriter:
    """Write the document again as its parts come by."""

    draft: ProviderDraft
    output: list[str] = field(default_factory=list)
    open_elements: list[str] = field(default_factory=list)
    text: str = ""

    def start_element(self, name: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        if len(self.open_elements) >= MAX_DEPTH:
            raise _UnsupportedXmlError
        self.flush_text()
        self.open_elements.append(name)
        words = [f'{key}="{self.draft_attribute(key, value)}"' for key, value in attributes.items()]
        self.output.append(f"<{escape_template(name)}{''.join(' ' + word for word in words)}>")

    def draft_attribute(self, name: str, value: str) -> str:
        """Return an attribute's value as a template."""
        if _VENDOR_ATTRIBUTE.fullmatch(name) and len(value) <= 200:
            return escape_template(escape_xml(value))
        return self.draft.draft_value(_local_name(name), escape_xml(value))

    def end_element(self, name: str) -> None:
        """End an element."""
        self.flush_text()
        self.open_elements.pop()
        self.output.append(f"</{escape_template(name)}>")

    def flush_text(self) -> None:
        """Write the text that has come by; white space alone is the document's dress."""
        if self.text.strip() and self.open_elements:
            self.output.append(
                self.draft.draft_value(
                    _local_name(self.open_elements[-1]), escape_xml(self.text.strip())
                )
            )
        self.text = ""

    def add_characters(self, piece: str) -> None:
        """Take a piece of text."""
        self.text += piece

    def reject_doctype(self, *_: object) -> None:
        """End the reading: a document type declaration may bring entities."""
        raise _UnsupportedXmlError


def draft_xml(text: str, made: ProviderDraft) -> str | None:
    """Return the document as a template, or None where it is not XML that is read here."""
    parser, writer, before = expat.ParserCreate(), _XmlTemplateWriter(made), dict(made.fields)
    parser.buffer_text = True
    parser.StartElementHandler = writer.start_element
    parser.EndElementHandler = writer.end_element
    parser.CharacterDataHandler = writer.add_characters
    parser.StartDoctypeDeclHandler = writer.reject_doctype
    try:
        parser.Parse(re.sub(r"^<\?xml[^>]*\?>", "", text).encode(), True)
    except (expat.ExpatError, _UnsupportedXmlError, ValueError):
        made.fields = before
        return None
    return "".join(writer.output)


def _local_name(name: str) -> str:
    return name.rpartition(":")[2]
