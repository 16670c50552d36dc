"""What each case of a project is made from, as a digest, and how it is made.

A recipe is small and can be sent to another process; the files are opened there.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from minivess.foundation.digests import digest_file, digest_json
from minivess.foundation.errors import InputError
from minivess.ml.reading.case import Case, named_below, read_case, source_files
from minivess.ml.reading.sources import case_sources
from minivess.ml.reading.volume import LIMITS, fault_in_words, file_size
from minivess.ml.synthesis.parameters import GENERATOR, MODALITIES, settings_of
from minivess.ml.synthesis.volume import synthesise
from minivess.records.data.dataset import LabelClass
from minivess.records.data.groups import GENERATED
from minivess.records.data.source import GENERATED_CLASSES, CaseSource, Data, StatedUnit, Synthetic

MODALITY = MODALITIES["zyx"]
"""What images are where neither the project nor the file says."""
_BYTES_A_VOXEL = 36
"""A generated voxel costs as much time as about so many bytes of a file."""


@dataclass(frozen=True)
class FileRecipe:
    """A case from files.

    Attributes:
        source: its files below `root`, and what is stated of it.
        root: the folder of the data.
        modality: how the project's images were taken, where it says.
        classes: what the project declares of the mask's values.
        accept_identifiers: why data that may identify a person are accepted.
        unit: of headers that name none.
        stated: what the project says that changes how files are read.
    """

    source: CaseSource
    root: Path
    modality: str | None
    classes: tuple[LabelClass, ...]
    accept_identifiers: str | None
    unit: StatedUnit | None
    stated: dict[str, Any]

    @property
    def files(self) -> tuple[PurePosixPath, ...]:
        """The case's files and folders, below `root`."""
        one = self.source
        return tuple(path for path in (one.image, one.label, one.second_label, one.metadata) if path is not None)

    @property
    def weight(self) -> int:
        """About how much work it is, in bytes."""
        return sum(_size(self.root / path) for path in self.files)

    def made_from(self) -> str:
        """Digest of the bytes of the files and of what is stated.

        Raises:
            InputError: a file cannot be read.
        """
        with named_below(self.root):
            digests = [[_digest(file) for file in source_files(self.root / path)] for path in self.files]
        return digest_json(["minivess-files/2", self.source.model_dump(mode="json"), digests, self.stated])

    def make(self) -> Case:
        """Read the case; raises what `read_case` raises."""
        return read_case(
            self.source,
            self.root,
            classes=self.classes,
            accept_identifiers=self.accept_identifiers,
            unit=self.unit,
        )


@dataclass(frozen=True)
class SyntheticRecipe:
    """A case from the generator.

    Attributes:
        source: its id.
        modality: what it is said to be.
        plan: the settings of the generator.
        number: which case, from 1.
        classes: what the project declares of the mask's values.
    """

    source: CaseSource
    modality: str
    plan: Synthetic
    number: int
    classes: tuple[LabelClass, ...]

    @property
    def weight(self) -> int:
        """About how much work it is, in bytes of a file."""
        return math.prod(self.plan.shape) * _BYTES_A_VOXEL

    def made_from(self) -> str:
        """Digest of the generator's version and the settings."""
        facts = self.plan.model_dump(mode="json", exclude={"subjects", "psf_sigma_z"})
        facts["psf_sigma_z_um"] = self.plan.psf_sigma_z.micrometres  # so was it written before 0.2.0: cases stay
        stated = [[one.model_dump(mode="json") for one in self.classes]] if self.classes else []
        return digest_json([GENERATOR, facts, self.number, self.modality, *stated])

    def make(self) -> Case:
        """Make the case."""
        plan = self.plan
        settings = settings_of(plan)
        made = synthesise((plan.seed, self.number), settings)
        classes = self.classes or GENERATED_CLASSES[plan.classes]
        return Case(
            made.image.astype("<f4"),
            made.label,
            settings.image_axes,
            settings.spacing,
            GENERATED,
            made.image.dtype.name,
            (0, *(one.value for one in classes)),
            classes=classes,
        )


Recipe = FileRecipe | SyntheticRecipe


def recipes_of(data: Data, base: Path, sealed: Collection[str], refused: list[InputError]) -> Iterator[Recipe]:
    """The recipe of every case that a project names.

    Args:
        data: the project's data.
        base: folder of the project file.
        sealed: ids of sealed cases; where their sources are gone, they have no recipe.
        refused: takes the faults of single lines and names.

    Raises:
        InputError: the list of cases cannot be read as a whole.
    """
    if data.synthetic is not None:
        modality = data.modality or MODALITIES[settings_of(data.synthetic).image_axes]
        width = max(2, len(str(data.synthetic.subjects)))
        for number in range(1, data.synthetic.subjects + 1):
            name = f"mouse-{number:0{width}d}"
            source = CaseSource(
                id=name, subject=name, image=PurePosixPath("image.npy"), label=PurePosixPath("label.npy")
            )
            yield SyntheticRecipe(source, modality, data.synthetic, number, data.declared)
        return
    root = base / (data.root or ".")
    stated = data.model_dump(mode="json", include={"modality", "classes", "accept_identifiers"})
    if data.unit is not None:  # without it, the digest is that of earlier versions: their cases stay
        stated["unit"] = data.unit
    for source in case_sources(data, base, refused=refused):
        moved = not any((root / path).exists() for path in (source.image, source.label))
        if not (moved and source.id in sealed):
            yield FileRecipe(source, root, data.modality, data.declared, data.accept_identifiers, data.unit, stated)


def _size(path: Path) -> int:
    """Bytes of a file, or of the files right in a folder; 0 where there is none."""
    try:
        files = path.iterdir() if path.is_dir() else [path]
        return sum(file.stat().st_size for file in files)
    except OSError:
        return 0


def _digest(file: Path) -> str:
    """Digest of a plain file within the limits; a pipe or a device would be read without end.

    Raises:
        InputError: it is missing, empty, too large, no plain file, or cannot be read.
    """
    file_size(file, LIMITS)
    try:
        return digest_file(file)
    except OSError as error:
        raise InputError(fault_in_words(error), path=file, rule="file-unreadable") from None
