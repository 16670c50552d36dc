"""Items as they were at a revision of git, and how two sets of items differ."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minivess.compliance.items.items import Items, load_items
from minivess.foundation.errors import CouldNotCheckError, UsageError
from minivess.foundation.git.files_at import FileAt, files_at
from minivess.foundation.implements import implements
from minivess.records.items.items import Item

_MOST_BYTES = 256 << 20
_FOLDERS = ("requirements", "risk")


@dataclass(frozen=True)
class Change:
    """One item that differs: added, removed, or changed in some fields (each with what it said before and says now)."""

    item: str
    title: str
    how: str
    fields: dict[str, tuple[Any, Any]]


@implements("REQ-068", "REQ-254")
def items_at(source: Path, revision: str) -> Items:
    """The items of a source tree at a commit, tag or branch. The tree may be below the root of its repository.

    Raises:
        UsageError: git knows no such revision here, or it held no items.
        InputError: the items of that revision are malformed.
        CouldNotCheckError: git cannot be run, the tree is in no repository, or an item file is a link to a file elsewhere.
    """
    found = files_at(source, revision, _FOLDERS, limit=_MOST_BYTES)
    if not found:
        raise UsageError(f"git knows no items at {revision!r}", hint="name a commit, a tag, a branch or a baseline")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        for file in found:
            _write(root / file.name, file)
        for file in (one for one in found if one.link):
            path = root / file.name
            if not path.exists() or not path.resolve().is_relative_to(root):
                raise CouldNotCheckError(f"{file.name} at {revision} is a link to a file that is not among the items")
        return load_items(root)


def _write(path: Path, file: FileAt) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if file.link:
        path.symlink_to(os.fsdecode(file.content))
    else:
        path.write_bytes(file.content)


def difference(before: Items, after: Items) -> tuple[Change, ...]:
    """What was added, changed and removed, in the order of the later files, removed ones last."""
    found: list[Change] = []
    for identifier, item in after.by_id.items():
        old = before.by_id.get(identifier)
        if old is None:
            found.append(Change(identifier, item.title, "added", {}))
            continue
        fields = _fields(old, item)
        if fields:
            found.append(Change(identifier, item.title, "changed", fields))
    gone = [item for identifier, item in before.by_id.items() if identifier not in after.by_id]
    return (*found, *(Change(item.id, item.title, "removed", {}) for item in gone))


def _fields(before: Item, after: Item) -> dict[str, tuple[Any, Any]]:
    old, new = (item.model_dump(mode="json", exclude={"source"}) for item in (before, after))
    return {name: (old.get(name), new.get(name)) for name in {**old, **new} if old.get(name) != new.get(name)}
