"""Export of real PyTorch networks (small convolutions, no MONAI); slow because of the exporter's imports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.digests import digest_file
from minivess.foundation.errors import RefusedError, UsageError
from minivess.ml.export.folder import ExportTerms, calibrator_of, write_export
from minivess.ml.export.graphs import graphs_of
from minivess.ml.export.parity import ParityImage
from minivess.ml.inference.exported_model import ExportedModel
from minivess.ml.inference.onnx_predictor import OnnxPredictor
from minivess.ml.inference.predictor import CalibratedPredictor, EnsemblePredictor, NetworkPredictor
from minivess.records.data.dataset import LabelClass
from minivess.records.models.exports.choice import ExportChoice
from minivess.records.models.exports.contract import AppliedCalibrator, Licences
from minivess.records.models.model import CalibrationRecord
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.task import SegmentationTask
from tests.support.builders.exports import USE
from tests.support.lazy_modules import lazily

with lazily("torch"):
    import torch

pytestmark = pytest.mark.verifies("SU-34")

SMALL, LARGE = SegResNetSpec(patch=(8, 12, 12)), SegResNetSpec(patch=(8, 16, 16))
CALIBRATION = CalibrationRecord(
    temperature=0.6,
    ece_before=0.1,
    ece_after=0.1,
    band_ece_before=0.1,
    band_ece_after=0.1,
    threshold=0.3,
    target_recall=0.9,
    achieved_recall=0.9,
    cases=("a",),
    method="temperature scaling; conformal risk control",
    note="",
)


def _ensemble(seed: int, *specs: SegResNetSpec) -> EnsemblePredictor:
    torch.manual_seed(seed)
    members = []
    for spec in specs or (SMALL, SMALL):
        network = torch.nn.Sequential(
            torch.nn.Conv3d(1, 4, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.MaxPool3d(2),
            torch.nn.Upsample(scale_factor=2),
            torch.nn.Conv3d(4, 1, 3, padding=1),
        )
        members.append(NetworkPredictor(network, spec, "cpu"))
    return EnsemblePredictor(members)


def _terms(*models: SegResNetSpec, **choice: object) -> ExportTerms:
    licences = Licences(code="MIT", weights="CC0-1.0", data="CC0-1.0")
    chosen = ExportChoice.model_validate(choice)
    return ExportTerms(models or (SMALL, SMALL), CALIBRATION, USE, licences, chosen, rounds=1)


def _images(count: int = 2) -> list[ParityImage]:
    rng = np.random.default_rng(1)
    images = [rng.gamma(2, 2, (10, 20, 15)).astype(np.float32) for _ in range(count)]
    return [ParityImage(f"case-{n}", one, (one > 6).astype(np.uint8)) for n, one in enumerate(images)]


TRAINING = [(np.random.default_rng(2).gamma(2, 2, (10, 20, 15)), None)] * 2


def _export(folder: Path, ensemble: EnsemblePredictor, terms: ExportTerms) -> ExportedModel:
    record = write_export(ensemble, terms, folder, images=_images(), training=TRAINING)
    opened = ExportedModel.open(folder)
    assert opened.record == record
    assert opened.digest == digest_file(folder / "export.json")
    return opened


@pytest.mark.slow
@pytest.mark.verifies("REQ-026", "RC-05")
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_graph_repeats_members_that_are_sure_of_a_voxel(outputs: int) -> None:
    """Logits to 25, as a network gives them in the evenly dark corners of endoscopic pictures."""
    classes = tuple(LabelClass(value=number, name=f"class {number}") for number in range(1, max(2, outputs)))
    task = SegmentationTask(classes=classes)
    members = []
    for factor in (1.0, 0.8):
        network = torch.nn.Conv3d(1, outputs, 1)
        torch.nn.init.constant_(network.bias, 0.5)
        with torch.no_grad():
            network.weight.copy_(factor * torch.linspace(1, -1, outputs).reshape(-1, 1, 1, 1, 1))
        members.append(NetworkPredictor(network, SMALL, "cpu", task=task))
    ensemble = EnsemblePredictor(members)
    calibrator = AppliedCalibrator(method="temperature scaling", parameter=4.0, inside=True)
    graph = OnnxPredictor(graphs_of(ensemble, calibrator)[0].data, SMALL, task=task)
    patch = np.linspace(-25, 25, 8 * 12 * 12, dtype=np.float32).reshape(1, 1, *SMALL.patch)
    expected = CalibratedPredictor(ensemble, 4.0)
    np.testing.assert_allclose(graph.logits(patch), expected.logits(patch), atol=2e-6)
    np.testing.assert_allclose(graph.forward(patch), expected.forward(patch), atol=1e-6)


@pytest.mark.slow
@pytest.mark.verifies("REQ-026", "REQ-341", "REQ-342", "REQ-344", "RC-05", "RC-143")
def test_an_ensemble_is_exported_quietly_with_the_outputs_and_backends_that_were_asked(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = ("member_logits", "disagreement", "embedding")
    backends = ("onnxruntime fp32", "onnxruntime int8")
    opened = _export(tmp_path, _ensemble(0), _terms(outputs=asked, backends=backends))
    assert capfd.readouterr() == ("", "")
    record, contract = opened.record, opened.record.model
    assert contract is not None
    assert record.onnx == digest_file(tmp_path / "model.onnx")
    assert 0 < record.max_abs_difference <= 1e-4
    assert record.tested_patches == 2 * 2 * 2 * 2
    assert [one.name for one in contract.backends] == list(backends)
    assert contract.backends[1].parity.max_probability_difference > record.max_abs_difference
    assert contract.calibrator.inside
    image = _images(3)[2].image
    expected = CalibratedPredictor(_ensemble(0), 0.6).predict(image)
    graph = OnnxPredictor(tmp_path / "model.onnx", SMALL)
    np.testing.assert_allclose(graph.predict(image), expected, atol=1e-4)
    np.testing.assert_allclose(opened.predict(image), expected, atol=1e-4 if len(contract.files) == 1 else 0.2)

    patches = np.random.default_rng(3).normal(size=(2, 1, *SMALL.patch)).astype(np.float32)
    members = [member.logits(patches) for member in _ensemble(0).members]
    probabilities = np.stack([member.forward(patches) for member in _ensemble(0).members])
    np.testing.assert_allclose(graph.output("member_logits", patches), np.stack(members, axis=1), atol=1e-4)
    np.testing.assert_allclose(graph.output("disagreement", patches), probabilities.std(axis=0), atol=1e-5)
    assert graph.output("embedding", patches).shape == (2, 4)
    with pytest.raises(UsageError, match="no output attention"):
        graph.output("attention", patches)


@pytest.mark.slow
@pytest.mark.verifies("REQ-341", "REQ-343")
def test_members_with_other_patches_have_a_graph_each_and_whole_answers_are_combined(tmp_path: Path) -> None:
    opened = _export(tmp_path, _ensemble(0, SMALL, LARGE), _terms(SMALL, LARGE))
    contract = opened.record.model
    assert contract is not None
    assert [one.file for one in contract.graphs] == ["model.onnx", "graphs/member-1.onnx"]
    assert not contract.calibrator.inside
    image = _images(3)[2].image
    expected = CalibratedPredictor(_ensemble(0, SMALL, LARGE), 0.6).predict(image)
    np.testing.assert_allclose(opened.predict(image), expected, atol=1e-4)
    with pytest.raises(UsageError, match="have no output disagreement"):
        write_export(
            _ensemble(0, SMALL, LARGE),
            _terms(SMALL, LARGE, outputs=("disagreement",)),
            tmp_path,
            images=_images(),
            training=TRAINING,
        )
    assert not any(tmp_path.rglob("*.onnx"))


@pytest.mark.slow
@pytest.mark.verifies("REQ-026", "REQ-342", "RC-05", "RC-143")
def test_an_export_that_differs_is_refused_and_leaves_no_folder_that_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("model.onnx", "export.json"):
        (tmp_path / name).write_bytes(b"earlier")
    monkeypatch.setattr("minivess.ml.export.graphs.LARGEST_LOGIT", 0.08)  # the graph clips logits, PyTorch does not
    with pytest.raises(RefusedError, match="differs from PyTorch on whole images"):
        write_export(_ensemble(0), _terms(), tmp_path, images=_images(), training=TRAINING)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="only ensembles of PyTorch networks"):
        write_export(
            EnsemblePredictor([CalibratedPredictor(_ensemble(0), 1.0)]),
            _terms(),
            tmp_path,
            images=_images(),
            training=TRAINING,
        )


@pytest.mark.parametrize(
    ("method", "inside", "named", "in_graph"),
    [
        ("temperature scaling; crc", True, "temperature scaling", True),
        ("temperature scaling; crc", False, "temperature scaling", False),
    ],
)
@pytest.mark.verifies("REQ-343")
def test_the_calibrator_of_the_record_is_inside_where_one_graph_holds_it(
    method: str, inside: bool, named: str, in_graph: bool
) -> None:
    found = calibrator_of(CALIBRATION.model_copy(update={"method": method}), inside=inside)
    assert (found.method, found.parameter, found.inside) == (named, 0.6, in_graph)


@pytest.mark.verifies("REQ-343")
def test_a_calibration_by_an_unknown_method_is_refused() -> None:
    with pytest.raises(RefusedError, match="made with 'isotonic regression', which is no calibrator"):
        calibrator_of(CALIBRATION.model_copy(update={"method": "isotonic regression; crc"}), inside=True)
