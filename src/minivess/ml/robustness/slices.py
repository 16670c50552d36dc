"""What goes wrong from one slice to the next: motion, and slices that are lost. In pictures, lines take the place of slices."""

from __future__ import annotations

import numpy as np

from minivess.ml.robustness.perturbation import Image, Label, Scene, Spacing, channels_as, channels_first


def motion(rng: np.random.Generator, image: Image, label: Label, spacing: Spacing, level: float) -> Scene:
    """Displace each slice within itself by whole voxels; the mask moves with it, and the edge is repeated.

    The level is the standard deviation of a displacement, in sides of the voxel along x. In a picture each line is displaced
    along itself.
    """
    drawn = rng.standard_normal((label.shape[0], label.ndim - 1)) * level * spacing[-1] / np.asarray(spacing[1:])
    moved_image, moved_label = np.array(image), np.array(label)
    for number, steps in enumerate(np.rint(drawn).astype(int)):
        places = np.ix_(
            *(np.clip(np.arange(side) - step, 0, side - 1) for side, step in zip(label.shape[1:], steps, strict=True))
        )
        moved_image[number] = image[number][places]
        moved_label[number] = label[number][places]
    return Scene(moved_image, moved_label, spacing)


def missing(rng: np.random.Generator, image: Image, label: Label, spacing: Spacing, level: float) -> Scene:
    """Set slices that are drawn, at least one, to the lowest value of the channel. The mask stays: the structure is there.

    The level is the per cent of slices that are lost.
    """
    count = min(label.shape[0], max(1, round(label.shape[0] * level / 100)))
    lost = rng.permutation(label.shape[0])[:count]
    channels = np.array(channels_first(image, label))
    channels[:, lost] = channels.min(axis=tuple(range(1, channels.ndim)), keepdims=True)
    return Scene(channels_as(channels, image, label), label, spacing)
