"""Where the cases of a project come from."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag, model_validator

from minivess.records.attributes import StatedAttributes, StatedValue, age_band, together
from minivess.records.base import Record, ShortText, Side, Slug
from minivess.records.data.card import DataCardFacts
from minivess.records.data.dataset import ClassFacts, LabelClass, SpatialAxes
from minivess.records.data.validation import RuleChange
from minivess.records.data.version import DataRemote
from minivess.records.lengths import Length, LengthUnit, StatedLength, StatedSpacing


def _no_expression(error: re.error) -> str:
    place = "" if error.pos is None else f" from character {error.pos + 1} on"
    return f"is no regular expression{place}: look for an unclosed bracket or a lone * or ?"


def _compiles(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise ValueError(_no_expression(error)) from None
    if strange := set(groups) - {"case", "subject", "acquisition"}:
        raise ValueError(f"the group {min(strange)} means nothing; case, subject and acquisition do")
    return pattern


def _one_group(pattern: str) -> str:
    try:
        groups = re.compile(pattern)
    except re.error as error:
        raise ValueError(_no_expression(error)) from None
    if groups.groups != 1 or set(groups.groupindex) - {"subject"}:
        raise ValueError("the subject is the one group of the pattern, for example 'Image_([0-9]+)[LR]'")
    return pattern


def _stays_below(pattern: str) -> str:
    if pattern.startswith("/") or ".." in PurePosixPath(pattern).parts:
        raise ValueError("a pattern starts from `root` and stays below it")
    return pattern


Pattern = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_compiles)]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_stays_below)]
"""A shell pattern below `data.root`, for example `images/*.png`; `**` crosses folders."""

SubjectPattern = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_one_group)]
"""A regular expression whose one group is the subject. It is searched in the image's name without suffix; with a `/` in
it, in the image's path below `data.root`."""

StatedUnit = LengthUnit
"""The unit of headers that name none: millimetres, micrometres, or `px`: no physical size is known."""

StatedClass = Annotated[
    Annotated[ShortText, Tag("name")] | Annotated[ClassFacts, Tag("facts")],
    Discriminator(lambda stated: "name" if isinstance(stated, str) else "facts"),
]
"""A name, or name, colour and coded term."""


_UNSTATED = Field(exclude_if=lambda value: value is None)
"""Of fields that came later: left out where they say nothing, so that what was made before keeps its digest."""


class CaseSource(Record):
    """One case as found on disk; paths are relative to `data.root`, or absolute and below it."""

    id: Slug
    """The id of the case."""
    subject: Slug
    """The subject (animal or patient). Cases of one subject stay in one part."""
    acquisition: Slug | None = None
    """Default: the acquisition in the image (a DICOM series), or else the case id. Use the same name for cases cut from
    one acquisition."""
    image: PurePosixPath
    """A file, or the folder of a DICOM series."""
    label: PurePosixPath
    """The mask: a file, or the folder of a DICOM segmentation."""
    second_label: PurePosixPath | None = None
    """A second reader's mask, for the agreement of the two."""
    metadata: PurePosixPath | None = None
    """OME-XML with the spacing, when the image does not carry it."""
    spacing: StatedSpacing | None = None
    """Spacing with its unit, for example `5 x 0.994 x 0.994 µm`: (z, y, x) of a volume, (y, x) of a picture. It must agree
    with the spacing in the file."""
    site: ShortText | None = None
    """Where the image was taken."""
    scanner: ShortText | None = None
    """Default: the scanner in the image."""
    disease: Annotated[StatedValue | None, _UNSTATED] = None
    """The disease or the condition of the subject, for figures by subgroup."""
    sex: Annotated[Literal["female", "male", "other"] | None, _UNSTATED] = None
    """The sex of the subject: `female`, `male` or `other`."""
    age: Annotated[float | None, Field(ge=0, le=150), _UNSTATED] = None
    """The age of the subject in years when the image was taken. Records have its band of ten years, not the age."""
    attributes: Annotated[StatedAttributes, Field(exclude_if=lambda held: not held)] = Field(default={})
    """Other attributes for figures by subgroup, for example `{stain: DAPI}`; in a table `stain=DAPI; strain=C57BL`. Names and
    values that can say who is in an image are refused."""

    @property
    def recorded(self) -> dict[str, str]:
        """The attributes that the record of the case has: these, and the band of the age."""
        band = None if self.age is None else age_band(self.age)
        return together(self.attributes, disease=self.disease, sex=self.sex, age=band)


