"""Figures of gates that follow from the entries of a log and the cases of an evaluation. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from minivess.compliance.release.earlier_entries import EarlierEntries, payload_of
from minivess.foundation.implements import implements
from minivess.records.attributes import NOT_STATED
from minivess.records.device.attested import Approvable
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.log.payloads.evidence import SubjectApproved


@implements("REQ-550", "RC-230")
def unapproved(subjects: Iterable[Approvable], known: EarlierEntries) -> tuple[str, ...]:
    """What nobody approved as it is now, a sentence each.

    Args:
        subjects: what has to be approved.
        known: the log; an entry `trace.approve` names a subject and its digest.
    """
    said = (payload_of(body, SubjectApproved) for body in known.completed("trace.approve"))
    approved = {(one.subject, one.digest) for one in said}
    return tuple(
        f"{one.subject} is not approved as it is now" for one in subjects if (one.subject, one.digest) not in approved
    )


@implements("REQ-551")
def hours_since_witness(known: EarlierEntries) -> float | None:
    """Hours from the newest entry that attests the time of a checkpoint to the last entry; None without such an entry.

    Both times are those of the entries. Whether a witness really signed the checkpoint is judged with the times of looks.
    """
    attested = list(known.completed("time.attested"))
    return (known.bodies[-1].time - attested[-1].time).total_seconds() / 3600 if attested else None


@implements("REQ-551")
def subgroup_gap(record: EvaluationRecord, of_class: str | None, measure: str, attribute: str) -> float | None:
    """The largest difference of the mean of a subgroup and that of all others, each over the means of groups.

    None where the measure is undefined in a case, or there are fewer than two subgroups.

    Args:
        record: an evaluation with the counts of each case.
        of_class: the class whose rows are compared; None: the one class of the record.
        measure: whose values are compared.
        attribute: of the cases. Those that do not state it are a subgroup.
    """
    rows = [one for one in record.cases if isinstance(one, CaseCounts) and one.of_class == of_class]
    values = [(one.attributes.get(attribute, NOT_STATED), one.group, one.values.get(measure)) for one in rows]
    names = sorted({name for name, _, _ in values})
    if len(names) < 2 or any(value is None for _, _, value in values):
        return None
    known = [(name, group, value) for name, group, value in values if value is not None]
    gaps = []
    for name in names:
        inside = _over_groups([(group, value) for other, group, value in known if other == name])
        outside = _over_groups([(group, value) for other, group, value in known if other != name])
        gaps.append(abs(inside - outside))
    return max(gaps)


def _over_groups(pairs: Sequence[tuple[str, float]]) -> float:
    """The mean over the means of groups."""
    held: dict[str, list[float]] = {}
    for group, value in pairs:
        held.setdefault(group, []).append(value)
    return math.fsum(math.fsum(values) / len(values) for values in held.values()) / len(held)
