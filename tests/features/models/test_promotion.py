"""Steps of features/promotion.feature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, scenarios, then, when

from minivess.compliance.audit.promotions import Promotions
from minivess.foundation.errors import RefusedError, UsageError
from minivess.records.artifact import Artifact
from minivess.records.device.project import Project
from minivess.records.evaluation.evaluation import Looks
from minivess.records.log.entry import Draft, Outcome
from minivess.records.people.roles import Role
from minivess.workflows.models.promotion import promote
from tests.support.builders import audit_logs
from tests.support.projects import POLICY, ProjectFolder, evaluate_toy_model, record_look

scenarios("promotion.feature")

FIRST, SECOND = (f"sha256:{digit * 64}" for digit in "12")


@given("a project with an exported model", target_fixture="state")
def _(sealed_project: ProjectFolder, tmp_path: Path) -> Iterator[dict[str, Any]]:
    project = sealed_project.copy_to(tmp_path / "project")
    evaluate_toy_model(project)
    with project.services() as services:
        exported = [entry.body for entry in services.log.entries(actions={"model.export"})][-1]
        yield {"services": services, "signers": project.signers, "model": exported.outputs[0].digest}


@given("a log in which two models were exported", target_fixture="state")
def _(tmp_path: Path) -> dict[str, Any]:
    desk = audit_logs.start(tmp_path / "desk")
    payload = {"opset": 18, "max_abs_difference": 0.0, "tolerance": 0.001}
    for digest in (FIRST, SECOND):
        made = (Artifact(name="models/model.onnx", digest=digest),)
        draft = Draft(action="model.export", outcome=Outcome.COMPLETED, outputs=made, payload=payload)
        desk.log.append(draft, desk.ada)
    ben, services = audit_logs.person("ben", Role.REVIEWER), desk.services()
    enrolled = {"identity": ben.identity.model_dump(mode="json")}
    desk.log.append(Draft(action="identity.enrolled", outcome=Outcome.COMPLETED, payload=enrolled), desk.max)
    services = replace(services, project=_two_looks(services.project))
    policy = services.workspace / "release" / "policy.yaml"
    policy.parent.mkdir(parents=True)
    policy.write_text(POLICY, encoding="utf-8")
    for digest in (FIRST, SECOND):
        record_look(services, {"ada": desk.ada, "rosa": ben, "max": desk.max}, digest)
    return {"services": services, "max": desk.max}


def _two_looks(project: Project) -> Project:
    looks = project.evaluation.model_copy(update={"looks": Looks(per_release=2, total=2)})
    return project.model_copy(update={"evaluation": looks})


@when("Max puts it into production")
def _(state: dict[str, Any]) -> None:
    promote(state["services"], state["signers"]["max"], state["model"], stage="production", reason="it was released")


@when("the first and then the second is put into production")
def _(state: dict[str, Any]) -> None:
    for digest in (FIRST, SECOND):
        promote(state["services"], state["max"], digest, stage="production", reason="it was released")


@then("the log says that it is in production")
def _(state: dict[str, Any]) -> None:
    assert Promotions.fold(state["services"].log.entries()).production == state["model"]


@then("putting it there again is refused")
def _(state: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="already"):
        promote(state["services"], state["signers"]["max"], state["model"], stage="production", reason="again")


@then("a model without an export is refused")
def _(state: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="no completed export"):
        promote(state["services"], state["signers"]["max"], FIRST, stage="production", reason="from elsewhere")


@then("Ada may not promote it")
def _(state: dict[str, Any]) -> None:
    with pytest.raises(RefusedError, match="no release manager"):
        promote(state["services"], state["signers"]["ada"], state["model"], stage="retired", reason="I want to")


@then("the second is in production and the first is retired")
def _(state: dict[str, Any]) -> None:
    standing = Promotions.fold(state["services"].log.entries())
    assert (standing.production, standing.stages[FIRST]) == (SECOND, "retired")
