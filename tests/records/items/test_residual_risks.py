"""Residual risks as a pack holds them: every level is looked up in the matrix, and nothing typed decides."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.risk.risk_file import RiskFile
from minivess.foundation.errors import InputError
from minivess.records.items.residual_risks import ResidualRisks
from minivess.records.items.risk_plan import RiskPlan
from tests.support.properties import given
from tests.support.properties import strategies as st
from tests.support.tiny_tree import FILES, write_tree

pytestmark = pytest.mark.verifies("REQ-231")
STEPS = ("0.0001", "0.01", "0.1", "1")
MATRIX = [
    ["low", "low", "low", "medium"],
    ["low", "low", "medium", "high"],
    ["low", "medium", "high", "high"],
]
PLAN = {
    "scope": "Everything.",
    "severity": [{"word": word, "meaning": word} for word in ("minor", "serious", "critical")],
    "probability": {
        "inclusive": "upper",
        "combine": "product-of-upper-limits",
        "steps": [{"word": f"step {upper}", "upper": upper, "meaning": "m"} for upper in STEPS],
    },
    "software_p1": "The last step.",
    "levels": [
        {"name": "low", "acceptable": True, "meaning": "fine"},
        {"name": "medium", "acceptable": True, "meaning": "fine"},
        {"name": "high", "acceptable": False, "meaning": "not fine"},
    ],
    "matrix": MATRIX,
    "overall": "All of them.",
    "review": "Before each release.",
}
estimates = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))


def _risk(number: int, estimate: tuple[int, int, int], benefit: str | None = None) -> dict[str, Any]:
    severity, p1, p2 = estimate
    return {
        "id": f"RISK-{number:02}",
        "residual": {"severity": severity, "p1": p1, "p2": p2},
        "controls": ["RC-01"],
        "benefit": benefit,
    }


def _risks(*risks: dict[str, Any], controls: tuple[str, ...] = ("RC-01",)) -> ResidualRisks:
    return ResidualRisks.model_validate({"plan": PLAN, "risks": risks, "controls": controls})


@given(estimates=st.lists(estimates, min_size=1, max_size=8))
def test_levels_are_those_of_an_independent_look_up(estimates: list[tuple[int, int, int]]) -> None:
    found = _risks(*(_risk(n + 1, one) for n, one in enumerate(estimates)))
    expected = []
    for severity, p1, p2 in estimates:
        product = Decimal(STEPS[p1 - 1]) * Decimal(STEPS[p2 - 1])
        step = next(n for n, upper in enumerate(STEPS) if product <= Decimal(upper))
        expected.append(MATRIX[severity - 1][step])
    assert [found.level(one) for one in found.risks] == expected
    assert found.counts() == {name: expected.count(name) for name in ("low", "medium", "high")}
    assert list(found.counts()) == ["low", "medium", "high"]
    assert [one.id for one in found.unacceptable()] == [
        f"RISK-{n + 1:02}" for n, name in enumerate(expected) if name == "high"
    ]


def test_a_product_is_exact() -> None:
    [risk] = _risks(_risk(1, (2, 3, 3))).risks  # 0.1 times 0.1 is 0.01 and not more
    assert _risks(_risk(1, (2, 3, 3))).level(risk) == "low"


def test_a_benefit_that_was_judged_outweighs_a_risk() -> None:
    assert _risks(_risk(1, (3, 4, 4))).unacceptable()
    assert not _risks(_risk(1, (3, 4, 4), "It saves lives.")).unacceptable()


@pytest.mark.parametrize(
    ("risks", "controls", "words"),
    [
        ([_risk(1, (1, 1, 1)), _risk(1, (1, 1, 1))], ("RC-01",), "the risk RISK-01 is there twice"),
        ([_risk(1, (1, 1, 1))], ("RC-01", "RC-01"), "the control RC-01 is there twice"),
        ([_risk(1, (1, 1, 1))], ("RC-02",), "RISK-01 names the control RC-01, which is not among the controls"),
        ([_risk(1, (4, 1, 1))], ("RC-01",), "RISK-01: severity 4 is not on the plan's scale"),
        ([_risk(1, (1, 5, 1))], ("RC-01",), "RISK-01: p1 5 is not on the plan's scale"),
        ([{**_risk(1, (1, 1, 1)), "level": "low"}], ("RC-01",), "Extra inputs"),
    ],
)
def test_risks_that_cannot_be_looked_up_are_refused(
    risks: list[dict[str, Any]], controls: tuple[str, ...], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        _risks(*risks, controls=controls)


def test_the_file_of_a_tree_is_read_back(tmp_path: Path) -> None:
    risks = RiskFile.load(write_tree(tmp_path)).residual()
    assert ResidualRisks.model_validate_json(canonical(risks), strict=True) == risks
    assert RiskPlan.model_validate_json(canonical(risks.plan), strict=True) == risks.plan


@pytest.mark.parametrize(("by", "counts"), [("max", True), ("ada", False), (None, False)])
def test_a_benefit_counts_in_the_judgement_of_an_approver_of_the_plan(
    tmp_path: Path, by: str | None, counts: bool
) -> None:
    words = "    benefit: It saves lives.\n" + ("" if by is None else f"    benefit_by: {by}\n")
    high = FILES["risk/risks.yaml"].replace(
        "residual: {severity: 2, p1: 1, p2: 2}", "residual: {severity: 2, p1: 2, p2: 2}"
    )
    changes = {
        "risk/plan.yaml": FILES["risk/plan.yaml"] + "benefit_approvers: [max]\n",
        "risk/risks.yaml": high + words,
    }
    risks = RiskFile.load(write_tree(tmp_path, changes)).residual()
    assert [risks.level(one) for one in risks.risks] == ["high"]
    assert (not risks.unacceptable()) == counts


def test_a_risk_file_with_an_unknown_control_gives_no_risks_of_a_release(tmp_path: Path) -> None:
    text = FILES["risk/risks.yaml"].replace("controls: [RC-01]", "controls: [RC-07]")
    with pytest.raises(InputError, match="RC-07"):
        RiskFile.load(write_tree(tmp_path, {"risk/risks.yaml": text})).residual()
