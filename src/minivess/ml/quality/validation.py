"""Rules that prepared cases must meet before anything is learnt from them.

Every case is measured once (`survey`); the rules judge the measures, the case table and the set, and answer with
findings; `block` stops the pipeline. A finding of a rule is a fact about the data, not an error of the software, so
validation reports and never raises for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.implements import implements
from minivess.ml.cases.prepared import load_case
from minivess.ml.quality import case_rules, case_table, set_rules
from minivess.ml.quality.rule_catalogue import RULES
from minivess.ml.quality.rules import severities
from minivess.ml.quality.set_findings import about_the_set
from minivess.ml.quality.survey import Survey, survey
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.findings import Found
from minivess.records.data.likeness import Likeness, NearDuplicate, StatedPair
from minivess.records.data.validation import RuleChange, ValidationReport
from minivess.records.sinks import Progress

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@implements("REQ-047")
def validate(
    manifest: DatasetManifest,
    folder: Path,
    *,
    changes: Mapping[str, RuleChange] | None = None,
    surveyed: Survey | None = None,
    near: Iterable[NearDuplicate] | None = None,
    not_copies: Iterable[StatedPair] = (),
    further: Iterable[Found] = (),
    progress: Progress | None = None,
) -> ValidationReport:
    """Run every rule over every prepared case: findings, gravest first, then by rule and case.

    Args:
        manifest: the data set.
        folder: the folder `data/prepared`.
        changes: what the project makes of rules (`data.rules`).
        surveyed: the cases as they were measured; None: they are measured now.
        near: near duplicates among them; None: they are searched for now.
        not_copies: pairs that the project states to be no copies; their findings say so.
        further: what is known from elsewhere under a rule of the catalogue.
        progress: hears about each case.

    Raises:
        RefusedError: a case has been sealed already; validation comes before sealing.
        UsageError: a change of a rule that does not exist, or that needs a reason and has none.
    """
    grades, changed = severities(changes or {})
    surveyed = surveyed or survey(manifest, folder, progress=progress)
    order = {rule: place for place, rule in enumerate(RULES)}
    found = about_the_set((*further, *_all(surveyed, near, not_copies, progress)), grades, len(manifest.cases))
    findings = [one.graded(grades[one.rule]) for one in found]
    findings.sort(key=lambda one: (-one.severity.rank, order[one.rule], one.case or "", one.message))
    return ValidationReport(
        dataset=manifest.root,
        rules=tuple(sorted(RULES)),
        findings=tuple(findings),
        changed=changed,
        cases=len(manifest.cases),
    )


def _all(
    surveyed: Survey,
    near: Iterable[NearDuplicate] | None,
    not_copies: Iterable[StatedPair],
    progress: Progress | None,
) -> Iterator[Found]:
    cases = surveyed.manifest.cases
    yield from surveyed.faults
    yield from set_rules.unlisted(cases, surveyed.folder)
    yield from set_rules.subjects(surveyed.manifest)
    yield from case_table.findings(cases)
    yield from set_rules.findings(cases, surveyed.measures)
    for record in cases:
        if record.id in surveyed.measures:
            yield from case_rules.findings(record, surveyed.measures[record.id])
    yield from lookalikes(surveyed, near=near, not_copies=not_copies, progress=progress)


def lookalikes(
    surveyed: Survey,
    *,
    near: Iterable[NearDuplicate] | None = None,
    not_copies: Iterable[StatedPair] = (),
    progress: Progress | None = None,
) -> Iterator[Found]:
    """Pairs that look like copies; exact copies have a rule of their own."""
    from minivess.ml.quality.duplicates import near_duplicates

    digests = {case.id: case.image for case in surveyed.manifest.cases}
    stated = {frozenset((case, other)): reason for case, other, reason in not_copies}
    for pair in near_duplicates.find(_images(surveyed), progress=progress) if near is None else near:
        first, second = pair.cases
        if digests[first] != digests[second]:
            rule = "similar-image" if pair.kind is Likeness.SIMILAR else "near-duplicate"
            reason = stated.get(frozenset(pair.cases))
            ruled = "" if reason is None else f"stated to be no copy ({reason}); "
            message = f"{ruled}{pair.kind.value}, like {first} (fit {pair.score:.2f}): {pair.detail}"
            yield Found(rule, second, message, others=(first,))


def _images(surveyed: Survey) -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
    from minivess.ml.quality.duplicates.views import comparable

    for case_id in surveyed.measures:
        try:
            case = load_case(surveyed.folder, case_id)
            yield case_id, comparable(case.image, case.record.axes)
        except (InputError, VerificationError):  # changed since it was measured: the next validation says so
            continue
