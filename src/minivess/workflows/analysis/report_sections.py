"""Sections of an evaluation report that other commands have made: robustness and explanations of the same model."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import RECORD_LIMIT, read_json_record
from minivess.records.evaluation.explanations import ExplanationRecord
from minivess.records.evaluation.parts import EvaluatedPart
from minivess.records.evaluation.robustness import RobustnessRecord
from minivess.workflows.analysis import explanations, robustness

_PICTURE = 8 << 20
_MOST = 6
"""Explanations in a report."""


@implements("REQ-406", "REQ-412")
def further_sections(evaluation: Path, part: EvaluatedPart, *, model: str, ensemble: str) -> list[str]:
    """The sections about this model, as HTML; what was made of another model is left out.

    Args:
        evaluation: the folder `evidence/evaluation`.
        part: that is reported.
        model: digest of the exported model.
        ensemble: digest of the ensemble, whose members are explained.
    """
    return [*_robustness(evaluation, part, model), *_explanations(evaluation, part, ensemble)]


def _robustness(evaluation: Path, part: EvaluatedPart, model: str) -> list[str]:
    path = evaluation / robustness.FOLDER / part / robustness.RECORD
    try:
        record = read_json_record(path, RobustnessRecord, limit=RECORD_LIMIT)
    except InputError:  # there is none, or one of another version
        return []
    if record.facts.model != model:
        return []
    from minivess.ml.robustness.page import robustness_section

    return [Markup(robustness_section(record))]  # noqa: S704  a template with escaping made it


def _explanations(evaluation: Path, part: EvaluatedPart, ensemble: str) -> list[str]:
    found: list[str] = []
    for path in sorted((evaluation / explanations.FOLDER).glob("*.json")):
        try:
            record = read_json_record(path, ExplanationRecord, limit=RECORD_LIMIT)
            picture = read_limited(path.with_suffix(".png"), limit=_PICTURE)
        except InputError:
            continue
        if (record.model, record.part) == (ensemble, part) and len(found) < _MOST:
            from minivess.ml.explain.section import explanation_section

            found.append(Markup(explanation_section(record, picture)))  # noqa: S704  a template with escaping made it
    return found
