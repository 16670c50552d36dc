"""Steps of features/export.feature; the graph and its source are small convolutions, so no PyTorch is needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.digests import digest_file
from minivess.foundation.errors import InputError, MinivessError, RefusedError, VerificationError
from minivess.ml.calibrators.registry import CALIBRATORS
from minivess.ml.export.backends import BACKENDS, fastest
from minivess.ml.export.folder import refuse_difference
from minivess.ml.export.graphs import checked_opset
from minivess.ml.export.parity import Compared, ParityImage, compare
from minivess.ml.inference.answers import to_logit, to_probability
from minivess.ml.inference.exported_model import ExportedModel
from minivess.ml.inference.isolated import IsolatedPredictor
from minivess.ml.inference.onnx_predictor import OnnxPredictor
from minivess.ml.inference.predictor import PatchPredictor
from minivess.ml.inference.tiling import sliding_window
from minivess.ml.models.graphs.instance_norms import stable_instance_norms
from minivess.records.models.exports.certificate import BackendMeasurement, WholeImageParity
from minivess.records.models.exports.choice import FP32, INT8, BackendName
from minivess.records.models.exports.contract import AppliedCalibrator
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.preprocessing import Preprocessing
from tests.support.builders.exports import export_record
from tests.support.lazy_modules import lazily

with lazily("scipy", "onnxruntime"):
    import onnxruntime
    from scipy import ndimage

scenarios("export.feature")

SPEC = SegResNetSpec(patch=(8, 12, 12))
RESAMPLED = Preprocessing(spacing=(2.0, 1.0, 1.0))
"""Images of 1 µm along z become half as many planes."""
TOLERANCE = 1e-4


def _weights(seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.3, (3, 3, 3)).astype(np.float32)


class Convolution(PatchPredictor):
    """Sigmoid of one 3 x 3 x 3 convolution, in NumPy and SciPy."""

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        answers = [ndimage.correlate(patch[0].astype(np.float64), _weights(0), mode="constant") for patch in patches]
        return to_probability(np.stack(answers)[:, np.newaxis])


class Steps:
    """A calibrator that is not affine: probabilities along a curve of straight pieces, as isotonic regression gives."""

    affine = False
    xs = np.linspace(0, 1, 11)
    ys = np.array([0, 0.02, 0.05, 0.05, 0.2, 0.5, 0.55, 0.8, 0.8, 0.97, 1.0])

    def fit(self, logits: object, labels: object, weights: object = None) -> float:
        return 1.0

    def apply(self, logits: NDArray[np.float32], parameter: float) -> NDArray[np.float32]:
        return to_logit(np.interp(to_probability(logits), self.xs, self.ys).astype(np.float32))


def _graph(weights: NDArray[np.float32], patch: tuple[int, ...] = SPEC.patch) -> bytes:
    shape = [1, 1, *patch]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["patch", "weights"], ["logits"], pads=[1] * 6)],
        "convolution",
        [helper.make_tensor_value_info("patch", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(weights[np.newaxis, np.newaxis], "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    data: bytes = model.SerializeToString()
    return data


def _image(seed: int, spacing: tuple[float, ...] = (1.0, 1.0, 1.0)) -> ParityImage:
    rng = np.random.default_rng(seed)
    image = rng.gamma(2, 2, (22, 15, 17)).astype(np.float32)
    return ParityImage(f"case-{seed}", image, (rng.random(image.shape) > 0.8).astype(np.uint8), spacing)


@dataclass
class Story:
    """What one scenario knows."""

    folder: Path
    graph: bytes = b""
    compared: Compared | None = None
    error: MinivessError | None = None
    digest: str = ""
    parity: dict[BackendName, WholeImageParity] = field(default_factory=dict)


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def _write(story: Story, calibrator: AppliedCalibrator | None = None) -> None:
    """An export of the convolution in the folder."""
    (story.folder / "model.onnx").write_bytes(_graph(_weights(0)))
    graph = digest_file(story.folder / "model.onnx")
    record = export_record(graph, SPEC.patch, preprocessing=RESAMPLED, calibrator=calibrator, threshold=0.3)
    (story.folder / "export.json").write_text(record.model_dump_json(indent=2), encoding="utf-8")
    story.digest = digest_file(story.folder / "export.json")


@given("a graph exported from a network that resamples images")
def faithful(story: Story) -> None:
    story.graph = _graph(_weights(0))


@given(parsers.parse("a graph with {flaw}"))
def flawed(story: Story, flaw: str) -> None:
    story.graph = {
        "other weights": lambda: _graph(_weights(1)),
        "NaN for an answer": lambda: _graph(np.full((3, 3, 3), np.nan, dtype=np.float32)),
        "damaged bytes": lambda: _graph(_weights(0))[:-40],
        "another patch shape": lambda: _graph(_weights(0), (8, 8, 8)),
    }[flaw]()


@when("two whole calibration cases are answered by both")
def compared(story: Story) -> None:
    try:
        checked_opset(story.graph)
        candidate = OnnxPredictor(story.graph, SPEC, preprocessing=RESAMPLED)
        reference = Convolution(SPEC, preprocessing=RESAMPLED)
        story.compared = compare(reference, {FP32: candidate}, [_image(0), _image(1)])
        found = story.compared.parity.get(FP32)
        if found is not None:
            refuse_difference(story.compared, BACKENDS[FP32].judge(found, TOLERANCE))
    except (InputError, RefusedError) as error:
        story.error = error


@then(
    "the certificate names both cases, all their voxels on their own grid, the largest difference and no flipped voxel"
)
def certificate(story: Story) -> None:
    assert story.error is None
    assert story.compared is not None
    found = story.compared.parity[FP32]
    assert found.cases == ("case-0", "case-1")
    assert found.voxels == 2 * 22 * 15 * 17
    assert story.compared.tiles == 2 * 2 * 2 * 2  # 11 planes of 15 x 17 after resampling, in tiles of 8 x 12 x 12
    assert 0 < found.max_probability_difference <= TOLERANCE
    assert (found.flipped_voxels, found.measures) == (0, {"dice": 0.0})


@then(parsers.parse('it is not certified: "{says}"'))
def refused(story: Story, says: str) -> None:
    if story.error is None:  # a value that is not finite has no difference
        assert story.compared is not None
        assert dict(story.compared.parity) == {}
        assert says == "not finite"
        return
    assert says in story.error.message


@given("the folder of an exported model")
def folder(story: Story) -> None:
    _write(story)


@given("the folder of a model whose calibrator is not affine")
def stepped(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minivess.ml.inference.predictor.CALIBRATORS", {**CALIBRATORS, "steps": Steps()})
    _write(story, AppliedCalibrator(method="steps", parameter=1.0, inside=False))


@given("the folder of a model that is calibrated after blending")
def outside(story: Story) -> None:
    _write(story, AppliedCalibrator(method="temperature scaling", parameter=1.7, inside=False))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a threshold is edited": lambda at: _replace(at / "export.json", "0.3", "0.1"),
    "the spacing is edited": lambda at: _replace(at / "export.json", "2.0", "4.0"),
    "the graph is exchanged": lambda at: (at / "model.onnx").write_bytes(_graph(_weights(1))),
    "the graph is removed": lambda at: (at / "model.onnx").unlink(),
    "the record is removed": lambda at: (at / "export.json").unlink(),
}


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@when(parsers.parse("in the folder {change}"))
def changed(story: Story, change: str) -> None:
    CHANGES[change](story.folder)


@then(parsers.parse("it does not open as the recorded model, and the message names {what}"))
def not_opened(story: Story, what: str) -> None:
    with pytest.raises((VerificationError, InputError)) as caught:
        ExportedModel.open(story.folder, expected=story.digest)
    assert what in str(caught.value)


@then("its answer is that of calibrating the whole blended image, and not that of calibrating patches")
def after_blending(story: Story) -> None:
    case, source = _image(2), Convolution(SPEC, preprocessing=RESAMPLED)
    answered = ExportedModel.open(story.folder, expected=story.digest).predict(case.image, case.spacing)
    assert answered.shape == (1, *case.image.shape)
    np.testing.assert_allclose(
        answered, to_probability(Steps().apply(source.logit(case.image, case.spacing), 1.0)), atol=TOLERANCE
    )
    patched = sliding_window(
        source.preprocessor.apply(case.image, case.spacing),
        SPEC.patch,
        lambda patches: Steps().apply(source.logits(patches), 1.0),
    )
    assert np.abs(to_probability(source.preprocessor.restore(patched, case.image.shape)) - answered).max() > 0.01


@then("the process of the evaluation gives the same answer as the service")
def same(story: Story) -> None:
    case = _image(2)
    opened = ExportedModel.open(story.folder, expected=story.digest)
    served = opened.predict(case.image, case.spacing)
    raw = Convolution(SPEC, preprocessing=RESAMPLED).logit(case.image, case.spacing)
    np.testing.assert_allclose(served, to_probability(raw / np.float32(1.7)), atol=TOLERANCE)
    with IsolatedPredictor(story.folder, digest=story.digest) as isolated:
        np.testing.assert_array_equal(isolated.predict(case.image, case.spacing), served)


@given(parsers.parse("single precision takes 4 ms a patch and differs by {difference:f}"))
def single(story: Story, difference: float) -> None:
    story.parity[FP32] = _parity(difference, 0)


@given(parsers.parse("8 bits take 1 ms a patch, and {flips:d} of 100000 voxels flip"))
def eight_bits(story: Story, flips: int) -> None:
    story.parity[INT8] = _parity(0.05, flips)


def _parity(difference: float, flips: int) -> WholeImageParity:
    return WholeImageParity(
        cases=("case-0",),
        voxels=100_000,
        max_probability_difference=difference,
        flipped_voxels=flips,
        measures={"dice": 0.0},
    )


@then(parsers.parse('"{backend}" runs the model'))
def runs(story: Story, backend: str) -> None:
    seconds = {FP32: 0.004, INT8: 0.001}
    rows = []
    for name, parity in story.parity.items():
        verdict = BACKENDS[name].judge(parity, TOLERANCE)
        rows.append(
            BackendMeasurement(
                name=name,
                certified=verdict.certified,
                reason=verdict.reason,
                seconds=seconds[name],
                seconds_eager=0.003,
                speed=0.003 / seconds[name],
                threads=2,
                parity=parity,
            )
        )
    assert fastest(rows).name == backend


@then("the export is refused")
def export_refused(story: Story) -> None:
    compared = Compared(story.parity, tiles=8)
    with pytest.raises(RefusedError, match=r"0\.001, beyond the tolerance 0\.0001; 0 of 100000 voxels flip"):
        refuse_difference(compared, BACKENDS[FP32].judge(story.parity[FP32], TOLERANCE))


@given("the record of an export")
def record(story: Story) -> None:
    _write(story)


@when("its backend is not certified")
def uncertified(story: Story) -> None:
    _replace(story.folder / "export.json", '"certified": true', '"certified": false')


@then("the record is refused")
def record_refused(story: Story) -> None:
    with pytest.raises(InputError, match="the backend onnxruntime fp32 is not certified"):
        ExportedModel.open(story.folder)


def _nearly_constant(shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(-2.5, 0.005, shape).astype(np.float32)


def _few_bright(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Most of a channel is one value; a corner is far brighter."""
    values = _nearly_constant(shape)
    values[..., :6, :6] += np.random.default_rng(1).normal(2, 0.5, (*shape[:-2], 6, 6)).astype(np.float32)
    return values


