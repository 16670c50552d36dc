"""Ensembles, calibrated predictors and exported graphs, on stand-ins for networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from minivess.foundation.digests import digest_file
from minivess.foundation.errors import InputError, UsageError, VerificationError
from minivess.ml.inference.answers import to_logit, to_probability
from minivess.ml.inference.onnx_predictor import OnnxPredictor
from minivess.ml.inference.predictor import (
    CalibratedPredictor,
    EnsemblePredictor,
    PatchPredictor,
)
from minivess.ml.inference.watch import Watch
from minivess.ml.preprocessing.normalisation import normalise
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.networks.specifications import ModelSpec
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask

pytestmark = pytest.mark.verifies("SU-30")

SPEC = SegResNetSpec(patch=(4, 8, 8))


class Slope(PatchPredictor):
    """Sigmoid of the intensity times a slope."""

    def __init__(self, slope: float, spec: ModelSpec = SPEC, task: SegmentationTask = ONE_CLASS_OF_VOLUMES) -> None:
        super().__init__(spec, task)
        self.slope = np.float32(slope)

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        return to_probability(self.slope * patches)


def _volume() -> NDArray[np.float64]:
    return np.random.default_rng(0).gamma(2, 3, (9, 13, 8))


def _graph(slope: float = 2.0) -> bytes:
    shape = [1, 1, *SPEC.patch]
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "slope"], ["z"]), helper.make_node("Sigmoid", ["z"], ["p"])],
        "slope",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.array(slope, np.float32), "slope")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    data: bytes = model.SerializeToString()
    return data


@pytest.mark.verifies("REQ-018")
def test_the_ensemble_is_the_mean_of_probabilities_not_of_logits() -> None:
    patches = np.random.default_rng(0).normal(0, 3, (2, 1, *SPEC.patch)).astype(np.float32)
    members = [Slope(slope) for slope in (-1, 0.5, 4)]
    expected = np.mean([member.forward(patches) for member in members], axis=0)
    np.testing.assert_allclose(EnsemblePredictor(members).forward(patches), expected, atol=1e-6)


def test_an_ensemble_needs_members_of_one_task() -> None:
    with pytest.raises(UsageError, match="at least one"):
        EnsemblePredictor([])
    with pytest.raises(UsageError, match="one task"):
        EnsemblePredictor([Slope(1), Slope(1, task=SegmentationTask(channels=2))])


@pytest.mark.verifies("REQ-018")
def test_members_of_other_patches_are_combined_on_whole_images() -> None:
    members = [Slope(0.5), Slope(2.0, SegResNetSpec(patch=(8, 8, 8)))]
    ensemble = EnsemblePredictor(members)
    assert not ensemble.by_patch
    expected = np.mean([member.predict(_volume()) for member in members], axis=0)
    np.testing.assert_allclose(ensemble.predict(_volume()), expected, atol=1e-5)


@pytest.mark.verifies("REQ-019")
def test_calibrating_patches_or_volumes_is_the_same() -> None:
    calibrated = CalibratedPredictor(EnsemblePredictor([Slope(0.4), Slope(1.5)]), 0.7)
    by_patch = PatchPredictor.predict(calibrated, _volume())
    np.testing.assert_allclose(by_patch, to_probability(PatchPredictor.logit(calibrated, _volume())), atol=1e-6)
    np.testing.assert_allclose(by_patch, to_probability(calibrated.base.logit(_volume()) / np.float32(0.7)), atol=1e-6)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_must_be_positive(temperature: float) -> None:
    with pytest.raises(UsageError):
        CalibratedPredictor(Slope(1), temperature)


def test_logits_and_probabilities_are_inverse_and_never_overflow() -> None:
    logit = np.linspace(-10, 10, 101, dtype=np.float32)
    np.testing.assert_allclose(to_logit(to_probability(logit)), logit, atol=5e-3)
    extreme = to_probability(np.array([-1e4, 1e4], np.float32))
    assert extreme.tolist() == [0.0, 1.0]
    assert np.isfinite(to_logit(extreme)).all()


@pytest.mark.verifies("REQ-026")
def test_the_exported_graph_predicts_volumes_as_its_source_does(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_graph())
    predictor = OnnxPredictor(path, SPEC, expected=digest_file(path))
    assert predictor.digest == digest_file(path)
    np.testing.assert_allclose(predictor.predict(_volume()), Slope(2).predict(_volume()), atol=1e-5)


def test_raw_volumes_are_normalised_on_the_way() -> None:
    volume = _volume()
    np.testing.assert_allclose(Slope(2).predict(volume), to_probability(2 * normalise(volume))[np.newaxis], atol=1e-5)
    np.testing.assert_allclose(Slope(2).predict(volume * 7 + 3), Slope(2).predict(volume), atol=1e-3)


@pytest.mark.verifies("RC-04")
def test_a_graph_with_another_digest_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_graph(1.0))
    recorded = digest_file(path)
    path.write_bytes(_graph(1.1))
    with pytest.raises(VerificationError):
        OnnxPredictor(path, SPEC, expected=recorded)


def test_what_is_no_graph_for_these_patches_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with pytest.raises(InputError):
        OnnxPredictor(path, SPEC)
    path.write_bytes(b"no graph")
    with pytest.raises(InputError):
        OnnxPredictor(path, SPEC)
    path.write_bytes(_graph())
    with pytest.raises(InputError, match="graph"):
        OnnxPredictor(path, SegResNetSpec(patch=(8, 8, 8)))


@pytest.mark.verifies("REQ-432")
@pytest.mark.parametrize("patch", [SPEC.patch, (8, 8, 8)])
@pytest.mark.parametrize("temperature", [None, 2.0])
def test_disagreement_is_the_deviation_of_the_members_and_changes_no_probability(
    patch: tuple[int, ...], temperature: float | None
) -> None:
    members = [Slope(0.5), Slope(2.0, SegResNetSpec(patch=patch)), Slope(-1.0)]
    ensemble: PatchPredictor = EnsemblePredictor(members)
    if temperature is not None:
        ensemble = CalibratedPredictor(ensemble, temperature)
    assert ensemble.gives_disagreement
    found = ensemble.predict_watched(_volume(), None, Watch(), disagreement=True)
    np.testing.assert_allclose(found.probabilities, ensemble.predict(_volume()), atol=1e-6)
    assert found.disagreement is not None
    expected = np.std([member.predict(_volume()) for member in members], axis=0)[0]
    np.testing.assert_allclose(found.disagreement, expected, atol=1e-5)
    assert ensemble.predict_watched(_volume(), None, Watch()).disagreement is None


def test_one_network_has_no_disagreement() -> None:
    alone = EnsemblePredictor([Slope(2.0)])
    assert not alone.gives_disagreement
    with pytest.raises(UsageError, match="no members"):
        alone.predict_watched(_volume(), None, Watch(), disagreement=True)
