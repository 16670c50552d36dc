"""The graphs of an export while it is made: their files in a temporary folder, what runs them, and patches to time them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.digests import digest_file
from minivess.foundation.errors import UsageError
from minivess.ml.export.backends import BACKENDS
from minivess.ml.export.graphs import Graph
from minivess.ml.export.quantisation import quantise
from minivess.ml.inference.exported_model import combined
from minivess.ml.inference.onnx_predictor import OnnxPredictor
from minivess.ml.inference.predictor import EnsemblePredictor, PatchPredictor
from minivess.ml.preprocessing.preprocessor import Spacing
from minivess.records.models.exports.choice import BackendName
from minivess.records.models.exports.contract import AppliedCalibrator, ExportedGraph, QuantisedGraph
from minivess.records.models.exports.export import GRAPH
from minivess.records.models.networks.specifications import ModelSpec

Raw = tuple[NDArray[np.generic], Spacing]
"""An image as prepared, with its spacing in micrometres."""
Patches = NDArray[np.float32]
"""Preprocessed patches (n, channels, *patch)."""


@dataclass(frozen=True)
class Run:
    """The model on one backend.

    Attributes:
        parts: one predictor a graph.
        whole: the calibrated model.
    """

    parts: Sequence[OnnxPredictor]
    whole: PatchPredictor


class StagedGraphs:
    """Graphs of an export in a folder.

    Args:
        graphs: in single precision.
        folder: where they are written.
        training: images of the training part, from which patches are cut.

    Raises:
        UsageError: there is no training image.
    """

    def __init__(self, graphs: Sequence[Graph], folder: Path, training: Sequence[Raw]) -> None:
        if not training:
            raise UsageError("an export needs at least one training image to time the model on")
        self.graphs, self.folder = graphs, folder
        names = [GRAPH, *(f"graphs/member-{number}.onnx" for number in range(1, len(graphs)))]
        self.files = names
        """The file of each graph."""
        self.patches = [_patches(graph.source, training) for graph in graphs]
        """For each graph one patch of each training image."""
        for name, graph in zip(names, graphs, strict=True):
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(graph.data)

    def run(
        self, backend: BackendName, calibrator: AppliedCalibrator, source: EnsemblePredictor, *, threads: int
    ) -> Run:
        """The model on a backend; graphs of 8 bits are made for it.

        Raises:
            InputError: a graph cannot be loaded, or takes other patches than its source.
        """
        parts = []
        for number, graph in enumerate(self.graphs):
            name, of = self.files[number], graph.source
            if BACKENDS[backend].quantised:
                name = _quantised(number)
                (self.folder / name).parent.mkdir(exist_ok=True)
                quantise(self.folder / self.files[number], self.patches[number], self.folder / name)
            task, preprocessing = of.task, of.preprocessor.preprocessing
            parts.append(
                OnnxPredictor(self.folder / name, of.spec, threads=threads, task=task, preprocessing=preprocessing)
            )
        return Run(parts, combined(parts, source.rule, calibrator, overlap=source.overlap))

    def answer(self, predictors: Sequence[PatchPredictor]) -> None:
        """Ask one predictor a graph about all patches of its graph, in batches of its own."""
        for predictor, patches in zip(predictors, self.patches, strict=True):
            predictor.logits(patches)

    @property
    def asked(self) -> int:
        """How many patches `answer` asks about."""
        return sum(len(patches) for patches in self.patches)

    def recorded(self, models: Sequence[ModelSpec], backend: BackendName) -> tuple[ExportedGraph, ...]:
        """What the record of the export says of each graph.

        Args:
            models: the specification of each member.
            backend: what runs them.
        """
        made = []
        for number, (file, graph) in enumerate(zip(self.files, self.graphs, strict=True)):
            preprocessing = graph.source.preprocessor.preprocessing
            quantised = _quantised(number) if BACKENDS[backend].quantised else None
            made.append(
                ExportedGraph(
                    file=file,
                    digest=digest_file(self.folder / file),
                    quantised=quantised and QuantisedGraph(file=quantised, digest=digest_file(self.folder / quantised)),
                    network=models[number].summary,
                    patch=models[number].patch,
                    members=graph.members,
                    preprocessing=preprocessing,
                    preprocessing_digest=preprocessing.digest,
                    outputs=graph.outputs,
                )
            )
        return tuple(made)


def _quantised(number: int) -> str:
    return f"graphs/int8-{number}.onnx"


def _patches(source: PatchPredictor, training: Sequence[Raw]) -> Patches:
    """The middle of each image, as the network gets it."""
    images = (source.preprocessor.apply(image, spacing) for image, spacing in training)
    return np.stack([_centre(image, source.spec.patch) for image in images])


def _centre(image: NDArray[np.float32], patch: tuple[int, ...]) -> NDArray[np.float32]:
    """The middle of an image (channels, *grid), padded with its edge where it is smaller than the patch."""
    pads = [(0, 0), *((0, max(0, want - have)) for have, want in zip(image.shape[1:], patch, strict=True))]
    padded: NDArray[Any] = np.pad(image, pads, mode="edge")
    starts = [(have - want) // 2 for have, want in zip(padded.shape[1:], patch, strict=True)]
    middle = (slice(at, at + want) for at, want in zip(starts, patch, strict=True))
    return np.ascontiguousarray(padded[(slice(None), *middle)], dtype=np.float32)