class Pairs(Record):
    """Images and masks found by pattern and paired by name."""

    images: Glob
    """Pattern of the images."""
    labels: Glob
    """Pattern of the masks."""
    second_labels: Glob | None = None
    """Pattern of the masks of a second reader."""
    metadata: Glob | None = None
    """Pattern of OME-XML files with the spacing."""
    name: Pattern | None = None
    """Regular expression for the files' names without their suffix; its groups `case` (what image and mask share),
    `subject` and `acquisition` are taken from it. Without it, or without a group, the whole name is case and subject, and
    every case is its own subject. `data.subject_from` may give the subject instead of the group."""
    spacing: StatedSpacing | None = None
    """Spacing of all cases with its unit, for example `5 x 0.994 x 0.994 µm`."""
    site: ShortText | None = None
    """Where the images were taken."""
    scanner: ShortText | None = None
    """The scanner or microscope."""


def _has_size(length: Length) -> Length:
    if length.unit == "px":
        raise ValueError("must be in µm or mm, for example 5 µm")
    return length


VesselClasses = Literal["vessel", "artery-vein", "lumen-wall"]
"""The classes of generated masks: the lumen of vessels, arteries and veins apart, or the lumen and the wall around it."""

GENERATED_CLASSES: dict[VesselClasses, tuple[LabelClass, ...]] = {
    "vessel": (LabelClass(value=1, name="foreground"),),
    "artery-vein": (LabelClass(value=1, name="artery"), LabelClass(value=2, name="vein")),
    "lumen-wall": (LabelClass(value=1, name="lumen"), LabelClass(value=2, name="wall")),
}
"""What the values of generated masks mean."""


def _unless(default: object) -> Any:
    return Field(exclude_if=lambda value: value == default)


class Synthetic(Record):
    """Two-photon volumes from the generator instead of files, or pictures of vessels with two axes."""

    subjects: Annotated[int, Field(ge=3, le=500)] = 16
    """Number of subjects, with one volume each."""
    seed: int = 7
    """Seed of the generator."""
    shape: tuple[Side, Side, Side] | tuple[Side, Side] = (48, 96, 96)
    """Size of each volume in voxels (z, y, x), or of each picture in pixels (y, x); default of a picture: 128 by 128."""
    photons: Annotated[float, Field(gt=0)] = 4.0
    """Expected photons a voxel in the brightest vessel at the surface; default of a picture: 12. In a colour picture, of
    a white ground: default 400."""
    psf_sigma_z: Annotated[StatedLength, AfterValidator(_has_size)] = Field(
        default=Length(5.0, "um"), json_schema_extra={"default": "5 µm"}
    )
    """Axial standard deviation of the point spread function, for example `5 µm`."""
    classes: Annotated[VesselClasses, _unless("vessel")] = "vessel"
    """The classes of the masks: `vessel` (one class), `artery-vein` (1 artery, 2 vein), `lumen-wall` (1 lumen, 2 wall)."""
    axes: Annotated[SpatialAxes, _unless("zyx")] = "zyx"
    """`zyx`: volumes like those of two-photon microscopy. `yx`: pictures like those of OCT angiography."""
    colour: Annotated[bool, _unless(False)] = False
    """Pictures in red, green and blue like those of a fundus camera; for `axes: yx`."""

    @model_validator(mode="before")
    @classmethod
    def _of_pictures(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("axes") == "yx":
            return {"shape": (128, 128), "photons": 400.0 if given.get("colour") else 12.0, **given}
        return given

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.shape) != len(self.axes):
            raise ValueError(f"`axes: {self.axes}` needs a shape of {len(self.axes)} sides, not {len(self.shape)}")
        if self.colour and self.axes != "yx":
            raise ValueError("`colour` is for pictures: add `axes: yx`")
        if self.colour and self.classes == "lumen-wall":
            raise ValueError("a colour picture does not show the walls of vessels: leave out `colour` or `lumen-wall`")
        return self


