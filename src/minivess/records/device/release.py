"""The facts that the gates of a release judge, and their results."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from minivess.foundation.clock import timestamp
from minivess.records.base import Moment, Record, ShortText, Slug
from minivess.records.device.attested import Counted
from minivess.records.device.gate_outcomes import Basis
from minivess.records.device.source_state import SourceState
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.items.residual_risks import ResidualRisks
from minivess.records.items.trace import ResultReport
from minivess.records.models.exports.export import ExportRecord
from minivess.records.models.start import StartRecord


class Waiver(Record):
    """A waiver of a gate of one release, as the log has it."""

    entry: Annotated[int, Field(ge=0)]
    signer: Slug
    gate: Slug
    owner: Slug
    """The person who answers for closing it."""
    risk: str
    until: Moment
    """The last moment at which it counts."""
    reason: str

    @property
    def words(self) -> str:
        """In words, for people."""
        return (
            f"entry {self.entry}, signed by {self.signer}, owner {self.owner}, {self.risk}, until "
            f"{timestamp(self.until)[:10]}: {self.reason}"
        )


class GateFacts(Record):
    """What the gates judge. A fact that is not known is None, and every gate that needs it fails."""

    evaluation: EvaluationRecord | None = None
    unmet: tuple[str, ...] | None = None
    """Registered acceptance criteria the evaluation does not meet, in words."""
    registered: Annotated[int, Field(ge=1)] | None = None
    """How many acceptance criteria were registered."""
    export: ExportRecord | None = None
    members: Annotated[int, Field(ge=0)] | None = None
    """How many members the ensemble has."""
    starts: tuple[StartRecord, ...] = ()
    """The weights that members started from, of those that did not start from their seed."""
    gaps: tuple[str, ...] | None = None
    """Gaps of traceability that are open, each in a sentence, with file and line where they are known."""
    chapters: tuple[str, ...] | None = None
    """Chapters of documents that are owed and not written, each in a sentence."""
    counted: tuple[Counted, ...] | None = None
    """What the tool counted in the source tree, by kind of gate."""
    approvable: Annotated[int, Field(ge=0)] | None = None
    """How much has to be approved."""
    unapproved: tuple[str, ...] | None = None
    """Of that, what nobody approved as it is now."""
    witnessed: float | None = None
    """Hours from the newest attestation of the time of a checkpoint to the last entry; None without one."""
    waivers: tuple[Waiver, ...] = ()
    """Those that count: of this release, not expired, about a known risk. Of one gate the last counts."""
    justified: tuple[str, ...] = ()
    """Gaps for which a justification counts, each with who and until when: no gate fails, and all are named."""
    risks: ResidualRisks | None = None
    openings: Annotated[int, Field(ge=0)] | None = None
    undisposed: tuple[int, ...] | None = None
    """Log indices of training runs that no ensemble uses and no disposition explains."""
    runs: Annotated[int, Field(ge=0)] | None = None
    """How many training runs the log has."""
    undelivered: tuple[int, ...] | None = None
    """Log indices of entries with an OpenLineage run whose event of their outcome is missing."""
    lineage_runs: Annotated[int, Field(ge=0)] | None = None
    """How many entries have an OpenLineage run."""
    report: ResultReport | None = None
    requirements: Annotated[int, Field(ge=0)] | None = None
    """How many requirements the trace has."""
    source: SourceState | None = None
    """The state of the source tree that is released."""


class GateResult(Record):
    """How one gate was judged. `margin` is positive when there was room, negative by how much the gate was missed."""

    id: Slug
    kind: str
    title: ShortText
    basis: Basis
    passed: bool
    value: float | None
    comparison: Literal["at least", "at most"]
    limit: float
    margin: float | None
    of: int | None = None
    """How many things were judged, of which `value` is a part or a mean; None when that is not known."""
    message: str
    waived: Waiver | None = None
    """The waiver that lets the release be built although this gate fails."""
    mend: str
    """What would mend it; empty when it passed."""
