"""Where the cases of a project come from."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from minivess.records.base import Record, ShortText, Slug
from minivess.records.data.card import DataCardFacts
from minivess.records.data.dataset import LabelClass
from minivess.records.data.validation import RuleChange
from minivess.records.data.version import DataRemote
from minivess.records.models.network import Triple


def _compiles(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from None
    if strange := set(groups) - {"case", "subject", "acquisition"}:
        raise ValueError(f"the group {min(strange)} means nothing; case, subject and acquisition do")
    return pattern


def _stays_below(pattern: str) -> str:
    if pattern.startswith("/") or ".." in PurePosixPath(pattern).parts:
        raise ValueError("a pattern starts from `root` and stays below it")
    return pattern


Pattern = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_compiles)]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_stays_below)]
"""A shell pattern below `data.root`, for example `images/*.png`; `**` crosses folders."""

Micrometres = Annotated[float, Field(gt=0, lt=1e9)]
StatedSpacing = tuple[Micrometres, Micrometres, Micrometres] | tuple[Micrometres, Micrometres]
"""Spacing in micrometres: (z, y, x) of a volume, (y, x) of a picture."""


class CaseSource(Record):
    """One case as found on disk; paths are relative to `data.root`."""

    id: Slug
    subject: Slug
    acquisition: Slug | None = None
    """Defaults to what the image says (a DICOM series), or else to the case id; give the same name to cases cut from
    one acquisition."""
    image: PurePosixPath
    """A file, or the folder of a DICOM series."""
    label: PurePosixPath
    second_label: PurePosixPath | None = None
    """A second reader's mask, for the agreement of the two."""
    metadata: PurePosixPath | None = None
    """OME-XML with the spacing, when the image does not carry it."""
    spacing_um: StatedSpacing | None = None
    """Stated spacing; wins over nothing: a file that says otherwise is an error."""
    site: ShortText | None = None
    scanner: ShortText | None = None
    """Defaults to what the image says."""


class Pairs(Record):
    """Images and masks found by pattern and paired by name."""

    images: Glob
    labels: Glob
    second_labels: Glob | None = None
    metadata: Glob | None = None
    name: Pattern | None = None
    """Regular expression for the files' names without their suffix; its groups `case` (what image and mask share),
    `subject` and `acquisition` are taken from it. Without it, or without a group, the whole name is case and subject."""
    spacing_um: StatedSpacing | None = None
    site: ShortText | None = None
    scanner: ShortText | None = None


class Synthetic(Record):
    """Two-photon volumes from the generator instead of files."""

    subjects: Annotated[int, Field(ge=3, le=500)] = 16
    seed: int = 7
    shape: Triple = (48, 96, 96)
    photons: Annotated[float, Field(gt=0)] = 4.0
    """Expected photons a voxel in the brightest vessel at the surface."""
    psf_sigma_z_um: Annotated[float, Field(gt=0)] = 5.0


class Data(Record):
    """Where cases come from: a list of files, a table, files paired by name, or the generator."""

    name: Slug
    licence: ShortText
    source: ShortText
    modality: ShortText | None = None
    """How the images were taken. Defaults to what a DICOM file says, and else to two-photon microscopy."""
    root: str | None = None
    """Folder the paths of the cases start from, relative to the project file."""
    cases: tuple[CaseSource, ...] = ()
    table: PurePosixPath | None = None
    """CSV with a line a case (see docs/data.md), relative to the project file."""
    pairs: Pairs | None = None
    synthetic: Synthetic | None = None
    classes: dict[Annotated[int, Field(ge=1, le=255)], ShortText] = Field(default={}, max_length=255)
    """What the values of the masks mean. Declared values are kept; without a declaration a mask becomes binary."""
    accept_identifiers: ShortText | None = None
    """Why files that may say who is in the image are accepted; without a reason they are refused."""
    rules: dict[Slug, RuleChange] = Field(default={})
    """Severities of validation rules that differ from the usual, by rule; no rule can be silenced."""
    card: DataCardFacts | None = None
    """What only people know of the data, for the data card."""
    remote: DataRemote | None = None
    """Where `data push` keeps a second copy of everything under DVC."""

    @model_validator(mode="after")
    def _one_source(self) -> Data:
        given = [bool(self.cases), self.table is not None, self.pairs is not None, self.synthetic is not None]
        if sum(given) != 1:
            raise ValueError("give one of `cases`, `table`, `pairs` (each with `root`) and `synthetic`")
        if self.synthetic is None and self.root is None:
            raise ValueError("the cases need `root`, the folder their paths start from")
        return self

    @property
    def declared(self) -> tuple[LabelClass, ...]:
        """The declared classes in order of value."""
        return tuple(LabelClass(value=value, name=name) for value, name in sorted(self.classes.items()))
