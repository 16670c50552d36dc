"""The data sets on which the figures of training are measured: what is learned from, what is judged, and how."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minivess.ml.sampling.case_store import TrainingCase
from minivess.records.data.dataset import LabelClass
from minivess.records.data.source import GENERATED_CLASSES
from minivess.records.models.task import SegmentationTask

Load = Callable[[], TrainingCase]
"""Reads or makes a case."""


class DataSet(NamedTuple):
    """What is trained on, what is judged on, and how."""

    task: SegmentationTask
    model: dict[str, Any]
    training: dict[str, Any]
    limits: dict[str, float]
    """Mean Dice of each class that is asked for, in each seed."""
    parts: Callable[[Path], tuple[Sequence[Load], Sequence[Load]]]
    """Cases to learn from and cases to judge, of a folder."""
    worst: float = 0.0
    """Worst Dice that is asked for."""
    seconds: float = float("inf")
    """CPU seconds that are allowed."""
    over_seeds: bool = False
    """Whether the mean over the seeds is asked for, instead of each."""


def _read(name: str, image: Path, label: Path, spacing: tuple[float, ...] | None = None, *, one: bool) -> TrainingCase:
    from minivess.ml.reading.case import read_image

    mask = np.asarray(read_image(label).array)
    mask = (mask > 0).astype(np.uint8) if one else mask.astype(np.uint8)
    return TrainingCase(np.asarray(read_image(image).array, np.float32), mask, spacing, name)


def _rossa(root: Path) -> tuple[Sequence[Load], Sequence[Load]]:
    def part(name: str) -> list[Load]:
        images = sorted((root / name / "image").iterdir())
        return [partial(_read, path.stem, path, root / name / "label" / path.name, one=True) for path in images]

    return part("train_manual"), part("val")


def _hippocampus(root: Path) -> tuple[Sequence[Load], Sequence[Load]]:
    """160 subjects to train and 40 to judge, drawn by seed 0; each volume is of another subject."""
    names = sorted(path.name for path in (root / "images").iterdir())
    random.Random(0).shuffle(names)  # noqa: S311  no secret
    learned, judged = (
        [partial(_read, name.split(".")[0], root / "images" / name, root / "labels" / name, one=False) for name in part]
        for part in (sorted(names[:160]), sorted(names[160:200]))
    )
    return learned, judged


_VESSELNN = {
    "burgess2014_bbbDisruption": ("labels_v1", 0.994),
    "burgess2014_lowerRes_hiSNR": ("labels_v1", 1.59),
    "burgess2014_noisySparseVessels": ("labels_v1", 0.994),
    "poon2015_plaqueVessels": ("label_underSegmented", 2.485),
    "santos2015_lowContrastVessels": ("labelsMarc", 0.621),
    "santos2015_mixedSizelowContrastVessels": ("labelsMarc", 0.621),
}
"""Volumes with the end of the name of their masks, and micrometres of a voxel along y and x."""
_LEFT_OUT = "santos2015"
"""The animal that is judged: two volumes. The other four are of two animals."""


def _vesselnn(root: Path) -> tuple[Sequence[Load], Sequence[Load]]:
    learned: list[Load] = []
    judged: list[Load] = []
    for name, (end, step) in _VESSELNN.items():
        image, label = root / "images" / f"{name}_BM4D_denoised.tif", root / "labels" / f"{name}_{end}.tif"
        side = judged if name.startswith(_LEFT_OUT) else learned
        side.append(partial(_read, name, image, label, (5.0, step, step), one=True))
    return learned, judged


def _synthetic(root: Path) -> tuple[Sequence[Load], Sequence[Load]]:
    """16 volumes to train and 6 to judge, by the default setting of the generator, which is the hard one."""
    made: list[Load] = [partial(_generated, number) for number in range(22)]
    return made[:16], made[16:]


def _generated(number: int) -> TrainingCase:
    from minivess.ml.synthesis.parameters import SynthesisParameters
    from minivess.ml.synthesis.volume import synthesise

    settings = SynthesisParameters(classes="artery-vein")
    case = synthesise((7, number), settings)
    return TrainingCase(case.image, case.label, settings.spacing_um, f"volume-{number}")


SETS = {
    "rossa": DataSet(
        task=SegmentationTask(axes="yx", classes=(LabelClass(value=1, name="vessel"),)),
        model={"architecture": "unet", "filters": 16, "levels": 4, "patch": [128, 128]},
        training={"steps": 1200, "batch": 8, "learning_rate": 0.01},
        limits={"vessel": 0.88},
        worst=0.76,
        seconds=300,
        parts=_rossa,
    ),
    "hippocampus": DataSet(
        task=SegmentationTask(classes=(LabelClass(value=1, name="anterior"), LabelClass(value=2, name="posterior"))),
        model={"architecture": "dynunet", "filters": 16, "levels": 3, "patch": [32, 48, 32]},
        training={"steps": 1200, "batch": 4, "learning_rate": 0.005, "augmentation": "none", "precision": "bf16"},
        limits={"anterior": 0.89, "posterior": 0.87},
        seconds=600,
        parts=_hippocampus,
    ),
    "synthetic": DataSet(
        task=SegmentationTask(classes=GENERATED_CLASSES["artery-vein"]),
        model={"architecture": "dynunet", "filters": 16, "levels": 3, "patch": [32, 64, 64]},
        training={
            "steps": 300,
            "batch": 2,
            "learning_rate": 0.004,
            "precision": "bf16",
            # the pulse of arteries shows along the lines that are scanned
            "augmentation": {"strength": "flips", "without": ["quarter-turns"]},
        },
        limits={"artery": 0.85, "vein": 0.85},
        over_seeds=True,
        parts=_synthetic,
    ),
    "vesselnn": DataSet(
        task=SegmentationTask(classes=(LabelClass(value=1, name="vessel"),)),
        model={"architecture": "dynunet", "filters": 16, "levels": 3, "patch": [12, 96, 96]},
        training={"steps": 400, "batch": 2, "learning_rate": 0.004, "precision": "bf16"},
        limits={},
        parts=_vesselnn,
    ),
}
