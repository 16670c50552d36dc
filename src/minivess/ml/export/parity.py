"""How closely an exported model repeats PyTorch on whole images: preprocessed, tiled, blended, and on their own grid."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.ml.inference.answers import mask_of
from minivess.ml.inference.predictor import PatchPredictor
from minivess.ml.inference.tiling import tiles_of
from minivess.ml.measures.dice import dice
from minivess.ml.preprocessing.preprocessor import Spacing
from minivess.records.evaluation.measures import DICE
from minivess.records.models.exports.certificate import WholeImageParity
from minivess.records.models.exports.choice import BackendName


@dataclass(frozen=True)
class ParityImage:
    """A case that both sides answer."""

    id: str
    image: NDArray[np.generic]
    """Raw, as prepared."""
    label: NDArray[np.generic]
    """Its mask, with the values of the classes."""
    spacing: Spacing = None
    """Micrometres along each spatial axis."""


@dataclass(frozen=True)
class Compared:
    """What a comparison on whole images found."""

    parity: Mapping[BackendName, WholeImageParity]
    """By backend; without those that answered a value that is not finite."""
    tiles: int
    """Patches that each side answered."""


@implements("REQ-342", "RC-143")
def compare(
    reference: PatchPredictor, candidates: Mapping[BackendName, PatchPredictor], images: Iterable[ParityImage]
) -> Compared:
    """Compare candidates with a reference on whole images, one image at a time in memory.

    Args:
        reference: the PyTorch ensemble, calibrated.
        candidates: the exported model, by backend.
        images: calibration cases; each is read once.

    Raises:
        UsageError: there is no image.
        InputError: an image cannot be preprocessed.
    """
    found: dict[BackendName, list[_Differences]] = {name: [] for name in candidates}
    names, voxels, tiles = list[str](), 0, 0
    for case in images:
        expected = _Answer.of(reference, case)
        for name, candidate in candidates.items():
            found[name].append(_differences(expected, _Answer.of(candidate, case)))
        names.append(case.id)
        voxels += expected.mask.size
        grid = reference.preprocessor.target_grid(case.image, case.spacing)
        tiles += tiles_of(grid, reference.spec.patch, reference.overlap)
    if not names:
        raise UsageError("the parity of an export needs at least one calibration case")
    parity = {
        name: WholeImageParity(
            cases=tuple(names),
            voxels=voxels,
            max_probability_difference=max(one.probability for one in each),
            flipped_voxels=sum(one.flipped for one in each),
            measures={DICE: max(one.dice for one in each)},
        )
        for name, each in found.items()
        if all(math.isfinite(one.probability) for one in each)
    }
    return Compared(parity, tiles)


@dataclass(frozen=True)
class _Answer:
    probabilities: NDArray[np.float32]
    mask: NDArray[np.uint8]
    dices: tuple[float, ...]
    """Of each class."""

    @classmethod
    def of(cls, predictor: PatchPredictor, case: ParityImage) -> _Answer:
        task = predictor.task
        probabilities = predictor.predict(case.image, case.spacing)
        mask, label = mask_of(probabilities, task), np.asarray(case.label)
        if task.one_class:
            return cls(probabilities, mask, (dice(mask != 0, label != 0),))
        dices = tuple(dice(mask == one.value, label == one.value) for one in task.classes)
        return cls(probabilities, mask, dices)


@dataclass(frozen=True)
class _Differences:
    probability: float
    flipped: int
    dice: float


def _differences(expected: _Answer, answered: _Answer) -> _Differences:
    pairs = zip(expected.dices, answered.dices, strict=True)
    return _Differences(
        probability=float(np.abs(expected.probabilities - answered.probabilities).max()),
        flipped=int(np.count_nonzero(expected.mask != answered.mask)),
        dice=max(abs(one - other) for one, other in pairs),
    )
