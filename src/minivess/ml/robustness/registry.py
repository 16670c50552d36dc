"""The perturbations by name, in the order of reports. To add one, add its function and its row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from minivess.foundation.choices import choose
from minivess.foundation.implements import implements
from minivess.ml.robustness import grids, intensities, slices
from minivess.ml.robustness.perturbation import Perturbation

_PER_CENT = (10.0, 20.0, 30.0)

PERTURBATIONS: Mapping[str, Perturbation] = {
    row.name: row
    for row in (
        Perturbation(
            "noise",
            "Noise",
            "standard deviations of the channel",
            "Gaussian noise is added to each channel. The level is its standard deviation over that of the channel.",
            intensities.noise,
            (0.25, 0.5, 1.0),
        ),
        Perturbation(
            "blur",
            "Blur",
            "shortest voxel sides",
            "Each channel is blurred with a Gaussian that is round in space. The level is its standard deviation.",
            intensities.blur,
            (0.5, 1.0, 2.0),
        ),
        Perturbation(
            "contrast",
            "Less contrast",
            "% of contrast lost",
            "Values move towards the mean of their channel. A model that scales each image does not notice it.",
            intensities.contrast,
            (25.0, 50.0, 75.0),
            below=100,
        ),
        Perturbation(
            "gamma",
            "Dim structures darker",
            "added to a gamma of 1",
            "Values between the lowest and the highest of a channel are raised to a power of 1 plus the level.",
            intensities.gamma,
            (0.25, 0.5, 1.0),
        ),
        Perturbation(
            "coarser",
            "Larger voxels",
            "% longer sides",
            "The image is put on a grid of larger voxels over the same field of view. The answer is compared on the grid of the "
            "mask.",
            grids.coarser,
            _PER_CENT,
        ),
        Perturbation(
            "finer",
            "Smaller voxels",
            "% shorter sides",
            "The image is put on a grid of smaller voxels over the same field of view. The answer is compared on the grid of "
            "the mask.",
            grids.finer,
            _PER_CENT,
            below=100,
        ),
        Perturbation(
            "motion",
            "Motion",
            "voxel sides along x",
            "Each slice (in a picture, each line) is displaced within itself, and its mask with it. The level is the standard "
            "deviation of the displacements.",
            slices.motion,
            (1.0, 2.0, 4.0),
        ),
        Perturbation(
            "cropped",
            "Cropped field of view",
            "% of each side lost",
            "A part of the image and of its mask is kept, at a place that is drawn.",
            grids.cropped,
            (10.0, 25.0, 50.0),
            below=100,
        ),
        Perturbation(
            "missing-slices",
            "Missing slices or lines",
            "% of slices or lines lost",
            "Slices of a volume, or lines of a picture, are drawn and have the lowest value of the channel. The mask stays.",
            slices.missing,
            (5.0, 10.0, 20.0),
            below=100,
        ),
    )
}
"""Every perturbation by its name."""


@implements("REQ-404")
def perturbations_of(names: Iterable[str] = ()) -> tuple[Perturbation, ...]:
    """The perturbations of some names in the order of reports; all of them where no name is given.

    Raises:
        UsageError: there is no such perturbation.
    """
    wanted = {choose(PERTURBATIONS, name, what="perturbation").name for name in names}
    return tuple(row for row in PERTURBATIONS.values() if not wanted or row.name in wanted)
