"""The calls of a client, as steps that no connection is needed for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from minivess.client.answers import (
    Answer,
    EarlierDecision,
    EarlierReceipt,
    SegmentationMessage,
    ServedModel,
    parsed,
    read_masks,
)
from minivess.client.evidence import Claim, judge_answer, judge_receipt
from minivess.client.exchange import Ask, Reply, Steps, exchange
from minivess.client.images import ImageSource, image_to_send
from minivess.client.problems import (
    OPERATOR,
    ImageRefusedError,
    Problem,
    UnprovenAnswerError,
    error_of,
    receipt_of,
)
from minivess.client.settings import Settings
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.records.log.entry import Outcome
from minivess.records.log.receipt import Receipt

IDEMPOTENCY_KEY = "Idempotency-Key"
_OUTSIDE = "urn:minivess:problem:outside-intended-use"


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        image: see `ImageSource`.
        spacing: voxel size with its unit in the order of the axes; None where the file states it.
        mask_format: of the masks.
        outputs: beside the mask.
        output_type: of their numbers.
        idempotency_key: names the request; None: a new one.
    """

    image: ImageSource
    spacing: str | Sequence[str] | None
    mask_format: str
    outputs: Sequence[str] = ()
    output_type: str = "float16"
    idempotency_key: str | None = None


@implements("REQ-485", "REQ-486")
def ask_for(request: Request, path: str) -> Ask:
    """A request as it is sent to an address.

    Raises:
        InputError: the image cannot be read here.
        UsageError: the array or the spacing is none.
    """
    sent = image_to_send(request.image, request.spacing)
    fields = {"mask_format": request.mask_format} | ({} if sent.spacing is None else {"spacing": sent.spacing})
    if request.outputs:
        fields |= {
            "outputs": ",".join(request.outputs),
            "output_type": request.output_type,
            "output_format": "npy",
        }
    headers = {IDEMPOTENCY_KEY: request.idempotency_key or uuid4().hex}
    return Ask("POST", path, headers, fields, sent.data)


@implements("REQ-485", "REQ-486", "REQ-487")
def segment(settings: Settings, request: Request) -> Steps[Answer]:
    """Send an image, and return the answer when its receipt proves it.

    Raises:
        ImageRefusedError: the image is outside the intended use.
        UnprovenAnswerError: the receipt does not prove the answer or the refusal.
        RequestError: the service cannot read the request.
        NotAllowedError: the service does not know the caller.
        ServiceUnavailableError: there is no answer after all attempts.
        InputError: the image cannot be read here, or the answer is none that this client knows.
        UsageError: the array or the spacing is none.
    """
    ask = ask_for(request, "/v1/segment")
    reply = yield from exchange(ask, settings.retries)
    return answer_of(settings, reply, digest_bytes(ask.file or b""))


def answer_of(settings: Settings, reply: Reply, image: str) -> Answer:
    """The answer in a reply, when its receipt proves it.

    Args:
        settings: trust and limits.
        reply: of the service.
        image: digest of the bytes that were sent.

    Raises:
        ImageRefusedError: see `segment`, as for the others.
    """
    if reply.status != 200:
        raise _refusal(settings, reply, image)
    message, body = parsed(reply.body, SegmentationMessage)
    masks = read_masks(message, limit=settings.maximum_answer)
    known = masks.mask is not None
    outputs = masks.digests(message.request)
    outputs.setdefault(f"masks/{message.request}", message.mask_digest)
    claim = Claim(
        request=message.request,
        image=image,
        outcome=Outcome.COMPLETED,
        model=message.model,
        outputs=outputs,
        unread=() if known else (f"the voxels of the {message.mask_format} file were not compared with their digest",),
    )
    verdict = judge_answer(message.receipt, claim, settings.trust)
    if known and message.mask_digest != outputs[f"masks/{message.request}"]:
        raise InputError("the mask of the answer has another digest than the answer states", hint=OPERATOR)
    if verdict.first_failure is not None:
        raise UnprovenAnswerError(verdict)
    facts = message.model_dump(exclude={"mask", "classes", "receipt", "outputs"})
    return Answer(
        mask=masks.mask,
        mask_file=masks.file,
        classes=masks.classes,
        outputs=masks.outputs,
        receipt=message.receipt,
        verdict=verdict,
        body=body,
        **facts,
    )


def _refusal(settings: Settings, reply: Reply, image: str) -> Exception:
    """The error of a reply without a mask.

    Raises:
        UnprovenAnswerError: the receipt of a refusal does not prove it.
    """
    problem = Problem.of(reply.status, reply.body)
    if problem.type != _OUTSIDE:
        return error_of(problem)
    if problem.receipt is None:
        return ImageRefusedError(problem)
    verdict = judge_answer(problem.receipt, Claim(problem.request or "", image, Outcome.REFUSED), settings.trust)
    if verdict.first_failure is not None:
        raise UnprovenAnswerError(verdict)
    return ImageRefusedError(problem, verdict)


def model(settings: Settings) -> Steps[ServedModel]:
    """What is served, and for what use."""
    reply = yield from _read(settings, "/v1/model")
    return parsed(reply.body, ServedModel)[0]


def decision(settings: Settings, index: int) -> Steps[EarlierDecision]:
    """What the log says of an earlier answer."""
    reply = yield from _read(settings, f"/v1/decisions/{index:d}")
    return parsed(reply.body, EarlierDecision)[0]


def receipt(settings: Settings, index: int) -> Steps[EarlierReceipt]:
    """The receipt of an earlier answer as of now, when it holds.

    Raises:
        UnprovenAnswerError: it does not.
    """
    reply = yield from _read(settings, f"/v1/decisions/{index:d}/receipt")
    try:
        found = Receipt.model_validate(receipt_of(json.loads(reply.body)))
    except (ValueError, RecursionError):
        raise InputError("the answer of the service is no receipt", hint=OPERATOR) from None
    verdict = judge_receipt(found, settings.trust)
    if verdict.first_failure is not None or found.index != index:
        raise UnprovenAnswerError(verdict)
    return EarlierReceipt(found, verdict)


def ready(settings: Settings) -> Steps[bool]:
    """Whether images can be answered now. It is asked once."""
    reply = yield Ask("GET", "/readyz")
    return reply is not None and reply.status == 200


def _read(settings: Settings, path: str) -> Steps[Reply]:
    reply = yield from exchange(Ask("GET", path), settings.retries)
    if reply.status != 200:
        raise error_of(Problem.of(reply.status, reply.body))
    return reply
