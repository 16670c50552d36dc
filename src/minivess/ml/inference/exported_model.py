"""An exported model, opened from its folder and nothing else: what evaluation and service run.

The digest of the model is that of its record (`records.models.exports`), which names the digest of each graph. Records of
before name one graph, whose digest is the model's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.digests import Digest
from minivess.foundation.errors import VerificationError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import RECORD_LIMIT, parse_json_record
from minivess.ml.inference.batching import BatchCut
from minivess.ml.inference.onnx_predictor import OnnxPredictor
from minivess.ml.inference.predictor import CalibratedPredictor, EnsemblePredictor, PatchPredictor
from minivess.ml.inference.watch import Watch
from minivess.ml.inference.watched import Prediction
from minivess.ml.preprocessing.preprocessor import Spacing
from minivess.records.models.exports.contract import AppliedCalibrator
from minivess.records.models.exports.export import GRAPH, RECORD, ExportRecord
from minivess.records.models.task import SegmentationTask


@dataclass(frozen=True)
class ExportedModel:
    """A model that answers images.

    Attributes:
        record: how it is used and what was measured of it.
        digest: of the model.
        predictor: runs its graphs.
    """

    record: ExportRecord
    digest: Digest
    predictor: PatchPredictor

    @classmethod
    @implements("REQ-341", "RC-143")
    def open(cls, folder: Path, *, expected: Digest | None = None, threads: int = 0) -> Self:
        """Open a folder. Each file is read once: what was digested is what runs.

        Args:
            folder: with the record and the graphs.
            expected: the digest of the model, when it is known.
            threads: of ONNX Runtime, for all graphs together; 0: as many as the process may use processors.

        Raises:
            InputError: a file is missing or malformed, or a graph takes other patches than the record says.
            VerificationError: the model is another one, or a graph is not the one that the record names.
        """
        record, digest = read_export(folder, expected=expected)
        return cls(record, digest, predictor_of(record, folder, threads=threads))

    @property
    def task(self) -> SegmentationTask:
        """Channels, axes and classes."""
        return self.record.task

    def predict(self, image: NDArray[np.generic], spacing: Spacing = None) -> NDArray[np.float32]:
        """Calibrated probabilities (outputs, *grid) of a raw image; spacing in micrometres."""
        return self.predictor.predict(image, spacing)

    def join_requests(self, cut: Callable[[int, BatchCut], None]) -> None:
        """As of its predictor."""
        self.predictor.join_requests(cut)

    @property
    def gives_disagreement(self) -> bool:
        """Whether it can say how much its members disagree."""
        return self.predictor.gives_disagreement

    def predict_watched(
        self, image: NDArray[np.generic], spacing: Spacing, watch: Watch, *, disagreement: bool = False
    ) -> Prediction:
        """The same with progress, and with the disagreement of the members where it is asked for.

        Raises:
            UsageError: see `gives_disagreement`.
        """
        return self.predictor.predict_watched(image, spacing, watch, disagreement=disagreement)


@implements("REQ-341", "RC-143")
def read_export(folder: Path, *, expected: Digest | None = None) -> tuple[ExportRecord, Digest]:
    """The record in a folder, and the digest of the model.

    Raises:
        InputError: it is missing or malformed.
        VerificationError: the model is another one than expected.
    """
    written = read_limited(folder / RECORD, limit=RECORD_LIMIT)
    record = parse_json_record(written, ExportRecord, path=RECORD, hint="restore the folder, or export again")
    digest = record.digest_of_model(written)
    if expected is not None:
        refuse_other_model(digest, expected)
    return record, digest


@implements("RC-143")
def refuse_other_model(found: Digest, expected: Digest) -> None:
    """Refuse a folder with another model.

    Raises:
        VerificationError: the digests differ.
    """
    if found != expected:
        raise VerificationError(
            f"the exported model ({RECORD}) is {found[:19]}…, not {expected[:19]}… as recorded",
            hint="restore the folder of the released model, or export again",
        )


def predictor_of(record: ExportRecord, folder: Path, *, threads: int = 0) -> PatchPredictor:
    """The predictor that a record describes, with the graphs of a folder.

    Raises:
        InputError, VerificationError: as `ExportedModel.open`.
    """
    contract = record.model
    if contract is None:
        return OnnxPredictor(
            folder / GRAPH,
            record,
            expected=record.onnx,
            threads=threads,
            task=record.task,
            preprocessing=record.preprocessing,
        )
    graphs = [
        OnnxPredictor(
            folder / (one.quantised or one).file,
            one,
            expected=(one.quantised or one).digest,
            threads=threads,
            shared=len(contract.graphs) > 1,
            task=record.task,
            preprocessing=one.preprocessing,
        )
        for one in contract.graphs
    ]
    for graph in graphs:
        graph.choose_batch()
    return combined(graphs, contract.rule, contract.calibrator, overlap=contract.tiling.overlap)


@implements("REQ-343")
def combined(
    graphs: Sequence[OnnxPredictor], rule: str, calibrator: AppliedCalibrator, *, overlap: float
) -> PatchPredictor:
    """Graphs, combined where there are several, and calibrated after blending where the graph does not calibrate."""
    for graph in graphs:
        graph.overlap = overlap
    whole: PatchPredictor = graphs[0] if len(graphs) == 1 else EnsemblePredictor(graphs, rule)
    return whole if calibrator.inside else CalibratedPredictor(whole, calibrator.parameter, calibrator.method)
