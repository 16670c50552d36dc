"""How a data set is divided."""

from __future__ import annotations

from enum import StrEnum

from minivess.foundation.digests import Digest
from minivess.records.base import Record, Slug


class Split(Record):
    """Subjects by part; those not named train. With numbers instead of names, subjects are drawn by seed."""

    seed: int = 0
    calibration: tuple[Slug, ...] | int = 2
    test: tuple[Slug, ...] | int = 4


class Part(StrEnum):
    """The parts of a split."""

    TRAIN = "train"
    CALIBRATION = "calibration"
    TEST = "test"


class SplitManifest(Record):
    """Which case is in which part; subjects and acquisitions never straddle parts. `root` covers everything else."""

    dataset: Digest
    seed: int
    train: tuple[Slug, ...]
    calibration: tuple[Slug, ...]
    test: tuple[Slug, ...]
    root: Digest

    def part(self, part: Part) -> tuple[str, ...]:
        """The case ids of one part."""
        return {Part.TRAIN: self.train, Part.CALIBRATION: self.calibration, Part.TEST: self.test}[part]
