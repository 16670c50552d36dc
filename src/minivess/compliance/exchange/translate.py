"""Foreign items made items of ours: kinds, ids, fields and links; whatever has no place is in a remark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minivess.compliance.exchange.fields import Conversions, check_fields, fields_of
from minivess.compliance.exchange.foreign_items import (
    Foreign,
    ForeignItem,
    ForeignLink,
    Place,
    Remark,
    circles,
    lost,
    short,
)
from minivess.compliance.exchange.identifiers import Allocator, origins
from minivess.compliance.exchange.mapping import CONTROL_KIND, IGNORE, OUR_LINKS, ForeignMapping
from minivess.compliance.exchange.stated_kinds import StatedKinds
from minivess.compliance.exchange.vocabulary import plain
from minivess.compliance.exchange.words import is_general, points_down, relation_of_word
from minivess.records.items.kinds import Kind, kind_of, link_fields

_LONGEST_ORIGIN = 200
_FIELD_OF_CORE = {"text": "statement"}


@dataclass(frozen=True)
class ImportedItem:
    """An item of ours, not yet in a file."""

    prefix: str
    id: str
    fields: Mapping[str, Any]
    """As YAML has them, without the id."""
    missing: tuple[str, ...]
    """Mandatory fields that have no value yet: the file does not load before they are written."""
    origin: str
    """What it is known by where it comes from."""
    known: bool
    """Whether an earlier import gave it its id."""
    place: Place
    stated: frozenset[str] = frozenset()
    """Fields whose values the file states; others are the mapping's defaults, or made from another field."""
    blank: tuple[str, ...] = ()
    """Fields that have a column in the file and no value there."""


@dataclass(slots=True)
class _Draft:
    item: ForeignItem
    kind: Kind
    id: str
    origin: str
    known: bool
    data: dict[str, Any]
    stated: frozenset[str]


def translate(
    foreign: Foreign, mapping: ForeignMapping, *, taken: Collection[str], known_origins: Mapping[str, str]
) -> tuple[list[ImportedItem], list[Remark]]:
    """Turn foreign items into ours.

    Args:
        foreign: what the file holds.
        mapping: kinds, relations, words and defaults.
        taken: ids that exist.
        known_origins: ids that exist, by origin.

    Returns:
        The items in the order of the file, and all remarks, those of reading first.

    Raises:
        UsageError: the kind of a row is stated nowhere.
        InputError: there is no id left.
    """
    return _Translation(foreign, mapping, taken, known_origins).run()


