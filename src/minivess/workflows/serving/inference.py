"""Answer one volume: check it against the intended use, segment it, and record the answer before it is given.

Every answer is one entry of the serving log, signed by the service; what could not be recorded is not answered. A refusal is
an entry as well, or is counted: when the request could not be read, or when more were refused than get entries.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from minivess.compliance.audit.promotions import PROMOTING, Promotions
from minivess.foundation.digests import digest_bytes, digest_json
from minivess.foundation.errors import UsageError, VerificationError
from minivess.foundation.implements import implements
from minivess.ml.inference.intended_use import Spacing, outside_reasons
from minivess.ml.inference.onnx_predictor import OnnxPredictor
from minivess.ml.inference.predictor import Predictor
from minivess.records.artifact import Artifact
from minivess.records.device.workspace_files import ONNX
from minivess.records.log.entry import Context, Entry
from minivess.records.log.receipt import Receipt
from minivess.records.log.serving_log import RefusalReason
from minivess.records.models.intended_use import IntendedUse
from minivess.records.models.model import MASK_THRESHOLD
from minivess.workflows.serving.serving_log import ServingLog
from minivess.workflows.session.bound_inputs import BoundInputs, hint_of_first_missing
from minivess.workflows.session.recording import Recording, recorded
from minivess.workflows.session.services import Services

ACTION = "inference"
_DECISION_LENGTH = 200


@dataclass(frozen=True)
class Answer:
    """What the service says about one request, and the proof that it is in the log.

    Attributes:
        decision: whether there is a mask.
        reasons: why not, one sentence each; empty when answered.
        mask: uint8 (z, y, x), 1 is vessel; None when refused.
        conformal_mask: uint8 (z, y, x), 1 where vessels may be that the mask misses, with the recall that calibration
            guarantees; None when refused or when there is no guarantee.
        foreground_fraction: share of vessel voxels; None when refused.
        receipt: of the entry this answer is; None for a refusal that is counted.
    """

    decision: Literal["answered", "refused"]
    reasons: tuple[str, ...]
    mask: NDArray[np.uint8] | None
    conformal_mask: NDArray[np.uint8] | None
    foreground_fraction: float | None
    receipt: Receipt | None


@dataclass(frozen=True)
class ServedModel:
    """What is served: the model's digest, its two thresholds, and the intended use.

    `threshold` makes the mask that was evaluated, `conformal_threshold` the wider one that carries the recall guarantee
    of the calibration (None when there is none).
    """

    digest: str
    threshold: float
    conformal_threshold: float | None
    intended_use: IntendedUse
    device: str
    version: str
    statement: str


@dataclass(frozen=True)
class OpenedModel:
    """A model that may be served, ready to run."""

    predictor: Predictor
    """Volume (z, y, x) -> calibrated foreground probabilities (z, y, x)."""
    served: ServedModel
    context: Context
    """Circumstances of every answer, found once."""


@implements("REQ-027", "REQ-029", "REQ-170", "REQ-173", "REQ-176", "RC-01", "RC-12")
class InferenceService:
    """Answers volumes on the record. Safe to call from several threads.

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
            Artifact(name="models/model.onnx", digest=self.model.digest),
            Artifact(name="service/intended-use", digest=digest_json(self.model.intended_use.model_dump(mode="json"))),
        )

    def answer(
        self, volume: NDArray[np.generic], spacing: Spacing, request_id: str, *, source: str | None = None
    ) -> Answer:
        """Segment a volume, or refuse it, and record which.

        Args:
            volume: image (z, y, x) in any intensity unit.
            spacing: voxel size (z, y, x) in micrometres.
            request_id: names the request in the log; made by the service, never by the client.
            source: digest of the bytes the volume came from; by default of the array's own bytes.

        Raises:
            CouldNotCheckError: the log cannot be written, so there is no answer.
        """
        digest = digest_bytes(np.ascontiguousarray(volume).tobytes()) if source is None else source
        reasons = outside_reasons(self.model.intended_use, volume, spacing)
        if reasons:
            return self.refuse(reasons, request_id, source=digest)
        with self._recorded(request_id, digest) as record:
            probabilities = self._predictor.predict(volume)[0]
            mask = (probabilities >= self.model.threshold).astype(np.uint8)
            fraction = float(mask.mean())
            record.output(f"masks/{request_id}", mask_digest(mask))
            wide = None
            if self.model.conformal_threshold is not None:
                wide = (probabilities >= self.model.conformal_threshold).astype(np.uint8)
                record.output(f"conformal-masks/{request_id}", mask_digest(wide))
            record.payload(decision="answered", foreground_fraction=fraction, conformal=wide is not None)
        return Answer("answered", (), mask, wide, fraction, self._receipt(record))

    def refuse(self, reasons: tuple[str, ...], request_id: str, *, source: str) -> Answer:
        """Record that a volume is not answered, and why; or count it, when many were refused this minute.

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
            return Answer("refused", reasons, None, None, None, None)
        with self._recorded(request_id, source) as record:
            decision = f"refused: {'; '.join(reasons)}"
            if len(decision) > _DECISION_LENGTH:
                decision = f"{decision[: _DECISION_LENGTH - 1]}…"
            record.payload(decision=decision)
            record.refuse(reasons[0])
        return Answer("refused", reasons, None, None, None, self._receipt(record))

    def turn_away(self, reason: RefusalReason) -> None:
        """Count a request that could not be read."""
        self._serving.refusals.count(reason)

    def receipt(self, index: int) -> Receipt:
        """The receipt of an answer given earlier, with its proof through both logs as they are now.

        Raises:
            UsageError: there is no such entry, or it is no answer of this service.
        """
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
        return receipt

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
    """The digest by which the log knows a mask: of its voxels' bytes in C order (z, y, x), one byte a voxel."""
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
    predictor = OnnxPredictor(inputs.read(ONNX), services.project.model)
    _check_use(services, predictor.digest)
    device = services.project.device
    model = ServedModel(
        digest=predictor.digest,
        threshold=MASK_THRESHOLD,
        conformal_threshold=inputs.calibration.threshold,
        intended_use=inputs.intended_use,
        device=device.name,
        version=device.version,
        statement=device.intended_use,
    )
    context = services.context(model=predictor.digest, device="cpu, ONNX Runtime", **inputs.version)
    return OpenedModel(predictor, model, context)


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
