"""Objects that fill .02 % of the voxels, and how many of them a network finds that was trained by the defaults.

A volume of 48 x 96 x 96 voxels has three balls of about 30 voxels, three bright tubes that no threshold tells from the balls,
and noise. An object is hit when the mask has a voxel of it. A piece of the mask that hits none is a false object.

    uv run python benchmarks/training_rare_objects.py 0    (one seed)
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label

from minivess.ml.inference.answers import mask_of
from minivess.ml.sampling.case_store import TrainingCase, store_cases
from minivess.records.models.networks.specifications import DEFAULT
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES
from minivess.records.models.training import TrainingSpec

SHAPE = (48, 96, 96)
OBJECTS, RADIUS, CONTRAST = 3, (1.7, 2.1), 5.0
TRAINING_VOLUMES, OTHER_VOLUMES = 10, 8
SEEDS = (0, 1, 2)
LEAST_HIT, LEAST_TRUE, MOST_MARKED = 0.8, 0.5, 3


class Found(NamedTuple):
    """Counts over the volumes that were not trained on."""

    hit: int
    objects: int
    false: int
    marked: int
    voxels: int

    @property
    def text(self) -> str:
        """The counts for people."""
        return (
            f"{self.hit} of {self.objects} objects hit ({self.hit / self.objects:.0%}), {self.false} false objects, "
            f"{self.marked / self.voxels:.1f} times the true voxels marked"
        )

    @property
    def enough(self) -> bool:
        """Whether the objects are found, and not by marking much else."""
        true = self.hit >= LEAST_TRUE * (self.hit + self.false) and self.marked <= MOST_MARKED * self.voxels
        return true and self.hit >= LEAST_HIT * self.objects


def volume(seed: int, number: int) -> TrainingCase:
    """One volume (z, y, x) with its mask; the same arguments give the same volume."""
    rng = np.random.default_rng([seed, 0x0B1EC7, number])
    places = np.stack(np.meshgrid(*(np.arange(side) for side in SHAPE), indexing="ij"), axis=-1).astype(np.float32)
    tubes = np.zeros(SHAPE, bool)
    for _ in range(3):
        tubes |= _tube(rng, places)
    balls = np.zeros(SHAPE, bool)
    while label(balls)[1] < OBJECTS:
        middle = rng.uniform(4, np.array(SHAPE) - 5)
        ball = np.linalg.norm(places - middle, axis=-1) <= rng.uniform(*RADIUS)
        apart = np.linalg.norm(places - middle, axis=-1) <= 6
        if not (apart & (tubes | balls)).any():
            balls |= ball
    clear = gaussian_filter((tubes | balls).astype(np.float32) * CONTRAST, 0.6)
    shade = gaussian_filter(rng.normal(size=SHAPE), 12) * 60
    noise = rng.normal(size=SHAPE)
    return TrainingCase((clear + shade + noise).astype(np.float32), balls.astype(np.uint8), name=f"volume-{number}")


def found(mask: NDArray[np.uint8], truth: NDArray[np.uint8]) -> Found:
    """Objects of the truth that the mask hits, all of them, pieces of the mask that hit none, and voxels of both."""
    near = np.ones((3, 3, 3), bool)
    objects, count = label(truth, near)
    pieces, made = label(mask, near)
    hit = np.setdiff1d(np.unique(objects[mask > 0]), 0).size
    true = np.setdiff1d(np.unique(pieces[truth > 0]), 0).size
    return Found(hit, count, made - true, int(np.count_nonzero(mask)), int(np.count_nonzero(truth)))


def threshold_baseline(cases: list[TrainingCase], others: list[TrainingCase]) -> Found:
    """What the threshold with the best Dice on the training volumes finds."""
    steps = np.quantile(np.concatenate([one.image.ravel() for one in cases]), 1 - np.geomspace(1e-5, 0.1, 40))
    best = max(steps, key=lambda step: sum(_dice(one.image > step, one.label) for one in cases))
    return _added([found((one.image > best).astype(np.uint8), one.label.astype(np.uint8)) for one in others])


def trained(seed: int, cases: list[TrainingCase], others: list[TrainingCase]) -> Found:
    """What a network finds that was trained by the defaults, on all cases but those of the validation."""
    from minivess.ml.inference.predictor import NetworkPredictor
    from minivess.ml.models.registry import adapter_of, build_network
    from minivess.ml.training.member import train_member
    from minivess.ml.training.runs import WEIGHTS
    from minivess.ml.training.validation import Validator, validation_cases

    task, spec, training = ONE_CLASS_OF_VOLUMES, DEFAULT, TrainingSpec()
    preprocessing = Preprocessing.of(task)
    held = validation_cases({one.name: one.name for one in cases}, training.validation.share, seed=seed).cases
    learned = [one for one in cases if one.name not in held]
    judge = Validator(lambda: (one for one in cases if one.name in held), held, spec, task, preprocessing)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        store = store_cases(learned, out / "cases", patch=spec.patch, task=task, preprocessing=preprocessing)
        run = train_member(
            store, spec, training, seed=seed, out=out, task=task, preprocessing=preprocessing, validator=judge
        )
        network = build_network(spec, task, seed=seed)
        adapter_of(spec.architecture).load(network, out / WEIGHTS, expected=run.weights)
    predictor = NetworkPredictor(network, spec, "cpu", task=task, preprocessing=preprocessing)
    masks = (mask_of(predictor.predict(one.image), task) for one in others)
    return _added([found(mask, one.label.astype(np.uint8)) for mask, one in zip(masks, others, strict=True)])


def measure(seeds: tuple[int, ...] = SEEDS) -> int:
    """Print the counts of each seed; 1 when a seed hits fewer than 80 %, or much of what it marks is false."""
    import torch

    torch.set_num_threads(1)
    failed = False
    for seed in seeds:
        cases = [volume(seed, number) for number in range(TRAINING_VOLUMES)]
        others = [volume(seed, TRAINING_VOLUMES + number) for number in range(OTHER_VOLUMES)]
        share = float(np.mean([one.label.mean() for one in cases]))
        print(f"seed {seed}: {share:.3%} foreground; threshold: {threshold_baseline(cases, others).text}", flush=True)
        begun = time.process_time()
        network = trained(seed, cases, others)
        print(f"seed {seed}: defaults: {network.text}, {time.process_time() - begun:.0f} s CPU", flush=True)
        failed |= not network.enough
    return int(failed)


def _tube(rng: np.random.Generator, places: NDArray[np.float32]) -> NDArray[np.bool_]:
    start, direction = rng.uniform(0, SHAPE), rng.normal(size=3)
    along = direction / np.linalg.norm(direction)
    offset = places - start.astype(np.float32)
    aside = offset - (offset @ along)[..., np.newaxis] * along
    return np.asarray(np.linalg.norm(aside, axis=-1) <= rng.uniform(*RADIUS))


def _dice(mask: NDArray[np.bool_], truth: NDArray[np.generic]) -> float:
    both = mask.sum() + (truth > 0).sum()
    return 2 * float((mask & (truth > 0)).sum()) / float(both)


def _added(counts: list[Found]) -> Found:
    return Found(*(sum(column) for column in zip(*counts, strict=True)))


if __name__ == "__main__":
    sys.exit(measure(tuple(map(int, sys.argv[1:])) or SEEDS))
