"""Read an XML reply as far as paths of elements go.

expat itself, set up so that a document type declaration ends the reading: without one there are no
entities, neither external ones nor ones that grow, and so no library against them is needed.
"""

from dataclasses import dataclass, field
from xml.parsers import expat

MAX_DEPTH = 100


class _UnsupportedXmlError(Exception):
    """The document is not one that is read here."""


@dataclass(slots=True)
class XmlElement:
    """One element by its local name: attributes, text and children."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list["XmlElement"] = field(default_factory=list)

    def find_text(self, path: str) -> str | None:
        """Return the text at `/root/child/…`, or of the attribute `…/@name`; None where none is."""
        steps = [step for step in path.split("/") if step]
        last = steps[-1] if steps else ""
        attribute = steps.pop()[1:] if last.startswith("@") else None
        if not steps or steps[0] != self.name:
            return None
        here = self
        for step in steps[1:]:
            found = next((child for child in here.children if child.name == step), None)
            if found is None:
                return None
            here = found
        return (here.attributes.get(attribute) if attribute else here.text.strip()) or None


def parse_xml(data: bytes) -> XmlElement | None:
    """Return the root element of `data`, or None where it is not XML that is read here."""
    top = XmlElement("")
    stack = [top]
    pieces: list[list[str]] = [[]]  # adding to the text itself would copy it each time

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(stack) > MAX_DEPTH:
            raise _UnsupportedXmlError
        child = XmlElement(
            _local_name(name), {_local_name(key): value for key, value in attributes.items()}
        )
        stack[-1].children.append(child)
        stack.append(child)
        pieces.append([])

    def end(_: str) -> None:
        stack.pop().text = "".join(pieces.pop())

    def text(piece: str) -> None:
        pieces[-1].append(piece)

    def refuse(*_: object) -> None:
        raise _UnsupportedXmlError

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, _UnsupportedXmlError, ValueError):
        return None
    return top.children[0] if top.children else None


def _local_name(name: str) -> str:
    return name.rpartition(":")[2]
