"""The HTTP interface: one image in; mask, decision and receipt out.

Each request for a segmentation is judged, and what is answered is recorded before. A request that cannot be read is
counted by its reason. Image bytes stay in memory; neither file names nor anything else the client wrote reaches the log.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple
from uuid import uuid4

from anyio import CapacityLimiter, fail_after, to_thread
from fastapi import FastAPI, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import CouldNotCheckError, InputError, UsageError
from minivess.foundation.implements import implements
from minivess.records.log.receipt import Receipt
from minivess.records.log.serving_log import RefusalReason
from minivess.serving.inference import problems
from minivess.serving.inference.interface import description, form_hint, has_size, request_body
from minivess.serving.inference.messages import Health, Model, Problem, Segmentation, model_message, segmentation
from minivess.serving.inference.page import front_page
from minivess.serving.inference.volumes import MAGIC, Limits, parse_npy, parse_spacing
from minivess.workflows.serving.images import MASK_FORMATS, MaskEncoder, RequestImage, check_mask_format, read_image
from minivess.workflows.serving.inference import InferenceService, ServedModel

_SPACING_BYTES = 1024
_DIGITS = 18
_PROBLEM: dict[str, Any] = {"content": {problems.MEDIA_TYPE: {"schema": Problem.model_json_schema()}}}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "Malformed: no multipart form, no image that is read, no spacing. Counted.", **_PROBLEM},
    408: {"description": "The request took too long to arrive. Counted.", **_PROBLEM},
    413: {"description": "More bytes than are taken. Counted.", **_PROBLEM},
    422: {
        "description": "Outside the intended use, with all reasons. Recorded with a receipt; counted without one when "
        "many are refused.",
        **_PROBLEM,
    },
    503: {"description": "The log cannot be written, so there is no answer.", **_PROBLEM},
}


@dataclass(frozen=True)
class _Turned:
    """How a request that cannot be read is answered and counted."""

    reason: RefusalReason
    status: int
    detail: str
    hint: str
    kind: str = "malformed-request"

    def response(self, engine: InferenceService) -> Response:
        """Count it and say why."""
        engine.turn_away(self.reason)
        return problems.problem_response(
            self.kind, self.status, self.detail, hint=self.hint, reasons=(self.detail,), refused=True
        )


class _TurnedError(Exception):
    """The request cannot be read."""

    def __init__(self, how: _Turned) -> None:
        super().__init__()
        self.how = how


@implements("REQ-027", "REQ-029", "REQ-175", "REQ-348")
def create_app(engine: InferenceService, *, limits: Limits | None = None, workers: int = 2) -> FastAPI:
    """The service as an ASGI application.

    Args:
        engine: answers images on the record.
        limits: how much is taken in.
        workers: images segmented at the same time; others wait.
    """
    bounds = limits or Limits()
    app = FastAPI(
        title="MiniVess inference",
        version=engine.model.version,
        description=description(engine.model),
        docs_url=None,
        redoc_url=None,
    )
    places = CapacityLimiter(workers)
    problems.install(app)
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it quotes what clients write

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, _error: RequestValidationError) -> Response:
        return problems.problem_response("malformed-request", 400, "a part of the address is malformed")

    async def in_thread[T](work: Callable[[], T]) -> T:
        return await to_thread.run_sync(work, limiter=places)

    @app.post(
        "/v1/segment",
        response_model=Segmentation,
        responses=_REFUSALS,
        openapi_extra={"requestBody": request_body(engine.model)},
        summary="Segment one image",
        tags=["inference"],
    )
    async def segment(request: Request) -> Response | Segmentation:
        """Answer a mask with the decision and its receipt, or refuse with reasons."""
        name = uuid4().hex
        try:
            asked = await _read_request(request, bounds, engine.model)
            return await in_thread(lambda: _respond(engine, bounds, name, asked))
        except _TurnedError as turned:
            return turned.how.response(engine)
        except CouldNotCheckError:
            engine.turn_away(RefusalReason.UNRECORDED)
            raise
        except Exception:
            engine.turn_away(RefusalReason.FAILED)
            raise

    @app.get("/", include_in_schema=False, response_class=HTMLResponse)
    def page() -> str:
        """What is served and how to ask, for a browser."""
        return front_page(engine.model)

    @app.get("/v1/health", summary="Is the service up?", tags=["service"])
    def health() -> Health:
        """The service is up and its model is loaded."""
        return Health(model=engine.model.digest, task=engine.model.task.words)

    @app.get("/v1/model", summary="What is served, and for what use?", tags=["service"])
    def model() -> Model:
        """Digest, channels, axes, classes, thresholds and the bounds of the intended use."""
        return model_message(engine.model)

    @app.get(
        "/v1/receipts/{index}",
        summary="The receipt of an earlier answer",
        tags=["inference"],
        response_model=Receipt,
        responses={404: {"description": "There is no such answer.", **_PROBLEM}},
    )
    def receipt(
        index: Annotated[int, Path(ge=0, lt=1 << 53, description="Index of the entry.")],
    ) -> Response | Receipt:
        """Entry, inclusion proof and signed checkpoint, as of now."""
        try:
            return engine.receipt(index)
        except UsageError as error:
            return problems.problem_response("not-found", 404, error.message, hint=error.hint)

    return app


def _respond(engine: InferenceService, limits: Limits, name: str, asked: _Asked) -> Response | Segmentation:
    """Judge one request (blocking).

    Raises:
        _TurnedError: image, spacing or format of masks cannot be taken.
    """
    image = _image(asked, engine.model, limits)
    _parsed(RefusalReason.INCOMPLETE, lambda: check_mask_format(asked.mask_format, image, engine.model.task))
    answer = engine.answer(image.array, image.spacing, name, source=digest_bytes(asked.data))
    if answer.mask is None or answer.receipt is None:
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
    encode = MaskEncoder(asked.mask_format, image, engine.model)
    return segmentation(engine.model, name, answer, answer.mask, answer.receipt, encode=encode)


@implements("REQ-426")
def _image(asked: _Asked, model: ServedModel, limits: Limits) -> RequestImage:
    """The image of a request, with its spacing.

    Raises:
        _TurnedError: it cannot be read, or nothing states its spacing.
    """
    task, stated, data = model.task, asked.spacing, asked.data
    words = "the form lacks `volume` or one `spacing`"
    unknown = _TurnedError(_Turned(RefusalReason.INCOMPLETE, 400, words, form_hint(model)))
    if stated is None and data.startswith(MAGIC) and has_size(model):
        raise unknown
    spacing = None
    if stated is not None:
        spacing = _parsed(RefusalReason.SPACING, lambda: parse_spacing(stated.text, task, former=stated.former))
    if data.startswith(MAGIC):
        array = _parsed(RefusalReason.VOLUME, lambda: parse_npy(data, limits, task))
        image = RequestImage(array, spacing, None, data)
    else:
        most, voxels = limits.body_bytes, limits.voxels
        image = _parsed(
            RefusalReason.VOLUME, lambda: read_image(data, spacing, task, most_bytes=most, most_voxels=voxels)
        )
    if image.spacing is None and has_size(model):
        raise unknown
    return image


def _parsed[T](reason: RefusalReason, parse: Callable[[], T]) -> T:
    try:
        return parse()
    except (InputError, UsageError) as error:
        raise _TurnedError(_Turned(reason, 400, error.message, error.hint)) from None


@implements("REQ-173", "REQ-175")
async def _read_request(request: Request, limits: Limits, model: ServedModel) -> _Asked:
    """The parts of a request, in memory.

    Raises:
        _TurnedError: the request is no form, too large, too slow or incomplete, or the client has gone.
    """
    hint = form_hint(model)
    too_large = _Turned(
        RefusalReason.TOO_LARGE,
        413,
        f"the request is larger than the {limits.body_bytes} bytes taken",
        "send the volume in blocks",
        "too-large",
    )
    malformed = _Turned(RefusalReason.NO_FORM, 400, "the request is no well-formed multipart form", hint)
    try:
        with fail_after(limits.seconds):
            form = await _read_form(request, limits.body_bytes)
            try:
                data, stated, formats = await _parts(form)
            finally:
                await form.close()
    except TimeoutError:
        words = f"the request was not there after {limits.seconds:g} seconds"
        how = _Turned(RefusalReason.TOO_SLOW, 408, words, "send it faster, or in blocks", "too-slow")
        raise _TurnedError(how) from None
    except ClientDisconnect:
        raise _TurnedError(_Turned(RefusalReason.HUNG_UP, 400, "the request ended early", hint)) from None
    except _TooLargeError:
        raise _TurnedError(too_large) from None
    except (OSError, MemoryError):
        raise
    except Exception:  # whatever the parser makes of what a client wrote
        raise _TurnedError(malformed) from None
    if data is None or len(stated) > 1 or len(formats) > 1:
        words = "the form lacks `volume` or one `spacing`"
        raise _TurnedError(_Turned(RefusalReason.INCOMPLETE, 400, words, hint))
    mask_format = formats[0] if formats else MASK_FORMATS[0]
    if mask_format not in MASK_FORMATS:
        words = f"`mask_format` is none of {', '.join(MASK_FORMATS)}"
        raise _TurnedError(_Turned(RefusalReason.INCOMPLETE, 400, words, hint))
    return _Asked(data, stated[0] if stated else None, mask_format)


class _TooLargeError(Exception):
    """More bytes came than are taken."""


async def _read_form(request: Request, limit: int) -> FormData:
    """The multipart form of a request; stops reading as soon as more than `limit` bytes came."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise MultiPartException("not a multipart form")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > _DIGITS or int(announced) > limit):
        raise _TooLargeError
    parser = MultiPartParser(
        request.headers, _bounded(request, limit), max_files=1, max_fields=4, max_part_size=_SPACING_BYTES
    )
    parser.spool_max_size = limit
    return await parser.parse()


async def _bounded(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    taken = 0
    async for chunk in request.stream():
        taken += len(chunk)
        if taken > limit:
            raise _TooLargeError
        yield chunk


class _Stated(NamedTuple):
    """The spacing of a request as text; `former`: under its name of version 0.1.0."""

    text: str
    former: bool


class _Asked(NamedTuple):
    """A request: the bytes of its file, its spacing where it states one, and the format of masks that it asks for."""

    data: bytes
    spacing: _Stated | None
    mask_format: str


async def _parts(form: FormData) -> tuple[bytes | None, list[_Stated], list[str]]:
    """The file of a form, each spacing, under its name or the former one, and each format of masks."""
    volume = form.get("volume")
    data = await volume.read() if isinstance(volume, UploadFile) else None
    names = (("spacing", False), ("spacing_um", True))
    texts = [(text, former) for name, former in names for text in form.getlist(name)]
    formats = [text if isinstance(text, str) else "" for text in form.getlist("mask_format")]
    return data, [_Stated(text if isinstance(text, str) else "", former) for text, former in texts], formats
