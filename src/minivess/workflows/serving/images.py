"""Images as requests bring them, and masks as answers give them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.choices import choose
from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.writing.arrays import ArrayFormat, array_file
from minivess.ml.writing.placed_mask import PlacedMask
from minivess.ml.writing.png import check_axes
from minivess.ml.writing.registry import WRITERS, write_mask
from minivess.records.models.task import SegmentationTask
from minivess.workflows.serving.answers import NOTHING_MORE, AnswerArray, ServedModel, Wanted

MASK_FORMATS = tuple(WRITERS)
"""The formats of masks, by name; the first one is usual."""


ARRAY_FORMATS: tuple[ArrayFormat, ...] = get_args(ArrayFormat)
"""The formats of real numbers; the first one is usual."""


@dataclass(frozen=True)
class OutputChoice:
    """Further outputs that a request asks for.

    Attributes:
        wanted: which, with numbers of which type.
        format: of their files.
    """

    wanted: Wanted = NOTHING_MORE
    format: ArrayFormat = ARRAY_FORMATS[0]


@implements("REQ-432")
def check_outputs(choice: OutputChoice, model: ServedModel) -> None:
    """Refuse outputs that the model does not give, before the image is segmented.

    Raises:
        UsageError: the model does not give one, or NIfTI is to hold numbers that it does not know.
    """
    for name in sorted(choice.wanted.names - set(model.outputs)):
        raise UsageError(f"the model gives no {name}", hint=f"it gives {', '.join(model.outputs)}")
    if choice.wanted.names and choice.format == "nifti" and choice.wanted.type == "float16":
        raise UsageError("NIfTI has no float16", hint="ask for output_type=float32, or for output_format=npy")


@dataclass(frozen=True)
class RequestImage:
    """The image of a request.

    Attributes:
        array: float32 (z, y, x) or (y, x), channels last where there are several.
        spacing: micrometres along each spatial axis; None: no physical size is known.
        affine: from indices (z, y, x, 1) to right-anterior-superior micrometres, where the file states it.
        source: the bytes that were sent.
    """

    array: NDArray[np.float32]
    spacing: tuple[float, ...] | None
    affine: NDArray[np.float64] | None
    source: bytes


@implements("REQ-426", "RC-171")
def read_image(
    data: bytes, spacing: tuple[float, ...] | None, task: SegmentationTask, *, most_bytes: int, most_voxels: int
) -> RequestImage:
    """Read an image of a format that `data ingest` reads, as it reads it.

    Args:
        data: a file, or a zip archive with the files of a DICOM series.
        spacing: what the request states, in micrometres.
        task: what the model takes.
        most_bytes: of the file, and of what it unpacks to.
        most_voxels: of the image.

    Raises:
        InputError: the file cannot be read, its spacing is unknown or another one than the request states, or the model takes
            other axes or channels.
    """
    from minivess.ml.reading.single_image import read_single
    from minivess.ml.reading.volume import Limits

    try:
        found = read_single(data, spacing=spacing, limits=Limits(file_bytes=most_bytes, voxels=most_voxels))
    except InputError as error:
        hint = "state `spacing` in the request" if error.rule == "spacing-unknown" else error.hint
        raise InputError(error.message, hint=hint, rule=error.rule) from None
    several = found.axes.endswith("c")
    channels = found.array.shape[-1] if several else 1
    if found.axes.removesuffix("c") != task.axes or channels != task.channels:
        wanted = f"axes ({', '.join(task.axes)}) and {_counted(task.channels)}"
        axes = ", ".join(found.axes.removesuffix("c"))
        raise InputError(
            f"the image has axes ({axes}) and {_counted(channels)}; the model takes {wanted}", rule="axes-order"
        )
    return RequestImage(found.array, found.spacing, found.affine, data)


def _counted(channels: int) -> str:
    return f"{channels} channel" + ("" if channels == 1 else "s")


@implements("REQ-428")
def check_mask_format(name: str, image: RequestImage, task: SegmentationTask) -> None:
    """Refuse a format of masks that cannot hold the mask of an image, before the image is segmented.

    Raises:
        UsageError: there is no such format, or it does not fit.
        InputError: the slices of a DICOM series are not on the grid of the image.
    """
    choose(WRITERS, name, what="format of masks")
    if name == "png":
        check_axes(len(task.axes))
    if name == "dicom-seg":
        from minivess.ml.writing.dicom_seg import sources_of

        sources_of(image.source, image.affine, len(image.array))


def _text(data: bytes | memoryview) -> str:
    """base64; what was encoded is let go before the text is made of it."""
    encoded = base64.b64encode(data)
    del data
    return encoded.decode("ascii")


def _text_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """base64 of bytes that come in pieces: each piece of text is of a multiple of three bytes, but the last one."""
    rest = b""
    for piece in pieces:
        data = rest + piece
        whole = len(data) - len(data) % 3
        rest = data[whole:]
        if whole:
            yield base64.b64encode(data[:whole])
    yield base64.b64encode(rest)


class MaskEncoder:
    """Makes the text of masks in an answer.

    Args:
        name: of the format.
        image: the image that was segmented.
        model: what answered.
    """

    def __init__(self, name: str, image: RequestImage, model: ServedModel) -> None:
        self.name = name
        self._facts: dict[str, Any] = {
            "spacing": image.spacing,
            "affine": image.affine,
            "source": image.source if name == "dicom-seg" else b"",
            "made_by": (model.device, model.version),
        }
        self._model = model
        self._image = image

    def __call__(self, mask: NDArray[np.uint8], *, value: int | None = None) -> str:
        """A mask as base64 of the bytes of its file.

        Args:
            mask: uint8 on the grid of the image.
            value: of the only class that it shows as 1; None: it shows all classes by their values.
        """
        return _text(self._file(mask, value))

    def text(self, mask: NDArray[np.uint8]) -> str:
        """A mask as the text that its format is, or as base64 where it is none."""
        return self._file(mask, None).decode("ascii") if self.name == "rle" else self(mask)

    def array(self, found: AnswerArray, name: ArrayFormat, *, channels: bool) -> Callable[[], Iterator[bytes]]:
        """What makes the base64 text of the file of an output, in pieces; it does not hold the image.

        Args:
            found: the output.
            name: of the format of arrays.
            channels: whether a first axis of classes comes before those of the grid.
        """
        spacing, affine = self._image.spacing, self._image.affine
        return lambda: _text_pieces(
            array_file(found.values, name, found.type, spacing=spacing, affine=affine, channels=channels)
        )

    def _file(self, mask: NDArray[np.uint8], value: int | None) -> bytes:
        shown = tuple(one for one in self._model.task.classes if value in {None, one.value})
        classes = shown if value is None else tuple(one.model_copy(update={"value": 1}) for one in shown)
        return write_mask(PlacedMask(mask, classes=classes, **self._facts), self.name).data
