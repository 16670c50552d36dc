"""Items as they were at a revision of git, and how two sets of items differ."""

from __future__ import annotations

import io
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minivess.compliance.items.items import Items, load_items
from minivess.foundation.errors import CouldNotCheckError, InputError, UsageError
from minivess.foundation.git.commands import git
from minivess.foundation.git.repository import Repository, repository_of
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


@implements("REQ-068")
def items_at(source: Path, revision: str) -> Items:
    """The items of a source tree at a commit, tag or branch. The tree may be below the root of its repository.

    Raises:
        UsageError: git knows no such revision here, or it held no items.
        InputError: the items of that revision are malformed.
        CouldNotCheckError: git cannot be run, or the tree is in no repository.
    """
    if revision.startswith("-"):
        raise UsageError(f"{revision!r} is no revision")
    repository = repository_of(source)
    if not isinstance(repository, Repository):
        raise CouldNotCheckError(f"git cannot be asked for {revision}: {repository}")
    tree, data = f"{revision}:{repository.prefix}", b""
    for folders in (_FOLDERS, _FOLDERS[:1]):  # a tree may have no risks
        answer = git(repository.top, "archive", "--format=tar", tree, "--", *folders)
        if answer.status == 0:
            data = answer.output
            break
    if not data:
        raise UsageError(f"git knows no items at {revision!r}", hint="name a commit, a tag, a branch or a baseline")
    if len(data) > _MOST_BYTES:
        raise InputError(f"the items at {revision} are larger than {_MOST_BYTES} bytes")
    with tempfile.TemporaryDirectory() as name, tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(name, filter="data")
        return load_items(Path(name))


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
