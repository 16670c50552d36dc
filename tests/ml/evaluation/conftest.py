"""Synthetic vessels with known truth, small enough for every test."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from minivess.records.data.dataset import CaseRecord

Volume = tuple[NDArray[np.float32], NDArray[np.bool_]]


@pytest.fixture(scope="session")
def vessels() -> Callable[[int], Volume]:
    """Image (12, 40, 40) and mask of a few tubes, by seed."""

    def make(seed: int) -> Volume:
        rng = np.random.default_rng(seed)
        lines = np.zeros((12, 40, 40), np.bool_)
        for _ in range(4):
            start, end = rng.uniform(0, [11, 39, 0]), rng.uniform([0, 0, 39], [11, 39, 39])
            for step in np.linspace(0, 1, 80):
                z, y, x = np.rint(start + step * (end - start)).astype(int)
                lines[z, y, x] = True
        mask = ndimage.binary_dilation(lines, iterations=2)
        image = ndimage.gaussian_filter(mask * 8.0, 0.7) + rng.normal(0, 1, mask.shape)
        return image.astype(np.float32), mask

    return make


@pytest.fixture(scope="session")
def case_record() -> Callable[[str, str], CaseRecord]:
    """A case record for those volumes, by case and subject id."""

    def make(case: str, subject: str) -> CaseRecord:
        digest = f"sha256:{'0' * 64}"
        return CaseRecord(
            id=case,
            subject=subject,
            acquisition=case,
            shape=(12, 40, 40),
            spacing=(5.0, 1.0, 1.0),
            modality="two-photon microscopy",
            image=digest,
            label=digest,
            source_dtype="float32",
            label_values=(0, 1),
            foreground_fraction=0.1,
        )

    return make
