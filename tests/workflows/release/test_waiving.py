"""`minivess release waive`: what it writes, what it refuses, and how `release check` shows a waived gate."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from minivess.foundation.errors import MinivessError
from minivess.records.log.payloads.evidence import GateWaived
from minivess.workflows.release import waiving
from minivess.workflows.release.check import check_release
from minivess.workflows.release.facts import ReleaseFacts
from tests.support import sample_projects
from tests.support.command_line import run_here
from tests.support.projects import ProjectFolder

pytestmark = [pytest.mark.verifies("REQ-552", "RC-231"), pytest.mark.verifies("SU-40", "SU-45")]

UNTIL = date(2099, 6, 30)
WHY: dict[str, Any] = {
    "reason": "the intended use is narrower until the next training",
    "owner": "rosa",
    "until": UNTIL,
}


def project_whose_gate_fails(folder: Path) -> ProjectFolder:
    project = sample_projects.releasable().copy_to(folder / "project")
    policy = project.workspace.root / "release" / "policy.yaml"
    text = policy.read_text(encoding="utf-8")
    policy.write_text(text.replace("at_least: 0.01", "at_least: 0.999"), encoding="utf-8")
    return project


def test_a_gate_is_waived_and_shown(tmp_path: Path) -> None:
    project = project_whose_gate_fails(tmp_path)
    with project.services() as services:
        [failing] = [one for one in check_release(services).gates if not one.passed]
        risk = ReleaseFacts.read(services).tree.risks.residual().risks[0].id
        for wrong, words in (
            ({"gate": "nothing"}, "has no gate nothing"),
            ({"gate": "criteria"}, "no waiver lets a gate of the kind criteria fail"),
            ({"gate": "scenarios"}, "passes"),
            ({"owner": "nobody"}, "nobody is not enrolled"),
            ({"risk": "RISK-99"}, "no risk RISK-99"),
            ({"until": date(2020, 1, 1)}, "is past"),
            ({"reason": ""}, "reason"),
        ):
            asked: dict[str, Any] = {"gate": failing.id, "risk": risk, **WHY, **wrong}
            with pytest.raises(MinivessError, match=words):
                waiving.waive(services, project.signers["max"], **asked)
        with pytest.raises(MinivessError, match="ada"):
            waiving.waive(services, project.signers["ada"], failing.id, risk=risk, **WHY)
        receipt = waiving.waive(services, project.signers["max"], failing.id, risk=risk, **WHY)
        said = GateWaived.model_validate(services.log.entry(receipt.index).body.payload)
        assert (said.gate, said.version, said.owner) == (failing.id, services.project.device.version, "rosa")
        assert said.found.startswith(failing.title)
        found = check_release(services)
        assert found.failing == ()
        [waived] = [one for one in found.gates if one.waived is not None]
        assert (waived.id, waived.passed) == (failing.id, False)
        assert not any(failing.id in reason.message for reason in found.reasons)
    root = project.workspace.root
    told = run_here("-C", str(root), "release", "check", folder=root)
    assert [line.split()[:2] for line in told.out.splitlines() if line.startswith("WAIVED")] == [["WAIVED", failing.id]]
    data = json.loads(run_here("-C", str(root), "release", "check", "--json", folder=root).out)
    [gate] = [one for one in data["gates"] if one["gate"] == failing.id]
    assert (gate["passed"], gate["waived"]) == (False, receipt.index)
