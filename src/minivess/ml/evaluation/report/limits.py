"""What an evaluation does not cover, as far as its record and its facts show it."""

from __future__ import annotations

from minivess.foundation.implements import implements
from minivess.ml.evaluation.report.facts import ReportFacts
from minivess.ml.evaluation.report.strata import Strata
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.evaluation.statistics.summaries import FEW_GROUPS

_OF_EVERY_CASE = {"reference size", "depth"}
"""Attributes that say nothing of site, device or subject."""


@implements("REQ-399")
def not_covered(record: EvaluationRecord, facts: ReportFacts, strata: Strata) -> list[str]:
    """Sentences about what a reader must not conclude."""
    said = [
        f"The figures apply to images like those of the data set {facts.data}: the same kind of device, spacing, subject and "
        "structure. Other images were not examined.",
    ]
    if not any(one.measure and one.attribute not in _OF_EVERY_CASE for one in strata.figures):
        said.append("Differences between sites, scanners, sexes, ages or diseases were not examined.")
    if not strata.readers:
        said.append(
            "The reference is one annotation of each case. How well two readers agree is not known, so the best possible "
            "figure is not known either."
        )
    if not facts.sections:
        said.append("Robustness against noise, blur, motion or other spacings was not examined here.")
    if len(record.groups) < FEW_GROUPS:
        said.append(
            f"Rare failures: with {len(record.groups)} independent groups a failure that occurs in few groups may not occur "
            "here at all."
        )
    said.append("Whether the masks help a person to decide better was not examined.")
    return [*said, *facts.not_covered]
