"""XML as a small tree, within bounds. A document type or an entity is refused unread: no report needs one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

MOST_OCTETS = 8_000_000
_MOST_ELEMENTS = 200_000
_MOST_DEPTH = 60
_LONGEST_TEXT = 8000
_DECLARATION = re.compile(r"\A\s{0,50}<\?xml[^<>]{0,300}\?>")


class HostileXml(Exception):
    """The XML declares a document type or entities, or nests beyond the bound, which no report needs."""

    permanent = True


class BrokenXml(Exception):
    """The XML is not well formed; the message says where."""

    permanent = True


@dataclass(slots=True)
class Element:
    """One element: its local name, attributes by local name, its own text, the elements in it."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def all(self, name: str) -> Iterator["Element"]:
        """The elements directly in it that have this name."""
        return (x for x in self.children if x.name == name)

    def first(self, *names: str) -> str:
        """The first text directly in it under one of these names; an empty one when there is none."""
        return next((x.text for name in names for x in self.all(name) if x.text), "")

    def walk(self) -> Iterator["Element"]:
        """It and all below it, in the document's order."""
        stack = [self]
        while stack:
            this = stack.pop()
            yield this
            stack.extend(reversed(this.children))

    def below(self, name: str) -> Iterator["Element"]:
        """All elements of this name, however deep."""
        return (x for x in self.walk() if x.name == name)


def read_xml(source: str) -> Element:
    """The root of a decoded document. Raises HostileXml or BrokenXml."""
    root = Element("", {})
    stack = [root]
    count = 0

    def refuse(*_: object) -> int:
        raise HostileXml

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > _MOST_ELEMENTS or len(stack) > _MOST_DEPTH:
            raise HostileXml
        own = {key.rpartition(":")[2]: value[:_LONGEST_TEXT] for key, value in list(attributes.items())[:50]}
        this = Element(name.rpartition(":")[2], own)
        stack[-1].children.append(this)
        stack.append(this)

    def end(_name: str) -> None:
        this = stack.pop()
        this.text = this.text.strip()

    def characters(data: str) -> None:
        if len(stack[-1].text) < _LONGEST_TEXT:
            stack[-1].text += data[:_LONGEST_TEXT]

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.UnparsedEntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    try:
        # The text is decoded already: a declaration of another charset would only mislead.
        parser.Parse(_DECLARATION.sub("", source).encode("utf-8", "replace"), True)
    except expat.ExpatError as why:
        raise BrokenXml(str(why)[:200]) from why
    return root.children[0]