CHANNELS = {
    "nearly constant": _nearly_constant((1, 4, 64, 64)),
    "nearly constant, in volumes": _nearly_constant((2, 3, 16, 32, 32)),
    "nearly constant, in groups of channels": _nearly_constant((1, 2, 16384)),
    "dark with few bright voxels": _few_bright((1, 4, 128, 128)),
}
SCALE, BIAS = np.float32([1.0, 0.5, 2.0, 1.5]), np.float32([0.0, 1.0, -1.0, 0.5])


@dataclass
class Normalising:
    """A graph with an instance normalisation, its input, and its answers before and after it was written for export."""

    values: NDArray[np.float32]
    model: ModelProto
    before: NDArray[np.float32]
    after: NDArray[np.float32] | None = None

    def ask(self) -> NDArray[np.float32]:
        session = onnxruntime.InferenceSession(self.model.SerializeToString(), providers=["CPUExecutionProvider"])
        answer: NDArray[np.float32] = session.run(None, {"values": self.values})[0]
        return answer


@given(parsers.parse("a graph that normalises channels that are {kind}"), target_fixture="normalising")
def a_normalising_graph(kind: str) -> Normalising:
    values = CHANNELS[kind]
    channels = values.shape[1]
    graph = helper.make_graph(
        [helper.make_node("InstanceNormalization", ["values", "scale", "bias"], ["normalised"], epsilon=1e-5)],
        "normalising",
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, values.shape)],
        [helper.make_tensor_value_info("normalised", TensorProto.FLOAT, values.shape)],
        [numpy_helper.from_array(SCALE[:channels], "scale"), numpy_helper.from_array(BIAS[:channels], "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    made = Normalising(values, model, values)
    made.before = made.ask()
    return made


@when("it is written for export")
def written_for_export(normalising: Normalising) -> None:
    stable_instance_norms(normalising.model)
    checked_opset(normalising.model.SerializeToString())
    normalising.after = normalising.ask()


@then(parsers.parse("its answer is within {limit:f} of double precision, and was not before"))
def within_double_precision(normalising: Normalising, limit: float) -> None:
    values = normalising.values.astype(np.float64)
    grid, each = tuple(range(2, values.ndim)), (1, -1, *[1] * (values.ndim - 2))
    deviation = np.sqrt(values.var(grid, keepdims=True) + 1e-5)
    exact = (values - values.mean(grid, keepdims=True)) / deviation
    exact = exact * SCALE[: values.shape[1]].reshape(each) + BIAS[: values.shape[1]].reshape(each)
    assert np.abs(normalising.before - exact).max() > limit
    assert normalising.after is not None
    assert np.abs(normalising.after - exact).max() < limit
