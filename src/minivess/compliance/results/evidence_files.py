"""Files that tests name as evidence: whether they are there, and what a result without them is worth."""

from __future__ import annotations

from pathlib import Path

from minivess.compliance.results.result_files import read_report
from minivess.foundation.digests import digest_file
from minivess.foundation.implements import implements
from minivess.records.items.trace import EvidenceFile, RecordedResult, ResultReport


def read_results(path: Path, source: Path) -> ResultReport:
    """Recorded results of a tree, each with its evidence files judged.

    Raises:
        InputError: as `read_report`.
    """
    return with_evidence(read_report(path), source)


@implements("REQ-108", "RC-11")
def with_evidence(report: ResultReport, source: Path) -> ResultReport:
    """A report in which a passed result whose evidence files are not there as they were recorded is skipped.

    Args:
        report: as it was recorded.
        source: the tree in which its evidence files lie.
    """
    if not any(result.evidence for result in report.results):
        return report
    known: dict[EvidenceFile, str] = {}
    return report.model_copy(update={"results": tuple(_judged(one, source, known) for one in report.results)})


def _judged(result: RecordedResult, source: Path, known: dict[EvidenceFile, str]) -> RecordedResult:
    for file in result.evidence:
        if file not in known:
            known[file] = _lack(file, source)
        if result.outcome == "passed" and known[file]:
            return result.model_copy(update={"outcome": "skipped", "message": known[file]})
    return result


def _lack(file: EvidenceFile, source: Path) -> str:
    """What is wrong with an evidence file; empty when it is there as it was recorded."""
    path = source / file.path
    inside = path.resolve().is_relative_to(source.resolve())
    if file.digest is None or not inside or not path.is_file():
        return f"its evidence file {file.path} is missing"
    try:
        return "" if digest_file(path) == file.digest else f"its evidence file {file.path} has changed since"
    except OSError:
        return f"its evidence file {file.path} cannot be read"
