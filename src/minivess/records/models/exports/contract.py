"""How an exported model is used: everything that a program needs beside the graphs to answer an image as it was evaluated."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText
from minivess.records.models.exports.certificate import BackendMeasurement
from minivess.records.models.exports.choice import INT8, BackendName
from minivess.records.models.intended_use import IntendedUse
from minivess.records.models.networks.network import Patch
from minivess.records.models.preprocessing import Preprocessing

Share = Annotated[float, Field(ge=0, le=1)]
GraphFile = Annotated[str, Field(pattern=r"^(graphs/)?[a-z0-9][a-z0-9-]*\.onnx$", max_length=80)]
"""Where a graph is in the folder of the record."""


class GraphOutput(Record):
    """One named output of a graph."""

    name: Literal["logits", "member_logits", "disagreement", "embedding"]
    axes: ShortText
    """The axes in their order; `patch` stands for the spatial ones."""


class QuantisedGraph(Record):
    """The same graph with weights and activations of 8 bits."""

    file: GraphFile
    digest: Digest


class ExportedGraph(Record):
    """One graph, from a preprocessed patch (1, channels, *patch) to named outputs."""

    file: GraphFile
    digest: Digest
    quantised: Annotated[QuantisedGraph | None, Field(exclude_if=lambda value: value is None)] = None
    """What is run instead of it, where the backend of the model is `onnxruntime int8`."""
    network: ShortText
    """The networks in it, in words. The record of the ensemble has their specification."""
    patch: Patch
    """What it takes, in voxels (z, y, x) or pixels (y, x)."""
    members: Annotated[int, Field(ge=1)]
    """How many networks it combines."""
    preprocessing: Preprocessing
    preprocessing_digest: Digest
    outputs: Annotated[tuple[GraphOutput, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.preprocessing_digest != self.preprocessing.digest:
            raise ValueError("the digest of the preprocessing is not that of its fields")
        names = [one.name for one in self.outputs]
        if names[0] != "logits" or len(set(names)) != len(names):
            raise ValueError("the first output of a graph is `logits`, and each name is there once")
        return self


class Tiling(Record):
    """How patches become an image."""

    overlap: Annotated[float, Field(ge=0, lt=1)]
    """The share of a patch that neighbours share."""
    blending: Literal["gaussian, deviation an eighth of the patch"] = "gaussian, deviation an eighth of the patch"
    """The weight of a voxel in its patch. Logits are blended."""


class AppliedCalibrator(Record):
    """How logits are calibrated."""

    method: ShortText
    """The name of a calibrator in `ml.calibrators`."""
    parameter: Annotated[float, Field(gt=0)]
    """What was fitted on the calibration part; of temperature scaling the temperature."""
    inside: bool
    """True: the graph does it, patch by patch. False: it is done after blending."""


class Decision(Record):
    """How calibrated probabilities become a mask."""

    rule: Literal["threshold", "argmax"]
    threshold: Share | None
    """Voxels with at least this probability are in the mask; None for argmax."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.rule == "threshold") != (self.threshold is not None):
            raise ValueError("a threshold rule has a threshold, and argmax has none")
        return self


class ConformalThresholds(Record):
    """Thresholds of the wider masks that have a guaranteed recall."""

    target_recall: Annotated[float, Field(gt=0, lt=1)]
    thresholds: Annotated[dict[str, Share | None], Field(min_length=1)]
    """By name of the class. Voxels with at least this probability are in the conformal mask; None: no guarantee."""


class Licences(Record):
    """Under which licences the parts of the model may be used."""

    code: ShortText
    weights: ShortText
    data: ShortText


class ModelContract(Record):
    """How the model of an export is used."""

    format: Literal["minivess-model/1"] = "minivess-model/1"
    graphs: Annotated[tuple[ExportedGraph, ...], Field(min_length=1, max_length=64)]
    """One graph for the whole ensemble; or one a member, where members take other patches or grids. Then the probabilities
    of whole images are combined."""
    rule: ShortText
    """The name of a rule in `ml.ensembles`, inside the one graph or over the graphs."""
    tiling: Tiling
    calibrator: AppliedCalibrator
    decision: Decision
    conformal: ConformalThresholds
    intended_use: IntendedUse
    licences: Licences
    backend: BackendName
    """Runs the graphs: the fastest one that was certified."""
    backends: Annotated[tuple[BackendMeasurement, ...], Field(min_length=1)]
    """What was measured, with PyTorch as the reference."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len({name for name, _ in self.files}) != len(self.files):
            raise ValueError("two graphs have one file")
        if any((one.quantised is None) == (self.backend == INT8) for one in self.graphs):
            raise ValueError(f"graphs of 8 bits are there exactly where the backend is {INT8}")
        if self.calibrator.inside and len(self.graphs) > 1:
            raise ValueError("several graphs are calibrated after blending")
        if self.backend not in {one.name for one in self.backends if one.certified}:
            raise ValueError(f"the backend {self.backend} is not certified")
        return self

    @property
    def words(self) -> tuple[str, ...]:
        """How it is used and what was measured, in lines."""
        first, applied, parity = self.graphs[0], self.calibrator, self.certificate.parity
        where = "in the graph" if applied.inside else "after blending"
        mask = (
            "the most probable class"
            if self.decision.threshold is None
            else f"probability ≥ {self.decision.threshold:g}"
        )
        stated = (
            (name, "no guarantee" if one is None else f"{one:g}") for name, one in self.conformal.thresholds.items()
        )
        outputs = ", ".join(one.name for one in first.outputs)
        members, graphs = sum(one.members for one in self.graphs), len(self.graphs)
        counted = f"{members} member{'' if members == 1 else 's'} in {graphs} graph{'' if graphs == 1 else 's'}"
        return (
            f"networks: {first.network}; outputs: {outputs}; {counted}, {self.rule}",
            f"patch: {' x '.join(map(str, first.patch))}, overlap {self.tiling.overlap:.0%}",
            f"calibration: {applied.method}, {applied.parameter:g}, {where}",
            f"mask: {mask}",
            f"conformal thresholds for recall {self.conformal.target_recall:g}: "
            + ", ".join(f"{name} {one}" for name, one in stated),
            f"licences: code {self.licences.code}; weights {self.licences.weights}; data {self.licences.data}",
            f"parity with PyTorch on {len(parity.cases)} whole case{'' if len(parity.cases) == 1 else 's'}, "
            f"{parity.voxels:,} voxels: probabilities differ by {parity.max_probability_difference:.3g} at most, "
            f"{parity.flipped_voxels:,} voxels flip, "
            + ", ".join(f"{name} differs by {one:.3g}" for name, one in parity.measures.items()),
            *(one.words for one in self.backends),
            f"runs on: {self.backend}",
        )

    @property
    def certificate(self) -> BackendMeasurement:
        """What was measured of the backend that runs the graphs."""
        return next(one for one in self.backends if one.name == self.backend)

    @property
    def files(self) -> tuple[tuple[str, Digest], ...]:
        """The name of each graph's file in the folder, with its digest."""
        plain = [(one.file, one.digest) for one in self.graphs]
        return (*plain, *((one.file, one.digest) for graph in self.graphs if (one := graph.quantised) is not None))
