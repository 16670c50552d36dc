"""How many injected errors of masks are among the first tenth of the list of suspicious labels.

    python benchmarks/label_suspects.py [--trials 6] [--cases 40] [--images FOLDER --labels FOLDER]

Without folders, each trial makes synthetic volumes of vessels; with folders it takes NIfTI files of the same names in both. In
each trial one case in twenty gets an error: shifted, dilated, a part missing, another case's mask, or swapped classes (of one
class: mask and background). The list is made by the simple classifier of voxels, which learns from masks with these errors.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from minivess.ml.quality.suspects.cross_fitting import VoxelCase, cross_fitted
from minivess.ml.quality.suspects.mask_quality import mask_quality

Mask = NDArray[np.uint8]
KINDS = ("shifted", "dilated", "part missing", "another case's", "swapped")


def main() -> None:
    """Print recall in the first tenth for each kind of error, and over all."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--trials", type=int, default=6)
    options.add_argument("--cases", type=int, default=40)
    options.add_argument("--images", type=Path)
    options.add_argument("--labels", type=Path)
    asked = options.parse_args()
    hits: dict[str, list[bool]] = defaultdict(list)
    kinds = 0
    for trial in range(asked.trials):
        rng, began = np.random.default_rng(trial), time.perf_counter()
        cases = read(asked.images, asked.labels, asked.cases) if asked.images else made(asked.cases, trial)
        wrong = rng.choice(len(cases), max(1, len(cases) // 20), replace=False)
        kind_of = {}
        for place in wrong:
            kind_of[cases[place].name] = KINDS[kinds % len(KINDS)]
            kinds += 1
            cases[place] = cases[place]._replace(label=injected(rng, cases, int(place), kind_of[cases[place].name]))
        classes = max(int(case.label.max()) for case in cases)
        groups = {case.name: case.name for case in cases}
        found = {
            one.name: mask_quality(one.probabilities, one.label).quality
            for one in cross_fitted(cases.copy, groups, classes=classes, seed=trial)
        }
        first = sorted(found, key=lambda name: found[name])[: len(cases) // 10]
        for name, kind in kind_of.items():
            hits[kind].append(name in first)
        print(
            f"trial {trial}: {sum(name in first for name in kind_of)} of {len(kind_of)} in the first {len(first)}, "
            f"{time.perf_counter() - began:.0f} s"
        )
    for kind in KINDS:
        if hits[kind]:
            print(f"{kind:16} {sum(hits[kind])} of {len(hits[kind])}")
    every = [hit for row in hits.values() for hit in row]
    print(f"{'all':16} {sum(every)} of {len(every)}: {100 * np.mean(every):.0f} %")


def made(count: int, trial: int) -> list[VoxelCase]:
    """Volumes of 16 x 48 x 48 with five vessels of 1 or 2 voxels radius in noise."""
    cases = []
    for number in range(count):
        rng, shape = np.random.default_rng([trial, number]), np.array((16, 48, 48))
        lines = np.zeros(shape, np.bool_)
        for _ in range(5):
            start, end = rng.uniform(0, (shape - 1) * [1, 1, 0]), rng.uniform((shape - 1) * [0, 0, 1], shape - 1)
            for step in np.linspace(0, 1, 120):
                lines[tuple(np.rint(start + step * (end - start)).astype(int))] = True
        mask = ndimage.binary_dilation(lines, iterations=int(rng.integers(1, 3)))
        image = ndimage.gaussian_filter(mask * 8.0, 0.8) + rng.normal(0, 2, mask.shape)
        cases.append(VoxelCase(f"case-{number:03}", image.astype(np.float32), mask.astype(np.uint8), (1.0, 1.0, 1.0)))
    return cases


def read(images: Path, labels: Path, count: int) -> list[VoxelCase]:
    """The first NIfTI files of two folders."""
    import nibabel

    cases = []
    for path in sorted(images.glob("*.nii.gz"))[:count]:
        image, label = nibabel.load(path), nibabel.load(labels / path.name)
        spacing = tuple(float(step) for step in image.header.get_zooms()[:3])
        cases.append(
            VoxelCase(
                path.name, np.asarray(image.dataobj, np.float32), np.asarray(label.dataobj).astype(np.uint8), spacing
            )
        )
    return cases


def injected(rng: np.random.Generator, cases: list[VoxelCase], place: int, kind: str) -> Mask:
    """The mask of a case with an error."""
    label = cases[place].label
    axis = int(rng.integers(label.ndim))
    if kind == "shifted":
        return np.asarray(ndimage.shift(label, [3 if one == axis else 0 for one in range(label.ndim)], order=0))
    if kind == "dilated":
        distance, nearest = ndimage.distance_transform_edt(label == 0, return_indices=True)
        return np.where(distance <= 2, label[tuple(nearest)], 0).astype(np.uint8)
    if kind == "part missing":
        places = np.argwhere(label)
        longest = int(np.argmax(np.ptp(places, axis=0)))
        low, high = places[:, longest].min(), places[:, longest].max()
        window = tuple(
            slice(0, int(low + 0.4 * (high - low))) if one == longest else slice(None) for one in range(label.ndim)
        )
        changed = label.copy()
        changed[window] = 0
        return changed
    if kind == "swapped":
        several = int(label.max()) > 1
        return np.array([0, 2, 1] if several else [1, 0], np.uint8)[np.minimum(label, 2 if several else 1)]
    other = cases[(place + 1 + int(rng.integers(len(cases) - 1))) % len(cases)].label
    changed = np.zeros_like(label)
    window = tuple(slice(0, min(sizes)) for sizes in zip(label.shape, other.shape, strict=True))
    changed[window] = other[window]
    return changed


if __name__ == "__main__":
    main()
