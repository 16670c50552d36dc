"""The terms of a seal: fixed when the test part is sealed, and compared with the project from then on."""

from __future__ import annotations

from collections.abc import Mapping

from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.errors import Reason, RefusedError
from minivess.foundation.implements import implements
from minivess.ml.quality.rule_catalogue import RULES
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.groups import groups_of
from minivess.records.data.split import SplitManifest
from minivess.records.data.validation import RuleChange
from minivess.records.device.project import Project
from minivess.records.device.registration import LoweredRule, SealTerms
from minivess.records.evaluation.evaluation import BOOTSTRAP_UNIT, STATISTICS, level_of_all


def lowered(changes: Mapping[str, RuleChange]) -> tuple[LoweredRule, ...]:
    """The validation rules that a project makes less grave than usual, in order of name."""
    return tuple(
        LoweredRule(rule=name, usual=RULES[name].severity, severity=change.severity)
        for name, change in sorted(changes.items())
        if name in RULES and change.severity.rank < RULES[name].severity.rank
    )


@implements("REQ-182", "REQ-242")
def terms_of(
    project: Project, manifest: DatasetManifest, split: SplitManifest, *, fixed: SealTerms | None = None
) -> SealTerms:
    """What a seal of this split fixes, as the project file says it now.

    Args:
        project: the project.
        manifest: the data set.
        split: its split.
        fixed: the terms of a seal that was made; its unit and its statistics remain, whatever this version would fix.
    """
    total = project.evaluation.looks.total
    return SealTerms(
        split=split.root,
        looks=total,
        level=level_of_all(total),
        groups=digest_of(groups_of(manifest, split)),
        unit=BOOTSTRAP_UNIT if fixed is None else fixed.unit,
        statistics=STATISTICS if fixed is None else fixed.statistics,
        lowered=lowered(project.data.rules),
    )


@implements("REQ-182", "RC-66")
def laxer_terms(fixed: SealTerms, now: SealTerms) -> list[str]:
    """What became laxer since the sealing, one sentence each. Fewer looks are not laxer; their level remains."""
    found = []
    if now.looks > fixed.looks:
        found.append(f"looks in all: {now.looks} instead of {fixed.looks}")
    for name in ("split", "groups", "unit", "statistics"):
        if getattr(fixed, name) != getattr(now, name):
            found.append(f"{name}: another than at the sealing")
    before = {one.rule: one.severity for one in fixed.lowered}
    for one in now.lowered:
        was = before.get(one.rule, one.usual)
        if one.severity.rank < was.rank:
            found.append(f"validation rule {one.rule}: {one.severity.value} instead of {was.value}")
    return found


@implements("REQ-182", "RC-66")
def check_terms(fixed: SealTerms | None, project: Project, manifest: DatasetManifest, split: SplitManifest) -> None:
    """Compare the project with the terms of its seal; seals of version 0.1.0 have none.

    Raises:
        RefusedError: something became laxer; the message names it.
    """
    found = [] if fixed is None else laxer_terms(fixed, terms_of(project, manifest, split, fixed=fixed))
    if found:
        what = "the project is laxer than the seal of its test set"
        hint = "put minivess.yaml back as it was at the sealing, or seal other test cases in a new project"
        raise RefusedError(
            f"{what}: {'; '.join(found)}", hint=hint, reasons=[Reason(f"{what}: {one}", hint) for one in found]
        )
