"""Export of the whole calibrated ensemble as one ONNX graph, certified by parity with PyTorch on real patches.

The graph takes one preprocessed patch (1, channels, *patch) and returns calibrated `logits` (1, outputs, *patch): the
members' probabilities, combined by the rule of the ensemble, and the logits of that over the temperature. Preprocessing,
tiling and the last sigmoid or softmax stay outside (`ml.preprocessing`, `ml.inference`).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.foundation.files import write_atomic
from minivess.foundation.implements import implements
from minivess.ml.calibrators.registry import CALIBRATORS, TEMPERATURE_SCALING
from minivess.ml.ensembles.registry import RULES
from minivess.ml.ensembles.rule import EnsembleRule
from minivess.ml.inference.answers import EPSILON, mask_of
from minivess.ml.inference.onnx_predictor import LOGITS, OnnxPredictor
from minivess.ml.inference.predictor import (
    CalibratedPredictor,
    EnsemblePredictor,
    NetworkPredictor,
    PatchPredictor,
)
from minivess.ml.models.onnx_graph import onnx_graph
from minivess.records.evaluation.bounds import Bound
from minivess.records.models.model import ExportRecord
from minivess.records.models.specifications import ModelSpec
from minivess.records.models.task import SegmentationTask

TOLERANCE = 1e-4


@implements("REQ-026", "RC-05")
def to_onnx(
    ensemble: EnsemblePredictor,
    temperature: float,
    spec: ModelSpec,
    path: Path,
    *,
    patches: Sequence[NDArray[np.float32]],
    tolerance: float = TOLERANCE,
) -> ExportRecord:
    """Export by the dynamo exporter at a static shape, check the graph, compare it with PyTorch, only then write it.

    Args:
        ensemble: an ensemble of `NetworkPredictor`s; copies of its networks are compared on the CPU.
        temperature: of the calibration.
        spec: the members' specification.
        path: where the graph goes; a file already there is removed when the new graph is refused.
        patches: preprocessed real patches (channels, *patch).
        tolerance: greatest allowed absolute difference of probabilities.

    Raises:
        UsageError: a member is no PyTorch network, members take different patches, or there are no patches of the right shape.
        RefusedError: the graph differs from PyTorch by more than the tolerance, or is malformed.
        CouldNotCheckError: the disk is full or out of reach.
    """
    members = []
    for member in ensemble.members:
        if not isinstance(member, NetworkPredictor):
            raise UsageError("only ensembles of PyTorch networks can be exported")
        members.append(
            NetworkPredictor(
                copy.deepcopy(member.network),
                member.spec,
                "cpu",
                task=member.task,
                preprocessing=member.preprocessor.preprocessing,
            )
        )
    copied = EnsemblePredictor(members, ensemble.rule)
    if not copied.by_patch:
        raise UsageError("members that take different patches or grids are no single graph")
    reference = CalibratedPredictor(copied, temperature)
    graph = _graph([member.network for member in members], temperature, spec, RULES[ensemble.rule], copied.task)
    return certify(graph, reference, spec, path, patches=patches, tolerance=tolerance)


@implements("REQ-026", "RC-05")
def certify(
    graph: bytes,
    reference: PatchPredictor,
    spec: ModelSpec,
    path: Path,
    *,
    patches: Sequence[NDArray[np.float32]],
    tolerance: float = TOLERANCE,
) -> ExportRecord:
    """Compare a graph with the predictor it came from on real patches, and write it only when they agree.

    Args:
        graph: ONNX bytes.
        reference: what the graph must repeat, patch by patch.
        spec: shape of the patches.
        path: where the graph goes; a file already there is removed when the graph is refused.
        patches: preprocessed real patches (channels, *patch); both sides see one at a time.
        tolerance: greatest allowed absolute difference of probabilities; NaN anywhere is refused.

    Raises:
        UsageError: there are no patches, or one has another shape.
        RefusedError: the graph is malformed or differs by more than the tolerance; the message says by how much.
        CouldNotCheckError: the disk is full or out of reach.
    """
    task, preprocessing = reference.task, reference.preprocessor.preprocessing
    shape = (task.channels, *spec.patch)
    if not patches or any(patch.shape != shape for patch in patches):
        raise UsageError(f"parity needs at least one patch, each of shape {shape}")
    try:
        opset = _checked_opset(graph)
        candidate = OnnxPredictor(graph, spec, task=task, preprocessing=preprocessing)
    except InputError as error:
        path.unlink(missing_ok=True)
        raise RefusedError(f"the exported graph is refused: {error.message}") from error

    inputs = [np.ascontiguousarray(patch, dtype=np.float32)[np.newaxis] for patch in patches]
    for predictor in (reference, candidate):
        predictor.forward(inputs[0])
    expected, seconds_torch = _timed(reference, inputs)
    answered, seconds_onnx = _timed(candidate, inputs)
    difference = float(np.abs(expected - answered).max())
    flipped = sum(
        int(np.count_nonzero(mask_of(one[0], task) != mask_of(other[0], task)))
        for one, other in zip(expected, answered, strict=True)
    )
    if not Bound(at_most=tolerance).judge(difference).met:
        path.unlink(missing_ok=True)
        raise RefusedError(
            f"the ONNX graph differs from PyTorch by {difference:.3g} (tolerance {tolerance:.3g}), "
            f"{flipped} of {expected.size // task.outputs} voxels flip",
            hint="export again from the recorded members, or choose another architecture; do not raise the tolerance",
        )
    write_atomic(path, graph)
    return ExportRecord(
        onnx=candidate.digest,
        opset=opset,
        input_shape=(1, *shape),
        max_abs_difference=difference,
        tolerance=tolerance,
        flipped_voxels=flipped,
        tested_patches=len(inputs),
        seconds_torch=seconds_torch,
        seconds_onnx=seconds_onnx,
        task=task,
        preprocessing=preprocessing,
    )


def _timed(predictor: PatchPredictor, inputs: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float32], float]:
    """What a predictor answers, and its mean seconds a patch."""
    begun = time.perf_counter()
    answers = [predictor.forward(patch) for patch in inputs]
    return np.stack(answers), (time.perf_counter() - begun) / len(inputs)


def _checked_opset(graph: bytes) -> int:
    """The default-domain operator set of a graph that onnx.checker accepts."""
    import onnx

    try:
        model = onnx.load_model_from_string(graph)
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # the checker and protobuf raise unrelated types
        raise InputError("onnx.checker finds it malformed") from error
    return next((int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)


def _graph(
    networks: Sequence[Any], temperature: float, spec: ModelSpec, rule: EnsembleRule, task: SegmentationTask
) -> bytes:
    """The bytes of the exported graph of PyTorch networks on the CPU, weights inside."""
    import torch

    class Calibrated(torch.nn.Module):  # type: ignore[misc]
        """The members, their combination, and the temperature."""

        def __init__(self) -> None:
            super().__init__()
            self.members = torch.nn.ModuleList(networks)

        def forward(self, patch: Any) -> Any:
            answers = [member(patch) for member in self.members]
            if task.one_class:
                combined = rule.combine_tensors([answer.sigmoid() for answer in answers]).clamp(EPSILON, 1 - EPSILON)
                logits = torch.log(combined) - torch.log1p(-combined)
            else:
                combined = rule.combine_tensors([answer.softmax(dim=1) for answer in answers])
                logits = torch.log(combined.clamp(min=EPSILON))
            return CALIBRATORS[TEMPERATURE_SCALING].apply(logits, temperature)

    return onnx_graph(Calibrated(), (1, task.channels, *spec.patch), output=LOGITS)
