"""XML of strangers: no document type, hence no entities and nothing fetched; limits on depth and number; lines kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from minivess.foundation.errors import InputError

MAX_DEPTH = 100
MAX_ELEMENTS = 10_000_000
MAX_KEPT = 1_000_000
"""Elements of a tree that is kept."""


@dataclass(slots=True)
class Element:
    """An element; names are without their namespace."""

    tag: str
    attributes: dict[str, str]
    line: int
    children: list[Element] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text right inside, without that of children."""
        return "".join(self.pieces)

    def all(self) -> Iterator[Element]:
        """This element and everything in it, in the order of the file."""
        pending = [self]
        while pending:
            element = pending.pop()
            yield element
            pending.extend(reversed(element.children))


def guard_xml(data: bytes, file: str) -> None:
    """Refuse XML that declares a document type, or is too deep or too large.

    Raises:
        InputError: it does, or is no XML; with its line.
    """
    _run(data, file, None)


def parse_xml(data: bytes, file: str) -> Element:
    """The tree of a guarded XML file.

    Raises:
        InputError: as `guard_xml`.
    """
    root: list[Element] = []
    _run(data, file, root)
    return root[0]


def _run(data: bytes, file: str, keep: list[Element] | None) -> None:
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    depth = count = 0
    most = MAX_ELEMENTS if keep is None else MAX_KEPT
    open_elements: list[Element] = []

    def begin(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth += 1
        count += 1
        if depth > MAX_DEPTH or count > most:
            limit = f"nested more than {MAX_DEPTH} deep" if depth > MAX_DEPTH else f"of more than {most} elements"
            raise InputError(f"is XML {limit}", path=file, line=parser.CurrentLineNumber)
        if keep is None:
            return
        plain = {name.rpartition("}")[2]: value for name, value in attributes.items()}
        element = Element(tag.rpartition("}")[2], plain, parser.CurrentLineNumber)
        (open_elements[-1].children if open_elements else keep).append(element)
        open_elements.append(element)

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1
        if keep is not None:
            open_elements.pop()

    def doctype(*_: object) -> None:
        raise InputError(
            "declares a document type, which is refused",
            path=file,
            line=parser.CurrentLineNumber,
            hint="remove the DOCTYPE and write entities out",
        )

    def text(piece: str) -> None:
        if open_elements:
            open_elements[-1].pieces.append(piece)

    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    if keep is not None:
        parser.CharacterDataHandler = text
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise InputError(f"is not XML: {expat.ErrorString(error.code)}", path=file, line=error.lineno) from None
    except (ValueError, LookupError) as error:
        raise InputError(f"is not XML: {error}", path=file) from None