class _Translation:
    def __init__(
        self, foreign: Foreign, mapping: ForeignMapping, taken: Collection[str], known: Mapping[str, str]
    ) -> None:
        self._mapping = mapping
        self._remarks = list(foreign.remarks)
        self._conversions = Conversions()
        self._taken = frozenset(taken)
        known = {**known, **{item.id: item.id for item in foreign.items if item.own and item.id in self._taken}}
        self._known = known
        self._kinds = StatedKinds(mapping, known, self._remarks)
        self._allocator = Allocator(taken, known)
        self._existing = {**{identifier: identifier for identifier in taken}, **known}
        self._drafts: list[_Draft] = []
        self._by_foreign: dict[str, _Draft] = {}
        self._refused: set[str] = set()
        self._guessed: Counter[tuple[str, str]] = Counter()
        """By relation, and field that it is written to for want of a stated one: how often."""
        self._relations = {plain(name): target for name, target in mapping.relations.items()}
        self._take(foreign.items)

    def run(self) -> tuple[list[ImportedItem], list[Remark]]:
        for draft in self._drafts:
            for link in draft.item.links:
                self._link(draft, link)
        self._name_circles()
        imported = [self._finished(draft) for draft in self._drafts]
        for (relation, field), count in self._guessed.items():
            message = (
                f"what the relation `{short(relation)}` means is not stated: {count} link(s) of it are taken as `{field}`; "
                "state it under `relations:` in a mapping file"
            )
            self._remarks.append(Remark("changed", self._drafts[0].item.place, message, field=field, value=relation))
        if self._drafts:
            self._remarks += self._conversions.remarks(Place(self._drafts[0].item.place.file), self._mapping)
        return imported, self._remarks

    def _take(self, items: Sequence[ForeignItem]) -> None:
        self._allocator.reserve(item.id for item in items)
        stated = [
            (item, origin, self._kinds.of(item, origin) if item.title or item.text else "")
            for item, origin in zip(items, origins(items, self._mapping.source), strict=True)
        ]
        if items:
            self._kinds.check(items[0].place.file)
        for item, origin, prefix in stated:
            if not prefix or prefix == IGNORE:
                why = "is no item and is not taken" if prefix else "has neither title nor text and is not taken"
                self._refuse(item, why)
                continue
            kind = kind_of(prefix)
            identifier, known = self._allocator.give(prefix, origin, item.id)
            data = fields_of(item, kind, self._mapping, self._remarks, self._conversions)
            draft = _Draft(item, kind, identifier, origin, known, data, frozenset(_stated(item, data, self._mapping)))
            self._keep_origin(draft)
            self._tell_id(draft)
            self._drafts.append(draft)
            first = self._by_foreign.setdefault(item.id, draft) if item.id else draft
            if first is not draft:
                message = f"the id is there twice (first at {first.item.place}); links to it go to the first"
                self._remarks.append(Remark("note", item.place, message, item=item.id))

    def _refuse(self, item: ForeignItem, why: str) -> None:
        self._refused.add(item.id)
        attributes = "; ".join(f"{name}: {value}" for name, value in item.attributes.items())
        links = "; ".join(f"{link.relation}: {link.target}" for link in item.links)
        value = "\n".join(filter(None, (item.id, item.kind, item.title, item.text, attributes, links)))
        message = f"`{short(item.kind or 'row')}` {why}: {short(value)}"
        self._remarks.append(Remark("lost", item.place, message, item=item.id, value=value))

    def _keep_origin(self, draft: _Draft) -> None:
        written = draft.data.pop("origin", None)
        if draft.item.own and draft.origin == draft.id:
            draft.data |= {"origin": written} if written else {}
            return
        if written:
            why = "is where it came from there; its id there is kept instead"
            self._remarks.append(lost(draft.item.place, "origin", written, why, item=draft.item.id))
        if len(draft.origin) <= _LONGEST_ORIGIN:
            draft.data["origin"] = draft.origin
        else:
            why = f"is longer than {_LONGEST_ORIGIN} characters and is not kept as origin"
            self._remarks.append(lost(draft.item.place, "id", draft.origin, why, item=draft.id))

    def _tell_id(self, draft: _Draft) -> None:
        """Say where an id of our form, or an earlier one, is not kept."""
        before = self._known.get(draft.origin)
        if before is not None and before != draft.id:
            message = f"has the origin of {before}, which is of another kind; it is taken as a new item, {draft.id}"
        elif draft.item.id in self._taken and draft.item.id != draft.id and not draft.known:
            message = f"{draft.item.id} is the id of another item here, so it is {draft.id}"
        else:
            return
        remark = Remark("changed", draft.item.place, message, item=draft.item.id, field="id", value=draft.item.id)
        self._remarks.append(remark)

    def _link(self, draft: _Draft, link: ForeignLink) -> None:
        """Put a link into a field of one of its ends."""
        field = self._relations.get(plain(link.relation))
        if field == IGNORE:
            self._lose_link(draft, link, "is left out, as the mapping says")
            return
        target, at = self._target(link.target)
        if not target:
            there = "is not taken itself" if link.target in self._refused else "is nowhere"
            self._lose_link(draft, link, f"points to `{short(link.target)}`, which {there}")
        elif target == draft.id:
            self._lose_link(draft, link, "points to the item itself")
        elif field is None and points_down(link.relation):
            if at is None or not _add(at, _field_for(at.kind, draft.id, relation_of_word(link.relation)), draft.id):
                self._lose_link(draft, link, f"names {target} as child, which has no field for it")
        else:
            self._place(draft, link, target, at, field)

    def _place(self, draft: _Draft, link: ForeignLink, target: str, at: _Draft | None, field: str | None) -> None:
        wanted = field or (link.relation if link.relation in OUR_LINKS else relation_of_word(link.relation))
        found = _field_for(draft.kind, target, wanted)
        if found and _add(draft, found, target):
            if found != wanted and not is_general(link.relation):
                self._guessed[link.relation, found] += 1
            return
        if found:
            self._lose_link(draft, link, f"is a second one to {target}, and `{found}` holds one")
            return
        back = _field_for(at.kind, draft.id, None) if at is not None and field is None else None
        if at is not None and back and _add(at, back, draft.id):
            message = f"`{link.relation}` to {target} is written there, as `{back}`"
            self._remarks.append(Remark("changed", draft.item.place, message, item=draft.id, value=link.target))
        else:
            kinds = f"from {draft.kind.prefix} to {target}"
            self._lose_link(draft, link, f"has no field for a link {kinds}")

    def _target(self, written: str) -> tuple[str, _Draft | None]:
        """Our id of what a link points to: in this file, from an earlier import, or an item of ours."""
        draft = self._by_foreign.get(written)
        if draft is not None:
            return draft.id, draft
        source = self._mapping.source
        return self._existing.get(f"{source}: {written}" if source else written) or self._existing.get(
            written, ""
        ), None

    def _lose_link(self, draft: _Draft, link: ForeignLink, why: str) -> None:
        message = f"the link `{short(link.relation)}` {why}"
        remark = Remark(
            "lost", draft.item.place, message, item=draft.item.id or draft.id, field=link.relation, value=link.target
        )
        self._remarks.append(remark)

    def _name_circles(self) -> None:
        places = {draft.id: draft.item.place for draft in self._drafts}
        for way in circles({draft.id: list(_targets(draft)) for draft in self._drafts}):
            message = f"links go in a circle: {' -> '.join(way)}"
            self._remarks.append(Remark("note", places[way[0]], message, item=way[0]))

    def _finished(self, draft: _Draft) -> ImportedItem:
        missing = check_fields(draft.data, draft.kind, draft.id, draft.item, self._remarks)
        return ImportedItem(
            draft.kind.prefix,
            draft.id,
            draft.data,
            missing,
            draft.origin,
            draft.known,
            draft.item.place,
            draft.stated | set(link_fields(draft.kind.record)),
            tuple(_FIELD_OF_CORE.get(name, name) for name in draft.item.blank),
        )


