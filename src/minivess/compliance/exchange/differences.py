"""What a file says otherwise than the items that an earlier import made of it; nothing of it is written.

    found = differences(imported, items.by_id)
    found.changed    fields whose value in the file is another one now, old and new
    found.removed    items that came from there and are not in the file any more
    found.remarks    fields that have a value here and none in the file

Values that the file does not state are not compared: defaults of the mapping, and titles made of the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from minivess.compliance.exchange.foreign_items import Place, Remark, trimmed
from minivess.compliance.exchange.importing import Imported
from minivess.compliance.exchange.translate import ImportedItem
from minivess.foundation.implements import implements
from minivess.records.items.items import Item
from minivess.records.items.kinds import link_fields

_KIND = "kind"


@dataclass(frozen=True, slots=True)
class ChangedField:
    """A field of an item that the file has another value for."""

    id: str
    field: str
    old: Any
    """The value here, as JSON has it."""
    new: Any
    """The value in the file, as JSON has it."""
    here: Place
    there: Place


@dataclass(frozen=True, slots=True)
class RemovedItem:
    """An item that was imported, and is not in the file any more."""

    id: str
    title: str
    origin: str
    here: Place


@dataclass(frozen=True, slots=True)
class Differences:
    """How a file and the items differ."""

    changed: tuple[ChangedField, ...]
    removed: tuple[RemovedItem, ...]
    remarks: tuple[Remark, ...]


@implements("REQ-258")
def differences(imported: Imported, existing: Mapping[str, Item]) -> Differences:
    """Compare a file that is imported again with the items that exist.

    Args:
        imported: what the file gives.
        existing: the items, by id.

    Returns:
        Changed fields and removed items. An item counts as removed when it has an origin, is not in the file, and came
        from it: its origin begins with the `source` of the mapping, or it is in the file that the import wrote, or beside
        an item that came from there. Of a file that `export_items` wrote, each item that is not in it counts.
    """
    changed: list[ChangedField] = []
    remarks: list[Remark] = []
    for item in imported.items:
        before = existing.get(item.id)
        if item.known and before is not None:
            changed += _changed(item, before)
            remarks += _emptied(item, before)
    by_origin = {one.origin: one for one in existing.values() if one.origin}
    for item in imported.new:
        other = by_origin.get(item.origin)
        if other is not None and _came_from(imported, other, item.origin, set()):
            changed.append(ChangedField(other.id, _KIND, other.id, item.id, _place(other), item.place))
    return Differences(tuple(changed), tuple(_removed(imported, existing)), tuple(remarks))


@implements("RC-116")
def _changed(item: ImportedItem, before: Item) -> Iterator[ChangedField]:
    links = link_fields(type(before))
    old = before.model_dump(mode="json")
    for name, new in item.fields.items():
        if name in item.stated and name != "origin" and not _same(old.get(name), new, ordered=name not in links):
            yield ChangedField(item.id, name, old.get(name), new, _place(before), item.place)


def _emptied(item: ImportedItem, before: Item) -> Iterator[Remark]:
    """A value that only the items have: a person wrote it here, or took it away there."""
    links = link_fields(type(before))
    for name in item.blank:
        fields: Iterable[str] = links if name == "links" else (name,)
        for one in fields:
            value = getattr(before, one, None)
            filled = one in item.fields and (one in item.stated or _same(value, item.fields[one], ordered=True))
            if value and not filled:
                message = f"`{one}` has no value in the file, and has one in {_place(before)}: {value}"
                yield Remark("note", item.place, message, item=item.id, field=one, value=str(value))


def _same(old: Any, new: Any, *, ordered: bool) -> bool:
    """Whether two values say the same: texts but for spaces at their ends, links in any order."""
    if isinstance(old, str) and isinstance(new, str):
        return trimmed(old) == trimmed(new)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return all(_same(old.get(name), value, ordered=ordered) for name, value in new.items())
    if isinstance(old, list) and isinstance(new, list):
        pairs = zip(old, new, strict=False) if ordered else zip(sorted(old), sorted(new), strict=False)
        return len(old) == len(new) and all(_same(one, other, ordered=ordered) for one, other in pairs)
    return bool(old == new)


def _removed(imported: Imported, existing: Mapping[str, Item]) -> Iterator[RemovedItem]:
    there = {item.origin for item in imported.items}
    ids = {item.id for item in imported.items}
    homes = {existing[name].source.path for name in ids if name in existing}
    for item in existing.values():
        if item.id in ids or (item.origin is not None and item.origin in there):
            continue
        if imported.whole or (item.origin is not None and _came_from(imported, item, item.origin, homes)):
            yield RemovedItem(item.id, item.title, item.origin or item.id, _place(item))


def _came_from(imported: Imported, item: Item, origin: str, homes: set[str]) -> bool:
    if imported.source is not None:
        return origin.startswith(f"{imported.source}: ")
    stem = item.source.path.rpartition("/")[2].removesuffix(".yaml")
    written = stem == imported.name or stem.removeprefix(f"{imported.name}-").isdigit()
    return written or item.source.path in homes


def _place(item: Item) -> Place:
    return Place(item.source.path, item.source.line)
