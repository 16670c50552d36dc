"""What follows from a release: every gate has a pack in which it fails, and what was falsified is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from minivess.compliance.proofs.canonical import canonical, parse_json
from minivess.compliance.release.chain import judge_chain
from minivess.compliance.release.derivation import check_policy_file, derive, digests_of, gates_file, policy_file
from minivess.compliance.release.facts import FactsOfRelease, facts_of_release, statement_of
from minivess.compliance.release.gate_facts import read_gate_facts
from minivess.compliance.release.gates import judge, outcomes_of
from minivess.foundation.errors import VerificationError
from minivess.records.device.gate_outcomes import GateOutcome
from minivess.records.device.release_policy import ReleasePolicy
from minivess.records.log.entry import Entry, Outcome
from tests.support.builders.layout2_pack import SmallPack, small_pack
from tests.support.properties import given, settings
from tests.support.properties import strategies as st
from tests.support.source_states import CLEAN

pytestmark = pytest.mark.verifies("SU-91")
Change = Callable[[Any], None]

EVALUATION, EXPORT = "data/evaluation/evaluation.json", "data/models/export.json"
RESULTS, EVENTS = "data/verification/results.json", "data/lineage/events.jsonl"
RISKS, ATTESTED = "data/release/risks.json", "data/release/attested.json"
GATES, POLICY, TEXT = "data/release/gates.json", "data/release/policy.json", "data/signing-text.txt"
POLICY_OF_ALL = ReleasePolicy.model_validate(
    {
        "signatures": {
            "name": "release",
            "rules": [
                {"role": "independent-reviewer", "meaning": "review"},
                {"role": "release-manager", "meaning": "approval"},
            ],
        },
        "gates": [
            {"kind": "criteria", "id": "criteria"},
            {"kind": "metric", "id": "dice", "measure": "dice", "at_least": 0.85},
            {"kind": "baseline", "id": "over", "at_least": 0.08},
            {"kind": "parity", "id": "parity", "at_most": 1e-4},
            {"kind": "calibration", "id": "ece", "at_most": 0.5},
            {"kind": "trace", "id": "trace"},
            {"kind": "risk", "id": "risks"},
            {"kind": "test-set", "id": "test-set", "at_most": 1},
            {"kind": "runs", "id": "runs"},
            {"kind": "scenarios", "id": "scenarios"},
            {"kind": "lineage", "id": "lineage"},
        ],
    }
)
BROKEN_GAP = {"kind": "untested-requirement", "item": "REQ-001", "message": "REQ-001 has no test"}


def _changed(content: bytes, change: Change) -> bytes:
    value = json.loads(content)
    change(value)
    return canonical(value)


def _bent(pack: SmallPack, name: str, change: Change) -> SmallPack:
    return pack.bent({name: _changed(pack.files[name], change)})


def _facts(pack: SmallPack) -> FactsOfRelease:
    return facts_of_release(pack.log.facts.entries, pack.files)


def _judged(files: dict[str, bytes], entries: Sequence[Entry]) -> dict[str, GateOutcome]:
    return {one.id: one for one in outcomes_of(judge(POLICY_OF_ALL, read_gate_facts(files, entries, source=CLEAN)))}


def _aggregate(name: str, **fields: float | int) -> Change:
    return lambda value: value["aggregates"][name].update(fields)


CHANGES: dict[str, tuple[str, Change]] = {
    "criteria": (EVALUATION, _aggregate("dice", mean=0.8499)),
    "dice": (EVALUATION, _aggregate("dice", mean=0.8499)),
    "over": (EVALUATION, lambda value: value["baseline"].update(mean=0.9)),
    "parity": (EXPORT, lambda value: value.update(max_abs_difference=1.1e-4)),
    "ece": (EVALUATION, lambda value: value.update(ece=0.51)),
    "trace": (ATTESTED, lambda value: value["gaps"].append(BROKEN_GAP)),
    "risks": (RISKS, lambda value: value["risks"][0]["residual"].update(p1=2)),
    "scenarios": (RESULTS, lambda value: value["results"][0].update(outcome="failed")),
}


@pytest.mark.verifies("REQ-230", "RC-11")
def test_every_gate_passes_in_a_pack_in_which_all_is_true() -> None:
    pack = small_pack()
    found = _judged(dict(pack.files), pack.log.facts.entries[:-1])
    assert len(found) == len(POLICY_OF_ALL.gates) + 2, "two gates are built in"
    assert all(one.passed for one in found.values())


@pytest.mark.verifies("REQ-230", "RC-11")
@pytest.mark.parametrize("gate", sorted(CHANGES))
def test_a_file_that_says_worse_fails_its_gate(gate: str) -> None:
    pack, (name, change) = small_pack(), CHANGES[gate]
    files = {**pack.files, name: _changed(pack.files[name], change)}
    failed = {one.id for one in _judged(files, pack.log.facts.entries[:-1]).values() if not one.passed}
    assert gate in failed
    assert failed <= {gate, "criteria", "dice", "over"}


@pytest.mark.verifies("REQ-230", "RC-11")
@pytest.mark.parametrize("name", [EVALUATION, EXPORT, RESULTS, RISKS, ATTESTED, EVENTS])
def test_a_file_that_is_missing_fails_its_gates(name: str) -> None:
    pack = small_pack()
    files = {one: content for one, content in pack.files.items() if one != name}
    failed = {one.id for one in _judged(files, pack.log.facts.entries[:-1]).values() if not one.passed}
    expected = {
        EVALUATION: {"criteria", "dice", "over", "ece", "counts"},
        EXPORT: {"parity"},
        RESULTS: {"scenarios", "counts"},
        RISKS: {"risks", "counts"},
        ATTESTED: {"trace"},
        EVENTS: {"lineage"},
    }[name]
    assert failed == expected


@pytest.mark.verifies("REQ-230", "RC-11")
def test_a_run_without_a_disposition_fails_its_gate() -> None:
    pack = small_pack()
    log = pack.log.copy()
    log.entries, log.details = log.entries[:-1], log.details[:-1]
    log.append(pack.people.developer, "training", {}, outcome=Outcome.STARTED)
    found = _judged(dict(pack.files) | {EVENTS: log.events()}, log.facts.entries)
    assert (found["runs"].passed, found["runs"].value) == (False, "1")


@pytest.mark.verifies("REQ-230", "RC-11")
def test_an_entry_without_its_lineage_event_fails_its_gate() -> None:
    pack = small_pack()
    entries = pack.log.facts.entries[:-1]
    lines = pack.files[EVENTS].splitlines(keepends=True)
    for events in (b"".join(lines[1:]), b"".join([lines[1], *lines[1:]])):
        found = _judged(dict(pack.files) | {EVENTS: events}, entries)
        assert (found["lineage"].passed, found["lineage"].value) == (False, "1")
    with pytest.raises(VerificationError, match=f"{EVENTS}:2 is not an OpenLineage event"):
        _judged(dict(pack.files) | {EVENTS: lines[0] + b"{}\n"}, entries)


@pytest.mark.verifies("REQ-230", "REQ-233")
def test_the_facts_of_a_true_pack_hold_its_gates_and_its_text() -> None:
    pack = small_pack()
    derived = _facts(pack).derived
    assert [one.model_dump(mode="json") for one in derived.outcomes] == json.loads(pack.files[GATES])
    assert derived.text == pack.files[TEXT]


def _gate(number: int, **fields: object) -> Change:
    return lambda value: value[number].update(fields)


@pytest.mark.verifies("REQ-232", "RC-98")
@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (GATES, _gate(1, value="0.999"), "the gate dice says value 0.999, and by the release it is 0.8933"),
        (GATES, _gate(1, margin="0.149"), "the gate dice says margin 0.149"),
        (GATES, _gate(5, basis="derived"), "the gate trace says basis derived"),
        (GATES, lambda value: value.pop(2), "the gate cldice is missing"),
        (GATES, lambda value: value.reverse(), "not the canonical JSON of the gates"),
        (GATES, lambda value: value.append({**value[0], "id": "more"}), "not the canonical JSON of the gates"),
        (GATES, _gate(1, message="all is well"), "the field is unknown"),
        (GATES, _gate(1, value=0.8933), "1.value: must be text"),
        (
            POLICY,
            lambda value: value["gates"][1].update(at_least=0.1),
            "the gate dice is not one that entry 21 registered",
        ),
        (POLICY, lambda value: value["gates"].pop(8), "the gate runs is not one that entry 21 registered"),
        (POLICY, lambda value: value["gates"].append({"kind": "risk", "id": "more"}), "the gate more is not one"),
        (POLICY, lambda value: value["policy"]["rules"].pop(), "the signatures are not those that entry 21 registered"),
        (POLICY, lambda value: value.update(note="fine"), "is not a policy with its gates"),
        (RISKS, lambda value: value["risks"][0]["residual"].update(p1=2), "the gate risks says"),
        (RISKS, lambda value: value["risks"].clear(), "the gate risks says"),
        (RISKS, lambda value: value["controls"].clear(), "names the control RC-01"),
        (RISKS, lambda value: value["plan"].update(verdict="fine"), "the field is unknown"),
        (ATTESTED, lambda value: value["gaps"].append(BROKEN_GAP), "the gate trace says"),
        (ATTESTED, lambda value: value["open_clauses"].append("IEC 62304 5.1.1"), "Open clauses (attested): 0"),
        (ATTESTED, lambda value: value["gaps"].append({"kind": "gap"}), "gaps.0.item: the field is missing"),
        (ATTESTED, lambda value: value["open_clauses"].extend(["b", "a"]), "`open_clauses` is not in order"),
    ],
)
def test_a_falsified_file_is_refused_by_name_although_the_manager_prepared_it_again(
    name: str, change: Change, words: str
) -> None:
    with pytest.raises(VerificationError) as error:
        _facts(_bent(small_pack(), name, change))
    assert words in error.value.message
    assert name in error.value.message or name in {RISKS, ATTESTED}


@pytest.mark.verifies("REQ-232")
def test_gates_in_another_writing_of_json_are_refused() -> None:
    pack = small_pack()
    for name in (GATES, POLICY):
        spaced = json.dumps(json.loads(pack.files[name]), indent=1).encode()
        with pytest.raises(VerificationError, match=f"{name} is not the canonical JSON"):
            _facts(pack.bent({name: spaced}))
    twice = pack.files[RISKS].replace(b'{"controls":', b'{"controls":[],"controls":', 1)
    with pytest.raises(VerificationError, match=RISKS):
        _facts(pack.bent({RISKS: twice}))


@pytest.mark.verifies("REQ-231", "RC-98")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_aggregate("dice", mean=0.999), "the evaluation of entry 25 made"),
        (lambda value: value["cases"].pop(), "the evaluation of entry 25 made"),
    ],
)
def test_an_evaluation_that_its_entry_did_not_make_is_refused(change: Change, words: str) -> None:
    with pytest.raises(VerificationError) as error:
        _facts(_bent(small_pack(), EVALUATION, change))
    assert words in error.value.message


@pytest.mark.verifies("REQ-233", "RC-99")
@given(data=st.data())
@settings(max_examples=40)
def test_another_signing_text_is_refused_with_its_line(data: st.DataObject) -> None:
    pack = small_pack()
    lines = pack.files[TEXT].decode().split("\n")[:-1]
    number = data.draw(st.integers(0, len(lines) - 1))
    changed = data.draw(st.sampled_from(["gone", "twice", "changed"]))
    other = {"gone": [], "twice": [lines[number]] * 2, "changed": [f"{lines[number]}0"]}[changed]
    text = "".join(f"{line}\n" for line in [*lines[:number], *other, *lines[number + 1 :]])
    with pytest.raises(VerificationError, match=f"{TEXT}:[0-9]+ says"):
        _facts(pack.bent({TEXT: text.encode()}))


@pytest.mark.verifies("REQ-233", "RC-99")
@pytest.mark.parametrize("text", [b"", b"\xff", b"fine\n", b"fine"])
def test_a_signing_text_that_is_none_is_refused(text: bytes) -> None:
    with pytest.raises(VerificationError, match=f"{TEXT}:1 says"):
        _facts(small_pack().bent({TEXT: text}))


@pytest.mark.verifies("REQ-232", "RC-98")
def test_a_pack_that_was_falsified_without_any_key_is_refused() -> None:
    """As `handmade_pack.py` did: gates, policy, table of cases and pages, bagged again."""
    pack = small_pack()
    gates: Any = parse_json(pack.files[GATES], limit=1 << 20)
    gates[1].update(value="0.999", margin="0.149")
    policy: Any = parse_json(pack.files[POLICY], limit=1 << 20)
    policy["gates"][1]["at_least"] = 0.1
    policy["gates"] = [one for one in policy["gates"] if one["id"] not in {"runs", "scenarios"}]
    pages = {
        name: content.replace(b"0.893", b"0.999")
        for name, content in pack.files.items()
        if name.startswith(("data/documents/", "data/traceability/")) or name in {"data/index.html", TEXT}
    }
    falsified = {GATES: canonical(gates), POLICY: canonical(policy), **pages}
    with pytest.raises(VerificationError, match="the release was prepared with"):
        _facts(pack.bent(falsified, prepared=False))
    with pytest.raises(VerificationError, match="the gate dice is not one that entry 21 registered"):
        _facts(pack.bent(falsified))


@pytest.mark.verifies("REQ-232", "RC-98")
def test_a_pack_that_says_itself_that_a_gate_fails_is_refused() -> None:
    pack = _bent(small_pack(), *CHANGES["risks"])
    entries = pack.log.facts.entries
    prepared, chain = judge_chain(entries)
    derived = derive(pack.files, entries[:-1], chain, statement_of(prepared))
    true = pack.bent({GATES: gates_file(derived.outcomes), TEXT: derived.text})
    with pytest.raises(VerificationError, match="the gate risks fails: Unacceptable residual risks: 1"):
        _facts(true)


@pytest.mark.verifies("REQ-232")
def test_a_registered_policy_that_does_not_judge_the_criteria_is_not_enough() -> None:
    pack = small_pack()
    _, chain = judge_chain(pack.log.facts.entries)
    gates = tuple(gate for gate in chain.policy.gates if gate.kind != "criteria")
    less = replace(chain, policy=chain.policy.model_copy(update={"gates": gates}))
    with pytest.raises(VerificationError, match="entry 21 is not enough: it does not judge the registered"):
        check_policy_file({**pack.files, POLICY: policy_file(less.policy)}, less)


def test_an_entry_that_names_no_digest_of_its_results_gives_no_text() -> None:
    pack = small_pack()
    prepared, chain = judge_chain(pack.log.facts.entries)
    scenarios = chain.bodies["scenarios"].model_copy(update={"outputs": ()})
    without = replace(chain, bodies={**chain.bodies, "scenarios": scenarios})
    with pytest.raises(VerificationError, match="no entry of the release names the digest of its results"):
        digests_of(without, statement_of(prepared))
