"""From a request that was read to the message that answers it: the one way, whatever the door."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import orjson
from fastapi import Response
from numpy.typing import NDArray

from minivess.foundation.digests import digest_bytes
from minivess.foundation.implements import implements
from minivess.ml.inference.watch import Watch
from minivess.records.log.receipt import Receipt
from minivess.records.log.serving_log import RefusalReason
from minivess.records.log.stage_times import Stage
from minivess.serving.inference import problems
from minivess.serving.inference.later_texts import LaterTexts
from minivess.serving.inference.messages import Message, Segmentation, segmentation
from minivess.serving.inference.request_form import Asked, image_of, parsed
from minivess.serving.inference.short_messages import Prediction, prediction
from minivess.serving.inference.volumes import Limits
from minivess.workflows.serving.answers import NOTHING_MORE, Answer, Wanted
from minivess.workflows.serving.images import MaskEncoder, RequestImage, check_mask_format, check_outputs
from minivess.workflows.serving.inference import InferenceService


@dataclass(frozen=True)
class Answering:
    """One request on its way to an answer.

    Attributes:
        engine: answers images on the record.
        limits: how much is taken in.
        name: of the request in the log; made by the service.
        asked: what the client sent.
        watch: measures the stages.
        begun: when the request came, by `time.perf_counter`.
        caller: who asks, where callers are known.
    """

    engine: InferenceService
    limits: Limits
    name: str
    asked: Asked
    watch: Watch
    begun: float
    caller: str | None = None


@implements("REQ-027", "REQ-430")
def respond(asking: Answering) -> Response:
    """Judge one request (blocking).

    Raises:
        TurnedError: image, spacing or format of masks cannot be taken.
        CouldNotCheckError: the log cannot be written, so there is no answer.
    """
    wanted, outputs, model = asking.asked.mask_format, asking.asked.outputs, asking.engine.model
    later = LaterTexts()

    def check(image: RequestImage) -> None:
        parsed(RefusalReason.INCOMPLETE, lambda: check_mask_format(wanted, image, model.task))
        parsed(RefusalReason.INCOMPLETE, lambda: check_outputs(outputs, model))

    def message(image: RequestImage, answer: Answer, mask: NDArray[np.uint8], receipt: Receipt) -> Segmentation:
        return segmentation(
            model,
            asking.name,
            answer,
            mask,
            receipt,
            encode=MaskEncoder(wanted, image, model),
            arrays=outputs.format,
            later=later,
            watch=asking.watch,
        )

    return _judged(asking, check, message, later, outputs.wanted)


@implements("REQ-429")
def predict(asking: Answering) -> Response:
    """Judge the picture of a short request (blocking).

    Raises:
        TurnedError: the picture cannot be taken, or a volume or another format was asked for.
        CouldNotCheckError: the log cannot be written, so there is no answer.
    """
    wanted = asking.asked.mask_format if asking.asked.mask_format == "png" else "rle"

    def message(image: RequestImage, answer: Answer, mask: NDArray[np.uint8], receipt: Receipt) -> Prediction:
        with asking.watch.stage(Stage.ENCODING):
            text = MaskEncoder(wanted, image, asking.engine.model).text(mask)
        return prediction(
            asking.engine.model, asking.name, answer, text, receipt, mask_format=wanted, begun=asking.begun
        )

    return _judged(asking, lambda _: None, message, LaterTexts())


@implements("REQ-436")
def _judged(
    asking: Answering,
    check: Callable[[RequestImage], None],
    message: Callable[[RequestImage, Answer, NDArray[np.uint8], Receipt], Message],
    later: LaterTexts,
    wanted: Wanted = NOTHING_MORE,
) -> Response:
    """The message with the answer, or the problem of a refusal; the observer is notified of either."""
    engine, watch = asking.engine, asking.watch
    with watch.stage(Stage.READING):
        image = image_of(asking.asked, engine.model, asking.limits)
        check(image)
        digest = digest_bytes(asking.asked.data)
    answer = engine.answer(
        image.array, image.spacing, asking.name, source=digest, caller=asking.caller, wanted=wanted, watch=watch
    )
    mask, receipt = answer.mask, answer.receipt
    said = None if mask is None or receipt is None else message(image, answer, mask, receipt)
    engine.notify(answer, asking.name, watch, caller=asking.caller)
    engine.offer(image.array, image.spacing, answer)
    if said is None:
        return _refusal(asking.name, answer)
    del answer, mask, image  # what follows needs as much memory as they do
    return later.response(orjson.dumps(said.model_dump(mode="json")))


def _refusal(name: str, answer: Answer) -> Response:
    return problems.problem_response(
        "outside-intended-use",
        422,
        answer.reasons[0],
        hint="GET /v1/model lists the bounds of the intended use",
        request=None if answer.receipt is None else name,
        reasons=answer.reasons,
        refused=True,
        receipt=answer.receipt,
    )
