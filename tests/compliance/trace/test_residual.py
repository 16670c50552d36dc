"""New risks of controls, severity against class, benefit, and what users are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.compliance.risk.risk_file import RiskFile
from minivess.compliance.trace.graph import TraceGraph
from minivess.foundation.errors import InputError
from tests.support.tiny_tree import FILES, write_tree

pytestmark = pytest.mark.verifies("REQ-111", "SU-16")

PLAN, RISKS, CONTROLS = (FILES[f"risk/{name}.yaml"] for name in ("plan", "risks", "controls"))
DISCLOSURE = "disclosure: {from_level: low, document: docs/use.md}\n"
NONE = "    no_new_risks: It adds the same numbers once more.\n"
HIGH = RISKS.replace("residual: {severity: 2, p1: 1", "residual: {severity: 2, p1: 2") + (
    "    as_far_as_possible: Nothing else helps.\n"
)


def gaps(folder: Path, **changes: str) -> list[tuple[str, str]]:
    """Kind and message of each gap of a tree with other texts; `__` stands for a slash, `.yaml` is added."""
    named = {f"{name.replace('__', '/')}.yaml": text for name, text in changes.items() if name != "use"}
    if "use" in changes:
        named["docs/use.md"] = changes["use"]
    return [(gap.kind, gap.message) for gap in TraceGraph.load(write_tree(folder, named)).gaps()]


def test_a_control_says_which_risks_it_brings_or_why_none(tmp_path: Path) -> None:
    silent = CONTROLS.replace(NONE, "")
    [(kind, message)] = gaps(tmp_path / "a", risk__controls=silent)
    assert (kind, message.endswith("does not say why it brings none (`new_risks`, `no_new_risks`)")) == (
        "unexamined-control",
        True,
    )
    both = CONTROLS.replace("no_new_risks: It", "new_risks: [RISK-02]\n    no_new_risks: It")
    second = RISKS + RISKS.removeprefix("risks:\n").replace("RISK-01", "RISK-02").replace("[RC-01]", "[]").replace(
        "initial: {severity: 2, p1: 2", "initial: {severity: 2, p1: 1"
    )
    [(kind, message)] = gaps(tmp_path / "b", risk__controls=both, risk__risks=second)
    assert kind == "unexamined-control"
    assert message.endswith("names risks it brings, and says why it brings none")
    assert gaps(tmp_path / "c", risk__controls=both.replace(NONE, ""), risk__risks=second) == []


def test_a_risk_above_the_level_of_the_plan_must_be_named_to_users(tmp_path: Path) -> None:
    plan = PLAN + DISCLOSURE
    told = ("untold-risk", "RISK-01 remains low, and docs/use.md does not name it")
    assert gaps(tmp_path / "a", risk__plan=plan) == [told]
    assert gaps(tmp_path / "b", risk__plan=plan, use="RISK-011 and XRISK-01") == [told]
    assert gaps(tmp_path / "c", risk__plan=plan, use="It may add wrongly (RISK-01).") == []
    assert gaps(tmp_path / "d", risk__plan=plan.replace("from_level: low", "from_level: high")) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "disclosure: {from_level: none-such, document: docs/use.md}",
        "disclosure: {from_level: low, document: ../use.md}",
        "disclosure: {from_level: low, document: /etc/hostname}",
        "serious_from: 3",
    ],
)
def test_a_plan_that_names_what_is_not_there_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(InputError, match=r"risk/plan\.yaml"):
        gaps(tmp_path, risk__plan=f"{PLAN}{wrong}\n")


@pytest.mark.parametrize(
    ("said", "lack"),
    [
        ("", "RISK-01 is outweighed by a benefit, but `benefit_by` does not name who judged so"),
        (
            "    benefit_by: ada\n",
            "RISK-01 is outweighed by a benefit in the judgement of ada, whom the plan does not let judge so",
        ),
        ("    benefit_by: max\n", None),
    ],
)
def test_a_benefit_outweighs_only_in_the_judgement_of_who_may(tmp_path: Path, said: str, lack: str | None) -> None:
    risks = f"{HIGH}    benefit: It saves lives that nothing else saves.\n{said}"
    found = gaps(tmp_path, risk__plan=f"{PLAN}benefit_approvers: [max]\n", risk__risks=risks)
    assert found == ([] if lack is None else [("missing-link", lack)])


@pytest.mark.parametrize(("letter", "found"), [("A", 1), ("B", 1), ("C", 0)])
def test_serious_harm_before_control_asks_for_class_c(tmp_path: Path, letter: str, found: int) -> None:
    items = f"software_items:\n  - {{id: SI-01, title: t, statement: s, safety_class: {letter}}}\n"
    texts = {"requirements__architecture": items, "risk__plan": f"{PLAN}serious_from: 2\n"}
    said = gaps(tmp_path / "a", **texts)
    assert [kind for kind, _ in said] == ["missing-link"] * found
    assert all(f"but SI-01 is of class {letter}" in message for _, message in said)
    minor = RISKS.replace("severity: 2", "severity: 1")
    assert gaps(tmp_path / "b", risk__risks=minor, **texts) == []


def test_the_overall_residual_risk_is_computed_as_far_as_it_can_be(tmp_path: Path) -> None:
    more = RISKS.removeprefix("risks:\n")
    two = (
        HIGH
        + more.replace("RISK-01", "RISK-02")
        + more.replace("RISK-01", "RISK-03").replace("residual: {severity: 2, p1: 1", "residual: {severity: 2, p1: 2")
    )
    two += "    benefit: It saves lives that nothing else saves.\n    benefit_by: max\n"
    plan = f"{PLAN}disclosure: {{from_level: high, document: docs/use.md}}\n"
    found = RiskFile.load(write_tree(tmp_path, {"risk/risks.yaml": two, "risk/plan.yaml": plan})).overall()
    assert (found.initial, found.residual) == ({"low": 0, "high": 3}, {"low": 1, "high": 2})
    assert (found.unacceptable, found.outweighed) == (("RISK-01", "RISK-03"), ("RISK-03",))
    assert (found.together, found.told) == ({"HARM-01": ("RISK-01", "RISK-03")}, ("RISK-01", "RISK-03"))
    assert found.method == "All of them."
