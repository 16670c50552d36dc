"""What is served, and what an answer says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.digests import digest_json, digest_pieces
from minivess.foundation.implements import implements
from minivess.ml.inference.answers import class_probabilities
from minivess.ml.inference.exported_model import ExportedModel
from minivess.ml.inference.watched import Prediction, WatchedPredictor
from minivess.ml.writing.arrays import NumberType, number_pieces
from minivess.records.artifact import Artifact
from minivess.records.data.dataset import LabelClass
from minivess.records.device.project import Device
from minivess.records.evaluation.counted.class_size import ClassSize
from minivess.records.log.entry import Context
from minivess.records.log.receipt import Receipt
from minivess.records.log.stage_times import StageTimes
from minivess.records.models.exports.contract import AppliedCalibrator
from minivess.records.models.intended_use import IntendedUse
from minivess.records.models.model import MASK_THRESHOLD
from minivess.records.models.task import SegmentationTask
from minivess.workflows.serving.access.in_use import InUse

OutputName = Literal["probabilities", "disagreement"]
OUTPUTS: tuple[OutputName, ...] = get_args(OutputName)
"""What a request may ask for beside the mask: calibrated probabilities of each class, and the standard deviation of the
members' probabilities."""


@dataclass(frozen=True)
class Wanted:
    """What a request asks for beside the mask.

    Attributes:
        names: of outputs.
        type: of their numbers.
    """

    names: frozenset[OutputName] = frozenset()
    type: NumberType = "float16"


NOTHING_MORE = Wanted()
"""The mask alone."""


@dataclass(frozen=True)
class AnswerArray:
    """A further output.

    Attributes:
        name: of the output.
        values: `probabilities`: (classes, *grid of the image); `disagreement`: (*grid). They are converted only when they are
            digested and written, piece by piece, so that there is no copy of them.
        type: of the numbers that are given.
        digest: by which the log knows it: of its little-endian numbers in C order.
    """

    name: OutputName
    values: NDArray[np.float32]
    type: NumberType
    digest: str

    @classmethod
    def of(cls, name: OutputName, values: NDArray[np.float32], kind: NumberType) -> AnswerArray:
        """An output with its digest."""
        return cls(name, values, kind, digest_pieces(number_pieces(values, kind)))


def arrays_of(found: Prediction, wanted: Wanted) -> tuple[AnswerArray, ...]:
    """The outputs that were asked for, with numbers of the type that was asked for."""
    values = {"probabilities": class_probabilities(found.probabilities), "disagreement": found.disagreement}
    return tuple(
        AnswerArray.of(name, one, wanted.type)
        for name in OUTPUTS
        if name in wanted.names and (one := values[name]) is not None
    )


@dataclass(frozen=True)
class ClassAnswer:
    """What an answer says of one class.

    Attributes:
        label: value in the mask, name, colour and coded term.
        foreground_fraction: its share of the mask's voxels.
        conformal_threshold: probability from which a voxel is in the conformal mask; None when there is no guarantee.
        size: volume or area, components and extent.
        confidence: mean calibrated probability of the class over the voxels of the mask that have it; None where none has.
        conformal_mask: uint8 on the grid of the image, 1 where the class may be that the mask misses, with the recall that
            calibration guarantees; None when there is no guarantee. The masks of several classes may overlap.
    """

    label: LabelClass
    foreground_fraction: float
    conformal_threshold: float | None
    conformal_mask: NDArray[np.uint8] | None
    size: ClassSize
    confidence: float | None = None


@dataclass(frozen=True)
class Answer:
    """What the service says about one request, and the proof that it is in the log.

    Attributes:
        decision: whether there is a mask.
        reasons: why not, one sentence each; empty when answered.
        mask: uint8 on the grid of the image, with the values of the classes, 0 is background; None when refused.
        classes: one for each class, in ascending order of value; empty when refused.
        receipt: of the entry this answer is; None for a refusal that is counted.
        times: of the stages up to the entry on the disk.
        arrays: further outputs that the request asked for, in the order of `OUTPUTS`.
        mask_digest: by which the log knows the mask; None when refused.
    """

    decision: Literal["answered", "refused"]
    reasons: tuple[str, ...]
    mask: NDArray[np.uint8] | None
    classes: tuple[ClassAnswer, ...]
    receipt: Receipt | None
    times: StageTimes = field(default_factory=StageTimes)
    arrays: tuple[AnswerArray, ...] = ()
    mask_digest: str | None = None

    @property
    def foreground_fraction(self) -> float:
        """The share of voxels in the mask, of any class."""
        return 0.0 if self.mask is None else float(np.count_nonzero(self.mask) / self.mask.size)


