"""Waivers of gates: which count, what they change, and that both verifiers say the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.release.earlier_entries import EarlierEntries
from minivess.compliance.release.gating.waivers import waivers_for
from minivess.compliance.standards import counted as counting
from minivess.compliance.standards.counted import row
from minivess.compliance.verification.pack import judge_files
from minivess.foundation.errors import RefusedError
from minivess.records.device.release_policy import NEVER_WAIVED, CountGate, ReleasePolicy
from minivess.records.verdict import VerdictState
from tests.compliance.release.test_documents_gate import verdicts
from tests.support.builders import guarded_log, release_builder
from tests.support.builders.layout2_pack import SmallPack
from tests.support.builders.pack_builder import ada, cleo
from tests.support.verify_script import verify

pytestmark = [pytest.mark.verifies("REQ-552", "RC-231"), pytest.mark.verifies("SU-91", "SU-14", "SU-70")]

GATES, TEXT = "data/release/gates.json", "data/signing-text.txt"
OFFENDERS = ("SU-01 is untested",)
GOOD = {
    "gate": "units",
    "version": release_builder.VERSION,
    "found": "1 of 3 software units",
    "reason": "the test of this unit runs on the next tree",
    "owner": "ben",
    "risk": "RISK-01",
    "until": "2027-06-30T23:59:59.999999Z",
}
BAD: dict[str, dict[str, Any]] = {
    "of another release": {"version": "9.9"},
    "expired": {"until": "2020-01-01T00:00:00.000000Z"},
    "without a known risk": {"risk": "RISK-99"},
    "of another gate": {"gate": "parity"},
}


def with_units() -> ReleasePolicy:
    known = release_builder.own_policy()
    return known.model_copy(update={"gates": (*known.gates, CountGate(kind="units", id="units"))})


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> release_builder.Release:
    monkeypatch.setattr(release_builder, "policy_of_release", with_units)
    monkeypatch.setattr(counting, "COUNTERS", [lambda _: iter([row("units", 3, OFFENDERS)])])
    made = release_builder.make_release(tmp_path / "release")
    made.facts = made.facts.model_copy(update={"counted": (row("units", 3, OFFENDERS),)})
    return made


def waive(made: release_builder.Release, **changes: Any) -> None:
    made.log.append(made.people.reviewer, "release.gate-waived", {**GOOD, **changes})
    assert made.facts.risks is not None
    ids = {one.id for one in made.facts.risks.risks}
    known = EarlierEntries.of(made.log.facts.entries)
    made.facts = made.facts.model_copy(update={"waivers": waivers_for(known, made.version, ids)})


def test_a_waived_gate_lets_a_release_be_built_and_is_shown_as_waived(
    release: release_builder.Release, tmp_path: Path
) -> None:
    waive(release)
    index = len(release.log.entries) - 1
    release.build(tmp_path / "pack.zip")
    files = read_archive((tmp_path / "pack.zip").read_bytes())
    [gate] = [one for one in json.loads(files[GATES]) if one["id"] == "units"]
    assert (gate["passed"], gate["waived"], gate["value"]) == (False, index, "1")
    text = files[TEXT].decode()
    assert "\nWAIVED units (units, attested): 1, at most 0, margin -1\n" in text
    assert "\nWaivers: 1\n" in text
    assert (
        f"\nWaiver of units (entry {index}): signed by ben, owner ben, RISK-01, until 2027-06-30T23:59:59.999999Z: "
        in text
    )
    page = files["data/index.html"].decode()
    count = len(json.loads(files[GATES]))
    assert f"{count - 1} of {count} release gates passed, 1 waived" in page
    assert '<span class="mark waived">waived</span>' in page
    assert f"ben (entry {index}), 2027-06-30" in page
    pack = SmallPack(files, release.prepared, release.people, release)
    signed = dict(pack.signed())
    product = judge_files(signed, subject="pack", container="", trusted=None)
    assert product.first_failure is None
    assert product.state is VerdictState.VERIFIED
    assert [words for words in product.reservations if words.startswith("WAIVED units (entry")]
    state, words, code = verify.Judgement(None).judge(signed).verdict()
    assert (state, code) == ("VERIFIED", 0)
    assert f"WAIVED units (entry {index})" in words


@pytest.mark.parametrize("bad", BAD)
def test_a_waiver_that_does_not_count_changes_nothing(
    release: release_builder.Release, tmp_path: Path, bad: str
) -> None:
    before = release.log.copy()
    waive(release)
    release.build(tmp_path / "pack.zip")
    files = read_archive((tmp_path / "pack.zip").read_bytes())
    assert release.prepared is not None
    pack = SmallPack(files, release.prepared, release.people, release)
    before.append(release.people.reviewer, "release.gate-waived", {**GOOD, **BAD[bad]})
    said = verdicts(dict(pack.bent(log=before).files))
    assert all("units" in words for words in said)
    release.log, release.facts = before, release.facts.model_copy(update={"waivers": ()})
    with pytest.raises(RefusedError, match="units"):
        release.build(tmp_path / "other.zip")


def test_some_gates_are_never_waived() -> None:
    assert set(verify.NEVER_WAIVED) == NEVER_WAIVED
    assert {"criteria", "counts", "source"} <= NEVER_WAIVED


def test_who_had_a_part_in_a_model_waives_no_gate() -> None:
    for by, words in (
        (guarded_log.both_roles(), ("eva", "eva")),
        (ada(), ("ada", "ada may not append")),
        (cleo(), ("", "")),
    ):
        log = guarded_log.begun()
        log.train(guarded_log.both_roles())
        log.append(by, "release.gate-waived", {**GOOD, "owner": "cleo"})
        said = guarded_log.both(log)
        assert [one in other for one, other in zip(words, said, strict=True)] == [True, True], said
        assert bool(words[0]) is bool(said[0])
