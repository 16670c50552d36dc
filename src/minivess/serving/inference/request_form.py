"""The form of a request, read within limits, and the image in it.

Image bytes stay in memory; neither file names nor anything else the client wrote reaches the log.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple, cast, get_args

from anyio import fail_after
from fastapi import Request, Response
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.writing.arrays import ArrayFormat, NumberType
from minivess.records.log.serving_log import RefusalReason
from minivess.serving.inference import problems
from minivess.serving.inference.interface import form_hint, has_size
from minivess.serving.inference.volumes import MAGIC, Limits, parse_npy, parse_spacing
from minivess.workflows.serving.answers import OUTPUTS, OutputName, ServedModel, Wanted
from minivess.workflows.serving.images import (
    ARRAY_FORMATS,
    MASK_FORMATS,
    OutputChoice,
    RequestImage,
    read_image,
)
from minivess.workflows.serving.inference import InferenceService

_SPACING_BYTES = 1024
_DIGITS, _FIELDS = 18, 8
_SPACINGS = (("spacing", False), ("spacing_um", True))
_CHOICES: dict[str, tuple[str, ...]] = {
    "mask_format": MASK_FORMATS,
    "output_type": get_args(NumberType),
    "output_format": ARRAY_FORMATS,
}
"""Parts of the form that are one of a few words; the first one is usual."""
FILE_PARTS = ("volume", "file")
"""The names of the part with the image."""


@dataclass(frozen=True)
class Turned:
    """How a request that cannot be read or taken is answered and counted; `retry_after` is in seconds."""

    reason: RefusalReason
    status: int
    detail: str
    hint: str
    kind: str = "malformed-request"
    retry_after: int | None = None

    def response(self, engine: InferenceService) -> Response:
        """Count it and say why."""
        engine.turn_away(self.reason)
        made = problems.problem_response(
            self.kind, self.status, self.detail, hint=self.hint, reasons=(self.detail,), refused=True
        )
        if self.retry_after is not None:
            made.headers["retry-after"] = str(self.retry_after)
        return made


class TurnedError(Exception):
    """The request cannot be read."""

    def __init__(self, how: Turned) -> None:
        super().__init__()
        self.how = how


@implements("REQ-426")
def image_of(asked: Asked, model: ServedModel, limits: Limits) -> RequestImage:
    """The image of a request, with its spacing.

    Raises:
        TurnedError: it cannot be read, or nothing states its spacing.
    """
    task, stated, data = model.task, asked.spacing, asked.data
    words = "the form lacks `volume` or one `spacing`"
    unknown = TurnedError(Turned(RefusalReason.INCOMPLETE, 400, words, form_hint(model)))
    if stated is None and data.startswith(MAGIC) and has_size(model):
        raise unknown
    spacing = None
    if stated is not None:
        spacing = parsed(RefusalReason.SPACING, lambda: parse_spacing(stated.text, task, former=stated.former))
    if data.startswith(MAGIC):
        array = parsed(RefusalReason.VOLUME, lambda: parse_npy(data, limits, task))
        image = RequestImage(array, spacing, None, data)
    else:
        most, voxels = limits.body_bytes, limits.voxels
        image = parsed(
            RefusalReason.VOLUME, lambda: read_image(data, spacing, task, most_bytes=most, most_voxels=voxels)
        )
    if image.spacing is None and has_size(model):
        raise unknown
    return image


def parsed[T](reason: RefusalReason, parse: Callable[[], T]) -> T:
    """What a part of the request is.

    Args:
        reason: by which the request is counted when the part cannot be read.
        parse: reads the part.

    Raises:
        TurnedError: it cannot be read.
    """
    try:
        return parse()
    except (InputError, UsageError) as error:
        raise TurnedError(Turned(reason, 400, error.message, error.hint)) from None


@implements("REQ-173", "REQ-175", "REQ-460")
async def read_request(request: Request, limits: Limits, model: ServedModel) -> Asked:
    """The parts of a request, in memory.

    Raises:
        TurnedError: the request is no form, too large, too slow or incomplete, or the client has gone.
    """
    hint = form_hint(model)
    too_large = Turned(
        RefusalReason.TOO_LARGE,
        413,
        f"the request is larger than the {limits.body_bytes} bytes taken",
        "send the volume in blocks",
        "too-large",
    )
    malformed = Turned(RefusalReason.NO_FORM, 400, "the request is no well-formed multipart form", hint)
    try:
        with fail_after(limits.seconds):
            async with _form_of(request, limits) as form:
                data, texts = await _parts(form)
    except TimeoutError:
        words = (
            f"the request was not there after {limits.seconds:g} seconds, or nothing came for {limits.idle_seconds:g}"
        )
        how = Turned(RefusalReason.TOO_SLOW, 408, words, "send it faster, or in blocks", "too-slow")
        raise TurnedError(how) from None
    except ClientDisconnect:
        raise TurnedError(Turned(RefusalReason.HUNG_UP, 400, "the request ended early", hint)) from None
    except _TooLargeError:
        raise TurnedError(too_large) from None
    except (OSError, MemoryError):
        raise
    except Exception:  # whatever the parser makes of what a client wrote
        raise TurnedError(malformed) from None
    stated = [StatedSpacing(text, former) for name, former in _SPACINGS for text in texts.get(name, ())]
    if data is None or len(stated) > 1:
        words = "the form lacks `volume` or one `spacing`"
        raise TurnedError(Turned(RefusalReason.INCOMPLETE, 400, words, hint))
    chosen = {name: _chosen(name, texts.get(name, []), known, hint) for name, known in _CHOICES.items()}
    names = _named(texts.get("outputs", []), hint)
    kind = cast("NumberType", chosen["output_type"])
    outputs = OutputChoice(Wanted(names, kind), cast("ArrayFormat", chosen["output_format"]))
    return Asked(data, stated[0] if stated else None, chosen["mask_format"], outputs)


def _chosen(name: str, texts: list[str], known: tuple[str, ...], hint: str) -> str:
    """One of the words that a part of the form may be; the first one where it is missing."""
    if not texts:
        return known[0]
    if len(texts) > 1 or texts[0] not in known:
        raise TurnedError(Turned(RefusalReason.INCOMPLETE, 400, f"`{name}` is none of {', '.join(known)}", hint))
    return texts[0]


def _named(texts: list[str], hint: str) -> frozenset[OutputName]:
    """The outputs that are asked for: names with commas between them, in one part or several."""
    words = [word.strip() for text in texts for word in text.split(",") if word.strip()]
    found = frozenset(one for one in OUTPUTS if one in words)
    if len(texts) > len(OUTPUTS) or not set(words) <= found:
        raise TurnedError(Turned(RefusalReason.INCOMPLETE, 400, f"`outputs` is none of {', '.join(OUTPUTS)}", hint))
    return found


class _TooLargeError(Exception):
    """More bytes came than are taken."""


@asynccontextmanager
async def _form_of(request: Request, limits: Limits) -> AsyncGenerator[FormData, None]:
    """The multipart form of a request; stops reading as soon as more bytes came than are taken, or none for too long.

    Its files are closed afterwards.
    """
    limit = limits.body_bytes
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise MultiPartException("not a multipart form")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > _DIGITS or int(announced) > limit):
        raise _TooLargeError
    parser = MultiPartParser(
        request.headers, _bounded(request, limits), max_files=1, max_fields=_FIELDS, max_part_size=_SPACING_BYTES
    )
    parser.spool_max_size = limit
    try:
        yield await parser.parse()
    finally:
        for file in parser._files_to_close_on_error:  # `FormData.close` knows no file whose part has no end
            file.close()


@implements("REQ-437")
async def _bounded(request: Request, limits: Limits) -> AsyncGenerator[bytes, None]:
    taken, stream = 0, request.stream()
    while True:
        try:
            with fail_after(limits.idle_seconds):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        taken += len(chunk)
        if taken > limits.body_bytes:
            raise _TooLargeError
        yield chunk


class StatedSpacing(NamedTuple):
    """The spacing of a request as text; `former`: under its name of version 0.1.0."""

    text: str
    former: bool


class Asked(NamedTuple):
    """A request: the bytes of its file, its spacing where it states one, and what it asks for."""

    data: bytes
    spacing: StatedSpacing | None
    mask_format: str
    outputs: OutputChoice = OutputChoice()


async def _parts(form: FormData) -> tuple[bytes | None, dict[str, list[str]]]:
    """The file of a form, and its texts by the name of the part; a file in place of a text is empty."""
    volume = next((form[name] for name in FILE_PARTS if name in form), None)
    data = await volume.read() if isinstance(volume, UploadFile) else None
    texts: dict[str, list[str]] = {}
    for name, text in form.multi_items():
        if name not in FILE_PARTS:
            texts.setdefault(name, []).append(text if isinstance(text, str) else "")
    return data, texts
