"""XML as objects: elements by their names, attributes as ``@name``, text beside them as ``#text``.

An element that has only text is that text. Elements that repeat in any parent of one kind are arrays in all of them.
An element with mixed content is kept as its source text; comments are left out. Documents with entities of their
own are not read. The parser is expat; the one who calls it with a long text does so in the sandbox.
"""

import re
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from coatcheck.explorer.late_patterns import late_pattern
from coatcheck.explorer.texts.opened_text import Opened

MOST_CHARACTERS = 2_000_000
MOST_LEVELS = 100
FEWEST_ELEMENTS = 3
_START = late_pattern(r"\s{0,100}<(?:\?xml\s|[A-Za-z_][\w:.-]{0,100}[\s/>]|!--|!DOCTYPE\s+(?!html\b))", re.IGNORECASE)
_HTML = late_pattern(r"\s{0,100}(?:<!doctype\s+html|<html\b)", re.IGNORECASE)


@dataclass(slots=True)
class _Element:
    """A parsed element: its attributes, its children in order, its text, and the positions of its content."""

    name: str
    attributes: dict[str, str]
    begin: int = 0
    end: int = 0
    children: list["_Element"] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    is_mixed: bool = False


class _Refused(Exception):
    """The document contains something that this parser does not support."""


def looks_like_xml(text: str) -> bool:
    """Whether a text begins and ends like XML and is not HTML."""
    return _START.match(text) is not None and text[-100:].rstrip().endswith(">") and not _HTML.match(text)


def open_xml(text: str) -> Opened | None:
    """Parse an XML document as an object; ``None`` for other text, and for documents that are mostly prose."""
    if len(text) > MOST_CHARACTERS or not looks_like_xml(text):
        return None
    try:
        source = text.strip().encode()
        root = _read(source)
    except (expat.ExpatError, _Refused, ValueError, RecursionError):
        return None
    if root.is_mixed or not root.children or root.name.lower() in {"html", "body"}:
        return None
    repeated: set[tuple[str, str]] = set()
    elements = _note_repeated(root, repeated)
    if elements < FEWEST_ELEMENTS:
        return None
    return Opened({root.name: _value(root, source, repeated)}, "XML")


def _read(source: bytes) -> _Element:
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    top = _Element("", {})
    open_elements = [top]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_elements) > MOST_LEVELS:
            raise _Refused
        parent = open_elements[-1]
        element = _Element(name, attributes, parser.CurrentByteIndex)
        parent.children.append(element)
        parent.is_mixed = parent.is_mixed or any(map(str.strip, parent.texts))
        open_elements.append(element)

    def end(_: str) -> None:
        open_elements.pop().end = parser.CurrentByteIndex

    def characters(data: str) -> None:
        element = open_elements[-1]
        element.texts.append(data)
        if element.children and data.strip():
            element.is_mixed = True

    def refuse(*_: Any) -> None:
        raise _Refused

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.EntityDeclHandler = refuse
    parser.Parse(source, True)
    return top.children[0]


def _note_repeated(element: _Element, repeated: set[tuple[str, str]]) -> int:
    """Record which elements repeat in which parents; return the number of elements."""
    seen: set[str] = set()
    count = 1
    for child in element.children:
        if child.name in seen:
            repeated.add((element.name, child.name))
        seen.add(child.name)
        count += _note_repeated(child, repeated)
    return count


def _value(element: _Element, source: bytes, repeated: set[tuple[str, str]]) -> Any:
    attributes = {f"@{name}": value for name, value in element.attributes.items()}
    if element.is_mixed:
        inside = source[element.begin : element.end].partition(b">")[2].decode()
        return {**attributes, "#text": inside} if attributes else inside
    if not element.children:
        text = "".join(element.texts).strip()
        if not attributes:
            return text
        return {**attributes, "#text": text} if text else attributes
    value: dict[str, Any] = attributes
    for child in element.children:
        inside = _value(child, source, repeated)
        if (element.name, child.name) in repeated:
            value.setdefault(child.name, []).append(inside)
        else:
            value[child.name] = inside
    return value
