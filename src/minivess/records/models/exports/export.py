"""The record of an export."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from minivess.foundation.digests import Digest, digest_bytes
from minivess.foundation.implements import implements
from minivess.records.base import Record
from minivess.records.models.exports.contract import ModelContract
from minivess.records.models.model import AppliedPreprocessing, Task
from minivess.records.models.preprocessing import AS_IT_IS
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES

GRAPH, RECORD = "model.onnx", "export.json"
"""Files in the folder of an export: the first graph, and the record."""


@implements("REQ-341")
class ExportRecord(Record):
    """An exported model, and how closely it repeats the PyTorch ensemble it came from.

    A record with a `model` is the model: its digest is the one that requests, evaluations, promotions and answers name, and
    it names the digest of each graph. Records of before have none; then the digest of the graph is the model's.
    """

    onnx: Digest
    """Of `model.onnx`, the first graph."""
    opset: int
    input_shape: tuple[int, ...]
    """(1, channels, *patch)."""
    max_abs_difference: float
    """The largest difference of probabilities to PyTorch."""
    tolerance: float
    flipped_voxels: int
    tested_patches: int
    """Patches that both answered; of whole images, all their tiles."""
    seconds_torch: float
    """Of one patch."""
    seconds_onnx: float
    task: Task = ONE_CLASS_OF_VOLUMES
    preprocessing: AppliedPreprocessing = AS_IT_IS
    model: Annotated[ModelContract | None, Field(exclude_if=lambda model: model is None)] = None
    """How the model is used; None in records of before, where the project file and the calibration say it."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.model is None:
            return self
        first = self.model.graphs[0]
        if (first.file, first.digest, first.preprocessing) != (GRAPH, self.onnx, self.preprocessing):
            raise ValueError(f"the first graph is not {GRAPH} with the digest and preprocessing of the record")
        if self.input_shape != (1, self.task.channels, *first.patch):
            raise ValueError("the input shape is not that of the first graph")
        if set(self.model.conformal.thresholds) != {one.name for one in self.task.classes}:
            raise ValueError("the conformal thresholds are not those of the classes")
        if (self.model.decision.rule == "threshold") != self.task.one_class:
            raise ValueError("one class has a threshold, several are chosen by argmax")
        return self

    @property
    def patch(self) -> tuple[int, ...]:
        """The size of a patch of the first graph."""
        return self.input_shape[2:]

    @property
    def certificate(self) -> tuple[str, ...]:
        """The certificate for people, in lines."""
        lines = [
            f"graph: {GRAPH}, {self.onnx}, opset {self.opset}",
            f"task: {self.task.words}",
            f"preprocessing: {self.preprocessing.words} ({self.preprocessing.digest})",
        ]
        return (*lines, *(() if self.model is None else self.model.words))

    def digest_of_model(self, written: bytes) -> Digest:
        """The digest of the model.

        Args:
            written: the bytes of this record's file.
        """
        return self.onnx if self.model is None else digest_bytes(written)