def _stated(item: ForeignItem, data: Mapping[str, Any], mapping: ForeignMapping) -> Iterator[str]:
    """The fields whose values are the file's own."""
    for name in data:
        written = CONTROL_KIND if name == "kind" and CONTROL_KIND in item.attributes else name
        default = name in mapping.defaults and written not in item.attributes and name not in {"title", "statement"}
        if not default and not (name == "title" and not item.title):
            yield name


def _targets(draft: _Draft) -> Iterator[str]:
    for name in link_fields(draft.kind.record):
        value = draft.data.get(name, ())
        yield from (value,) if isinstance(value, str) else value


def _field_for(kind: Kind, target: str, wanted: str | None) -> str | None:
    """The field of a kind that can hold a link to an id: the wanted one, else the first that may."""
    prefix = target.split("-", maxsplit=1)[0]
    able = [name for name, allowed in link_fields(kind.record).items() if not allowed or prefix in allowed]
    return wanted if wanted in able else next(iter(able), None)


def _add(draft: _Draft, field: str | None, target: str) -> bool:
    """Put an id into a link field; whether it is there now."""
    if field is None:
        return False
    if not str(draft.kind.record.model_fields[field].annotation).startswith("tuple"):
        return bool(draft.data.setdefault(field, target) == target)
    held = draft.data.setdefault(field, [])
    if target not in held:
        held.append(target)
    return True
