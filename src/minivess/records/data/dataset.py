"""Cases and data sets: what the pictures are, never the pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, StringConstraints, model_validator

from minivess.foundation.digests import Digest
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.attributes import Attributes
from minivess.records.base import Record, ShortText, Slug
from minivess.records.lengths import MICROMETRES, UNIT_NAMES, LengthUnit

Axes = Literal["zyx", "yx", "zyxc", "yxc"]
"""The axes of an image array, in order; `c` is colour (red, green, blue), or the channels that the record names."""

MOST_CHANNELS = 64
"""Of an image."""

SpatialAxes = Literal["zyx", "yx"]
"""The spatial axes of an image, in the order of the arrays."""

Unit = Literal["um", "px"]
"""Unit of a spacing: micrometres, or pixels where no physical size is known (photographs)."""

Row = tuple[float, float, float, float]


@dataclass(frozen=True)
class Capabilities:
    """Which cases a part of the product can take. A network, a calibrator, a measure and the service have one each.

    Attributes:
        axes: the axes of images.
        units: the units of spacings.
        classes: the largest number of classes; their values are 1 to this number.
        smallest: the smallest size in voxels along each of the last axes of the grid.
    """

    axes: tuple[Axes, ...] = get_args(Axes)
    units: tuple[Unit, ...] = get_args(Unit)
    classes: int = 255
    smallest: tuple[int, ...] = ()


def _missing(value: object) -> bool:
    return value is None


class CodedTerm(Record):
    """A term of a terminology, as DICOM codes it (PS3.3 8.8, code sequence macro)."""

    value: Annotated[str, Field(pattern=r"^[!-~]{1,16}$")]
    """The code, in quotation marks if it is a number: `"51114001"`."""
    scheme: Annotated[str, Field(pattern=r"^[!-~]{1,16}$")]
    """The coding scheme: `SCT` (SNOMED CT), `FMA`, `DCM`, or `99…` for a private one."""
    meaning: Annotated[str, Field(min_length=1, max_length=64)]
    """The meaning in words, as the terminology states it."""

    def __str__(self) -> str:
        return f"{self.meaning} ({self.scheme} {self.value})"


Colour = Annotated[str, StringConstraints(to_lower=True, pattern=r"^#[0-9a-f]{6}$")]
"""Red, green and blue in sRGB as six hexadecimal digits: `#d02020`."""


class ClassFacts(Record):
    """What a project states of a class beside its value."""

    name: ShortText
    """The name of the class."""
    colour: Annotated[Colour | None, Field(exclude_if=_missing)] = None
    """The colour in which it is drawn, for example `"#d02020"`."""
    code: Annotated[CodedTerm | None, Field(exclude_if=_missing)] = None
    """The term of a terminology for it."""


class LabelClass(Record):
    """What a value of the mask means."""

    value: Annotated[int, Field(ge=1, le=255)]
    name: ShortText
    colour: Annotated[Colour | None, Field(exclude_if=_missing)] = None
    """The colour in which the class is drawn; left out of the JSON where none is stated, as in records of before 0.2.0."""
    code: Annotated[CodedTerm | None, Field(exclude_if=_missing)] = None
    """The coded term; left out of the JSON like `colour`."""


class Doubt(Record):
    """Something a reader noticed that makes a source doubtful, under a rule of data validation."""

    rule: Slug
    message: ShortText


Voxels = Annotated[int, Field(strict=True, ge=0, le=2**53 - 1)]


Apart = Annotated[float, Field(ge=0)]


class ReaderSurfaces(Record):
    """How far the borders of the masks of two readers are apart, in the unit of the spacing of the case."""

    hd: Apart | None
    """The largest distance; None, like the next three, where one mask alone is empty."""
    hd95: Apart | None
    assd: Apart | None
    masd: Apart | None
    borders: tuple[Voxels, Voxels]
    """Border voxels of the second mask, and of the first one."""
    reach: Apart
    """Up to which distance `within` counts."""
    within: tuple[tuple[Apart, Voxels, Voxels], ...] = ()
    """For each distance that occurs, ascending: border voxels of the second mask that are at most so far from the border of the
    first one, and the other way round. NSD follows from it for every tolerance up to `reach`."""


class ReaderCounts(Record):
    """How far two readers agree on a class of a case, in counts: the second reader's mask against the first one's."""

    value: Annotated[int, Field(ge=1, le=255)]
    """The class, by its value in the mask."""
    overlap: tuple[Voxels, Voxels, Voxels]
    """Voxels in both masks, in the second one alone, in the first one alone."""
    skeleton: tuple[Voxels, Voxels, Voxels, Voxels]
    """Voxels of the skeleton of the second mask inside the first one, and of all of it; of that of the first mask inside the
    second one, and of all of it."""
    surfaces: Annotated[ReaderSurfaces | None, Field(exclude_if=_missing)] = None
    """Distances between the borders. None: cases that an earlier version prepared."""


class CaseRecord(Record):
    """One image with its mask."""

    id: Slug
    subject: Slug
    acquisition: Slug
    axes: Axes = "zyx"
    shape: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=2, max_length=4)]
    """Sizes of the image array, in the order of `axes`."""
    spacing: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=2, max_length=3)]
    """Distance between neighbours along each spatial axis, in `unit`."""
    unit: Unit = "um"
    affine: tuple[Row, Row, Row, Row] | None = None
    """From indices (z, y, x, 1) to the patient or the stage, right-anterior-superior, in micrometres; None: unknown."""
    orientation: Annotated[str, Field(pattern=r"^[RLAPSI]{3}$")] | None = None
    """Where each array axis points, for example `SPL`; None: unknown."""
    modality: ShortText
    site: ShortText | None = None
    """Where the image was taken."""
    scanner: ShortText | None = None
    """Maker and model of the device it was taken with."""
    attributes: Attributes = Field(default={})
    """Disease, sex, age band and others that the project states."""
    origin: ShortText | None = None
    """The file or series the acquisition came from, as the image's own metadata say."""
    frame_of_reference: Annotated[ShortText | None, Field(exclude_if=_missing)] = None
    """Digest of the DICOM frame of reference (PS3.3 C.7.4.1), which images of one patient in one position share; left out
    of the JSON where there is none."""
    image: Digest
    """Digest of the normalised image array's `.npy` bytes."""
    label: Digest
    """Digest of the mask array's `.npy` bytes."""
    source_format: ShortText = "unknown"
    source_dtype: str
    label_values: tuple[int, ...]
    """Values met in the mask before it was normalised."""
    classes: tuple[LabelClass, ...] = (LabelClass(value=1, name="foreground"),)
    """What the mask's values mean; 0 is background."""
    foreground_fraction: Annotated[float, Field(ge=0, le=1)]
    channels: Annotated[tuple[ShortText, ...], Field(max_length=MOST_CHANNELS, exclude_if=lambda names: not names)] = ()
    """Names of the channels in their order, where there are several that are no colours; left out of the JSON otherwise."""
    reader_agreement: Annotated[float, Field(ge=0, le=1)] | None = None
    """Dice of the mask with a second reader's, where there is one."""
    second_label: Annotated[Digest | None, Field(exclude_if=_missing)] = None
    """Digest of the second reader's mask, as of `label`. The mask itself is not kept, and nothing learns from it."""
    readers: Annotated[tuple[ReaderCounts, ...], Field(exclude_if=lambda counts: not counts)] = ()
    """How far the readers agree, of each class; left out of the JSON where there is one reader, and in records of before."""
    identifiers: tuple[ShortText, ...] = ()
    """Places in the sources that may say who is in the image, and were accepted (`data.accept_identifiers`)."""
    notes: tuple[ShortText, ...] = ()
    """What reading changed or could not settle, in words."""
    doubts: Annotated[tuple[Doubt, ...], Field(exclude_if=lambda doubts: not doubts)] = ()
    """What makes the sources doubtful; left out of the JSON where there is none, as in records of before 0.2.0."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        spatial = len(self.axes.removesuffix("c"))
        if len(self.shape) != len(self.axes) or len(self.spacing) != spatial:
            raise ValueError(f"axes {self.axes} need {len(self.axes)} sizes and {spatial} spacings")
        if self.channels and (len(self.axes) == spatial or len(self.channels) != self.shape[-1]):
            raise ValueError("there are other channels than names of channels")
        return self

    @property
    def grid(self) -> tuple[int, ...]:
        """Sizes along the spatial axes: the shape of the mask."""
        return self.shape[: len(self.spacing)]

    @property
    def physical_spacing(self) -> tuple[float, ...] | None:
        """Micrometres along each spatial axis; None where no physical size is known."""
        return self.spacing if self.unit == "um" else None

    @implements("REQ-324", "RC-136")
    def spacing_in(self, unit: LengthUnit) -> tuple[float, ...]:
        """Distance between neighbours along each spatial axis, in a unit.

        Raises:
            UsageError: one of the two is a pixel, and the other has a physical size.
        """
        if (unit == "px") != (self.unit == "px"):
            raise UsageError(
                f"case {self.id} has a spacing in {UNIT_NAMES[self.unit]}, which cannot be given in {UNIT_NAMES[unit]}",
                hint="`evaluation.tolerance` of pictures without a physical size is in px, of other cases in µm or mm",
            )
        factor = MICROMETRES.get(unit, 1)
        return tuple(step / factor for step in self.spacing)


class DatasetManifest(Record):
    """All cases of a data set in order of id. `root` is the digest of the cases' canonical JSON."""

    name: Slug
    licence: ShortText
    source: ShortText
    cases: tuple[CaseRecord, ...]
    root: Digest
