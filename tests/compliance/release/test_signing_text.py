"""The signing text: a fixed grammar, lines that cannot be bent by what they show, and nothing that is left out."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from minivess.compliance.release.derivation import Statement, digests_of
from minivess.compliance.release.facts import facts_of_release
from minivess.compliance.release.signing_text import DIGESTS, LONGEST, SigningFacts, signing_text
from minivess.foundation.errors import VerificationError
from minivess.records.device.attested import AnomalyCondition, Counted, KnownAnomaly, ReviewCount
from minivess.records.evaluation.statistics.summaries import Interval
from minivess.records.log.entry import Entry, Outcome
from tests.support.builders.layout2_pack import small_pack
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = [pytest.mark.verifies("REQ-233"), pytest.mark.verifies("SU-91")]


@cache
def _facts() -> SigningFacts:
    pack = small_pack()
    facts = facts_of_release(pack.log.facts.entries, pack.files)
    derived, device = facts.derived, facts.prepared.device
    statement = Statement(
        device, environment=facts.prepared.environment, sbom=facts.prepared.sbom, state=facts.prepared.source
    )
    return SigningFacts(
        device=device,
        entries=pack.log.facts.entries[:-1],
        chain=facts.chain,
        facts=derived.facts,
        gates=derived.outcomes,
        criteria=derived.criteria,
        attested=derived.attested,
        not_releasable=(),
        digests=digests_of(facts.chain, statement),
    )


def _entries() -> tuple[Entry, ...]:
    return tuple(small_pack().log.facts.entries[:-1])


def _lines(facts: SigningFacts) -> list[str]:
    text = signing_text(facts).decode("utf-8")
    assert text.endswith("\n")
    return text.split("\n")[:-1]


def test_the_text_of_the_small_pack_is_the_one_that_is_written_here() -> None:
    lines = _lines(_facts())
    assert lines[:7] == [
        "MiniVess signing text, layout 2",
        "Device: vessel-segmenter 1.0.0",
        "Manufacturer: Example Devices",
        "Safety class: B",
        f"Log: {small_pack().log.origin}",
        "",
        f"Gates: {len(_facts().gates)} of {len(_facts().gates)} pass",
    ]
    for line in (
        "ok dice (metric, derived): 0.8933, at least 0.85, margin 0.0433",
        "ok trace (trace, attested): 0, at most 0, margin 0",
        "ok counts (counts, derived): 0, at most 0, margin 0",
        "Evaluation: look 1 of 3, released, intervals of level 98.33 %, distances in micrometres",
        "dice_over_baseline: mean 0.2, interval 0.2 to 0.2, 3 cases, 3 groups, student-t, percentile 0.2 to 0.2",
        "hd95: mean 3.6402, interval 0 to 11.270254, 2 cases, 2 groups, student-t, percentile 3.4404 to 3.84",
        "failures: mean 0, interval 0 to 0.744564, 3 cases, 3 groups, clopper-pearson",
        "Criteria registered at entry 20",
        "dice, mean: at least 0.85: 0.8933, met",
        "Looks in the log: 1",
        "look 1 (entry 24): open-1 for release 1.0.0, requested by ada, approved by ben, released, evaluated at entry 25",
        "Training runs: 4",
        "run entry 8: member",
        "run entry 12: failed: the disk was full",
        "run entry 15: discarded: a third member changes nothing",
        "Residual risk: 1 low, 0 high",
        "Not acceptable: none",
        "Counts: 3 cases, 3 groups, 1 requirements, 1 risks, 1 controls, 1 scenarios",
        "Open clauses (attested): 0",
        "Open gaps (attested): 0; justified: 0",
        "Known anomalies (attested): 0",
        "Waivers: none",
        "Time of result: entry 25, 2026-11-20T08:00:25.000000Z, the machine's own time",
        "source bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        "ok source (source, attested): 0, at most 0, margin 0",
    ):
        assert line in lines
    assert [line.split(" ")[0] for line in lines[lines.index("Digests") + 1 :]] == list(DIGESTS)


def test_a_source_that_allows_no_release_is_said_before_the_gates() -> None:
    lines = _lines(replace(_facts(), not_releasable=("uncommitted changes", "nested repository")))
    assert lines[5:8] == ["NOT RELEASABLE: uncommitted changes", "NOT RELEASABLE: nested repository", ""]


def test_a_gate_that_fails_without_a_figure_is_said() -> None:
    failed = _facts().gates[1].model_copy(update={"passed": False, "value": None, "margin": None})
    lines = _lines(replace(_facts(), gates=(_facts().gates[0], failed)))
    assert "Gates: 1 of 2 pass" in lines
    assert "FAIL dice (metric, derived): unknown, at least 0.85, margin unknown" in lines


def test_an_interval_that_is_not_known_and_a_criterion_that_is_not_met_are_said() -> None:
    facts = _facts()
    assert facts.facts.evaluation is not None
    one = Interval(mean=0.5, lower=None, upper=None, n=3)
    record = facts.facts.evaluation.model_copy(update={"aggregates": {"dice": one}})
    unmet = facts.criteria[0]._replace(value=None, met=False)
    lines = _lines(replace(facts, facts=facts.facts.model_copy(update={"evaluation": record}), criteria=(unmet,)))
    assert "dice: mean 0.5, interval unknown to unknown, 3 cases, 3 groups" in lines
    assert "dice, mean: at least 0.85: unknown, not met" in lines


def test_criteria_that_were_registered_before_with_other_limits_are_said() -> None:
    log = small_pack().log.copy()
    body = log.entries[20].body
    older = {
        **body.payload,
        "criteria": [{**body.payload["criteria"][0], "at_least": 0.7, "at_most": 0.9}],
        "plan": None,
    }
    before = log.entries[3].model_copy(update={"body": body.model_copy(update={"index": 3, "payload": older})})
    entries = (*_entries()[:3], before, *_entries()[4:])
    lines = _lines(replace(_facts(), entries=entries))
    assert "Criteria before, entry 3: dice, mean: at least 0.7 at most 0.9" in lines
    assert not [line for line in _lines(_facts()) if line.startswith("Criteria before")]


def test_runs_that_failed_and_runs_that_were_not_accounted_for_are_said() -> None:
    chain = _facts().chain
    runs = tuple(replace(run, disposition=None) for run in chain.runs)
    lines = _lines(replace(_facts(), chain=replace(chain, runs=runs)))
    assert "run entry 12: failed" in lines
    assert "run entry 15: no disposition" in lines


def test_risks_that_are_not_acceptable_and_anomalies_are_named() -> None:
    facts = _facts()
    assert facts.facts.risks is not None
    [risk] = facts.facts.risks.risks
    high = risk.model_copy(update={"residual": risk.residual.model_copy(update={"p1": 2})})
    risks = facts.facts.risks.model_copy(update={"risks": (high,)})
    known = (KnownAnomaly(id="ANO-01", title="A"), KnownAnomaly(id="ANO-02", title="B"))
    lines = _lines(
        replace(
            facts,
            facts=facts.facts.model_copy(update={"risks": risks}),
            attested=facts.attested.model_copy(update={"anomalies": known}),
        )
    )
    assert "Residual risk: 0 low, 1 high" in lines
    assert "Not acceptable: RISK-01" in lines
    place = lines.index("Known anomalies (attested): 2")
    assert lines[place + 1 : place + 3] == ["Anomaly ANO-01 (attested): A", "Anomaly ANO-02 (attested): B"]


@pytest.mark.verifies("REQ-513")
def test_conditions_and_counts_that_a_tool_attests_are_said() -> None:
    facts = _facts()
    more = {
        "conditions": (AnomalyCondition(id="ANO-01", text="safety related; it stays"),),
        "reviews": (ReviewCount(signed=2, links=3),),
        "counted": (Counted(kind="clauses", about="IEC 62304", of=9, offenders=("5.1.1", "5.1.2")),),
    }
    lines = _lines(replace(facts, attested=facts.attested.model_copy(update=more)))
    for line in (
        "Condition of ANO-01 (attested): safety related; it stays",
        "Links with a signed review (attested): 2 of 3",
        "Counted (attested): 2 of 9 clauses IEC 62304",
    ):
        assert line in lines


def test_a_time_that_was_attested_before_the_next_step_is_said_with_its_entry() -> None:
    def with_attestation(index: int, size: int) -> list[str]:
        entry = _entries()[index]
        said = {"kind": "cosignature", "size": size, "note": "a note"}
        body = entry.body.model_copy(update={"action": "time.attested", "outcome": Outcome.COMPLETED, "payload": said})
        entries = (*_entries()[:index], entry.model_copy(update={"body": body}), *_entries()[index + 1 :])
        return [line for line in _lines(replace(_facts(), entries=entries)) if line.startswith("Time of criteria")]

    assert with_attestation(22, 21)[0].endswith("attested at entry 22")
    assert with_attestation(22, 20)[0].endswith("the machine's own time")
    assert with_attestation(26, 21)[0].endswith("the machine's own time")


@given(reason=st.text(min_size=1, max_size=300))
def test_no_text_bends_the_lines(reason: str) -> None:
    before = _lines(_facts())
    maker = _facts().device.model_copy(update={"manufacturer": reason})
    lines = _lines(replace(_facts(), device=maker))
    assert len(lines) == len(before)
    assert lines[:2] + lines[3:] == before[:2] + before[3:]
    assert all(len(line) <= LONGEST for line in lines)
    shown = f"Manufacturer: {reason}"
    assert len(lines[2]) == min(len(shown), LONGEST)
    assert lines[2].endswith("...") == (len(shown) > LONGEST or shown.endswith("..."))


@pytest.mark.parametrize(
    "character", ["\n", "\r", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\u200b", "\ufeff", "\ud800"]
)
def test_a_character_that_changes_how_a_line_reads_becomes_a_question_mark(character: str) -> None:
    maker = _facts().device.model_copy(update={"manufacturer": f"A{character}B"})
    assert "Manufacturer: A?B" in _lines(replace(_facts(), device=maker))


@pytest.mark.parametrize("missing", ["evaluation", "risks", "report", "requirements"])
def test_a_text_without_one_of_its_facts_is_refused(missing: str) -> None:
    without = _facts().facts.model_copy(update={missing: None})
    with pytest.raises(VerificationError, match="a release needs"):
        signing_text(replace(_facts(), facts=without))
