"""Tables for other tools: measures per case as CSV, test results as JUnit XML."""

from __future__ import annotations

import csv
import io
from xml.etree.ElementTree import Element, SubElement, indent, tostring  # written, never parsed

from minivess.foundation.clock import timestamp
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.items.trace import ResultReport


def cases_csv(evaluation: EvaluationRecord) -> str:
    """Measures of every case, in the record's order; an empty cell where a measure is undefined."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    measures = [measure.name for measure in evaluation.measures]
    writer.writerow(["case", "subject", *measures, "baseline_dice"])
    for case in evaluation.cases:
        values = (case.values.get(name) for name in measures)
        writer.writerow(
            [case.case, case.subject, *("" if value is None else value for value in values), case.baseline_dice]
        )
    return stream.getvalue()


def junit_xml(report: ResultReport) -> bytes:
    """A report as JUnit XML with the ids it verifies as properties, in the order of the report."""
    outcomes = [result.outcome for result in report.results]
    suite = Element(
        "testsuite",
        {
            "name": "scenarios",
            "tests": str(len(outcomes)),
            "failures": str(outcomes.count("failed")),
            "skipped": str(outcomes.count("skipped")),
            "errors": "0",
            "time": f"{sum(result.seconds for result in report.results):.3f}",
            "timestamp": timestamp(report.time),
        },
    )
    for result in report.results:
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
    indent(suite)
    text: str = tostring(suite, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _printable(text: str) -> str:
    """Text without the control characters XML 1.0 cannot hold."""
    return "".join(character if character >= " " or character in "\t\n" else "?" for character in text)
