"""Clause catalogues and coverage: true to the data, never better than the evidence."""

from __future__ import annotations

import pytest

from minivess.compliance.standards.catalogue import checks, clause, iec62304
from minivess.compliance.standards.coverage import EVIDENCE, Facts, coverage, summary
from minivess.foundation.errors import UsageError


def test_the_catalogues_are_whole() -> None:
    catalogue = iec62304()
    assert len(catalogue.clauses) == 93
    assert len({entry.number for entry in catalogue.clauses}) == 93
    assert len(checks()) == 77
    assert {name for entry in catalogue.clauses for name in entry.evidence} <= EVIDENCE.keys()
    assert all(entry.source and entry.reviewed for entry in (*catalogue.clauses, *checks()))


@pytest.mark.parametrize("number", ["5.7.2", "5.7.3", "5.7.4", "5.7.5", "5.8.1", "5.8.2", "5.8.7", "5.8.8", "6.2.3"])
def test_the_amendment_of_2015_binds_class_a_to_these(number: str) -> None:
    assert clause(iec62304(), number) in iec62304().binding("A")


def test_a_class_binds_its_clauses_alone() -> None:
    bound = {entry.number for entry in iec62304().binding("B")}
    assert "5.3.3" in bound
    assert "5.4.2" not in bound


def test_without_facts_nothing_is_met() -> None:
    covered = coverage(iec62304(), Facts(frozenset()))
    assert {entry.status for entry in covered} == {"open"}
    assert summary(covered)["open"] == len(iec62304().binding("B"))


def test_a_clause_is_met_only_by_all_its_evidence() -> None:
    def status(*present: str) -> str:
        covered = coverage(iec62304(), Facts(frozenset(present)))
        return next(entry.status for entry in covered if entry.clause.number == "5.2.1")

    assert status("requirements") == "open"
    assert status("requirements", "trace-complete") == "met"


def test_everything_present_leaves_open_what_nothing_is_claimed_for_and_what_people_must_attest() -> None:
    covered = coverage(iec62304(), Facts(frozenset(EVIDENCE)))
    still_open = {entry.clause.number for entry in covered if entry.status == "open"}
    assert {"4.1", "9.1", "6.1"} <= still_open
    signed = coverage(iec62304(), Facts(frozenset({"attested:4.1"})))
    assert next(entry.status for entry in signed if entry.clause.number == "4.1") == "met"


def test_a_reason_justifies_and_is_shown_but_never_counts_as_met() -> None:
    covered = coverage(iec62304(), Facts(frozenset(), {"4.4": "there is no legacy software"}))
    entry = next(entry for entry in covered if entry.clause.number == "4.4")
    assert (entry.status, entry.reason) == ("justified", "there is no legacy software")
    assert summary(covered)["met"] == 0


@pytest.mark.parametrize(
    "facts", [Facts(frozenset({"wish"})), Facts(frozenset({"attested:99"})), Facts(frozenset(), {"99": "r"})]
)
def test_unknown_facts_are_refused(facts: Facts) -> None:
    with pytest.raises(UsageError):
        coverage(iec62304(), facts)
