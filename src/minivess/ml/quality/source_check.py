"""What reading the sources of a project found, judged by the rules: the report of `data check` and `data ingest`."""

from __future__ import annotations

from collections.abc import Iterable

from minivess.foundation.implements import implements
from minivess.ml.cases.ingestion import Reading
from minivess.ml.quality.rule_catalogue import TEXTS
from minivess.ml.quality.rules import severities
from minivess.ml.quality.set_rules import subjects
from minivess.records.data.findings import DataCheck, Found, grouped


@implements("REQ-300", "REQ-302")
def judge(reading: Reading, further: Iterable[Found] = ()) -> DataCheck:
    """Every finding about the sources of a project, by rule.

    Args:
        reading: what was read.
        further: findings of other rooms about the same cases.

    Raises:
        UsageError: a change of a rule (`data.rules`) that is not possible.
    """
    grades, changed = severities(reading.data.rules)
    whole = None if len(reading.records) < reading.cases else reading.manifest
    own = () if whole is None else subjects(whole)
    found = (*reading.faults, *reading.doubts, *own, *further)
    return DataCheck(
        dataset=reading.data.name,
        cases=reading.cases,
        read=len(reading.records),
        groups=grouped((one.graded(grades[one.rule]) for one in found), TEXTS),
        changed=changed,
    )
