"""Answer one image: check it against the intended use, segment it, and record the answer before it is given.

Every answer is one entry of the serving log, signed by the service; what could not be recorded is not answered. A refusal is
an entry as well, or is counted: when the request could not be read, or when more were refused than get entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from minivess.compliance.audit.promotions import PROMOTING, Promotions
from minivess.foundation.digests import digest_bytes, digest_json
from minivess.foundation.errors import UsageError, VerificationError
from minivess.foundation.implements import implements
from minivess.ml.inference.answers import class_probabilities, mask_of
from minivess.ml.inference.exported_model import ExportedModel
from minivess.ml.inference.intended_use import Spacing, outside_reasons
from minivess.ml.inference.predictor import Predictor
from minivess.records.artifact import Artifact
from minivess.records.data.dataset import LabelClass
from minivess.records.log.entry import Context, Entry
from minivess.records.log.payloads.models import ClassShare, Inference
from minivess.records.log.receipt import Receipt
from minivess.records.log.serving_log import RefusalReason
from minivess.records.models.intended_use import IntendedUse
from minivess.records.models.model import MASK_THRESHOLD
from minivess.records.models.task import SegmentationTask
from minivess.workflows.serving.serving_log import ServingLog
from minivess.workflows.session.bound_inputs import BoundInputs, hint_of_first_missing
from minivess.workflows.session.recording import Recording, recorded
from minivess.workflows.session.services import Services

ACTION = "inference"
_DECISION_LENGTH = 200


@dataclass(frozen=True)
class ClassAnswer:
    """What an answer says of one class.

    Attributes:
        label: value in the mask, name, colour and coded term.
        foreground_fraction: its share of the mask's voxels.
        conformal_threshold: probability from which a voxel is in the conformal mask; None when there is no guarantee.
        conformal_mask: uint8 on the grid of the image, 1 where the class may be that the mask misses, with the recall that
            calibration guarantees; None when there is no guarantee. The masks of several classes may overlap.
    """

    label: LabelClass
    foreground_fraction: float
    conformal_threshold: float | None
    conformal_mask: NDArray[np.uint8] | None


@dataclass(frozen=True)
class Answer:
    """What the service says about one request, and the proof that it is in the log.

    Attributes:
        decision: whether there is a mask.
        reasons: why not, one sentence each; empty when answered.
        mask: uint8 on the grid of the image, with the values of the classes, 0 is background; None when refused.
        classes: one for each class, in ascending order of value; empty when refused.
        receipt: of the entry this answer is; None for a refusal that is counted.
    """

    decision: Literal["answered", "refused"]
    reasons: tuple[str, ...]
    mask: NDArray[np.uint8] | None
    classes: tuple[ClassAnswer, ...]
    receipt: Receipt | None

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

    @property
    def threshold(self) -> float | None:
        """The probability from which a voxel is in the mask that was evaluated; None for several classes: the argmax."""
        return self.stated_threshold if self.task.one_class else None

    @property
    def rule(self) -> Literal["threshold", "argmax"]:
        """How the mask follows from probabilities."""
        return "threshold" if self.task.one_class else "argmax"


@dataclass(frozen=True)
class OpenedModel:
    """A model that may be served, ready to run."""

    predictor: Predictor
    """Image and spacing -> calibrated probabilities (outputs, *grid)."""
    served: ServedModel
    context: Context
    """Circumstances of every answer, found once."""


@implements("REQ-027", "REQ-029", "REQ-348", "REQ-170", "REQ-173", "REQ-176", "RC-01", "RC-12")
class InferenceService:
    """Answers images on the record. Safe to call from several threads.

    Args:
        serving: the serving log that answers are recorded in.
        opened: what is served.
    """

    def __init__(self, serving: ServingLog, opened: OpenedModel) -> None:
        self.model = opened.served
        self._serving = serving
        self._predictor = opened.predictor
        self._context = opened.context
        self._inputs = (
            Artifact(name=self.model.name, digest=self.model.digest),
            Artifact(name="service/intended-use", digest=digest_json(self.model.intended_use.model_dump(mode="json"))),
        )

    def answer(
        self, image: NDArray[np.generic], spacing: Spacing | None, request_id: str, *, source: str | None = None
    ) -> Answer:
        """Segment an image, or refuse it, and record which.

        Args:
            image: (z, y, x) or (y, x), with channels last where there are several, in any intensity unit.
            spacing: micrometres along each axis; None where no physical size is known.
            request_id: names the request in the log; made by the service, never by the client.
            source: digest of the bytes the image came from; by default of the array's own bytes.

        Raises:
            CouldNotCheckError: the log cannot be written, so there is no answer.
        """
        digest = digest_bytes(np.ascontiguousarray(image).tobytes()) if source is None else source
        task = self.model.task
        known = spacing or (1.0,) * len(task.axes)
        reasons = outside_reasons(self.model.intended_use, image, known, "px" if spacing is None else "um")
        if reasons:
            return self.refuse(reasons, request_id, source=digest)
        with self._recorded(request_id, digest) as record:
            probabilities = self._predictor.predict(image, spacing)
            mask = mask_of(probabilities, task, threshold=self.model.stated_threshold)
            answer = Answer("answered", (), mask, self._classes(mask, probabilities), None)
            self._record(record, request_id, answer, mask)
        return replace(answer, receipt=self._receipt(record))

    def _classes(self, mask: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> tuple[ClassAnswer, ...]:
        """What an answer says of each class."""
        return tuple(
            ClassAnswer(
                label,
                float(np.count_nonzero(mask == label.value) / mask.size),
                threshold,
                None if threshold is None else (probability >= threshold).astype(np.uint8),
            )
            for label, probability, threshold in zip(
                self.model.task.classes,
                class_probabilities(probabilities),
                self.model.conformal_thresholds,
                strict=True,
            )
        )

    def _record(self, record: Recording, request_id: str, answer: Answer, mask: NDArray[np.uint8]) -> None:
        """What the entry of an answer says: digests of its masks, and shares of voxels."""
        several = len(answer.classes) > 1
        record.output(f"masks/{request_id}", mask_digest(mask))
        for one in answer.classes:
            if one.conformal_mask is not None:
                name = f"conformal-masks/{request_id}" + (f"/{one.label.value}" if several else "")
                record.output(name, mask_digest(one.conformal_mask))
        shares = [
            ClassShare(
                name=one.label.name,
                foreground_fraction=one.foreground_fraction,
                conformal=one.conformal_mask is not None,
            )
            for one in answer.classes
        ]
        told = Inference(
            decision="answered",
            foreground_fraction=answer.foreground_fraction,
            conformal=any(one.conformal for one in shares),
            classes=tuple(shares) if several else (),
        )
        record.payload(**told.model_dump(mode="json"))

    def refuse(self, reasons: tuple[str, ...], request_id: str, *, source: str) -> Answer:
        """Record that an image is not answered, and why; or count it, when many were refused this minute.

        Args:
            reasons: one sentence each; nothing the client wrote belongs in them.
            request_id: names the request in the log.
            source: digest of what was sent.

        Raises:
            UsageError: there is no reason.
            CouldNotCheckError: the log cannot be written.
        """
        if not reasons:
            raise UsageError("a refusal needs a reason")
        if not self._serving.refusals.may_have_entry():
            self.turn_away(RefusalReason.OUTSIDE_USE)
            return Answer("refused", reasons, None, (), None)
        with self._recorded(request_id, source) as record:
            decision = f"refused: {'; '.join(reasons)}"
            if len(decision) > _DECISION_LENGTH:
                decision = f"{decision[: _DECISION_LENGTH - 1]}…"
            record.payload(decision=decision)
            record.refuse(reasons[0])
        return Answer("refused", reasons, None, (), self._receipt(record))

    def turn_away(self, reason: RefusalReason) -> None:
        """Count a request that could not be read."""
        self._serving.refusals.count(reason)

    def receipt(self, index: int) -> Receipt:
        """The receipt of an answer given earlier, with its proof through both logs as they are now.

        Raises:
            UsageError: there is no such entry, or it is no answer of this service.
        """
        return self._proved(index)[0]

    @implements("REQ-429")
    def decision(self, index: int) -> tuple[Entry, Mapping[str, object]]:
        """The entry of an answer given earlier, which the log proves, and its details; none where they were erased.

        Raises:
            UsageError: there is no such entry, or it is no answer of this service.
        """
        _, entry = self._proved(index)
        details = self._serving.services.log.details(index)
        return entry, {} if details is None else details.payload

    @implements("REQ-429")
    def check_ready(self) -> None:
        """Read the serving log, which every answer is written to.

        Raises:
            CouldNotCheckError: it cannot be read.
        """
        self._serving.services.log.checkpoint()

    def _proved(self, index: int) -> tuple[Receipt, Entry]:
        unknown = UsageError(f"entry {index} is no answer of this service", hint="use the index of a receipt")
        try:
            receipt = self._serving.prove(index)
        except UsageError:
            raise unknown from None
        try:
            entry = Entry.model_validate_json(receipt.entry)
        except ValidationError:
            raise VerificationError(f"entry {index} of the log is malformed") from None
        if entry.body.action != ACTION:
            raise unknown
        return receipt, entry

    def _recorded(self, request_id: str, source: str) -> AbstractContextManager[Recording]:
        """What the answer to one request is recorded with; it leaves only once its entry is on the disk."""
        return recorded(
            self._serving.services,
            ACTION,
            self._serving.signer,
            inputs=(*self._inputs, _request(request_id, source)),
            context=self._context,
            instant=True,
            trial=False,
        )

    def _receipt(self, record: Recording) -> Receipt:
        return record.receipt.model_copy(update={"through": self._serving.through})


def mask_digest(mask: NDArray[np.uint8]) -> str:
    """The digest by which the log knows a mask: of its voxels' bytes in C order, one byte a voxel."""
    return digest_bytes(np.ascontiguousarray(mask, dtype=np.uint8).tobytes())


