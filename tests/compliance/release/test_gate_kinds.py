"""Gates on what a tool counts, and on figures of entries and subgroups: both verifiers judge them the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from hypothesis import strategies as st

from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.release.earlier_entries import EarlierEntries
from minivess.compliance.release.gating.gate_figures import hours_since_witness, subgroup_gap, unapproved
from minivess.compliance.standards import counted as counting
from minivess.compliance.standards.counted import CountSources, approvable_in, counted_in, row
from minivess.compliance.trace.tree import Tree
from minivess.compliance.verification.pack import judge_files
from minivess.foundation.errors import RefusedError
from minivess.records.device.attested import Attested, AttestedKind, Counted
from minivess.records.device.release_policy import ReleasePolicy
from minivess.records.evaluation.counted.counts import OverlapCounts
from tests.compliance.release.test_documents_gate import verdicts
from tests.compliance.release.test_vacuous import SIGNATURES
from tests.support.builders import release_builder
from tests.support.builders.layout2_pack import small_pack
from tests.support.properties import given, settings
from tests.support.verify_script import verify

pytestmark = [pytest.mark.verifies("REQ-550", "REQ-551", "RC-230"), pytest.mark.verifies("SU-22", "SU-91", "SU-14")]

ATTESTED, GATES = "data/release/attested.json", "data/release/gates.json"
KINDS: tuple[AttestedKind, ...] = get_args(AttestedKind)
MORE: list[dict[str, Any]] = [
    *({"kind": kind, **({"standard": "IEC 62304"} if kind == "clauses" else {})} for kind in KINDS),
    {"kind": "approvals", "at_most": 100},
    {"kind": "conformal", "at_least": 0.5},
    {"kind": "latency", "at_most": 100.0},
    {"kind": "witness", "at_most": 1e6},
]


def of_every_kind(sources: CountSources) -> Iterator[Counted]:
    for kind in KINDS:
        yield row(kind, 3, (), about="IEC 62304" if kind == "clauses" else "", source="a list of 2026-11-30")


def with_gates() -> ReleasePolicy:
    known = release_builder.own_policy()
    made = ReleasePolicy.model_validate(
        {"signatures": SIGNATURES, "gates": [{"id": f"more-{one['kind']}", **one} for one in MORE]}
    )
    return known.model_copy(update={"gates": (*known.gates, *made.gates)})


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> release_builder.Release:
    monkeypatch.setattr(release_builder, "policy_of_release", with_gates)
    monkeypatch.setattr(counting, "COUNTERS", [of_every_kind])
    made = release_builder.make_release(tmp_path / "release")
    note = made.log.checkpoint
    said = {"kind": "cosignature", "size": len(made.log.entries), "note": note, "token": None}
    made.log.append(made.people.reviewer, "time.attested", said)
    tree = Tree.read(made.source, today=date(2026, 11, 30))
    owed = approvable_in(tree)
    [first, *_] = owed
    made.log.append(made.people.reviewer, "trace.approve", first.model_dump(mode="json"))
    known = EarlierEntries.of(made.log.facts.entries)
    lacking = unapproved(owed, known)
    assert len(lacking) == len(owed) - 1
    made.facts = made.facts.model_copy(
        update={
            "counted": counted_in(CountSources(tree, (), made.workspace)),
            "approvable": len(owed),
            "unapproved": lacking,
            "witnessed": hours_since_witness(known),
        }
    )
    return made


def test_a_pack_with_gates_of_every_kind_holds_in_both_verifiers(
    release: release_builder.Release, tmp_path: Path
) -> None:
    release.build(tmp_path / "pack.zip")
    files = read_archive((tmp_path / "pack.zip").read_bytes())
    found = {one["id"].removeprefix("more-"): one for one in json.loads(files[GATES]) if one["id"].startswith("more-")}
    assert {kind for kind, one in found.items() if one["basis"] == "attested"} == {*KINDS, "approvals"}
    assert all(one["passed"] and one["value"] is not None for one in found.values())
    unsigned = {"release signatures"}
    product = judge_files(files, subject="pack", container="", trusted=None)
    assert {check.name for check in product.checks if not check.passed} == unsigned
    assert {name for name, held, _ in verify.Judgement(None).judge(dict(files)).checks if not held} == unsigned
    told = json.loads(files[ATTESTED])

    def changed(**fields: Any) -> bytes:
        return canonical({name: value for name, value in {**told, **fields}.items() if value is not None})

    for place, one in enumerate(told["counted"]):
        for other in ({**one, "offenders": ["one offends"]}, {**one, "of": 0}):
            rows = [*told["counted"][:place], other, *told["counted"][place + 1 :]]
            said = verdicts({**files, ATTESTED: changed(counted=rows)})
            if one["kind"] == "expiries" and not other["of"]:
                assert said == ("", "")
            else:
                assert all(f"more-{one['kind']}" in words for words in said)
    wrong = [{**told["approvable"][0], "subject": "another.md"}, *told["approvable"][1:]]
    for fields in ({"counted": None}, {"approvable": None}, {"approvable": wrong}):
        assert all("more-" in words for words in verdicts({**files, ATTESTED: changed(**fields)}))


def test_a_release_whose_count_is_beyond_the_limit_is_not_built(
    release: release_builder.Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "COUNTERS", [of_every_kind, lambda _: iter([row("units", 3, ["SU-01 is untested"])])])
    with pytest.raises(RefusedError, match="more-units"):
        release.build(tmp_path / "pack.zip")


def test_counts_out_of_order_are_refused() -> None:
    told = json.loads(small_pack().files[ATTESTED])
    rows = [row("units", 1, ()).model_dump(mode="json"), row("drafts", 1, ()).model_dump(mode="json")]
    for wrong in (rows, [{**rows[0], "offenders": ["b", "a"]}]):
        with pytest.raises(ValueError, match="not in order"):
            Attested.model_validate_json(json.dumps({**told, "counted": wrong}))
        with pytest.raises(verify.WrongError, match="not in order"):
            verify.fit({**told, "counted": wrong}, "attested", ATTESTED)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from("ABC"), st.sampled_from(["m1", "m2", "m3"]), st.integers(0, 40)),
        min_size=1,
        max_size=9,
    )
)
def test_both_verifiers_compute_the_same_gap_of_subgroups(rows: list[tuple[str, str, int]]) -> None:
    record = small_pack().release.facts.evaluation
    assert record is not None
    first = record.cases[0]
    cases = tuple(
        first.model_copy(
            update={
                "case": f"case-{number}",
                "group": group,
                "attributes": {} if site == "C" else {"site": site},
                "counts": {**first.counts, "dice": OverlapCounts(tp=hits, fp=40 - hits, fn=40 - hits)},
            }
        )
        for number, (site, group, hits) in enumerate(rows)
    )
    mine = subgroup_gap(record.model_copy(update={"cases": cases}), None, "dice", "site")
    said = [one.model_dump(mode="json") for one in cases]
    release = SimpleNamespace(record={"cases": said}, by_class={None: {}})
    [theirs] = verify.Release.gaps(release, {"measure": "dice", "attribute": "site"})
    assert mine == theirs
    assert (mine is None) == (len({site for site, _, _ in rows}) < 2)
    if mine is not None and len(rows) == 2:
        assert mine == pytest.approx(abs(rows[0][2] - rows[1][2]) / 40)


def test_what_is_counted_in_a_tree(tmp_path: Path) -> None:
    source = release_builder.write_source(tmp_path)
    (source / "sdp.md").write_text("# Plan\n\nStatus: draft\n", encoding="utf-8")
    path = source / "requirements" / "all.yaml"
    text = path.read_text(encoding="utf-8")
    tree = Tree.read(source, today=date(2026, 11, 30))
    found = {one.kind: one for one in counted_in(CountSources(tree, (), release_builder.Workspace(tmp_path)))}
    assert set(found) >= {"suspects", "units", "expiries", "drafts"}
    assert found["suspects"].of == 0
    assert found["drafts"].offenders == ("sdp.md says that it is a draft",)
    assert "requirements" in {one.subject for one in approvable_in(tree)}
    before = {one.subject: one.digest for one in approvable_in(tree)}
    path.write_text(text.replace("shall", "shall always", 1), encoding="utf-8")
    after = {one.subject: one.digest for one in approvable_in(Tree.read(source, today=date(2026, 11, 30)))}
    assert before["requirements"] != after["requirements"]
