"""A gate or a check of nothing fails: each kind is judged with an empty denominator, in both verifiers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from minivess.compliance.release.gates import judge
from minivess.compliance.release.gating.denominators import DENOMINATORS
from minivess.compliance.release.lineage_events import EVENTS
from minivess.compliance.verification.bag import check_bag
from minivess.compliance.verification.conduct import check_odometer, check_provenance
from minivess.compliance.verification.pack import judge_files
from minivess.compliance.verification.pack_checks.inclusion import check_proofs
from minivess.compliance.verification.pack_checks.lineage import check_lineage
from minivess.foundation.errors import VerificationError
from minivess.records.device.attested import AttestedKind, Counted
from minivess.records.device.release import GateFacts
from minivess.records.device.release_policy import BUILT_IN_KINDS, CountGate, Gate, ReleasePolicy
from tests.support.builders.guarded_log import VERIFY
from tests.support.builders.layout2_pack import small_pack
from tests.support.builders.pack_builder import bag

pytestmark = pytest.mark.verifies("REQ-269", "RC-123", "SU-14")

SIGNATURES = {
    "name": "release",
    "rules": [
        {"role": "independent-reviewer", "meaning": "review"},
        {"role": "release-manager", "meaning": "approval"},
    ],
}
LIMITS: dict[str, dict[str, Any]] = {
    "metric": {"measure": "dice", "at_least": 0.0},
    "baseline": {"at_least": -1.0},
    "parity": {"at_most": 1.0},
    "calibration": {"at_most": 1.0},
    "conformal": {"at_least": 0.0},
    "subgroups": {"measure": "dice", "attribute": "site", "at_most": 1.0},
    "latency": {"at_most": 1.0},
    "witness": {"at_most": 1.0},
    "clauses": {"standard": "IEC 62304"},
}
KINDS = (
    "metric",
    "baseline",
    "parity",
    "calibration",
    "pretraining",
    "conformal",
    "subgroups",
    "latency",
    "witness",
    *get_args(CountGate.model_fields["kind"].annotation),
)
UNCOUNTED = {"log checkpoint"}
"""Checks of one thing: this one is about the signature of the log on its checkpoint."""
FIXED = set(BUILT_IN_KINDS)
"""What these gates count is fixed in the program."""


def empty_facts() -> GateFacts:
    """Facts in which nothing is wrong, because there is nothing."""
    facts = small_pack().release.facts
    assert facts.evaluation is not None
    assert facts.export is not None
    assert facts.risks is not None
    assert facts.report is not None
    none = {"mean": 1.0, "lower": 1.0, "upper": 1.0, "n": 0}
    intervals = {name: one.model_copy(update=none) for name, one in facts.evaluation.aggregates.items()}
    recall = facts.evaluation.conformal_recall
    assert recall is not None
    figures = {"cases": (), "aggregates": intervals, "ece": 0.0, "conformal_recall": recall.model_copy(update=none)}
    return facts.model_copy(
        update={
            "evaluation": facts.evaluation.model_copy(update=figures),
            "export": facts.export.model_copy(update={"tested_patches": 0, "max_abs_difference": 0.0}),
            "members": 0,
            "unmet": (),
            "registered": 0,
            "gaps": (),
            "requirements": 0,
            "risks": facts.risks.model_copy(update={"risks": (), "controls": ()}),
            "openings": 0,
            "chapters": (),
            "undisposed": (),
            "runs": 0,
            "undelivered": (),
            "lineage_runs": 0,
            "report": facts.report.model_copy(update={"results": ()}),
            "counted": counted(0, ()),
            "approvable": 0,
            "unapproved": (),
        }
    )


def counted(of: int, offenders: tuple[str, ...]) -> tuple[Counted, ...]:
    """The same count of every kind that a tool counts."""
    kinds: tuple[AttestedKind, ...] = get_args(AttestedKind)
    standards = {"clauses": "IEC 62304"}
    return tuple(Counted(kind=one, about=standards.get(one, ""), of=of, offenders=offenders) for one in kinds)


def gate_of(kind: str) -> Gate:
    row = {"id": kind, "kind": kind, **LIMITS.get(kind, {})}
    return ReleasePolicy.model_validate({"signatures": SIGNATURES, "gates": [row]}).gates[0]


def test_each_kind_of_gate_has_a_denominator() -> None:
    assert set(DENOMINATORS) == set(KINDS)
    assert {kind for kind, one in DENOMINATORS.items() if one.may_be_zero} == {"test-set", "documents", "expiries"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_gate_over_nothing_fails_and_says_so(kind: str) -> None:
    policy = ReleasePolicy.model_validate({"signatures": SIGNATURES, "gates": [gate_of(kind)]})
    result = judge(policy, empty_facts())[0]
    if DENOMINATORS[kind].may_be_zero:
        assert result.passed
        assert DENOMINATORS[kind].may_be_zero in result.message
    elif kind == "source":
        assert result.passed
        assert f"{result.of} possible reasons" in result.message
    else:
        assert not result.passed
        assert result.value is None or kind in FIXED
        assert result.mend


@pytest.mark.parametrize("kind", KINDS)
def test_a_gate_prints_what_its_figure_is_a_part_of(kind: str) -> None:
    policy = ReleasePolicy.model_validate({"signatures": SIGNATURES, "gates": [gate_of(kind)]})
    facts = small_pack().release.facts
    assert facts.evaluation is not None
    cases = tuple(
        one.model_copy(update={"attributes": {"site": site}})
        for one, site in zip(facts.evaluation.cases, itertools.cycle(("A", "B")), strict=False)
    )
    facts = facts.model_copy(
        update={
            "evaluation": facts.evaluation.model_copy(update={"cases": cases}),
            "chapters": ("the text is missing",),
            "counted": counted(3, ("one offends",)),
            "approvable": 2,
            "unapproved": ("sdp.md",),
            "witnessed": 0.5,
        }
    )
    result = judge(policy, facts)[0]
    assert result.of is not None
    assert DENOMINATORS[kind].words(result.of) in result.message or kind == "counts"


def _made_nothing() -> Iterator[tuple[str, Callable[[], str], str]]:
    files, entries = small_pack().files, small_pack().log.facts.entries
    without = {name: content for name, content in files.items() if not name.startswith("data/audit/proofs/")}
    lines = small_pack().log.facts.lines
    register = small_pack().log.facts.register
    none = {name: content for name, content in files.items() if not name.startswith("data/")}
    yield "bag", lambda: check_bag(bag(none)), "the pack has no payload file"
    yield "proofs", lambda: check_proofs(without, lines, register, None), "no inclusion proof"
    yield "provenance", lambda: check_provenance({}, entries), "no result of an action"
    yield "lineage", lambda: check_lineage({EVENTS: b""}, ()), "has no event"


def test_a_check_of_nothing_fails() -> None:
    for name, check, words in _made_nothing():
        with pytest.raises(VerificationError, match=words):
            check()
        assert name


def test_what_may_be_zero_says_why() -> None:
    files = {"data/evaluation/odometer.json": b'{"openings":0}'}
    assert check_odometer(files, 0) == "no look at the test set: the log has no approval of one"


def script_checks() -> Iterator[tuple[Callable[[], str], str]]:
    """Each check of verify.py that counts something, with nothing to count."""
    pack = VERIFY.Pack({EVENTS: b""}, None)
    yield lambda: VERIFY.Pack(bag({}), None).check_bag(), "no payload file"
    yield pack.check_proofs, "no inclusion proofs"
    yield pack.check_provenance, "no result of an action"
    release = SimpleNamespace(pack=pack, files=pack.files)
    release.events = lambda bodies: VERIFY.Release.events(release, bodies)
    yield lambda: VERIFY.Release.check_lineage(release), "has no event"
    yield lambda: VERIFY.Pack.check_signatures(VERIFY.Pack({}, None)), "not signed"


def test_a_check_of_nothing_fails_in_the_script_too() -> None:
    for check, words in script_checks():
        with pytest.raises(VERIFY.WrongError, match=words):
            check()


def test_each_check_line_of_a_pack_has_a_number_in_both_verifiers() -> None:
    pack = small_pack()
    verdict = judge_files(pack.files, subject="pack", container="1 file", trusted=None)
    held = {check.name: check.detail for check in verdict.checks if check.passed}
    theirs = {name: words for name, passed, words in VERIFY.Judgement(None).judge(pack.files).checks if passed}
    assert {"chain", "files", "source", "figures", "gates", "signing text", "proofs", "lineage"} <= set(held)
    for lines in (held, theirs):
        assert [name for name, words in lines.items() if not any(char.isdigit() for char in words)] == [
            name for name in lines if name in UNCOUNTED
        ]
