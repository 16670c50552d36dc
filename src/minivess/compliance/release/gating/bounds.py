"""A gate's figure against its limit, in numbers and in words; and why a figure can be unknown."""

from __future__ import annotations

from minivess.compliance.release.gating.counted_kinds import COUNTED_KINDS
from minivess.compliance.release.gating.denominators import DENOMINATORS
from minivess.foundation.implements import implements
from minivess.records.device.gate_outcomes import Basis
from minivess.records.device.release import GateFacts, GateResult
from minivess.records.device.release_policy import COUNTS, DOCUMENTS, PRETRAINING, SOURCE, Gate
from minivess.records.evaluation.statistics.bounds import Bound

_SIGNS = {"at least": "≥", "at most": "≤"}
_NO_EVALUATION = ("there is no evaluation on the sealed test set", "evaluate the exported model: `minivess evaluate`")
UNKNOWN = {
    **{kind: (words.unknown, words.mend) for kind, words in COUNTED_KINDS.items()},
    "conformal": _NO_EVALUATION,
    "subgroups": _NO_EVALUATION,
    "latency": ("the model was not exported", "export it: `minivess model export`"),
    "witness": (
        "no entry attests the time of a checkpoint",
        "`minivess audit witness` or `minivess audit timestamp`",
    ),
    "metric": _NO_EVALUATION,
    "baseline": _NO_EVALUATION,
    "calibration": _NO_EVALUATION,
    "parity": ("the model was not exported", "export it: `minivess model export`"),
    "criteria": (
        "there is no evaluation under registered criteria",
        "`minivess test-set criteria`, then `minivess evaluate`",
    ),
    "trace": ("the traceability check was not run", "run `minivess trace check`"),
    "risk": (
        "the risk file could not be judged",
        "write risk/plan.yaml and risk/risks.yaml, and close the gaps that `minivess trace check` names",
    ),
    "test-set": ("the looks at the test set are not known", "seal the test part: `minivess data seal`"),
    "runs": ("the training runs in the log were not counted", "train with `minivess train`, which records each run"),
    "scenarios": ("the scenarios were not run on this tree", "run them: `minivess trace run`"),
    "lineage": ("the delivery of lineage events is not known", "deliver what waits in the outbox"),
    PRETRAINING: ("the run records of the members are not there", "combine the members: `minivess ensemble`"),
    COUNTS: ("not everything that it counts was made", "make what is missing: `minivess status` names the next step"),
    DOCUMENTS: ("the documents of the source tree were not looked at", "make the pack with this version"),
    SOURCE: ("the state of the source tree is not known", "build the release in a clone of the source"),
}
"""Why the figure of each kind of gate can be unknown, and what makes it known."""
ATTESTED = frozenset({"trace", SOURCE, DOCUMENTS, *COUNTED_KINDS})
"""Kinds of gates whose figure is an output of a tool, which a verifier does not compute again."""


@implements("REQ-269", "RC-11", "RC-123")
def bounded(
    gate: Gate,
    facts: GateFacts,
    title: str,
    value: float | None,
    *,
    mend: str,
    at_least: float | None = None,
    at_most: float | None = None,
    why: str | None = None,
    made: str = "",
) -> GateResult:
    """The result of a gate.

    Args:
        gate: the gate.
        facts: what is known.
        title: what is limited.
        value: the figure; None: it is not known.
        mend: what would mend a gate that fails.
        at_least: the limit below; None: there is none.
        at_most: the limit above.
        why: why the figure is not known, where that is not the usual reason.
        made: how the figure was made, in words that end the message.
    """
    bound = Bound(at_least, at_most)
    limit, comparison = bound.limit, bound.side
    verdict = bound.judge(value)
    basis: Basis = "attested" if gate.kind in ATTESTED else "derived"
    required = f"required: {_SIGNS[comparison]} {number(limit)}"
    whole = DENOMINATORS[gate.kind]
    count = whole.count(gate, facts)
    if (value is not None or count == 0) and (fault := whole.fault(count)):
        value, why, mend = None, fault, UNKNOWN[gate.kind][1]
    if value is None or verdict.margin is None or count is None:
        unknown, mend = (why, mend) if why else UNKNOWN[gate.kind]
        passed, value, margin, words = False, None, None, f"not known, because {unknown}; {required}"
    else:
        passed, margin = verdict.met, verdict.margin
        words = f"{whole.phrase(number(value), count)}, {required}"
        words += ("" if passed else f", missed by {number(abs(margin))}") + made
    return GateResult(
        id=gate.id,
        kind=gate.kind,
        title=title,
        basis=basis,
        passed=passed,
        value=value,
        comparison=comparison,
        limit=limit,
        margin=margin,
        of=count,
        message=f"{title}: {words}",
        mend="" if passed else mend,
    )


def number(value: float) -> str:
    """A figure for people: whole numbers whole, small ones in powers of ten, others to three decimals."""
    if value == int(value):
        return str(int(value))
    return f"{value:.1e}" if abs(value) < 1e-3 else f"{value:.3f}"


def first_of(offenders: list[str]) -> str:
    """The first three, and how many more there are."""
    more = f" and {len(offenders) - 3} more" if len(offenders) > 3 else ""
    return "; ".join(offenders[:3]) + more
