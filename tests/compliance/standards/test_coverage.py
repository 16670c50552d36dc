"""Coverage: true to the data, never better than the evidence, and open about reasons and their end."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from minivess.compliance.standards.catalogue import Catalogue, catalogues, checks, iec62304, ml_hazards
from minivess.compliance.standards.coverage import (
    Attested,
    Coverage,
    Facts,
    coverage,
    nothing_open,
    refuse_strangers,
    summary,
)
from minivess.compliance.standards.evidence_names import evidence
from minivess.foundation.errors import InputError, UsageError
from minivess.records.items.items import Source
from minivess.records.items.justification import Justification
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-21")

TODAY = date(2026, 11, 21)
EVERYTHING = frozenset(evidence())


def justified(subject: str, *, expires: date = TODAY, reason: str = "there is no legacy software") -> Justification:
    return Justification(
        subject=subject, reason=reason, owner="eva", expires=expires, source=Source(path="j.yaml", line=3)
    )


def attested(subject: str, entry: int = 12) -> Attested:
    return Attested(subject, "eva", entry, datetime(2026, 11, 20, 9, tzinfo=UTC))


def judge(facts: Facts, name: str, catalogue: Catalogue | None = None, safety_class: str = "B") -> Coverage:
    covered = coverage(catalogue or iec62304(), facts, safety_class=safety_class, today=TODAY)
    return next(row for row in covered if name in (row.clause.label, row.clause.id))


@pytest.mark.parametrize("catalogue", catalogues(), ids=lambda one: one.name)
def test_without_facts_everything_is_open_and_says_what_to_do(catalogue: Catalogue) -> None:
    covered = coverage(catalogue, Facts(), safety_class="C", level="enhanced", today=TODAY)
    assert {row.status for row in covered} == {"open"}
    assert all(row.reason and row.next.endswith(".") for row in covered)
    assert summary(covered)["open"] == len(catalogue.binding("C", "enhanced"))
    assert not nothing_open(covered)


def test_a_clause_is_met_only_by_all_its_evidence() -> None:
    half = judge(Facts(frozenset({"requirements"})), "5.2.1")
    assert (half.status, half.evidence, half.missing) == ("open", ("requirements",), ("trace-complete",))
    assert half.reason == "missing evidence: trace-complete"
    assert half.next == evidence()["trace-complete"].next
    whole = judge(Facts(frozenset({"requirements", "trace-complete"})), "5.2.1")
    assert (whole.status, whole.missing, whole.reason, whole.next) == ("met", (), "", "")


def test_a_check_is_judged_like_a_clause() -> None:
    assert judge(Facts(frozenset({"risk-file"})), "R04", checks()).status == "met"
    assert judge(Facts(), "R04", checks()).status == "open"


def test_what_a_tool_sees_in_part_says_so_until_somebody_attests_the_rest() -> None:
    present = frozenset({"development-plan", "risk-file"})
    seen = judge(Facts(present), "5.1.7")
    assert (seen.status, seen.reason) == ("met", "met as far as a tool can check; a person must judge the rest")
    assert summary([seen])["partly"] == 1
    both = judge(Facts(present, (attested("IEC 62304 5.1.7"),)), "5.1.7")
    assert (both.status, both.reason, summary([both])["partly"]) == ("met", "", 0)


def test_only_a_signature_meets_what_has_to_be_attested() -> None:
    assert judge(Facts(EVERYTHING), "4.1").status == "open"
    row = judge(Facts(attestations=(attested("IEC 62304 4.1"),)), "4.1")
    assert row.status == "met"
    assert row.to_data().model_dump(mode="json")["evidence"] == ["attested by eva on 2026-11-20 (entry 12)"]
    assert row.to_data().model_dump(mode="json")["attested"] == [
        {"signer": "eva", "entry": 12, "time": "2026-11-20T09:00:00.000000Z"}
    ]


def test_the_latest_attestation_is_shown() -> None:
    facts = Facts(attestations=(attested("IEC 62304 4.1", 30), attested("IEC 62304 4.1", 12)))
    assert judge(facts, "4.1").attestations[0].entry == 30


def test_a_persons_word_does_not_replace_evidence_that_a_tool_can_look_at() -> None:
    row = judge(Facts(attestations=(attested("IEC 62304 5.7.1"),)), "5.7.1")
    assert (row.status, row.missing) == ("open", ("results", "trace-complete"))


def test_a_persons_word_counts_where_no_tool_can_tell() -> None:
    assert evidence()["change-plan"].found_in == "planned"
    before = judge(Facts(), "E04", checks())
    assert "have E04 attested" in before.next
    row = judge(Facts(attestations=(attested("E04"),)), "E04", checks())
    assert (row.status, row.reason) == ("met", "attested, as no tool can check it: change-plan")
    assert judge(Facts(attestations=(attested("IEC 62304 5.6.5"),)), "5.6.5").status == "met"


def test_a_check_may_be_attested_by_all_the_clauses_it_is_about() -> None:
    half = Facts(attestations=(attested("IEC 62304 4.1"),))
    assert judge(half, "C31", checks()).status == "open"
    whole = Facts(attestations=(attested("IEC 62304 4.1"), attested("IEC 62304 4.2", 13)))
    row = judge(whole, "C31", checks())
    assert (row.status, [one.entry for one in row.attestations]) == ("met", [12, 13])


def test_a_reason_is_shown_with_owner_and_end_and_never_counts_as_met() -> None:
    row = judge(Facts(justifications=(justified("IEC 62304 4.4"),)), "4.4")
    assert (row.status, row.reason) == ("justified", "there is no legacy software (eva, until 2026-11-21)")
    assert row.next == "Close the gap, or renew the justification, by 2026-11-21."
    assert (summary([row])["met"], summary([row])["justified"], nothing_open([row])) == (0, 1, True)
    assert row.to_data().model_dump(mode="json")["justified"] == [
        {"reason": "there is no legacy software", "owner": "eva", "expires": "2026-11-21"}
    ]


def test_an_expired_reason_leaves_the_clause_open_and_is_still_shown() -> None:
    row = judge(Facts(justifications=(justified("IEC 62304 4.4", expires=TODAY - timedelta(1)),)), "4.4")
    assert (row.status, row.open, nothing_open([row])) == ("expired", True, False)
    assert "expired: there is no legacy software (eva, until 2026-11-20)" in row.reason
    assert row.to_data().model_dump(mode="json")["status"] == "open"
    assert row.to_data().model_dump(mode="json")["expired"] is True
    assert summary([row]) == {
        "met": 0, "partly": 0, "justified": 0, "open": 1, "expired": 1, "open_clauses": ["IEC 62304 4.4"],
    }  # fmt: skip


def test_of_two_reasons_the_one_that_lasts_longer_counts() -> None:
    late = justified("IEC 62304 4.4", expires=TODAY + timedelta(9), reason="still no legacy software")
    for days in (-9, 2):
        early = justified("IEC 62304 4.4", expires=TODAY + timedelta(days))
        for order in ((late, early), (early, late)):
            assert judge(Facts(justifications=order), "4.4").justifications == (late,)


def test_a_met_clause_says_that_its_justification_is_no_longer_needed() -> None:
    facts = Facts(frozenset({"soup-needs"}), justifications=(justified("IEC 62304 5.3.3"),))
    row = judge(facts, "5.3.3")
    assert row.status == "met"
    assert row.reason.startswith("a justification is no longer needed")
    assert row.next == "Remove the justification of IEC 62304 5.3.3."


def test_evidence_with_justified_gaps_makes_a_clause_justified_and_not_met() -> None:
    gap = justified("untested-requirement REQ-012", reason="tested by hand until the rig is there")
    facts = Facts(frozenset({"results", "trace-complete"}), excused={"trace-complete": (gap,)})
    row = judge(facts, "5.7.1")
    assert (row.status, row.justifications, row.missing) == ("justified", (gap,), ())
    assert row.reason == "untested-requirement REQ-012: tested by hand until the rig is there (eva, until 2026-11-21)"
    later = coverage(iec62304(), facts, safety_class="B", today=TODAY + timedelta(1))
    row = next(one for one in later if one.clause.label == "5.7.1")
    assert (row.status, row.missing) == ("open", ("trace-complete",))
    assert judge(Facts(frozenset({"results"}), excused={"trace-complete": (gap,)}), "5.5.1").status == "open"


def test_ml_hazards_are_met_by_items_that_consider_them() -> None:
    facts = Facts(considered={"MLH-22": ("HAZ-02",)}, justifications=(justified("MLH-37", reason="weights are fixed"),))
    assert judge(facts, "MLH-22", ml_hazards()).to_data().model_dump(mode="json")["evidence"] == ["HAZ-02"]
    assert judge(facts, "MLH-22", ml_hazards()).status == "met"
    assert judge(facts, "MLH-37", ml_hazards()).status == "justified"
    assert judge(facts, "MLH-01", ml_hazards()).reason == "no hazard of the risk file considers it"
    assert judge(Facts(considered={"MLH-22": ()}), "MLH-22", ml_hazards()).status == "open"


def test_the_signature_of_a_person_does_not_consider_a_hazard() -> None:
    assert judge(Facts(attestations=(attested("MLH-22"),)), "MLH-22", ml_hazards()).status == "open"


def test_json_has_what_the_site_reads() -> None:
    for catalogue in catalogues():
        for row in coverage(catalogue, Facts(EVERYTHING), safety_class="B", today=TODAY):
            made = row.to_data().model_dump(mode="json")
            assert {"standard", "clause", "paraphrase", "status", "evidence", "reason"} <= made.keys()
            assert made["status"] in {"met", "open", "justified"}


def test_unknown_evidence_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError) as refused:
        coverage(iec62304(), Facts(frozenset({"risk-fil"})), safety_class="B", today=TODAY)
    assert refused.value.hint == "did you mean `risk-file`?"


def test_reasons_and_signatures_for_nothing_are_refused() -> None:
    refuse_strangers(
        Facts(
            attestations=(attested("ISO 14971 4.3"),),
            justifications=(justified("R12"), justified("untested-requirement REQ-012")),
            considered={"MLH-01": ("HAZ-01",)},
        ),
        catalogues(),
    )
    with pytest.raises(InputError) as refused:
        refuse_strangers(Facts(justifications=(justified("IEC 62304 5.3.55"),)), catalogues())
    assert (refused.value.line, refused.value.hint) == (3, "did you mean `IEC 62304 5.3.5`?")
    for facts in (Facts(attestations=(attested("IEC 62304 99"),)), Facts(considered={"MLH-99": ("HAZ-01",)})):
        with pytest.raises(InputError):
            refuse_strangers(facts, catalogues())


subjects = st.sampled_from([row.id for catalogue in catalogues() for row in catalogue.clauses])
days = st.dates(date(2026, 1, 1), date(2027, 12, 31))
facts_of_any_kind = st.builds(
    Facts,
    present=st.frozensets(st.sampled_from(sorted(EVERYTHING))),
    attestations=st.lists(st.builds(attested, subjects, st.integers(0, 99)), max_size=20).map(tuple),
    justifications=st.lists(st.builds(lambda name, day: justified(name, expires=day), subjects, days), max_size=20).map(
        tuple
    ),
    excused=st.dictionaries(
        st.sampled_from(sorted(EVERYTHING)),
        st.builds(lambda day: (justified("untested-requirement REQ-012", expires=day),), days),
        max_size=3,
    ),
    considered=st.dictionaries(
        st.sampled_from([row.id for row in ml_hazards().clauses]), st.just(("HAZ-01",)), max_size=9
    ),
)


@given(facts_of_any_kind, days, st.sampled_from(catalogues()), st.sampled_from("ABC"))
def test_no_row_is_lost_and_none_is_better_than_its_evidence(
    facts: Facts, today: date, catalogue: Catalogue, safety_class: str
) -> None:
    covered = coverage(catalogue, facts, safety_class=safety_class, today=today)
    assert [row.clause for row in covered] == list(catalogue.binding(safety_class))
    for row in covered:
        assert set(row.evidence).isdisjoint(row.missing)
        assert set(row.clause.evidence) <= {*row.evidence, *row.missing}
        assert row.reason or row.status == "met"
        assert bool(row.next) == (row.status != "met" or bool(row.justifications))
        if row.status == "met":
            assert not any(name in facts.excused for name in row.evidence)
            assert not row.missing or row.attestations
            assert row.evidence or row.attestations
        elif row.status == "justified":
            assert all(one.counts(today) for one in row.justifications)
        else:
            assert not any(one.counts(today) for one in row.justifications)
            assert (row.status == "expired") == bool(row.justifications)


@given(facts_of_any_kind, days)
def test_a_check_is_never_met_before_the_clauses_it_is_about(facts: Facts, today: date) -> None:
    bare = Facts(facts.present)
    clauses = {row.clause.label: row for row in coverage(iec62304(), bare, safety_class="B", today=today)}
    for row in coverage(checks(), bare, safety_class="B", today=today):
        if row.clause.standard == "IEC 62304" and row.status == "met":
            assert all(clauses[number].status == "met" for number in row.clause.numbers if number in clauses)


@given(facts_of_any_kind, st.sampled_from(sorted(EVERYTHING)), st.sampled_from(catalogues()))
def test_more_evidence_never_opens_a_clause(facts: Facts, name: str, catalogue: Catalogue) -> None:
    more = Facts(facts.present | {name}, facts.attestations, facts.justifications, {}, facts.considered)
    facts = Facts(facts.present, facts.attestations, facts.justifications, {}, facts.considered)
    before = coverage(catalogue, facts, safety_class="C", today=TODAY)
    after = coverage(catalogue, more, safety_class="C", today=TODAY)
    assert all(new.status == "met" for old, new in zip(before, after, strict=True) if old.status == "met")
