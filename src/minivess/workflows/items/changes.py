"""What changed in the items of a source tree, and what has to be verified, reviewed and signed again because of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from minivess.compliance.items.items import Items, load_items
from minivess.compliance.items.revisions import Change, difference, items_at
from minivess.compliance.trace.graph import TraceGraph
from minivess.compliance.trace.impact import Impact, changed_between, impact_of
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements

Revision = Callable[[str], str]
"""Gives the git revision that a baseline or a revision names."""


@implements("REQ-068")
def changes_between(tree: Path, before: str, after: str | None, revision: Revision) -> list[Change]:
    """The items that differ.

    Args:
        tree: the source tree.
        before: a baseline, or a revision of git.
        after: as `before`; None: the files as they are.
        revision: gives the git revision of a name.

    Raises:
        InputError, UsageError, CouldNotCheckError: as `items_at`.
    """
    later = load_items(tree) if after is None else items_at(tree, revision(after))
    return list(difference(items_at(tree, revision(before)), later))


@implements("REQ-068")
def impact_of_changes(tree: Path, ids: Sequence[str], since: str | None, revision: Revision) -> tuple[Impact, Items]:
    """What changed items reach.

    Args:
        tree: the source tree.
        ids: items that change.
        since: a baseline or a revision of git: everything that changed since.
        revision: gives the git revision of a name.

    Returns:
        The impact, and the items it names.

    Raises:
        UsageError: no item and no revision is named, or an item is unknown.
    """
    if not ids and since is None:
        raise UsageError("no item is named", hint="name items, or a revision with --since")
    graph = TraceGraph.load(tree)
    changed = list(ids)
    if since is not None:
        changed += changed_between(items_at(tree, revision(since)), graph.items)
    return impact_of(graph, changed), graph.items
