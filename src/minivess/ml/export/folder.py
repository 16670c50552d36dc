"""Writes the folder of an exported model: graphs and one record, certified by parity with PyTorch on whole images."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from minivess.foundation.errors import InputError, RefusedError
from minivess.foundation.files import write_atomic, write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import json_text
from minivess.ml.calibrators.registry import CALIBRATORS
from minivess.ml.export.backends import BACKENDS, ROUNDS, TOLERANCE, Verdict, fastest, measured
from minivess.ml.export.graphs import checked_opset, graphs_of, on_cpu
from minivess.ml.export.parity import Compared, ParityImage, compare
from minivess.ml.export.staged import Raw, StagedGraphs
from minivess.ml.inference.predictor import CalibratedPredictor, EnsemblePredictor
from minivess.records.models.exports.certificate import BackendMeasurement
from minivess.records.models.exports.choice import FP32, BackendName, ExportChoice
from minivess.records.models.exports.contract import (
    AppliedCalibrator,
    ConformalThresholds,
    Decision,
    Licences,
    ModelContract,
    Tiling,
)
from minivess.records.models.exports.export import GRAPH, RECORD, ExportRecord
from minivess.records.models.intended_use import IntendedUse
from minivess.records.models.model import MASK_THRESHOLD, CalibrationRecord
from minivess.records.models.networks.specifications import ModelSpec
from minivess.records.models.task import SegmentationTask

EAGER = "eager PyTorch"
"""The side that backends are timed against."""


@dataclass(frozen=True)
class ExportTerms:
    """What an export needs beside the ensemble.

    Attributes:
        models: the specification of each member's network.
        calibration: of the ensemble.
        intended_use: bounds of what the model may be asked.
        licences: of code, weights and data.
        choice: outputs and backends.
        tolerance: greatest difference of probabilities to PyTorch in single precision.
        rounds: how often each side is timed.
    """

    models: Sequence[ModelSpec]
    calibration: CalibrationRecord
    intended_use: IntendedUse
    licences: Licences
    choice: ExportChoice = field(default_factory=ExportChoice)
    tolerance: float = TOLERANCE
    rounds: int = ROUNDS


@implements("REQ-026", "REQ-341", "REQ-342", "REQ-344", "RC-05", "RC-143")
def write_export(
    ensemble: EnsemblePredictor,
    terms: ExportTerms,
    folder: Path,
    *,
    images: Iterable[ParityImage],
    training: Sequence[Raw],
) -> ExportRecord:
    """Export an ensemble, compare it with PyTorch on whole images, and only then write the folder.

    Args:
        ensemble: of PyTorch networks; copies are compared on the CPU.
        terms: everything else that the record says.
        folder: an earlier export in it is removed, also when the new one is refused.
        images: calibration cases, one at a time in memory.
        training: images of the training part, from which patches for timing and for the ranges of 8 bits are cut.

    Raises:
        UsageError: a member is no PyTorch network, there are no images, or an output cannot be given.
        RefusedError: the answers differ from PyTorch's by more than the tolerance, or a graph is malformed.
        CouldNotCheckError: the disk is full or out of reach.
    """
    import torch

    source, threads = on_cpu(ensemble), torch.get_num_threads()
    calibrator = calibrator_of(terms.calibration, inside=source.by_patch)
    clear(folder)
    with tempfile.TemporaryDirectory() as temporary:
        graphs = graphs_of(source, calibrator, terms.choice.outputs)
        staged = StagedGraphs(graphs, Path(temporary), training)
        try:
            opset = max(checked_opset(one.data) for one in graphs)
            runs = {name: staged.run(name, calibrator, source, threads=threads) for name in terms.choice.measured}
        except InputError as error:
            raise RefusedError(f"the exported graph is refused: {error.message}") from error
        reference = CalibratedPredictor(source, calibrator.parameter, calibrator.method)
        compared = compare(reference, {name: run.whole for name, run in runs.items()}, images)
        verdicts = {name: _judged(name, compared, terms.tolerance) for name in runs}
        refuse_difference(compared, verdicts[FP32])
        sides: dict[str, Callable[[], object]] = {EAGER: partial(staged.answer, [one.source for one in graphs])}
        sides |= {name: partial(staged.answer, run.parts) for name, run in runs.items()}
        seconds = {name: found / staged.asked for name, found in measured(sides, rounds=terms.rounds).items()}
        rows = tuple(
            BackendMeasurement(
                name=name,
                certified=verdicts[name].certified,
                reason=verdicts[name].reason,
                seconds=seconds[name],
                seconds_eager=seconds[EAGER],
                speed=seconds[EAGER] / seconds[name],
                threads=threads,
                parity=compared.parity[name],
            )
            for name in compared.parity
        )
        backend = fastest(rows)
        contract = ModelContract(
            graphs=staged.recorded(terms.models, backend.name),
            rule=source.rule,
            tiling=Tiling(overlap=source.overlap),
            calibrator=calibrator,
            decision=decision_of(source.task),
            conformal=_thresholds(terms.calibration, source.task),
            intended_use=terms.intended_use,
            licences=terms.licences,
            backend=backend.name,
            backends=rows,
        )
        plain = compared.parity[FP32]
        record = ExportRecord(
            onnx=contract.graphs[0].digest,
            opset=opset,
            input_shape=(1, source.task.channels, *contract.graphs[0].patch),
            max_abs_difference=plain.max_probability_difference,
            tolerance=terms.tolerance,
            flipped_voxels=plain.flipped_voxels,
            tested_patches=compared.tiles,
            seconds_torch=seconds[EAGER],
            seconds_onnx=backend.seconds,
            task=source.task,
            preprocessing=contract.graphs[0].preprocessing,
            model=contract,
        )
        _write(record, contract, Path(temporary), folder)
    return record


def calibrator_of(calibration: CalibrationRecord, *, inside: bool) -> AppliedCalibrator:
    """How the logits of a calibrated ensemble are calibrated.

    Args:
        calibration: its record; the method begins with the name of a calibrator.
        inside: whether one graph holds the whole ensemble; then an affine calibrator is in it.

    Raises:
        RefusedError: the method is no calibrator.
    """
    method = calibration.method.partition(";")[0].strip()
    if method not in CALIBRATORS:
        raise RefusedError(
            f"the calibration was made with {method!r}, which is no calibrator: {', '.join(CALIBRATORS)}",
            hint="minivess calibrate",
        )
    return AppliedCalibrator(
        method=method, parameter=calibration.temperature, inside=inside and CALIBRATORS[method].affine
    )


def decision_of(task: SegmentationTask) -> Decision:
    """How probabilities become a mask."""
    if task.one_class:
        return Decision(rule="threshold", threshold=MASK_THRESHOLD)
    return Decision(rule="argmax", threshold=None)


def clear(folder: Path) -> None:
    """Remove an export from a folder; other files stay."""
    (folder / RECORD).unlink(missing_ok=True)
    (folder / GRAPH).unlink(missing_ok=True)
    shutil.rmtree(folder / "graphs", ignore_errors=True)


@implements("REQ-026", "RC-05")
def refuse_difference(compared: Compared, verdict: Verdict) -> None:
    """Refuse an export whose graphs in single precision do not repeat PyTorch.

    Raises:
        RefusedError: the message says by how much they differ.
    """
    if verdict.certified:
        return
    found = compared.parity.get(FP32)
    flips = "" if found is None else f"; {found.flipped_voxels} of {found.voxels} voxels flip"
    raise RefusedError(
        f"the exported model differs from PyTorch on whole images: {verdict.reason}{flips}",
        hint="export again from the recorded members, or choose another architecture; do not raise the tolerance",
    )


def _judged(name: BackendName, compared: Compared, tolerance: float) -> Verdict:
    found = compared.parity.get(name)
    if found is None:
        return Verdict(certified=False, reason="it answers values that are not finite")
    return BACKENDS[name].judge(found, tolerance)


def _thresholds(calibration: CalibrationRecord, task: SegmentationTask) -> ConformalThresholds:
    return ConformalThresholds(
        target_recall=calibration.target_recall,
        thresholds={one.name: calibration.threshold_of(one.name) for one in task.classes},
    )


def _write(record: ExportRecord, contract: ModelContract, made: Path, folder: Path) -> None:
    """Put the graphs, and the record last, into the folder."""
    for name, _ in contract.files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / name, (made / name).read_bytes())
    write_text_atomic(folder / RECORD, json_text(record))
