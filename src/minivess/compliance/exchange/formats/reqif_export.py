"""ReqIF written through the `reqif` library; identifiers come from ids, so the same items give the same objects.

A link to something that is not exported gets an object of type `(outside)` that carries its id alone: a ReqIF relation
must end at an object of the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from minivess.compliance.exchange.foreign_items import ForeignItem
from minivess.compliance.exchange.formats.reqif_file import (
    NO_KIND,
    OUTSIDE,
    OWN_FIELD,
    OWN_ID,
    OWN_TEXT,
    OWN_TITLE,
    OWN_TOOL,
)
from minivess.compliance.exchange.formats.rich_text import to_xhtml

_SHORT, _RICH = "_type_short", "_type_rich"
_LONGEST = 1000


def write_reqif(items: Sequence[ForeignItem], *, title: str, created: str) -> str:
    """A ReqIF file that `read_reqif` takes back without loss.

    Args:
        items: what to write.
        title: of the specification.
        created: the time, as RFC 3339.
    """
    from reqif.models.reqif_core_content import ReqIFCoreContent  # type: ignore[import-untyped]
    from reqif.models.reqif_namespace_info import ReqIFNamespaceInfo  # type: ignore[import-untyped]
    from reqif.models.reqif_req_if_content import ReqIFReqIFContent  # type: ignore[import-untyped]
    from reqif.models.reqif_reqif_header import ReqIFReqIFHeader  # type: ignore[import-untyped]
    from reqif.object_lookup import ReqIFObjectLookup  # type: ignore[import-untyped]
    from reqif.reqif_bundle import ReqIFBundle  # type: ignore[import-untyped]
    from reqif.unparser import ReqIFUnparser  # type: ignore[import-untyped]

    content = _Content(items, created)
    bundle = ReqIFBundle(
        namespace_info=ReqIFNamespaceInfo.create_default(),
        req_if_header=ReqIFReqIFHeader(
            identifier=_name("header", title, created),
            creation_time=created,
            req_if_tool_id=OWN_TOOL,
            req_if_version="1.0",
            source_tool_id=OWN_TOOL,
            title=title.replace("<", "").replace(">", ""),
        ),
        core_content=ReqIFCoreContent(
            req_if_content=ReqIFReqIFContent(
                data_types=content.data_types(),
                spec_types=content.types(),
                spec_objects=content.objects(),
                spec_relations=content.relations(),
                specifications=[content.specification(title)],
                spec_relation_groups=[],
            )
        ),
        tool_extensions_tag_exists=False,
        lookup=ReqIFObjectLookup.empty(),
        exceptions=[],
    )
    return str(ReqIFUnparser.unparse(bundle))


class _Content:
    """The parts of a file, made in the order it lists them."""

    def __init__(self, items: Sequence[ForeignItem], created: str) -> None:
        ids = {item.id for item in items}
        targets = dict.fromkeys(link.target for item in items for link in item.links if link.target not in ids)
        self._outside = list(targets)
        self._items = items
        self._created = created
        self._kinds = dict.fromkeys(item.kind or NO_KIND for item in items)
        names: dict[str, dict[str, bool]] = {kind: {} for kind in self._kinds}
        for item in items:
            known = names[item.kind or NO_KIND]
            for name, value in _cells(item):
                known[name] = known.get(name, False) or _is_rich(name, value)
        self._rich = names
        self._object_of = {item.id: _name("object", item.id, at) for at, item in reversed(list(enumerate(items)))}
        self._object_of |= {target: _name("object", target, "outside") for target in self._outside}

    def data_types(self) -> list[Any]:
        """Two: short texts and rich ones."""
        from reqif.models.reqif_data_type import (  # type: ignore[import-untyped]
            ReqIFDataTypeDefinitionString,
            ReqIFDataTypeDefinitionXHTML,
        )

        return [
            ReqIFDataTypeDefinitionString(
                identifier=_SHORT, last_change=self._created, long_name="Text", max_length=str(_LONGEST)
            ),
            ReqIFDataTypeDefinitionXHTML(
                identifier=_RICH, last_change=self._created, long_name="Rich text", is_self_closed=True
            ),
        ]

    def types(self) -> list[Any]:
        """A type for each kind of item and each relation, and one for the specification."""
        from reqif.models.reqif_spec_object_type import ReqIFSpecObjectType  # type: ignore[import-untyped]
        from reqif.models.reqif_spec_relation_type import ReqIFSpecRelationType  # type: ignore[import-untyped]
        from reqif.models.reqif_specification_type import ReqIFSpecificationType  # type: ignore[import-untyped]

        kinds: dict[str, dict[str, bool]] = dict(self._rich)
        if self._outside:
            kinds[OUTSIDE] = {OWN_ID: any(_is_rich(OWN_ID, target) for target in self._outside)}
        found: list[Any] = [
            ReqIFSpecObjectType(
                identifier=_name("kind", kind),
                last_change=self._created,
                long_name=kind,
                attribute_definitions=[self._definition(kind, name, rich) for name, rich in names.items()],
            )
            for kind, names in kinds.items()
        ]
        found += [
            ReqIFSpecRelationType(identifier=_name("relation", name), last_change=self._created, long_name=escape(name))
            for name in dict.fromkeys(link.relation for item in self._items for link in item.links)
        ]
        found.append(
            ReqIFSpecificationType(
                identifier="_type_specification",
                last_change=self._created,
                long_name="Specification",
                is_self_closed=True,
            )
        )
        return found

    def objects(self) -> list[Any]:
        """One for each item, and one for each id outside that a link names."""
        return [
            *(
                self._object(_name("object", one.id, at), one.kind or NO_KIND, _cells(one))
                for at, one in enumerate(self._items)
            ),
            *(self._object(self._object_of[target], OUTSIDE, [(OWN_ID, target)]) for target in self._outside),
        ]

    def relations(self) -> list[Any]:
        """One for each link."""
        from reqif.models.reqif_spec_relation import ReqIFSpecRelation  # type: ignore[import-untyped]

        return [
            ReqIFSpecRelation(
                identifier=_name("link", item.id, at, link.relation, link.target),
                relation_type_ref=_name("relation", link.relation),
                source=_name("object", item.id, at),
                target=self._object_of[link.target],
                last_change=self._created,
            )
            for at, item in enumerate(self._items)
            for link in item.links
        ]

    def specification(self, title: str) -> Any:
        """All items, in their order."""
        from reqif.models.reqif_spec_hierarchy import ReqIFSpecHierarchy  # type: ignore[import-untyped]
        from reqif.models.reqif_specification import ReqIFSpecification  # type: ignore[import-untyped]

        children = [
            ReqIFSpecHierarchy(
                identifier=_name("place", item.id, at),
                spec_object=_name("object", item.id, at),
                level=1,
                last_change=self._created,
            )
            for at, item in enumerate(self._items)
        ]
        return ReqIFSpecification(
            identifier=_name("specification", title),
            last_change=self._created,
            long_name=title,
            specification_type="_type_specification",
            children=children,
        )

    def _definition(self, kind: str, name: str, rich: bool) -> Any:
        from reqif.models.reqif_spec_object_type import SpecAttributeDefinition
        from reqif.models.reqif_types import SpecObjectAttributeType  # type: ignore[import-untyped]

        return SpecAttributeDefinition(
            attribute_type=SpecObjectAttributeType.XHTML if rich else SpecObjectAttributeType.STRING,
            identifier=_name("attribute", kind, name),
            datatype_definition=_RICH if rich else _SHORT,
            last_change=self._created,
            long_name=name,
        )

    def _object(self, identifier: str, kind: str, cells: Iterable[tuple[str, str]]) -> Any:
        from reqif.models.reqif_spec_object import ReqIFSpecObject, SpecObjectAttribute  # type: ignore[import-untyped]
        from reqif.models.reqif_types import SpecObjectAttributeType

        outside = any(_is_rich(OWN_ID, target) for target in self._outside)
        values = []
        for name, value in cells:
            rich = outside if kind == OUTSIDE else self._rich[kind][name]
            values.append(
                SpecObjectAttribute(
                    attribute_type=SpecObjectAttributeType.XHTML if rich else SpecObjectAttributeType.STRING,
                    definition_ref=_name("attribute", kind, name),
                    value=to_xhtml(value) if rich else value,
                )
            )
        return ReqIFSpecObject(
            identifier=identifier, attributes=values, spec_object_type=_name("kind", kind), last_change=self._created
        )


def _cells(item: ForeignItem) -> list[tuple[str, str]]:
    core = ((OWN_ID, item.id), (OWN_TITLE, item.title), (OWN_TEXT, item.text))
    fields = ((OWN_FIELD + name, value) for name, value in item.attributes.items())
    return [(name, value) for name, value in (*core, *fields) if value]


def _is_rich(name: str, value: str) -> bool:
    """Whether a value needs XHTML: XML makes line breaks and tabs of an attribute spaces."""
    return name == OWN_TEXT or len(value) > _LONGEST or any(one in value for one in "\n\t\r")


def _name(*parts: object) -> str:
    """An identifier of XML, the same for the same parts."""
    return "_" + hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]
