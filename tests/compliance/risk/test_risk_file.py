"""The risk file: this project's own, and what it refuses."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from minivess.compliance.risk.risk_file import RiskFile
from minivess.foundation.errors import InputError
from minivess.records.items.risk_items import Estimate

pytestmark = pytest.mark.verifies("SU-20")

_ROOT = Path(__file__).parents[3]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    shutil.copytree(_ROOT / "risk", tmp_path / "risk")
    return tmp_path


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_our_own_risks_are_acceptable_after_control_and_owe_no_reason(source: Path) -> None:
    file = RiskFile.load(source)
    assert len(file.risks) >= 14
    assert file.gaps() == ()
    assert {file.verdict(risk).verdict for risk in file.risks} == {"acceptable"}


@pytest.mark.verifies("REQ-034")
def test_levels_follow_the_plan_when_it_changes(source: Path) -> None:
    before = RiskFile.load(source)
    estimate = Estimate(severity=3, p1=5, p2=4)
    assert before.level(estimate) == "high"
    _edit(source / "risk/plan.yaml", "[low, medium, medium, high, high]", "[low, medium, medium, medium, high]")
    assert RiskFile.load(source).level(estimate) == "medium"


@pytest.mark.verifies("REQ-034")
def test_a_wished_for_verdict_is_refused_with_its_line(source: Path) -> None:
    path = source / "risk/risks.yaml"
    _edit(path, "residual: { severity: 3, p1: 3, p2: 4 }", "residual: { severity: 3, p1: 5, p2: 4 }")
    line = next(n for n, text in enumerate(path.read_text().splitlines(), start=1) if "id: RISK-01" in text)
    with pytest.raises(InputError, match=rf"^risk/risks\.yaml:{line}: the verdict typed for RISK-01 is acceptable"):
        RiskFile.load(source)


def test_the_matrix_holds_every_risk_twice(source: Path) -> None:
    file = RiskFile.load(source)
    cells = [cell for row in file.matrix() for cell in row]
    assert sorted(name for cell in cells for name in cell.initial) == sorted(risk.id for risk in file.risks)
    assert sorted(name for cell in cells for name in cell.residual) == sorted(risk.id for risk in file.risks)
    assert [row[0].severity for row in file.matrix()] == [5, 4, 3, 2, 1]
    for cell in cells:
        for name in cell.residual:
            risk = next(risk for risk in file.risks if risk.id == name)
            assert file.level(risk.residual) == cell.level


def test_a_risk_that_stays_unacceptable_is_a_gap(source: Path) -> None:
    _edit(
        source / "risk/risks.yaml", "residual: { severity: 3, p1: 2, p2: 3 }", "residual: { severity: 3, p1: 5, p2: 4 }"
    )
    assert [(gap.kind, gap.item) for gap in RiskFile.load(source).gaps()] == [
        ("unfounded-estimate", "RISK-02"),
        ("unacceptable-risk", "RISK-02"),
    ]


@pytest.mark.verifies("REQ-266")
def test_a_risk_above_the_best_level_states_that_it_is_reduced_as_far_as_possible(source: Path) -> None:
    _edit(
        source / "risk/risks.yaml",
        "as_far_as_possible: >-\n      A lower threshold",
        "benefit: >-\n      A lower threshold",
    )
    [gap] = RiskFile.load(source).gaps()
    assert (gap.kind, gap.item) == ("unfounded-estimate", "RISK-01")
    assert "remains medium, and nothing states why no further control is practicable" in gap.message


@pytest.mark.verifies("REQ-265")
def test_each_lower_estimate_of_our_own_risks_has_a_basis(source: Path) -> None:
    """Without their bases, exactly the risks that lower severity or P2, or P1 by more than one step, are reported."""
    for path in (source / "risk").glob("*.yaml"):
        text = re.sub(r"    bases:\n(      .*\n)+", "", path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")
    file = RiskFile.load(source)
    lowered = [
        risk.id
        for risk in file.risks
        for before, after in (
            (risk.initial.severity, risk.residual.severity),
            (risk.initial.p1 - 1, risk.residual.p1),
            (risk.initial.p2, risk.residual.p2),
        )
        if after < before
    ]
    assert len(lowered) > 40
    assert [gap.item for gap in file.gaps()] == lowered
    assert {gap.kind for gap in file.gaps()} == {"unfounded-estimate"}


def test_an_estimate_off_the_scales_is_refused(source: Path) -> None:
    with pytest.raises(InputError, match="severity 6 is not on the plan's scale of 1 to 5"):
        RiskFile.load(source).level(Estimate(severity=6, p1=1, p2=1))
