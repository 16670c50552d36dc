"""Read the results of cases, and judge the statistical acceptance criteria of a source tree by them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from minivess.compliance.items.items import Items
from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import first_error, parse_json_record
from minivess.ml.evaluation.statistical_criteria import CLASS, judge_criterion
from minivess.records.evaluation.case_results import CaseResult, CriterionVerdict
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.evaluation.subgroups.strata import strata_of
from minivess.records.items.items import StatisticalCriterion

_LIMIT = 64 << 20
_SEED = 0
"""Of every bootstrap: the verdict of the same results is always the same."""


def read_cases(path: Path) -> tuple[CaseResult, ...]:
    """The results of cases from an evaluation of this project (`.json`), or from a table (`.csv`).

    A table has the columns `case` and `subject`, `group` where independent groups are larger than subjects, and `class` where a
    case has a row for each of several classes. Of the others, those that hold numbers (or nothing) in every row are measures,
    the rest attributes.

    Raises:
        InputError: the file is missing, too large, or neither of these; with its line.
    """
    data = read_limited(path, limit=_LIMIT)
    if path.suffix.lower() == ".json":
        return _of_evaluation(data, path.name)
    try:
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"is not a table in UTF-8: {error}", path=path.name) from None
    if not rows or not {"case", "subject"} <= rows[0].keys():
        raise InputError("has no columns `case` and `subject`", path=path.name, line=1)
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise InputError("has another number of fields than the heading", path=path.name, line=number)
    others = [name for name in rows[0] if name not in {"case", "subject", "group"}]
    measures = [name for name in others if _are_numbers(row[name] for row in rows)]
    classes = len({row[CLASS] for row in rows}) > 1 if CLASS in rows[0] else False
    try:
        return tuple(
            CaseResult(
                case=row["case"],
                of_class=row[CLASS] if classes else None,
                subject=row["subject"],
                group=row.get("group"),
                values={name: float(row[name]) if row[name].strip() else None for name in measures},
                attributes={name: row[name] for name in others if name not in measures},
            )
            for row in rows
        )
    except ValidationError as error:
        raise InputError(f"holds a malformed case: {first_error(error)}", path=path.name) from None


def judge_all(items: Items, cases: tuple[CaseResult, ...]) -> dict[str, CriterionVerdict]:
    """The verdict of every criterion, by its id.

    Raises:
        UsageError: a criterion cannot be judged by these cases.
    """
    return {name: judge_criterion(one, cases, seed=_SEED) for name, one in items.of(StatisticalCriterion).items()}


@implements("REQ-419")
def _of_evaluation(data: bytes, shown: str) -> tuple[CaseResult, ...]:
    record = parse_json_record(data, EvaluationRecord, path=shown, wrong="is no evaluation of this project")
    strata = strata_of(record)
    return tuple(
        CaseResult(
            case=one.case,
            of_class=one.of_class,
            subject=one.subject,
            group=one.group,
            values={**one.values, "baseline_dice": one.baseline_dice},
            attributes=strata.get(one.case, {}),
        )
        for one in record.cases
    )


def _are_numbers(texts: Iterable[str]) -> bool:
    held = [text for text in texts if text.strip()]
    try:
        return bool([float(text) for text in held])
    except ValueError:
        return False
