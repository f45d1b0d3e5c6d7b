"""Read XML that somebody else wrote: clients' documents and backends' answers.

One stream reader over expat for both. Rules: UTF-8 only; no DOCTYPE, entity or
processing instruction; depth and number of elements bounded while reading; nothing
behind the document; attributes and namespaces mean nothing. Whoever feeds it bounds
the bytes. Everything that breaks a rule is MalformedXml.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ ; the attacks are those of
the defusedxml project.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from s3o.model import limits
from s3o.model.errors import MalformedXml

_SEPARATOR = " "  # between namespace and name; no name can hold one


@dataclass(slots=True)
class Element:
    """One element: its name without namespace, its text, its children in order."""

    name: str
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def find(self, name: str) -> "Element | None":
        """Return the first child of that name, or None."""
        return next(self.all(name), None)

    def all(self, name: str) -> Iterator["Element"]:
        """Yield the children of that name in order."""
        return (child for child in self.children if child.name == name)

    def text_of(self, name: str) -> str | None:
        """Return the text of the first child of that name; None if there is none."""
        child = self.find(name)
        return None if child is None else child.text


class XmlReader:
    """Reads one document fed piece by piece."""

    __slots__ = (
        *("_count", "_is_begun", "_max_elements", "_open", "_parser", "_root"),
        "_texts",
    )

    def __init__(self, max_elements: int = limits.XML_ELEMENTS) -> None:
        self._max_elements = max_elements
        self._count = 0
        self._is_begun = False
        self._root: Element | None = None
        self._open: list[Element] = []
        self._texts: list[list[str]] = []
        parser = expat.ParserCreate("UTF-8", _SEPARATOR)
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.XmlDeclHandler = _check_declaration
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.EntityDeclHandler = _refuse_entity
        parser.ProcessingInstructionHandler = _refuse_instruction
        self._parser = parser

    def feed(self, piece: bytes) -> None:
        """Take the next bytes; raises MalformedXml as soon as a rule is broken."""
        self._parse(piece, is_final=False)

    def finish(self) -> Element:
        """Return the root; raises MalformedXml if the document is not complete."""
        self._parse(b"", is_final=True)
        assert self._root is not None
        return self._root

    def _parse(self, piece: bytes, *, is_final: bool) -> None:
        # Expat recognizes UTF-16 by its byte order mark or its zero bytes even where
        # UTF-8 is demanded.
        if b"\0" in piece or (not self._is_begun and piece[:1] in (b"\xfe", b"\xff")):
            raise MalformedXml("not in UTF-8")
        self._is_begun = self._is_begun or bool(piece)
        try:
            self._parser.Parse(piece, is_final)
        except expat.ExpatError as error:
            raise MalformedXml(expat.ErrorString(error.code)) from None

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > self._max_elements:
            raise MalformedXml("too many elements")
        if len(self._open) == limits.XML_DEPTH:
            raise MalformedXml("nested too deeply")
        element = Element(name.rpartition(_SEPARATOR)[2])
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element
        self._open.append(element)
        self._texts.append([])

    def _text(self, text: str) -> None:
        self._texts[-1].append(text)

    def _end(self, _name: str) -> None:
        self._open.pop().text = "".join(self._texts.pop())


def parse_xml(document: bytes, max_elements: int = limits.XML_ELEMENTS) -> Element:
    """Return the root of a document that is in memory; raises MalformedXml."""
    reader = XmlReader(max_elements)
    reader.feed(document)
    return reader.finish()


def _check_declaration(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.upper() != "UTF-8":
        raise MalformedXml("not in UTF-8")


def _refuse_doctype(*_ignored: object) -> None:
    raise MalformedXml("a DOCTYPE is not allowed")


def _refuse_entity(*_ignored: object) -> None:
    raise MalformedXml("an entity is not allowed")


def _refuse_instruction(*_ignored: object) -> None:
    raise MalformedXml("a processing instruction is not allowed")