@dataclass(frozen=True)
class ServedModel:
    """What is served: the model's digest, what it takes and gives, its thresholds, and the intended use.

    Attributes:
        digest: of the model.
        task: channels, axes and classes.
        conformal_thresholds: of each class, in their order: it makes the wider mask that carries the recall guarantee of the
            calibration. None where there is no guarantee.
        intended_use: bounds of what is answered.
        device: name of the device.
        version: of the device.
        statement: the intended use in words.
        calibrator: how logits are calibrated; None where no record states it.
        outputs: what a request may ask for beside the mask.
    """

    name: str
    """How the log names what the digest is of: the record of the export."""
    digest: str
    task: SegmentationTask
    stated_threshold: float
    """What the record of the export states; 0.5 of several classes, where it has no effect."""
    conformal_thresholds: tuple[float | None, ...]
    intended_use: IntendedUse
    device: str
    version: str
    statement: str
    calibrator: AppliedCalibrator | None = None
    outputs: tuple[OutputName, ...] = OUTPUTS[:1]

    @classmethod
    def of(
        cls,
        opened: ExportedModel,
        device: Device,
        *,
        name: str,
        conformal: Mapping[str, float | None],
        intended_use: IntendedUse,
        calibrator: AppliedCalibrator,
    ) -> ServedModel:
        """What is served of an exported model.

        Args:
            opened: the model.
            device: as the project file describes it.
            name: how the log names the record of the export.
            conformal: the threshold of each class, by its name.
            intended_use: bounds of what is answered.
            calibrator: how logits are calibrated.
        """
        contract = opened.record.model
        stated = None if contract is None else contract.decision.threshold
        return cls(
            name=name,
            digest=opened.digest,
            task=opened.task,
            stated_threshold=MASK_THRESHOLD if stated is None else stated,
            conformal_thresholds=tuple(conformal[one.name] for one in opened.task.classes),
            intended_use=intended_use,
            device=device.name,
            version=device.version,
            statement=device.intended_use,
            calibrator=calibrator,
            outputs=OUTPUTS if opened.gives_disagreement else OUTPUTS[:1],
        )

    @property
    def threshold(self) -> float | None:
        """The probability from which a voxel is in the mask that was evaluated; None for several classes: the argmax."""
        return self.stated_threshold if self.task.one_class else None

    @property
    def rule(self) -> Literal["threshold", "argmax"]:
        """How the mask follows from probabilities."""
        return "threshold" if self.task.one_class else "argmax"

    @property
    @implements("REQ-431")
    def artifacts(self) -> tuple[Artifact, ...]:
        """What every answer rests on, as the log names it: model, bounds, calibrator and rule of the decision."""
        rule = {
            "rule": self.rule,
            "threshold": self.threshold,
            "conformal": [[one.value, self.conformal_thresholds[n]] for n, one in enumerate(self.task.classes)],
        }
        facts = {"service/intended-use": self.intended_use.model_dump(mode="json"), "service/decision-rule": rule}
        if self.calibrator is not None:
            facts["service/calibrator"] = self.calibrator.model_dump(mode="json")
        digests = (Artifact(name=name, digest=digest_json(facts[name])) for name in sorted(facts))
        return (Artifact(name=self.name, digest=self.digest), *digests)


@dataclass(frozen=True)
class OpenedModel:
    """A model that may be served, ready to run."""

    predictor: WatchedPredictor
    """Image and spacing -> calibrated probabilities (outputs, *grid)."""
    served: ServedModel
    context: Context
    """Circumstances of every answer, found once."""
    in_use: InUse | None = None
    """Whether it may answer now, and who may ask; None: always and each caller, for models that no log is about."""
