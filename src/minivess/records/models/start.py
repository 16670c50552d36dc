"""What training starts from: the values that the seed draws, a run of the log, or a file of weights from elsewhere."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText

SEED = "seed"
"""Training starts from values that the seed of the member draws."""

Status = Literal["declared", "refused", "unknown"]


def _missing(value: object) -> bool:
    return value is None


def _relative(path: PurePosixPath) -> PurePosixPath:
    if path.is_absolute():
        raise ValueError("a path starts from the folder of the project file: the evidence pack shows it")
    return path


_RelativePath = Annotated[PurePosixPath, AfterValidator(_relative)]


class PretrainingSet(Record):
    """A data set that weights were trained on."""

    name: ShortText
    """The name of the data set, as its publication has it."""
    accessions: tuple[ShortText, ...] = ()
    """DOIs, accession numbers, DICOM series or addresses of the data set."""
    digests: tuple[Digest, ...] = ()
    """Digests of images (`image` in `data/manifest.json`) or masks (`label`) of the data set."""
    images: Annotated[_RelativePath | None, Field(exclude_if=_missing)] = None
    """A folder with the files of the data set, relative to the project file. Test cases are searched for in it."""


class PretrainingData(Record):
    """What weights were trained on, as their maker declares it."""

    status: Status
    """`declared`: the sets are all there are. `refused`: the maker does not say. `unknown`: no statement is there."""
    sets: tuple[PretrainingSet, ...] = ()
    """The data sets that the weights were trained on."""

    @property
    def known(self) -> bool:
        """Whether all data sets are named."""
        return self.status == "declared"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.status == "declared" and not self.sets:
            raise ValueError("a declaration names at least one data set in `sets`")
        return self


class ForeignWeights(Record):
    """Weights from outside the log."""

    weights: _RelativePath
    """The file, safetensors or a PyTorch zip file of tensors, relative to the project file."""
    digest: Digest
    """The SHA-256 of the file."""
    trained_on: PretrainingData | None = None
    """What the weights were trained on."""
    run: _RelativePath | None = None
    """The `run.json` of another MiniVess project that made the weights, in place of `trained_on`."""
    allow: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = ()
    """First parts of names of tensors that may be missing or of another shape, for example the head: they are drawn by seed."""
    licence: ShortText | None = None
    """The licence of the weights."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.trained_on is None) == (self.run is None):
            raise ValueError("give either `trained_on`, if only `trained_on: {status: unknown}`, or `run`")
        return self


def _kind(stated: object) -> str:
    if not isinstance(stated, str):
        return "file"
    return SEED if stated == SEED else "run"


Start = Annotated[
    Annotated[Literal["seed"], Tag("seed")] | Annotated[Digest, Tag("run")] | Annotated[ForeignWeights, Tag("file")],
    Discriminator(_kind),
]
"""`seed`, the digest of the weights of a run in the log, or a file."""


class StartRecord(Record):
    """The weights that a member started from."""

    weights: Digest
    """Digest of the tensors."""
    trained_on: PretrainingData
    """What they were trained on. For a run of this product: its training cases, and what its own start was trained on."""
    fresh: tuple[str, ...] = ()
    """Tensors of the network that the seed drew, because the file has none that fit."""
    unused: tuple[str, ...] = ()
    """Tensors of the file that the network does not use."""
    licence: Annotated[ShortText | None, Field(exclude_if=_missing)] = None
