"""The catalogues as data: every row is whole, known to the others, reviewed, and in our own words."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from itertools import chain

import pytest

from minivess.compliance.standards.catalogue import Catalogue, catalogues, checks, clause, iec62304, ml_hazards
from minivess.compliance.standards.evidence_names import evidence
from minivess.foundation.errors import CouldNotCheckError, UsageError
from minivess.foundation.reading.packaged_tables import parse_table

pytestmark = pytest.mark.verifies("SU-21")

ROWS = [row for catalogue in catalogues() for row in catalogue.clauses]
FIRST = date(2026, 11, 20)


def numbers(catalogue: Catalogue, safety_class: str) -> set[str]:
    return {row.label for row in catalogue.clauses if safety_class in row.classes}


def test_ids_are_unique_over_all_catalogues() -> None:
    assert [name for name, count in Counter(row.id for row in ROWS).items() if count > 1] == []


def test_every_clause_of_iec_62304_is_there_once_and_in_order() -> None:
    parts = {"4": 4, "5.1": 12, "5.2": 6, "5.3": 6, "5.4": 4, "5.5": 5, "5.6": 8, "5.7": 5, "5.8": 8}
    parts |= {"6.2": 5, "6.3": 2, "7.1": 4, "7.2": 2, "7.4": 3, "8.1": 3, "8.2": 4, "9": 8}
    wanted = {f"{part}.{last}" for part, count in parts.items() for last in range(1, count + 1)}
    labels = [row.label for row in iec62304().clauses]
    assert set(labels) == wanted | {"6.1", "7.3.1", "7.3.3", "8.3"}
    assert labels == sorted(labels, key=lambda label: [int(step) for step in label.split(".")])
    assert len(labels) == 93


@pytest.mark.parametrize("number", ["5.7.2", "5.7.3", "5.7.4", "5.7.5", "5.8.1", "5.8.2", "5.8.7", "5.8.8", "6.2.3"])
def test_the_amendment_of_2015_binds_class_a_to_these(number: str) -> None:
    assert clause(iec62304(), number) in iec62304().binding("A")


def test_classes_are_those_of_the_amendment() -> None:
    catalogue = iec62304()
    assert numbers(catalogue, "A") < numbers(catalogue, "B") < numbers(catalogue, "C")
    assert numbers(catalogue, "C") - numbers(catalogue, "B") == {
        "5.1.4", "5.3.5", "5.4.2", "5.4.3", "5.4.4", "5.5.4",
    }  # fmt: skip
    only_above_a = numbers(catalogue, "B") - numbers(catalogue, "A")
    assert {"5.8.3", "5.8.5", "5.8.6", "7.4.2", "7.4.3", "5.1.12", "5.2.3"} <= only_above_a
    assert {
        label for label in numbers(catalogue, "B") if label.startswith(("5.3", "5.6", "7.1", "7.2", "7.3"))
    } <= only_above_a
    assert not any(label.startswith(("4", "6", "8", "9", "5.7")) for label in only_above_a)


def test_evidence_is_known_and_has_a_meaning_and_a_next_step() -> None:
    assert set(chain.from_iterable(row.evidence for row in ROWS)) <= evidence().keys()
    for one in evidence().values():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", one.name)
        assert one.meaning
        assert one.next.endswith(".")
        assert ". " not in one.next, "one sentence"


def test_no_evidence_is_named_that_no_row_asks_for() -> None:
    unused = evidence().keys() - set(chain.from_iterable(row.evidence for row in ROWS))
    assert unused <= {"lineage-delivered", "log-witnessed"}


def test_rows_that_a_person_attests_name_no_evidence_and_the_others_no_name_twice() -> None:
    assert [row.id for row in ROWS if row.mode == "attest" and row.evidence] == []
    assert [row.id for row in ROWS if len(set(row.evidence)) != len(row.evidence)] == []
    assert [row.id for row in ROWS if row.mode == "auto" and not row.evidence] == []


def test_a_tool_that_sees_only_that_a_plan_is_there_sees_a_part() -> None:
    plans = {"development-plan", "maintenance-plan", "disclosure-plan"}
    assert [row.id for row in ROWS if plans.intersection(row.evidence) and row.mode != "partial"] == []


def test_a_check_sees_no_more_than_the_clauses_it_is_about() -> None:
    known = {row.label: row for row in iec62304().clauses}
    for check in checks().clauses:
        if check.standard == "IEC 62304":
            modes = {known[number].mode for number in check.numbers}
            assert check.mode != "auto" or modes == {"auto"}, check.id
            assert (check.mode == "attest") == (modes == {"attest"}), check.id


def test_every_row_has_a_source_a_date_of_review_and_words_of_our_own() -> None:
    assert [row.id for row in ROWS if not row.source or row.reviewed < FIRST] == []
    assert [row.id for row in ROWS if re.search(r"\bshall\b|[\"“”]", row.paraphrase, re.IGNORECASE)] == []
    assert [row.id for row in ROWS if not 1 <= len(row.paraphrase) <= 160] == []


def test_checks_of_iec_62304_name_clauses_of_the_catalogue_and_bind_where_these_do() -> None:
    known = {row.label: row for row in iec62304().clauses}
    for check in checks().clauses:
        if check.standard == "IEC 62304":
            named = [known[number] for number in check.numbers]
            assert check.classes == frozenset(chain.from_iterable(row.classes for row in named)), check.id


def test_every_clause_of_iec_62304_is_looked_at_by_a_check() -> None:
    looked_at = {number for check in checks().clauses if check.standard == "IEC 62304" for number in check.numbers}
    assert {row.label for row in iec62304().clauses} - looked_at == set()


def test_a_check_asks_for_no_less_than_the_clauses_it_is_about() -> None:
    known = {row.label: row for row in iec62304().clauses}
    for check in checks().clauses:
        if check.standard == "IEC 62304":
            named = [known[number] for number in check.numbers]
            if all(row.evidence for row in named):
                assert set(check.evidence) >= set(chain.from_iterable(row.evidence for row in named)), check.id
            else:
                assert not check.evidence, check.id


def test_checks_are_over_all_standards_and_numbered_in_families() -> None:
    families: dict[str, set[str]] = {}
    for check in checks().clauses:
        assert re.fullmatch(r"[CRFPE][0-9]{2}", check.id)
        families.setdefault(check.standard, set()).add(check.id[0])
    assert all(len(letters) == 1 for letters in families.values())
    for letter in "CRFPE":
        found = sorted(int(check.id[1:]) for check in checks().clauses if check.id[0] == letter)
        assert found == list(range(1, len(found) + 1)), letter


def test_iso_14971_is_asked_clause_by_clause() -> None:
    asked = {number for check in checks().clauses if check.standard == "ISO 14971" for number in check.numbers}
    clauses = "4.2 4.3 4.4 4.5 5.1 5.2 5.3 5.4 5.5 6 7.1 7.2 7.3 7.4 7.5 7.6 8 9 10"
    assert asked == set(clauses.split())


def test_enhanced_documentation_asks_for_more_than_basic() -> None:
    basic, enhanced = (
        {row.id for row in checks().binding("B", level) if row.standard == "FDA device software 2023"}
        for level in ("basic", "enhanced")
    )
    assert basic - enhanced == {"F19", "F22"}, "summaries, in place of which the documents themselves are asked for"
    assert enhanced - basic == {"F18", "F20", "F23"}


def test_ml_hazards_have_groups_and_bind_always() -> None:
    hazards = ml_hazards().clauses
    assert [row.id for row in hazards] == [f"MLH-{number:02}" for number in range(1, len(hazards) + 1)]
    assert len(hazards) >= 40
    groups = {row.paraphrase.partition(":")[0] for row in hazards}
    assert groups == {
        "data", "bias", "training", "evaluation", "deployment", "change", "human", "security", "organisation",
    }  # fmt: skip
    assert ml_hazards().binding("A") == ml_hazards().binding("C", "enhanced") == hazards


def test_a_row_is_found_by_id_and_by_number() -> None:
    assert clause(iec62304(), "5.2.1") is clause(iec62304(), "IEC 62304 5.2.1")
    assert clause(checks(), "R04").label == "R04: 5.4"
    with pytest.raises(UsageError):
        clause(iec62304(), "99")


def test_a_row_is_named_by_its_id_or_by_all_its_clauses() -> None:
    assert clause(checks(), "R08").subjects == (("R08",), ("ISO 14971 7.2",))
    assert clause(checks(), "C12").subjects[1] == ("IEC 62304 5.3.3", "IEC 62304 5.3.4")
    assert clause(ml_hazards(), "MLH-01").subjects == (("MLH-01",),)


@pytest.mark.parametrize("text", ["a\nx\n", "a,b\nx\n", "a,b\nx,y,z\n", 'a,b\n"x\n', "a,b\n1,two\n"])
def test_a_damaged_table_is_refused(text: str) -> None:
    with pytest.raises(CouldNotCheckError) as refused:
        parse_table("t.csv", text, ("a", "b"), lambda row: int(row["b"]))
    assert "t.csv" in refused.value.message
