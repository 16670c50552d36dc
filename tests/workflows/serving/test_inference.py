"""The inference service below HTTP: what is served, and what is recorded when things go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import UsageError, VerificationError
from minivess.records.data.dataset import LabelClass
from minivess.records.log.entry import Outcome
from minivess.records.models.task import SegmentationTask
from minivess.workflows.people import accounts
from minivess.workflows.serving.answers import OpenedModel
from minivess.workflows.serving.inference import InferenceService, open_model
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from tests.support.builders import audit_logs
from tests.support.projects import ProjectFolder, export_toy_model, put_into_use, write_toy_graph
from tests.support.servers import served

pytestmark = pytest.mark.verifies("SU-42")


@pytest.fixture
def project(servable_project: ProjectFolder, tmp_path: Path) -> ProjectFolder:
    return servable_project.copy_to(tmp_path / "project")


def start(project: ProjectFolder) -> None:
    with project.services() as services:
        open_model(services)


@pytest.mark.verifies("RC-04")
def test_only_the_newest_recorded_export_is_served(project: ProjectFolder) -> None:
    old = project.workspace.onnx.read_bytes()
    start(project)
    write_toy_graph(project.workspace.onnx, bias=1.0)
    with pytest.raises(VerificationError):
        start(project)
    export_toy_model(project, bias=1.0)
    with pytest.raises(VerificationError, match="not evaluated"):
        start(project)
    put_into_use(project)
    start(project)
    project.workspace.onnx.write_bytes(old)
    with pytest.raises(VerificationError):
        start(project)


@pytest.mark.verifies("REQ-348")
def test_channels_axes_and_classes_are_those_of_the_export(project: ProjectFolder) -> None:
    vessel = SegmentationTask(classes=(LabelClass(value=7, name="vessel"),))
    export_toy_model(project, bias=0.1, task=vessel)
    put_into_use(project)
    with served.running(project) as service:
        assert service.engine.model.task == vessel
        image, spacing = service.volume()
        answer = service.engine.answer(image, spacing, "first")
        assert answer.mask is not None
        assert np.unique(answer.mask).tolist() == [0, 7]
        assert [one.label.name for one in answer.classes] == ["vessel"]
        assert answer.foreground_fraction == pytest.approx(np.mean(answer.mask == 7))


@pytest.mark.verifies("RC-04")
def test_an_export_that_failed_does_not_count(project: ProjectFolder) -> None:
    write_toy_graph(project.workspace.onnx, bias=2.0)

    def export(services: Services) -> None:
        with recorded(services, "model.export", project.signers["ada"], context=services.context()) as record:
            record.output("models/model.onnx", project.workspace.onnx)
            raise RuntimeError("parity was out of bounds")

    with project.services() as services, pytest.raises(RuntimeError):
        export(services)
    with pytest.raises(VerificationError):
        start(project)


def test_without_a_guarantee_there_is_no_conformal_mask(started_project: ProjectFolder, tmp_path: Path) -> None:
    project = started_project.copy_to(tmp_path / "project")
    served.prepare(project, threshold=None)
    with served.running(project) as service:
        assert (service.engine.model.threshold, service.engine.model.conformal_thresholds) == (0.5, (None,))
        image, spacing = service.volume()
        assert service.send(image, spacing).json()["conformal_mask"] is None


@pytest.mark.verifies("REQ-027")
def test_a_prediction_that_fails_is_recorded_as_failed_and_not_answered(project: ProjectFolder) -> None:
    class Broken:
        def predict_watched(self, image: object, spacing: object, watch: object, *, disagreement: bool = False) -> Any:
            raise RuntimeError("out of memory")

    with served.running(project) as service:
        opened = OpenedModel(Broken(), service.engine.model, service.services.context())
        engine = InferenceService(service.serving, opened)
        image, spacing = service.volume()
        with pytest.raises(RuntimeError):
            engine.answer(image, spacing, "request-1")
        assert service.entries()[-1].body.outcome is Outcome.FAILED


@pytest.mark.verifies("REQ-027", "REQ-029")
def test_every_request_is_one_entry_pinned_to_model_and_intended_use(project: ProjectFolder) -> None:
    with served.running(project) as service:
        image, spacing = service.volume()
        answer = service.engine.answer(image, spacing, "first")
        refused = service.engine.answer(image, (99.0, 1.0, 1.0), "second")
        assert (answer.decision, refused.decision) == ("answered", "refused")
        assert refused.mask is None
        assert answer.mask is not None
        assert answer.foreground_fraction == pytest.approx(answer.mask.mean())
        first, second = (entry.body for entry in service.entries())
        assert (first.outcome, second.outcome) == (Outcome.COMPLETED, Outcome.REFUSED)
        names = {item.name for item in first.inputs}
        assert names == {
            "models/export.json",
            "service/intended-use",
            "service/calibrator",
            "service/decision-rule",
            "requests/first",
        }
        assert first.actor == accounts.INFERENCE_IDENTITY
        assert (
            audit_logs.told(service.serving.services.log, second).payload["decision"].startswith("refused: spacing 99")
        )


def test_long_reasons_fit_into_the_entry(project: ProjectFolder) -> None:
    with served.running(project) as service:
        reasons = tuple(f"reason {number} is a rather long sentence about an axis" for number in range(9))
        sent = digest_bytes(b"sent")
        assert service.engine.refuse(reasons, "request-1", source=sent).reasons == reasons
        assert len(audit_logs.told(service.serving.services.log, service.entries()[-1].body).payload["decision"]) == 200
        with pytest.raises(UsageError):
            service.engine.refuse((), "request-2", source=sent)
