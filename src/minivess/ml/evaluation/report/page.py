"""The report of an evaluation as one page that needs nothing else: it is read in a browser, printed, or sent.

The page is a function of the record, the pictures and the facts. What the record does not have is named in a sentence.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment

from minivess.foundation.files import write_text_atomic
from minivess.foundation.implements import implements
from minivess.ml.evaluation.drawings import Album, Picture
from minivess.ml.evaluation.report import charts, outlines
from minivess.ml.evaluation.report.contents import printed_pages, sections_of_report
from minivess.ml.evaluation.report.facts import ReportFacts
from minivess.ml.evaluation.report.limits import not_covered
from minivess.ml.evaluation.report.strata import strata_of_report
from minivess.ml.evaluation.report.summary import summary_of, verdict_of
from minivess.ml.evaluation.report.tables import MOST_THUMBNAILS, case_lines, measure_rows, shown_cases
from minivess.ml.quality.pages.environment import environment_of
from minivess.ml.quality.pages.validation_page import page_environment
from minivess.ml.uncertainty.reliability import BAND_VOXELS
from minivess.records.evaluation.evaluation import Criterion, EvaluationRecord
from minivess.records.evaluation.measures import heading_of, measures_of
from minivess.records.evaluation.parts import NOT_A_TEST
from minivess.records.lengths import LengthUnit

PARTS: dict[str | None, str] = {
    None: "Sealed test set",
    "validation": "Validation part",
    "calibration": "Calibration part",
}
_STATISTICS = {"mean": "mean", "lower": "lower limit of the interval", "upper": "upper limit of the interval"}


@implements("REQ-398", "REQ-401", "RC-159")
def mark_of(record: EvaluationRecord) -> str:
    """What each page of the report is marked with; empty for the sealed test part."""
    return "" if record.part is None else f"{PARTS[record.part]}. {NOT_A_TEST}"


@implements("REQ-398", "REQ-399", "REQ-403")
def report_page(
    record: EvaluationRecord, pictures: Album | None, facts: ReportFacts, further: Sequence[str] = ()
) -> str:
    """The report as HTML.

    Args:
        record: the evaluation.
        pictures: pictures of its cases; None, or an empty album: the report has none, and says why.
        facts: what else the report states.
        further: further sections, for example explanations. `Markup` is put in as it is, other text as text.

    Raises:
        UsageError: a registered criterion has no limit.
    """
    album = Album() if pictures is None else pictures
    environment = _environment()
    script = environment.get_template("sort.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    sections = sections_of_report(further)
    lines, strata = case_lines(record, album), strata_of_report(record, facts.plan)
    return environment.get_template("report.html.j2").render(
        record=record,
        facts=facts,
        sections=sections,
        printed=printed_pages(sections),
        mark=mark_of(record),
        part=PARTS[record.part],
        tested=record.part is None,
        script=script,
        script_digest=digest,
        verdict=verdict_of(record, facts),
        answers=summary_of(record, facts, strata),
        classes=[_class_view(record, of_class, facts) for of_class in record.by_class],
        several=bool(record.classes),
        measures=record.measures,
        unplanned=measures_of(set(facts.plan.measures) - {one.name for one in record.measures}),
        lines=lines,
        most=MOST_THUMBNAILS,
        shown=shown_cases(record, album, facts.plan.seed),
        thumbnails=any(line.thumbnail is not None for line in lines),
        failures=[line for line in lines if line.notes],
        forests=charts.forests_of(record, strata.figures),
        strata=strata,
        not_covered=not_covered(record, facts, strata),
        colours=outlines,
        charts=charts,
        voxels=facts.voxels,
        data_uri=data_uri,
        further=further,
    )


def _class_view(record: EvaluationRecord, of_class: str | None, facts: ReportFacts) -> dict[str, Any]:
    """What the page shows of one class."""
    figures = record.by_class[of_class]
    kinds = (
        (f"All {facts.voxels}", figures.ece, False),
        (f"Within {BAND_VOXELS} {facts.voxels} of the reference's border", figures.band_ece, True),
    )
    return {
        "name": of_class,
        "title": facts.task.classes[0].name if of_class is None else of_class,
        "rows": measure_rows(record, of_class, facts),
        "missing": [one for one in record.measures if one.name not in figures.aggregates],
        "reliability": [
            (title, error, charts.reliability_of(record, of_class, border=border)) for title, error, border in kinds
        ],
        "precision_recall": charts.precision_recall_of(record, of_class),
    }


@implements("REQ-398")
def write_report(
    record: EvaluationRecord, pictures: Album | None, facts: ReportFacts, path: Path, further: Sequence[str] = ()
) -> Path:
    """Write the report whole or not at all; returns where it is. The arguments are those of `report_page`, and the path.

    Raises:
        UsageError: see `report_page`.
        CouldNotCheckError: the file cannot be written.
    """
    write_text_atomic(path, report_page(record, pictures, facts, further))
    return path


def criterion_named(criterion: Criterion, unit: LengthUnit) -> str:
    """What a criterion limits, for people: `Dice of artery, lower limit of the interval`."""
    place = "" if criterion.of_class is None else f" of {criterion.of_class}"
    return f"{heading_of(criterion.measure, unit)}{place}, {_STATISTICS[criterion.statistic]}"


def data_uri(picture: Picture) -> str:
    """A picture as an address that holds it."""
    return f"data:image/{picture.kind};base64,{base64.b64encode(picture.data).decode('ascii')}"


@cache
def _environment() -> Environment:
    """What renders reports: `templates/evaluation`, with the style of the documents and the filters of the pages about data."""
    environment = environment_of("evaluation")
    filters: dict[str, Callable[..., Any]] = page_environment().filters
    environment.filters.update(
        {name: filters[name] for name in ("plural", "moment", "figure")}, named=criterion_named, heading=heading_of
    )
    return environment
