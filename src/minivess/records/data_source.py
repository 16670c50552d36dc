"""Where the cases of a project come from."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import Field, model_validator

from minivess.records.base import Record, ShortText, Slug
from minivess.records.model import Triple


class CaseSource(Record):
    """One case as found on disk; paths are relative to `data.root`."""

    id: Slug
    subject: Slug
    acquisition: Slug | None = None
    """Defaults to the case id; give the same name to cases cut from one acquisition."""
    image: PurePosixPath
    label: PurePosixPath
    metadata: PurePosixPath | None = None
    """OME-XML with the spacing, when the image does not carry it."""
    spacing_um: tuple[float, float, float] | None = None
    """Stated spacing (z, y, x); wins over nothing: a file that says otherwise is an error."""


class Synthetic(Record):
    """Two-photon volumes from the generator instead of files."""

    subjects: Annotated[int, Field(ge=3, le=500)] = 16
    seed: int = 7
    shape: Triple = (48, 96, 96)
    photons: Annotated[float, Field(gt=0)] = 4.0
    """Expected photons a voxel in the brightest vessel at the surface."""
    psf_sigma_z_um: Annotated[float, Field(gt=0)] = 5.0


class Data(Record):
    """Where cases come from: a list of files or the generator."""

    name: Slug
    licence: ShortText
    source: ShortText
    modality: ShortText = "two-photon microscopy"
    root: str | None = None
    cases: tuple[CaseSource, ...] = ()
    synthetic: Synthetic | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Data:
        if (self.synthetic is None) == (not self.cases):
            raise ValueError("give either `cases` (with `root`) or `synthetic`")
        if self.cases and self.root is None:
            raise ValueError("`cases` needs `root`, the folder their paths start from")
        return self
