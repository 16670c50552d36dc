"""Tables for other tools: measures per case as CSV, test results as JUnit XML."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring  # written, never parsed

from minivess.foundation.clock import timestamp
from minivess.foundation.implements import implements
from minivess.records.evaluation.cases import CaseCounts, CaseMeasures
from minivess.records.evaluation.counted.counts import CaseNumbers, Distance
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.items.trace import RecordedResult, ResultReport

_Cell = str | int | float | None


def cases_csv(evaluation: EvaluationRecord) -> str:
    """Measures of every case and class, in the record's order; an empty cell where a measure is undefined.

    Where the record has counts, the group of the case and the counts of each measure follow, and then the unit of distances.
    """
    stated = {} if evaluation.conventions.unit is None else {"unit": evaluation.conventions.unit}
    rows = [{**_measured(case, evaluation), **_counted(case), **stated} for case in evaluation.cases]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    heading = rows[0] if rows else dict.fromkeys(_columns(evaluation))
    writer.writerow(heading)
    writer.writerows(["" if value is None else value for value in row.values()] for row in rows)
    return stream.getvalue()


def _columns(evaluation: EvaluationRecord) -> tuple[str, ...]:
    named = ("class",) if evaluation.classes else ()
    return ("case", *named, "subject", *(measure.name for measure in evaluation.measures), "baseline_dice")


def _measured(case: CaseCounts | CaseMeasures, evaluation: EvaluationRecord) -> dict[str, _Cell]:
    values = (case.values.get(measure.name) for measure in evaluation.measures)
    named = () if case.of_class is None else (case.of_class,)
    cells = (case.case, *named, case.subject, *values, case.baseline_dice)
    return dict(zip(_columns(evaluation), cells, strict=True))


def _counted(case: CaseCounts | CaseMeasures) -> dict[str, _Cell]:
    """The group and the counts, by column. A distance has no counts: its value is in the column of the measure."""
    if isinstance(case, CaseMeasures):
        return {}
    held: dict[str, CaseNumbers] = {
        **{name: counts for name, counts in case.counts.items() if not isinstance(counts, Distance)},
        "baseline": case.baseline,
        **({} if case.conformal is None else {"conformal": case.conformal}),
    }
    return {"group": case.group, **{f"{name}_{part}": count for name, counts in held.items() for part, count in counts}}


@implements("REQ-630")
def junit_xml(report: ResultReport) -> bytes:
    """A report as JUnit XML with the ids it verifies as properties, in the order of the report.

    Scenarios are one suite; other tests, where the report has some, are another.
    """
    suites = Element("testsuites", {"name": "results", "tests": str(len(report.results))})
    scenarios = [one for one in report.results if one.scenario is not None]
    others = [one for one in report.results if one.scenario is None]
    for name, results in (("scenarios", scenarios), ("tests", others)):
        if results or name == "scenarios":
            _suite(suites, name, results, timestamp(report.time))
    indent(suites)
    text: str = tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _suite(suites: Element, name: str, results: Sequence[RecordedResult], time: str) -> None:
    outcomes = [result.outcome for result in results]
    suite = SubElement(
        suites,
        "testsuite",
        {
            "name": name,
            "tests": str(len(outcomes)),
            "failures": str(outcomes.count("failed")),
            "skipped": str(outcomes.count("skipped")),
            "errors": "0",
            "time": f"{sum(result.seconds for result in results):.3f}",
            "timestamp": time,
        },
    )
    for result in results:
        name = _printable(result.name)
        where = {"name": name, "classname": _printable(result.node), "time": f"{result.seconds:.3f}"}
        case = SubElement(suite, "testcase", where)
        properties = SubElement(case, "properties")
        for identifier in result.ids:
            SubElement(properties, "property", {"name": "verifies", "value": identifier})
        for file in result.evidence:
            value = f"{_printable(file.path)} {file.digest or 'missing'}"
            SubElement(properties, "property", {"name": "evidence", "value": value})
        if result.outcome != "passed":
            kind = "failure" if result.outcome == "failed" else "skipped"
            SubElement(case, kind, {"message": _printable(result.message)})


def _printable(text: str) -> str:
    """Text without the control characters XML 1.0 cannot hold."""
    return "".join(character if character >= " " or character in "\t\n" else "?" for character in text)
