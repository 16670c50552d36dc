"""What differs between two releases, part by part, and how their figures on the sealed test set compare."""

from __future__ import annotations

from collections.abc import Iterator

from minivess.compliance.changes.logged_evaluations import LoggedEvaluations
from minivess.compliance.changes.packed_release import PackedRelease
from minivess.compliance.changes.parts import PARTS, ComparedPart, Thing, Things
from minivess.compliance.rules.looks import LookHistory
from minivess.foundation.errors import MinivessError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.changes.difference import (
    Change,
    ChangedField,
    MeasuredTwice,
    Measures,
    ReleaseDifference,
    Section,
)
from minivess.records.evaluation.comparison.evaluations import ComparedEvaluation, Comparison, compare
from minivess.records.evaluation.margins import Margin

SEED = 0
"""Of the draws of paired intervals: the same packs give the same figures."""


@implements("REQ-570")
def difference_of(
    old: PackedRelease, new: PackedRelease, *, verdicts: tuple[str, str] | None = None
) -> ReleaseDifference:
    """Compare two releases.

    Args:
        old: the earlier one.
        new: the later one.
        verdicts: what the verification of each came to, where they were verified.

    Raises:
        VerificationError: a pack does not name its device.
    """
    first, second = verdicts or (None, None)
    return ReleaseDifference(
        old=old.compared(first),
        new=new.compared(second),
        sections=tuple(_section(part, old, new) for part in PARTS),
        measures=measures_of(old, new),
    )


@implements("REQ-570")
def _section(part: ComparedPart, old: PackedRelease, new: PackedRelease) -> Section:
    """One part."""
    held: list[Things] = []
    for side, release in (("old", old), ("new", new)):
        try:
            held.append(part.read(release))
        except MinivessError as error:
            why = not_comparable(side, error)
            return Section(name=part.name, title=part.title, compared=0, changes=(), not_compared=why)
    before, after = held
    return Section(
        name=part.name,
        title=part.title,
        compared=len(before.keys() | after.keys()),
        changes=tuple(_changes(before, after)),
    )


@implements("RC-240")
def not_comparable(side: str, error: MinivessError) -> str:
    """Why a part is not compared. What one pack does not have, or has malformed, is not a part without changes.

    Args:
        side: which pack.
        error: why it cannot be read.
    """
    return f"{side} pack: {error.message}"


def _changes(old: Things, new: Things) -> Iterator[Change]:
    for name in (*new, *(name for name in old if name not in new)):
        before, after = old.get(name), new.get(name)
        fields = tuple(_fields(before, after))
        shown = after or before
        if shown is None or not (fields or before is None or after is None):
            continue
        kind = "added" if before is None else "removed" if after is None else "changed"
        yield Change.model_validate({"kind": kind, "id": name, "title": shown.title, "fields": fields})


def _fields(old: Thing | None, new: Thing | None) -> Iterator[ChangedField]:
    before, after = ({} if one is None else one.fields for one in (old, new))
    for name in (*after, *(name for name in before if name not in after)):
        if before.get(name) != after.get(name):
            yield ChangedField(field=name, old=before.get(name), new=after.get(name))


@implements("REQ-571")
def measures_of(old: PackedRelease, new: PackedRelease, margins: tuple[Margin, ...] = ()) -> Measures:
    """The figures of both, and their paired comparison where both were evaluated on the same sealed cases.

    Args:
        old: the earlier release.
        new: the later one.
        margins: in place of those that the analysis plan of the later look registered.
    """
    try:
        first, second = old.evaluation, new.evaluation
    except VerificationError as error:
        return Measures(values=(), not_paired=error.message)
    names = [
        (of_class, name)
        for one in (second, first)
        for of_class, held in one.by_class.items()
        for name in held.aggregates
    ]
    values = tuple(
        MeasuredTwice.model_validate(
            {
                "measure": name,
                **({} if of_class is None else {"of_class": of_class}),
                "old": None if of_class not in first.by_class else first.by_class[of_class].aggregates.get(name),
                "new": None if of_class not in second.by_class else second.by_class[of_class].aggregates.get(name),
            }
        )
        for of_class, name in dict.fromkeys(names)
    )
    unit = first.unit if first.unit == second.unit else None
    try:
        return Measures(values=values, unit=unit, paired=_paired(old, new, margins))
    except MinivessError as error:
        return Measures(values=values, unit=unit, not_paired=error.message)


def _paired(old: PackedRelease, new: PackedRelease, margins: tuple[Margin, ...]) -> Comparison:
    """The comparison, with the margins that were registered before the later look where the log has both evaluations.

    Raises:
        RefusedError: the evaluations are of different cases or conventions.
        VerificationError: the log of a pack does not have its evaluation.
    """
    logs = (LoggedEvaluations.of(LookHistory.fold(one.entries), one.entries) for one in (old, new))
    known = [_known(one, logged) for one, logged in zip((old, new), logs, strict=True)]
    logged = LoggedEvaluations.of(LookHistory.fold(new.entries), new.entries)
    both = all(logged.look_of(one.file) == one.entry for one in known)
    return compare(
        old.evaluation,
        new.evaluation,
        (known[0], known[1]),
        seed=SEED,
        margins={one.measure: one.loss for one in margins},
        registered=logged.margins_of(*known) if both else None,
    )


def _known(release: PackedRelease, logged: LoggedEvaluations) -> ComparedEvaluation:
    record, digest = release.evaluation, release.evaluation_digest
    entry = logged.look_of(digest)
    if entry is None:
        raise VerificationError(f"no look in the log of release {release.name[1]} has the evaluation of its pack")
    return ComparedEvaluation(file=digest, model=record.model, request=record.request, look=record.look, entry=entry)
