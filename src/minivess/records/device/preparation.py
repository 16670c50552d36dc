"""What `release.prepare` says: the entries a release rests on, and every file of its pack by one digest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.artifact import Tool
from minivess.records.base import Record
from minivess.records.device.project import Device
from minivess.records.device.source_state import SourceState
from minivess.records.evaluation.cases import absent
from minivess.records.references import ROLES, EntryReference

__all__ = ["LAYOUT", "LookAccount", "ReleaseChain", "ReleasePrepared", "RunAccount", "Tool"]

LAYOUT: Final = 2
"""The layout of packs that this version writes. Packs of version 0.1.0, which had no such entry, are of layout 1."""


class RunAccount(Record):
    """A training run that ended, and what became of it."""

    run: EntryReference
    disposition: EntryReference | None = None
    """Why no ensemble uses it; None for members of the ensemble and for runs that failed."""


class LookAccount(Record):
    """A look at the test set, and what came of it."""

    approval: EntryReference
    evaluation: EntryReference | None = None
    """The first completed evaluation under the approval; None when there is no result."""


class ReleaseChain(Record):
    """The entries a release rests on, each in its role."""

    ingest: EntryReference
    validation: EntryReference
    split: EntryReference
    seal: EntryReference
    runs: Annotated[tuple[RunAccount, ...], Field(min_length=1, max_length=10_000)]
    """Every training run of the log that ended, in the order of the log."""
    ensemble: EntryReference
    calibration: EntryReference
    export: EntryReference
    criteria: EntryReference
    policy: EntryReference
    request: EntryReference
    approval: EntryReference
    evaluation: EntryReference
    scenarios: EntryReference
    drill: EntryReference | None = None
    """The last drill of the risk controls, where there was one."""
    qualification: Annotated[EntryReference | None, Field(exclude_if=absent)] = None
    """The last qualification of this software on a machine of the project, where there was one."""
    looks: Annotated[tuple[LookAccount, ...], Field(min_length=1, max_length=10_000)]
    """Every look of the log, in the order of the log."""

    def references(self) -> Iterator[tuple[str, EntryReference]]:
        """Every entry with its role, a key of `ROLES`."""
        for role in ROLES:
            reference = getattr(self, role, None)
            if isinstance(reference, EntryReference):
                yield role, reference
        for run in self.runs:
            yield "run", run.run
            if run.disposition is not None:
                yield "disposition", run.disposition
        for look in self.looks:
            yield "approval", look.approval
            if look.evaluation is not None:
                yield "evaluation", look.evaluation


class ReleasePrepared(Record):
    """Everything a release rests on, and every file of its pack outside `audit/` and `lineage/`."""

    layout: Literal[2]
    device: Device
    tool: Tool
    chain: ReleaseChain
    source: SourceState
    """The state of the source tree."""
    environment: Digest
    """Of the lock file."""
    sbom: Digest
    """Of `bom/sbom.cdx.json`."""
    manifest: Digest
    """Of the payload manifest: a line of SHA-256 and name for each file, in order of name."""
    files: Annotated[int, Field(ge=1)]
    """The number of its lines."""
