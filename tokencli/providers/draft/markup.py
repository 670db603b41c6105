"""An XML body as a template: elements and namespaces stay, texts and attributes become references."""

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from tokencli.providers.draft.made import Draft, literal
from tokencli.providers.filters import xml

DEEPEST = 100
_KEPT = re.compile(r"xmlns(:.*)?|(xsi|xml|soap|soapenv|env|s|SOAP-ENV|wsse|wsu):[A-Za-z]+")
"""Attributes that the vendor writes."""


class _Refused(Exception):
    """The document is not one that is read here."""


@dataclass(slots=True)
class _Writer:
    """Write the document again as its parts come by."""

    made: Draft
    out: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    text: str = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        if len(self.names) >= DEEPEST:
            raise _Refused
        self.flush()
        self.names.append(name)
        words = [f'{key}="{self.attribute(key, value)}"' for key, value in attributes.items()]
        self.out.append(f"<{literal(name)}{''.join(' ' + word for word in words)}>")

    def attribute(self, name: str, value: str) -> str:
        """Return an attribute's value as a template."""
        if _KEPT.fullmatch(name) and len(value) <= 200:
            return literal(xml(value))
        return self.made.value(_local(name), xml(value))

    def end(self, name: str) -> None:
        """End an element."""
        self.flush()
        self.names.pop()
        self.out.append(f"</{literal(name)}>")

    def flush(self) -> None:
        """Write the text that has come by; white space alone is the document's dress."""
        if self.text.strip() and self.names:
            self.out.append(self.made.value(_local(self.names[-1]), xml(self.text.strip())))
        self.text = ""

    def characters(self, piece: str) -> None:
        """Take a piece of text."""
        self.text += piece

    def refuse(self, *_: object) -> None:
        """End the reading: a document type declaration may bring entities."""
        raise _Refused


def template(text: str, made: Draft) -> str | None:
    """Return the document as a template, or None where it is not XML that is read here."""
    parser, writer, before = expat.ParserCreate(), _Writer(made), dict(made.fields)
    parser.buffer_text = True
    parser.StartElementHandler = writer.start
    parser.EndElementHandler = writer.end
    parser.CharacterDataHandler = writer.characters
    parser.StartDoctypeDeclHandler = writer.refuse
    try:
        parser.Parse(re.sub(r"^<\?xml[^>]*\?>", "", text).encode(), True)
    except (expat.ExpatError, _Refused, ValueError):
        made.fields = before
        return None
    return "".join(writer.out)


def _local(name: str) -> str:
    return name.rpartition(":")[2]
