"""Answer one image: check it against the intended use, segment it, and record the answer before it is given.

Every answer is one entry of the serving log, signed by the service; what could not be recorded is not answered. A refusal is
an entry as well, or is counted: when the request could not be read, or when more were refused than get entries.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from minivess.compliance.audit.promotions import PROMOTING, Promotions
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError, UsageError, VerificationError
from minivess.foundation.implements import implements
from minivess.ml.calibrators.registry import TEMPERATURE_SCALING
from minivess.ml.inference.answers import class_probabilities, mask_of
from minivess.ml.inference.batching import BatchCut
from minivess.ml.inference.exported_model import ExportedModel
from minivess.ml.inference.intended_use import Spacing, outside_reasons
from minivess.ml.inference.watch import Watch
from minivess.ml.inference.watched import JoinsRequests
from minivess.ml.measures.shapes.class_sizes import class_size
from minivess.records.artifact import Artifact
from minivess.records.log.entry import Entry
from minivess.records.log.payloads.models import ClassShare, Inference
from minivess.records.log.receipt import Receipt
from minivess.records.log.serving_log import RefusalReason
from minivess.records.log.stage_times import Stage
from minivess.records.models.exports.contract import AppliedCalibrator, ModelContract
from minivess.workflows.serving.access.callers import Callers
from minivess.workflows.serving.access.in_use import InUse, LogView, check_in_production
from minivess.workflows.serving.answers import (
    NOTHING_MORE,
    Answer,
    ClassAnswer,
    OpenedModel,
    ServedModel,
    Wanted,
    arrays_of,
)
from minivess.workflows.serving.failures import reason_of_failure
from minivess.workflows.serving.observer import Beside, ClassFact, Observer, Served, Unobserved
from minivess.workflows.serving.serving_log import ServingLog
from minivess.workflows.session.bound_inputs import BoundInputs, hint_of_first_missing
from minivess.workflows.session.recording import Recording, recorded
from minivess.workflows.session.services import Services

ACTION = "inference"
_log = logging.getLogger(__name__)
_DECISION_LENGTH = 200


@implements("REQ-432", "REQ-433", "REQ-027", "REQ-029", "REQ-348", "REQ-170", "REQ-173", "REQ-176", "RC-01", "RC-12")
class InferenceService:
    """Answers images on the record. Safe to call from several threads.

    Args:
        serving: the serving log that answers are recorded in.
        opened: what is served.
        observer: is told of answers, refusals and requests that were turned away.
        beside: a candidate that judges the same images, and gives no answer.
    """

    def __init__(
        self,
        serving: ServingLog,
        opened: OpenedModel,
        *,
        observer: Observer | None = None,
        beside: Beside | None = None,
    ) -> None:
        self.model = opened.served
        self.observer = observer or Unobserved()
        self._beside = beside
        self._serving = serving
        self._predictor = opened.predictor
        self._context = opened.context
        self._in_use = opened.in_use
        self._inputs = self.model.artifacts
        if isinstance(self._predictor, JoinsRequests):
            self._predictor.join_requests(self._batched)

    @implements("REQ-439")
    def _batched(self, requests: int, cut: BatchCut) -> None:
        """Notify the observer of a batch."""
        _notified(lambda: self.observer.batched(requests, cut))

    def callers(self) -> Callers:
        """Who may ask, as of now; none is named where each caller may.

        Raises:
            NotInUseError: this cannot be found out.
        """
        return Callers() if self._in_use is None else self._in_use.callers()

    @implements("REQ-447", "RC-185")
    def check_in_use(self) -> None:
        """Raise `NotInUseError` unless the model may answer now, and the service record its answers."""
        if self._in_use is not None:
            self._in_use.check(self._serving.signer.identity)

    @implements("REQ-431")
    def answer(
        self,
        image: NDArray[np.generic],
        spacing: Spacing | None,
        request_id: str,
        *,
        source: str | None = None,
        caller: str | None = None,
        wanted: Wanted = NOTHING_MORE,
        watch: Watch | None = None,
    ) -> Answer:
        """Segment an image, or refuse it, and record which.

        Args:
            image: (z, y, x) or (y, x), with channels last where there are several, in any intensity unit.
            spacing: micrometres along each axis; None where no physical size is known.
            request_id: names the request in the log; made by the service, never by the client.
            source: digest of the bytes the image came from; by default of the array's own bytes.
            caller: who asks, where callers are known.
            wanted: outputs beside the mask; each must be one that the model gives.
            watch: measures the stages, and is told of progress.

        Raises:
            CouldNotCheckError: the log cannot be written, so there is no answer.
            NotInUseError: the model may not answer now.
        """
        self.check_in_use()
        watch = watch or Watch()
        digest = digest_bytes(np.ascontiguousarray(image).tobytes()) if source is None else source
        task = self.model.task
        known = spacing or (1.0,) * len(task.axes)
        with watch.stage(Stage.PREPROCESSING):
            reasons = outside_reasons(self.model.intended_use, image, known, "px" if spacing is None else "um")
        if reasons:
            return self.refuse(reasons, request_id, source=digest, caller=caller, watch=watch)
        with ExitStack() as commit, self._recorded(request_id, digest) as record:
            try:
                more = "disagreement" in wanted.names
                found = self._predictor.predict_watched(image, spacing, watch, disagreement=more)
            except RefusedError as error:  # taken back by its caller
                record.payload(decision=f"refused: {error.message}", caller=caller, times=watch.times)
                raise
            self.check_in_use()  # a long image may outlast the stage of its model
            with watch.stage(Stage.POSTPROCESSING):
                mask = mask_of(found.probabilities, task, threshold=self.model.stated_threshold)
                classes = self._classes(mask, found.probabilities, spacing)
                arrays, of_mask = arrays_of(found, wanted), mask_digest(mask)
                answer = Answer("answered", (), mask, classes, None, arrays=arrays, mask_digest=of_mask)
                self._record(record, request_id, answer, of_mask)
            record.payload(caller=caller, times=watch.times)
            commit.enter_context(watch.stage(Stage.LOG_COMMIT))
        return replace(answer, receipt=self._receipt(record), times=watch.times)

    @implements("REQ-430")
    def notify(self, answer: Answer, request_id: str, watch: Watch, *, caller: str | None = None) -> None:
        """Notify the observer of an answer that is ready to be sent; that it fails is a warning."""
        facts = tuple(ClassFact(one.label.name, one.foreground_fraction, one.confidence) for one in answer.classes)
        served = Served(
            request=request_id,
            decision=answer.decision,
            reasons=answer.reasons,
            times=watch.times,
            classes=facts,
            caller=caller,
            index=None if answer.receipt is None else answer.receipt.index,
            model=self.model.digest,
            version=self.model.version,
        )
        _notified(lambda: self.observer.served(served))

    def offer(self, image: NDArray[np.generic], spacing: Spacing | None, answer: Answer) -> None:
        """Offer an image that was judged to the candidate beside, where there is one; that it fails is a warning."""
        beside = self._beside
        if beside is not None:
            _notified(lambda: beside.offer(image, spacing, answer.mask))

    def _classes(
        self, mask: NDArray[np.uint8], probabilities: NDArray[np.float32], spacing: Spacing | None
    ) -> tuple[ClassAnswer, ...]:
        """What an answer says of each class. Sizes come first: they need most memory, and there are no other masks yet."""
        sizes = [class_size(mask, label.value, spacing) for label in self.model.task.classes]
        return tuple(
            ClassAnswer(
                label,
                size.voxels / mask.size,
                threshold,
                None if threshold is None else (probability >= threshold).view(np.uint8),
                size,
                _confidence(mask, label.value, probability),
            )
            for label, size, probability, threshold in zip(
                self.model.task.classes,
                sizes,
                class_probabilities(probabilities),
                self.model.conformal_thresholds,
                strict=True,
            )
        )

    def _record(self, record: Recording, request_id: str, answer: Answer, of_mask: str) -> None:
        """What the entry of an answer says: digests of its masks, and shares of voxels."""
        several = len(answer.classes) > 1
        record.output(f"masks/{request_id}", of_mask)
        for one in answer.classes:
            if one.conformal_mask is not None:
                name = f"conformal-masks/{request_id}" + (f"/{one.label.value}" if several else "")
                record.output(name, mask_digest(one.conformal_mask))
        for array in answer.arrays:
            record.output(f"{array.name}/{request_id}", array.digest)
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

    def refuse(
        self,
        reasons: tuple[str, ...],
        request_id: str,
        *,
        source: str,
        caller: str | None = None,
        watch: Watch | None = None,
    ) -> Answer:
        """Record that an image is not answered, and why; or count it, when many were refused this minute.

        Args:
            reasons: one sentence each; nothing the client wrote belongs in them.
            request_id: names the request in the log.
            source: digest of what was sent.
            caller: who asks, where callers are known.
            watch: measures the stages.

        Raises:
            UsageError: there is no reason.
            CouldNotCheckError: the log cannot be written.
        """
        if not reasons:
            raise UsageError("a refusal needs a reason")
        watch = watch or Watch()
        if not self._serving.refusals.may_have_entry():
            self._serving.refusals.count(RefusalReason.OUTSIDE_USE)
            return Answer("refused", reasons, None, (), None, watch.times)
        with ExitStack() as commit, self._recorded(request_id, source) as record:
            decision = f"refused: {'; '.join(reasons)}"
            if len(decision) > _DECISION_LENGTH:
                decision = f"{decision[: _DECISION_LENGTH - 1]}…"
            record.payload(decision=decision, caller=caller, times=watch.times)
            record.refuse(reasons[0])
            commit.enter_context(watch.stage(Stage.LOG_COMMIT))
        return Answer("refused", reasons, None, (), self._receipt(record), watch.times)

    def turn_away(self, reason: RefusalReason) -> None:
        """Count a request that could not be read."""
        self._serving.refusals.count(reason)
        _notified(lambda: self.observer.turned_away(reason))

    def count_failure(self, error: Exception) -> None:
        """Count a request that ended by an error, by its reason."""
        self.turn_away(reason_of_failure(error))

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
        """Read the serving log, which every answer is written to, and whether the model may answer.

        Raises:
            CouldNotCheckError: it cannot be read.
            NotInUseError: the model may not answer now.
        """
        self.check_in_use()
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


def _confidence(mask: NDArray[np.uint8], value: int, probability: NDArray[np.float32]) -> float | None:
    """The mean probability of a class over the voxels of the mask that have it."""
    inside = mask == value
    return float(probability.mean(where=inside, dtype=np.float64)) if inside.any() else None


def _notified(notify: Callable[[], None]) -> None:
    """Notify an observer; that it fails is a warning."""
    try:
        notify()
    except Exception as error:  # whatever an observer does, the answer stands
        _log.warning("an observer of the service failed: %s", type(error).__name__)


def mask_digest(mask: NDArray[np.uint8]) -> str:
    """The digest by which the log knows a mask: of its voxels' bytes in C order, one byte a voxel."""
    return digest_bytes(np.ascontiguousarray(mask, dtype=np.uint8).reshape(-1).data)


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
    standing = Promotions.fold(services.log.entries(actions=PROMOTING))
    with hint_of_first_missing(services, "serve") if opened.digest not in standing.evaluated else nullcontext():
        check_in_production(standing, opened.digest, what="the model that was exported last")
    model = ServedModel.of(
        opened,
        services.project.device,
        name=inputs.model.name,
        conformal=inputs.conformal_thresholds,
        intended_use=inputs.intended_use,
        calibrator=_calibrator(inputs, opened.record.model),
    )
    context = services.context(model=opened.digest, device="cpu, ONNX Runtime", **inputs.version)
    return OpenedModel(opened, model, context, InUse(LogView(services.log), opened.digest))


def _calibrator(inputs: BoundInputs, contract: ModelContract | None) -> AppliedCalibrator:
    """How logits are calibrated; graphs of version 0.1.0 divide by the temperature of the calibration."""
    if contract is not None:
        return contract.calibrator
    return AppliedCalibrator(method=TEMPERATURE_SCALING, parameter=inputs.calibration.temperature, inside=True)


def _request(request_id: str, digest: str) -> Artifact:
    return Artifact(name=f"requests/{request_id}", digest=digest)
