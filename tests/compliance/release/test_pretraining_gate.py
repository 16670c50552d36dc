"""Weights that members started from: what the gate counts, what the policy can allow, and what no policy can."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.release.chain import judge_chain
from minivess.compliance.release.derivation import check_gates, derive, gates_file
from minivess.compliance.release.facts import statement_of
from minivess.compliance.release.gates import judge
from minivess.compliance.verification.pack import judge_files
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError, VerificationError
from minivess.records.device.release import GateFacts, GateResult
from minivess.records.device.release_policy import ReleasePolicy
from minivess.records.device.strictness import laxer_policy
from minivess.records.models.start import PretrainingData, PretrainingSet, StartRecord, Status
from tests.support.builders.layout2_pack import small_pack
from tests.support.builders.release_builder import make_release
from tests.support.verify_script import verify

pytestmark = pytest.mark.verifies("REQ-330", "RC-140", "SU-91", "SU-14")

MEMBER, GATES, MANIFEST = "data/models/members/seed-1.json", "data/release/gates.json", "data/datasets/manifest.json"
OTHER = digest_bytes(b"an image of another data set")


def start(status: Status = "declared", *digests: str) -> StartRecord:
    sets = (PretrainingSet(name="Other vessels", digests=digests or (OTHER,)),) if status == "declared" else ()
    return StartRecord(weights=digest_bytes(b"foreign"), trained_on=PretrainingData(status=status, sets=sets))


def policy(**gate: Any) -> ReleasePolicy:
    rules = [
        {"role": "independent-reviewer", "meaning": "review"},
        {"role": "release-manager", "meaning": "approval"},
    ]
    gates = [{"id": "criteria", "kind": "criteria"}]
    gates += [{"id": "weights", "kind": "pretraining", **gate}] if gate else []
    return ReleasePolicy.model_validate({"signatures": {"name": "release", "rules": rules}, "gates": gates})


def result(stated: ReleasePolicy, *starts: StartRecord, members: int = 2) -> GateResult | None:
    facts = GateFacts(members=members, starts=starts)
    return next((one for one in judge(stated, facts) if one.kind == "pretraining"), None)


def test_members_that_start_from_their_seed_need_nothing() -> None:
    assert result(policy()) is None
    listed = result(policy(at_most=0))
    assert listed is not None
    assert listed.passed
    assert "All 2 members started from the seed" in listed.message


@pytest.mark.parametrize(("status", "passed"), [("declared", True), ("refused", False), ("unknown", False)])
def test_a_member_that_starts_from_other_weights_is_judged_without_a_line_in_the_policy(
    status: Status, passed: bool
) -> None:
    found = result(policy(), start(status))
    assert found is not None
    assert (found.id, found.passed, found.value, found.of) == ("pretraining", passed, float(not passed), 2)
    assert passed or (status in found.message and found.mend)


def test_the_policy_allows_such_a_member_with_a_reason_alone() -> None:
    found = result(
        policy(at_most=1, reason="the maker names the sets under a non-disclosure agreement"), start("refused")
    )
    assert found is not None
    assert found.passed
    with pytest.raises(ValueError, match="reason"):
        policy(at_most=1)
    for reason in ({}, {"reason": None}):
        gate = {"id": "weights", "kind": "pretraining", "at_most": 1, **reason}
        with pytest.raises(verify.WrongError, match="malformed gate weights"):
            verify.check_policy({"signatures": {"rules": [1, 2]}, "gates": [gate]})


def test_another_gate_does_not_have_its_name() -> None:
    gate = {"id": "pretraining", "kind": "trace"}
    stated = policy().model_dump(mode="json")
    with pytest.raises(ValueError, match="pretraining"):
        ReleasePolicy.model_validate({**stated, "gates": [gate]})
    with pytest.raises(verify.WrongError, match="malformed gate pretraining"):
        verify.check_policy({"signatures": {"rules": [1, 2]}, "gates": [gate]})


def test_an_exception_that_is_added_later_is_laxer() -> None:
    allowed = policy(at_most=1, reason="a reason")
    assert laxer_policy(policy(at_most=0), allowed)
    assert not laxer_policy(allowed, policy(at_most=0))
    old, new = (
        {"signatures": {"rules": []}, "gates": [{"id": "w", "kind": "pretraining", "at_most": limit}]}
        for limit in (0, 1)
    )
    assert verify.laxer(verify.limits_of_policy(old), verify.limits_of_policy(new)) == "pretraining"


def test_a_pack_with_declared_weights_holds_in_both_verifiers(tmp_path: Path) -> None:
    declared = start()
    with_set = PretrainingSet(name="More", accessions=("10.1/x",), digests=(), images=None)
    sets = (*declared.trained_on.sets, with_set)
    declared = declared.model_copy(
        update={"trained_on": PretrainingData(status="declared", sets=sets), "licence": "CC-BY-4.0", "fresh": ("a",)}
    )
    release = make_release(tmp_path, start=declared)
    release.build(tmp_path / "pack.zip")
    files = read_archive((tmp_path / "pack.zip").read_bytes())
    product = judge_files(files, subject="pack", container="", trusted=None)
    script = verify.Judgement(None).judge(dict(files))
    unsigned = {"release signatures"}
    assert {check.name for check in product.checks if not check.passed} == unsigned
    assert {name for name, held, _ in script.checks if not held} == unsigned
    assert "pretraining" in [gate["id"] for gate in json.loads(files[GATES])]
    card = files["data/documents/model-card.html"].decode("utf-8")
    for words in ("Other vessels", "More", "10.1/x", "CC-BY-4.0", "declared"):
        assert words in card


@pytest.mark.parametrize("status", ["refused", "unknown"])
def test_no_pack_is_built_with_weights_of_unknown_training_data(tmp_path: Path, status: Status) -> None:
    with pytest.raises(RefusedError, match="'pretraining' fails"):
        make_release(tmp_path, start=start(status)).build(tmp_path / "pack.zip")
    assert not (tmp_path / "pack.zip").exists()


def judged(said: Any, *, bent: bool = True) -> tuple[str, str]:
    """What product and script say of the gates of the small pack whose member states this start; empty: they hold.

    With `bent`, the list of gates in the pack is the one that follows.
    """
    pack = small_pack()
    run = {**json.loads(pack.files[MEMBER]), "start": said}
    files, entries = {**pack.files, MEMBER: canonical(run)}, pack.log.facts.entries
    prepared, chain = judge_chain(entries)
    product = script = ""
    try:
        derived = derive(files, chain.known, chain, statement_of(prepared))
        files |= {GATES: gates_file(derived.outcomes)} if bent else {}
        check_gates(files, derived)
    except VerificationError as error:
        product = error.message
    opened = verify.Pack(files, None)
    opened.check_log()
    opened.check_layout()
    opened.release.check_chain()
    opened.release.check_figures()
    try:
        opened.release.check_gates()
    except (verify.WrongError, KeyError) as error:
        script = str(error)
    return product, script


def test_both_verifiers_derive_the_gate_from_the_run_records() -> None:
    declared = start().model_dump(mode="json")
    assert judged(None) == judged(declared) == ("", "")
    for said in judged(declared, bent=False):
        assert "pretraining" in said or "by the policy" in said
    for status in ("refused", "unknown"):
        for said in judged(start(status).model_dump(mode="json")):
            assert "the gate pretraining fails" in said


@pytest.mark.verifies("REQ-331", "RC-139")
@pytest.mark.parametrize("field", ["image", "label"])
@pytest.mark.parametrize("name", ["case-01", "train-4"], ids=["test part", "calibration part"])
def test_both_verifiers_refuse_weights_that_have_seen_a_test_or_calibration_case(name: str, field: str) -> None:
    cases = json.loads(small_pack().files[MANIFEST])["cases"]
    case = next(one for one in cases if one["id"] == name)
    for said in judged(start("declared", OTHER, case[field]).model_dump(mode="json")):
        assert f"have seen {name} of the test or calibration part" in said
    trained = next(one for one in cases if one["id"] == "train-0")
    assert judged(start("declared", trained["image"]).model_dump(mode="json")) == ("", "")


@pytest.mark.parametrize(
    "change",
    [
        {"weights": "none"},
        {"trained_on": None},
        {"trained_on": {"status": "declared", "sets": []}},
        {"trained_on": {"status": "known", "sets": []}},
        {"trained_on": {"status": "unknown", "sets": [{"name": ""}]}},
        {"trained_on": {"status": "unknown", "sets": [{"name": "a", "digests": ["a"]}]}},
        {"more": 1},
    ],
    ids=str,
)
def test_both_verifiers_refuse_a_malformed_start(change: dict[str, Any]) -> None:
    product, script = judged({**start().model_dump(mode="json"), **change}, bent=False)
    assert product
    assert script
    assert "pretraining" not in product + script
