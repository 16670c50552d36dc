"""Pages of the log: its newest entries, or those that somebody looks for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from minivess.compliance.audit.search import Wanted
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.log.entry import Details, Entry, Outcome
from minivess.workflows.session.services import WorkspaceReader

__all__ = ["Page", "Wanted", "page_of_log", "span_of_release"]


@dataclass(frozen=True)
class Page:
    """Entries with their details, oldest first."""

    entries: tuple[tuple[Entry, Details | None], ...]
    before: int | None
    """Index that the page before this one is asked for with; None: this page has the oldest entry."""


@implements("REQ-066")
def page_of_log(
    services: WorkspaceReader, wanted: Wanted, *, release: str | None = None, before: int | None = None, limit: int = 50
) -> Page:
    """The newest entries that meet a wish, or those before an index.

    Args:
        services: the workspace.
        wanted: what the entries have in common.
        release: only the entries that this release rests on.
        before: only entries below this index.
        limit: entries on a page.

    Raises:
        UsageError: no release of that version was built.
    """
    if release is not None:
        wanted = replace(wanted, span=span_of_release(services, release))
    found = services.log.find(wanted, before=before, limit=limit + 1)
    entries = tuple(found[-limit:])
    return Page(entries, entries[0][0].body.index if len(found) > limit else None)


def span_of_release(services: WorkspaceReader, version: str) -> tuple[int, int]:
    """The entries a release rests on: after those of the release before it, up to its own last signature.

    Raises:
        UsageError: no release of that version was built.
    """
    from minivess.records.log.payloads.evidence import ReleaseBuilt, ReleaseSigned

    start, end, before = None, 0, 0
    for entry in services.log.entries(actions={"release.build", "release.sign"}):
        body = entry.body
        if body.outcome is not Outcome.COMPLETED:
            continue
        model = ReleaseBuilt if body.action == "release.build" else ReleaseSigned
        stated = model.model_validate(body.payload)
        if stated.version == version:
            start, end = (before if start is None else start), body.index + 1
        elif start is None:
            before = body.index + 1
    if start is None:
        raise UsageError(f"no release {version!r} was built", hint="`minivess audit log --action release` lists them")
    return start, end