@implements("REQ-049", "REQ-181", "RC-04", "RC-12")
def open_model(services: Services) -> OpenedModel:
    """Open the workspace's exported model, if the device's log says that it may be served.

    Every file that is read is compared with the log (`workflows.session.bound_inputs`); the model must have been evaluated on the
    sealed test set and be in production. A file is read once: what was digested is what runs.

    Raises:
        VerificationError: a file is not the one in the log, or the model was not evaluated or is not in production.
        UsageError: a step before is missing.
    """
    inputs = BoundInputs.of(services)
    opened = ExportedModel.open(inputs.export_folder(), expected=inputs.model.digest)
    _check_use(services, opened.digest)
    device, thresholds, contract = services.project.device, inputs.conformal_thresholds, opened.record.model
    stated = None if contract is None else contract.decision.threshold
    model = ServedModel(
        name=inputs.model.name,
        digest=opened.digest,
        task=opened.task,
        stated_threshold=MASK_THRESHOLD if stated is None else stated,
        conformal_thresholds=tuple(thresholds[one.name] for one in opened.task.classes),
        intended_use=inputs.intended_use,
        device=device.name,
        version=device.version,
        statement=device.intended_use,
    )
    context = services.context(model=opened.digest, device="cpu, ONNX Runtime", **inputs.version)
    return OpenedModel(opened, model, context)


def _check_use(services: Services, model: str) -> None:
    standing = Promotions.fold(services.log.entries(actions=PROMOTING))
    if model not in standing.evaluated:
        with hint_of_first_missing(services, "serve"):
            raise VerificationError(
                "the model that was exported last was not evaluated on the sealed test set",
                hint="`minivess test-set request`; then another person: `minivess test-set approve REQUEST --run`",
            )
    if standing.production != model:
        raise VerificationError(
            "the model that was exported last is not in production",
            hint=f"a release manager: minivess model promote {model} --stage production --reason …",
        )


def _request(request_id: str, digest: str) -> Artifact:
    return Artifact(name=f"requests/{request_id}", digest=digest)
