"""ReqIF 1.x read through the `reqif` library, one element after the other: one that it cannot read loses no other.

The library parses with entities on, so a document type is refused before it sees a byte (`xml_tree.guard_xml`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from minivess.compliance.exchange.foreign_items import (
    Foreign,
    ForeignItem,
    ForeignLink,
    Place,
    Remark,
    Row,
    check_count,
    free_name,
    lost,
    short,
    tidy_line,
)
from minivess.compliance.exchange.formats.rich_text import embedded, from_xhtml
from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.compliance.exchange.tables.item_rows import recognise
from minivess.compliance.exchange.untrusted.encodings import decode
from minivess.compliance.exchange.untrusted.xml_tree import guard_xml
from minivess.foundation.errors import InputError
from minivess.foundation.reading.zip_guard import read_zip

OWN_TOOL = "MiniVess"
OWN_ID, OWN_TITLE, OWN_TEXT = "ReqIF.ForeignID", "ReqIF.Name", "ReqIF.Text"
OWN_FIELD = "field:"
NO_KIND, OUTSIDE = "(none)", "(outside)"
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")


def read_reqif(data: bytes, file: str, mapping: ForeignMapping) -> Foreign:
    """Read a ReqIF file, or all of those in a ReqIFz archive.

    Args:
        data: the file.
        file: how remarks call it.
        mapping: what its types, attributes and relations mean.

    Raises:
        InputError: it is refused, is no ReqIF, or is too large.
    """
    foreign = Foreign()
    if not data.startswith(b"PK\x03\x04"):
        _Reader(file, foreign).read(data, mapping)
        return foreign
    parts = read_zip(data, file)
    inside = [name for name in parts if name.lower().endswith((".reqif", ".xml"))]
    if not inside:
        raise InputError("holds no .reqif file", path=file)
    for name in sorted(parts):
        if name in inside:
            _Reader(f"{file}#{name}", foreign).read(parts[name], mapping)
        else:
            message = f"an attached file of {len(parts[name])} bytes is not taken"
            foreign.remarks.append(Remark("lost", Place(file, None, name), message, value=name))
    return foreign


class _Reader:
    """The content of one ReqIF file."""

    def __init__(self, file: str, foreign: Foreign) -> None:
        self._file = file
        self._foreign = foreign
        self._remarks = foreign.remarks
        self._types: dict[str, Any] = {}
        self._relation_names: dict[str, str] = {}
        self._words: dict[str, str] = {}

    def read(self, data: bytes, mapping: ForeignMapping) -> None:
        """Add the items of the file."""
        root = self._root(data)
        content = root.find("CORE-CONTENT/REQ-IF-CONTENT")
        if content is None:
            raise InputError("holds no REQ-IF-CONTENT", path=self._file, line=1)
        self._tell_the_rest(root, content)
        self._read_types(content)
        objects_found = list(self._objects(content))
        links = self._relations(content, {one.identifier for one in objects_found})
        own = (root.findtext("THE-HEADER/REQ-IF-HEADER/SOURCE-TOOL-ID") or "") == OWN_TOOL
        rows = {one.identifier: self._row(one, links.get(one.identifier, [])) for one in objects_found}
        if own:
            self._foreign.items += _own(rows)
            return
        ids = _identifiers(rows, mapping)
        for name, row in rows.items():
            named = tuple(ForeignLink(link.relation, ids.get(link.target, link.target)) for link in row.links)
            rows[name] = Row(row.cells, row.place, row.kind, named, id=name)
        self._hierarchy(content, rows)
        recognise(rows.values(), mapping, self._foreign)

    def _root(self, data: bytes) -> Any:
        guard_xml(data, self._file)
        from lxml import etree  # type: ignore[import-untyped]
        from reqif.helpers.lxml import lxml_strip_namespace_from_xml  # type: ignore[import-untyped]

        text = _DECLARATION.sub("", decode(data, self._file, self._remarks).removeprefix("\ufeff"), count=1)
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
        try:
            root = etree.fromstring(text.encode("utf-8"), parser)
        except (etree.XMLSyntaxError, ValueError, UnicodeEncodeError) as error:
            raise InputError(f"is no ReqIF that can be read: {error}", path=self._file) from None
        lxml_strip_namespace_from_xml(root.getroottree())
        if root.tag != "REQ-IF":
            raise InputError(f"is no ReqIF: its root is <{root.tag}>", path=self._file, line=1)
        return root

    def _tell_the_rest(self, root: Any, content: Any) -> None:
        if root.find("TOOL-EXTENSIONS") is not None and len(root.find("TOOL-EXTENSIONS")):
            node = root.find("TOOL-EXTENSIONS")
            self._lose(node, "TOOL-EXTENSIONS", "".join(node.itertext()).strip(), "of the other tool are not taken")
        for node in content.iterfind("SPEC-RELATION-GROUPS/*"):
            self._lose(node, "RELATION-GROUP", node.get("LONG-NAME") or node.get("IDENTIFIER") or "", "is not taken")

    def _each(self, content: Any, path: str, parse: Callable[[Any], Any]) -> Iterator[tuple[Any, Any]]:
        """What the library makes of each element; a remark on what it cannot read."""
        section = content.find(path)
        for count, node in enumerate(section if section is not None else ()):
            check_count(count, self._file)
            try:
                yield node, parse(node)
            except Exception as error:  # the library raises whatever its steps raise
                said = " ".join("".join(node.itertext()).split())
                values = " ".join(str(one) for each in node.iter() for one in each.attrib.values())
                message = f"<{node.tag}> cannot be read ({type(error).__name__}): {short(f'{values} {said}'.strip())}"
                place = Place(self._file, node.sourceline, node.get("IDENTIFIER") or "")
                self._remarks.append(Remark("lost", place, message, field=str(node.tag), value=f"{values} {said}"))

    def _read_types(self, content: Any) -> None:
        from reqif.parsers.data_type_parser import DataTypeParser  # type: ignore[import-untyped]
        from reqif.parsers.spec_types.spec_object_type_parser import (  # type: ignore[import-untyped]
            SpecObjectTypeParser,
        )

        for _, kind in self._each(content, "DATATYPES", DataTypeParser.parse):
            for value in getattr(kind, "values", None) or ():
                self._words[value.identifier] = value.long_name or value.key or value.identifier
        for node in content.iterfind("SPEC-TYPES/SPEC-RELATION-TYPE"):
            identifier = node.get("IDENTIFIER") or ""
            self._relation_names[identifier] = node.get("LONG-NAME") or identifier
        holder = content.find("SPEC-TYPES")
        for node in list(holder) if holder is not None else []:
            if node.tag != "SPEC-OBJECT-TYPE":
                holder.remove(node)
        for _, kind in self._each(content, "SPEC-TYPES", SpecObjectTypeParser.parse):
            self._types[kind.identifier] = kind
        for default in content.iterfind("SPEC-TYPES/SPEC-OBJECT-TYPE/SPEC-ATTRIBUTES/*/DEFAULT-VALUE/*"):
            name = default.getparent().getparent().get("LONG-NAME") or ""
            said = default.get("THE-VALUE") or " ".join("".join(default.itertext()).split())
            self._lose(default, name, said, "has a default for objects without a value, which is not taken")

    def _objects(self, content: Any) -> Iterator[Any]:
        from reqif.parsers.spec_object_parser import SpecObjectParser  # type: ignore[import-untyped]

        seen: set[str] = set()
        for node, found in self._each(content, "SPEC-OBJECTS", SpecObjectParser.parse):
            if found.identifier in seen:
                said = " ".join("".join(node.itertext()).split())
                values = " ".join(str(one.get("THE-VALUE")) for one in node.iter() if one.get("THE-VALUE"))
                self._lose(
                    node, "IDENTIFIER", f"{found.identifier} {values} {said}", "is there twice; the first one counts"
                )
                continue
            seen.add(found.identifier)
            yield found

    def _relations(self, content: Any, known: set[str]) -> Mapping[str, list[ForeignLink]]:
        from reqif.parsers.spec_relation_parser import SpecRelationParser  # type: ignore[import-untyped]

        links: dict[str, list[ForeignLink]] = {}
        for node, relation in self._each(content, "SPEC-RELATIONS", SpecRelationParser.parse):
            name = self._relation_names.get(relation.relation_type_ref, relation.relation_type_ref)
            source, target = str(relation.source or "").strip(), str(relation.target or "").strip()
            if source not in known:
                self._lose(node, name, f"{source} -> {target}", "begins at an object that is not in the file")
                continue
            links.setdefault(source, []).append(ForeignLink(name, target))
            for value in relation.values or ():
                place = Place(self._file, node.sourceline)
                self._lose(node, name, self._value(value, name, place), "has a value of its own, which is not taken")
        return links

    def _row(self, found: Any, links: list[ForeignLink]) -> Row:
        node = found.xml_node
        kind = self._types.get(found.spec_object_type)
        place = Place(self._file, node.sourceline, found.identifier)
        cells: dict[str, str] = {}
        for attribute in found.attributes:
            definition = kind.attribute_map.get(attribute.definition_ref) if kind else None
            name = (definition.long_name if definition else None) or attribute.definition_ref or "attribute"
            cells[free_name(name, cells)] = self._value(attribute, name, place)
        if found.long_name and found.long_name not in cells.values():
            cells.setdefault("LONG-NAME", found.long_name)
        if found.description and found.description not in cells.values():
            cells.setdefault("DESC", found.description)
        name = (kind.long_name or kind.identifier) if kind else str(found.spec_object_type or "")
        return Row(cells, place, kind=name, links=tuple(links))

    def _value(self, attribute: Any, name: str, place: Place) -> str:
        if attribute.attribute_type.name == "ENUMERATION":
            return "\n".join(self._words.get(ref, str(ref)) for ref in attribute.value)
        if attribute.attribute_type.name == "XHTML" and attribute.xml_node is not None:
            return self._rich(attribute.xml_node, name, place)
        return str(attribute.value or "")

    def _rich(self, node: Any, name: str, place: Place) -> str:
        """The text of an XHTML value, with remarks on what text cannot carry."""
        from lxml import etree

        value = node.find("THE-VALUE")
        shown = from_xhtml(value)
        if shown.changes or shown.formats:
            whole = etree.tostring(value, encoding="unicode", with_tail=False)
            if shown.changes:
                message = f"`{name}` is rich text ({', '.join(shown.changes)}), taken so: {short(shown.text)}"
                self._remarks.append(Remark("changed", place, message, field=name, value=whole))
            if shown.formats:
                message = f"`{name}` is taken without its {', '.join(shown.formats)}"
                self._remarks.append(Remark("note", place, message, field=name, value=whole))
        for data in embedded(value):
            self._remarks.append(lost(place, name, data, "holds a picture or file, which is not taken"))
        if node.get("IS-SIMPLIFIED") == "true":
            original = node.find("THE-ORIGINAL-VALUE")
            said = "".join(original.itertext()).strip() if original is not None else ""
            message = f"`{name}` was simplified by another tool before, and its text there was: {short(said)}"
            self._remarks.append(Remark("changed", place, message, field=name, value=said))
        return shown.text

    def _hierarchy(self, content: Any, rows: Mapping[str, Row]) -> None:
        """Order and chapters are not taken; objects that stand under another one are named."""
        placed: set[str] = set()
        for node in content.iterfind("SPECIFICATIONS/SPECIFICATION"):
            name = node.get("LONG-NAME") or node.get("IDENTIFIER") or ""
            message = f"the order and chapters of `{short(name)}` are not taken"
            self._remarks.append(Remark("note", Place(self._file, node.sourceline), message, value=name))
            placed |= {str(ref.text).strip() for ref in node.iter("SPEC-OBJECT-REF")}
            for value in node.iterfind("VALUES/*"):
                said = value.get("THE-VALUE") or " ".join("".join(value.itertext()).split())
                self._lose(value, str(value.tag), said, "of a specification is not taken")
        for name in sorted(placed - set(rows)):
            self._remarks.append(Remark("note", Place(self._file), f"a specification names {name}, which is not there"))

    def _lose(self, node: Any, name: str, value: str, why: str) -> None:
        self._remarks.append(lost(Place(self._file, node.sourceline), name, value, why))


def _identifiers(rows: Mapping[str, Row], mapping: ForeignMapping) -> dict[str, str]:
    """The id for people of each object (else its identifier), as links have to name it."""
    foreign = Foreign()
    recognise((Row(row.cells, Place("", at), row.kind) for at, row in enumerate(rows.values())), mapping, foreign)
    stated = {item.place.line: item.id for item in foreign.items if item.id}
    return {name: stated.get(at) or name for at, name in enumerate(rows)}


def _own(rows: Mapping[str, Row]) -> Iterator[ForeignItem]:
    """Our own objects: every attribute is what its name says."""
    ids = {name: row.cells.get(OWN_ID, "") for name, row in rows.items()}
    for row in rows.values():
        if row.kind == OUTSIDE:
            continue
        fields = {
            name.removeprefix(OWN_FIELD): value for name, value in row.cells.items() if name.startswith(OWN_FIELD)
        }
        links = tuple(ForeignLink(tidy_line(link.relation), ids.get(link.target, link.target)) for link in row.links)
        core = [row.cells.get(name, "") for name in (OWN_ID, OWN_TITLE, OWN_TEXT)]
        kind = "" if row.kind == NO_KIND else row.kind
        yield ForeignItem(core[0], kind, core[1], core[2], fields, links, row.place, own=True)