class Data(Record):
    """Where cases come from: a list of files, a table, files paired by name, or the generator."""

    name: Slug
    """The name of the data set."""
    licence: ShortText
    """The licence of the data."""
    source: ShortText
    """Where the data come from."""
    modality: ShortText | None = None
    """How the images were taken. Default: the modality in a DICOM file, and else two-photon microscopy."""
    root: str | None = None
    """Folder the paths of the cases start from, relative to the project file. Default: the folder of the project file."""
    cases: tuple[CaseSource, ...] = ()
    """The cases as a list of files."""
    table: PurePosixPath | None = None
    """CSV with a line a case (see docs/guides/data.md), relative to the project file."""
    pairs: Pairs | None = None
    attributes: Annotated[PurePosixPath | None, _UNSTATED] = None
    """CSV or TSV with disease, sex, age, site, scanner or other attributes of cases or subjects, relative to the project file
    (see docs/guides/subgroups.md)."""
    synthetic: Synthetic | None = None
    classes: dict[Annotated[int, Field(ge=1, le=255)], StatedClass] = Field(default={}, max_length=255)
    """What the values of the masks mean: a name, or name, colour and coded term. Declared values are kept; without a
    declaration a mask becomes binary."""
    unit: StatedUnit | None = None
    """The unit of headers that name none, for the whole set. `px`: no physical size is known, distances are in pixels."""
    subject_from: SubjectPattern | None = None
    """Regular expression for the subject of every case. Its one group is the subject. It is searched in the image's name
    without suffix or, if it has a `/`, in the image's path. A subject that is stated too must be the same."""
    accept_identifiers: ShortText | None = None
    """Why files with identifying data are accepted. Without a reason they are refused."""
    rules: dict[Slug, RuleChange] = Field(default={})
    """Severities of validation rules that differ from the usual, by rule; no rule can be silenced."""
    card: DataCardFacts | None = None
    """Facts that only the makers of the data know, for the data card."""
    remote: DataRemote | None = None
    """Where `data push` keeps a second copy of everything under DVC."""

    @model_validator(mode="after")
    def _one_source(self) -> Data:
        given = [bool(self.cases), self.table is not None, self.pairs is not None, self.synthetic is not None]
        if sum(given) != 1:
            raise ValueError("give one of `cases`, `table`, `pairs` and `synthetic`")
        if self.synthetic is not None and (self.unit or self.subject_from):
            raise ValueError("the generator states unit and subjects: `unit` and `subject_from` are for files")
        if self.synthetic is not None and self.attributes:
            raise ValueError("generated cases have no attributes: `attributes` is for files")
        if self.synthetic is not None and self.classes:
            made = [one.value for one in GENERATED_CLASSES[self.synthetic.classes]]
            if sorted(self.classes) != made:
                values = " and ".join(map(str, made))
                raise ValueError(f"the masks of the generator have the values {values}: name these in `classes`")
        if self.subject_from and self.pairs and "subject" in re.compile(self.pairs.name or "").groupindex:
            raise ValueError("give the subject once: by `subject_from` or by the group `subject` of `pairs.name`")
        return self

    @property
    def declared(self) -> tuple[LabelClass, ...]:
        """The declared classes in order of value; those of the generator where it makes several."""
        if self.synthetic is not None and not self.classes and self.synthetic.classes != "vessel":
            return GENERATED_CLASSES[self.synthetic.classes]
        facts = (
            (value, ClassFacts(name=stated) if isinstance(stated, str) else stated)
            for value, stated in sorted(self.classes.items())
        )
        return tuple(LabelClass(value=value, name=one.name, colour=one.colour, code=one.code) for value, one in facts)
