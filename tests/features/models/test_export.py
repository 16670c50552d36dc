"""Steps of features/export.feature; the graph and its source are small convolutions, so no PyTorch is needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.digests import digest_file
from minivess.foundation.errors import RefusedError
from minivess.ml.export.onnx import certify
from minivess.ml.inference.answers import to_probability
from minivess.ml.inference.predictor import PatchPredictor
from minivess.records.models.model import ExportRecord
from minivess.records.models.segresnet import SegResNetSpec
from tests.support.lazy_modules import lazily

with lazily("scipy"):
    from scipy import ndimage

scenarios("export.feature")

SPEC = SegResNetSpec(patch=(8, 12, 12))
Patches = list[NDArray[np.float32]]


def _weights(seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.3, (3, 3, 3)).astype(np.float32)


class Convolution(PatchPredictor):
    """Sigmoid of one 3 x 3 x 3 convolution, in NumPy and SciPy."""

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        answers = [ndimage.correlate(patch[0].astype(np.float64), _weights(0), mode="constant") for patch in patches]
        return to_probability(np.stack(answers)[:, np.newaxis])


def _graph(weights: NDArray[np.float32], patch: tuple[int, ...] = SPEC.patch) -> bytes:
    shape = [1, 1, *patch]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["patch", "weights"], ["logit"], pads=[1] * 6),
            helper.make_node("Sigmoid", ["logit"], ["probability"]),
        ],
        "convolution",
        [helper.make_tensor_value_info("patch", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(weights[np.newaxis, np.newaxis], "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    data: bytes = model.SerializeToString()
    return data


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


@given("a calibrated ensemble and real patches", target_fixture="patches")
def patches() -> Patches:
    rng = np.random.default_rng(5)
    return [rng.normal(0, 1, (1, *SPEC.patch)).astype(np.float32) for _ in range(3)]


@given("a graph exported from it", target_fixture="graph")
def faithful() -> bytes:
    return _graph(_weights(0))


@given(parsers.parse("a graph with {flaw}"), target_fixture="graph")
def flawed(flaw: str) -> bytes:
    return {
        "other weights": lambda: _graph(_weights(1)),
        "NaN for an answer": lambda: _graph(np.full((3, 3, 3), np.nan, dtype=np.float32)),
        "damaged bytes": lambda: _graph(_weights(0))[:-40],
        "another patch shape": lambda: _graph(_weights(0), (8, 8, 8)),
    }[flaw]()


@given("a graph of an earlier export in its place")
def earlier(path: Path) -> None:
    path.write_bytes(b"earlier")


@when(parsers.parse("the graph is certified with a tolerance of {tolerance:f}"), target_fixture="outcome")
def certified(graph: bytes, patches: Patches, path: Path, tolerance: float) -> ExportRecord | RefusedError:
    try:
        return certify(graph, Convolution(SPEC), SPEC, path, patches=patches, tolerance=tolerance)
    except RefusedError as error:
        return error


@then("the graph is written, and its certificate names its digest, operator set, largest difference and speed")
def certificate(outcome: ExportRecord | RefusedError, path: Path) -> None:
    assert isinstance(outcome, ExportRecord)
    assert outcome.onnx == digest_file(path)
    assert outcome.opset == 18
    assert outcome.input_shape == (1, 1, *SPEC.patch)
    assert outcome.max_abs_difference <= outcome.tolerance == 1e-4
    assert outcome.tested_patches == 3
    assert outcome.seconds_torch > 0
    assert outcome.seconds_onnx > 0


@then(parsers.parse('it is refused, the message says "{says}", and no graph is left in its place'))
def refused(outcome: ExportRecord | RefusedError, says: str, path: Path) -> None:
    assert isinstance(outcome, RefusedError)
    assert says in outcome.message
    assert not path.exists()
