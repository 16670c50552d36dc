"""Records of exported models for tests, without a network."""

from __future__ import annotations

from minivess.records.models.exports.certificate import BackendMeasurement, WholeImageParity
from minivess.records.models.exports.contract import (
    AppliedCalibrator,
    ConformalThresholds,
    Decision,
    ExportedGraph,
    GraphOutput,
    Licences,
    ModelContract,
    Tiling,
)
from minivess.records.models.exports.export import ExportRecord
from minivess.records.models.intended_use import IntendedUse
from minivess.records.models.preprocessing import AS_IT_IS, Preprocessing
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask

USE = IntendedUse(
    spacing=((0.1, 0.1, 0.1), (100.0, 100.0, 100.0)),
    shape=((1, 1, 1), (1000, 1000, 1000)),
    contrast_to_noise=(0.0, 100.0),
    bright_tail=(0.0, 1.0),
)


def export_record(
    graph: str,
    patch: tuple[int, ...],
    *,
    task: SegmentationTask = ONE_CLASS_OF_VOLUMES,
    preprocessing: Preprocessing = AS_IT_IS,
    threshold: float | None = None,
    intended_use: IntendedUse = USE,
    calibrator: AppliedCalibrator | None = None,
    overlap: float = 0.25,
) -> ExportRecord:
    """The record of an export with one graph.

    Args:
        graph: the digest of `model.onnx`.
        patch: what it takes.
        task: channels, axes and classes.
        preprocessing: what images go through.
        threshold: the conformal threshold of every class.
        intended_use: the bounds that it states.
        calibrator: how logits are calibrated; by default inside the graph.
        overlap: of the tiles.
    """
    parity = WholeImageParity(
        cases=("case-0",), voxels=4096, max_probability_difference=3.1e-6, flipped_voxels=0, measures={"dice": 0.0}
    )
    fp32 = BackendMeasurement(
        name="onnxruntime fp32",
        certified=True,
        reason="probabilities differ by 3.1e-06, within the tolerance 0.0001",
        seconds=0.7,
        seconds_eager=1.2,
        speed=1.2 / 0.7,
        threads=2,
        parity=parity,
    )
    model = ModelContract(
        graphs=(
            ExportedGraph(
                file="model.onnx",
                digest=graph,
                network="segresnet, 8 filters at the first level",
                patch=patch,
                members=1,
                preprocessing=preprocessing,
                preprocessing_digest=preprocessing.digest,
                outputs=(GraphOutput(name="logits", axes="batch, outputs, patch"),),
            ),
        ),
        rule="mean of the members' probabilities",
        tiling=Tiling(overlap=overlap),
        calibrator=calibrator or AppliedCalibrator(method="temperature scaling", parameter=1.0, inside=True),
        decision=Decision(rule="threshold" if task.one_class else "argmax", threshold=0.5 if task.one_class else None),
        conformal=ConformalThresholds(target_recall=0.9, thresholds={one.name: threshold for one in task.classes}),
        intended_use=intended_use,
        licences=Licences(code="MIT", weights="CC0-1.0", data="CC0-1.0"),
        backend="onnxruntime fp32",
        backends=(fp32,),
    )
    return ExportRecord(
        onnx=graph,
        opset=18,
        input_shape=(1, task.channels, *patch),
        max_abs_difference=parity.max_probability_difference,
        tolerance=1e-4,
        flipped_voxels=0,
        tested_patches=4,
        seconds_torch=1.2,
        seconds_onnx=0.7,
        task=task,
        preprocessing=preprocessing,
        model=model,
    )
