"""Small prepared data sets, and synthetic vessels with known truth, for the tests of the ML rooms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from minivess.ml.cases.ingestion import ingest
from minivess.ml.cases.manifests import write_record
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.source import CaseSource, Data, Synthetic
from tests.support.lazy_modules import lazily

with lazily("scipy"):
    from scipy import ndimage

Volume = tuple[NDArray[np.float32], NDArray[np.bool_]]


@dataclass
class Workspace:
    """A project folder with synthetic prepared cases."""

    root: Path
    data: Data
    manifest: DatasetManifest

    @property
    def prepared(self) -> Path:
        """The folder of prepared cases."""
        return self.root / "data" / "prepared"

    @property
    def sealed(self) -> Path:
        """The folder of the sealed test part."""
        return self.root / "data" / "sealed"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Four subjects with one small volume each."""
    data = Data(
        name="small",
        licence="CC0",
        source="generator",
        synthetic=Synthetic(subjects=4, seed=3, shape=(12, 40, 40)),
    )
    manifest = ingest(data, tmp_path, tmp_path / "data" / "prepared")
    write_record(tmp_path / "data" / "manifest.json", manifest)
    return Workspace(tmp_path, data, manifest)


@pytest.fixture
def from_arrays(tmp_path: Path) -> Callable[[dict[str, tuple[str, np.ndarray, np.ndarray]]], tuple[Data, Path]]:
    """Data of `.npy` files: case id to subject, image and mask."""

    def make(cases: dict[str, tuple[str, np.ndarray, np.ndarray]]) -> tuple[Data, Path]:
        root = tmp_path / "files"
        root.mkdir(exist_ok=True)
        sources = []
        for name, (subject, image, label) in cases.items():
            np.save(root / f"{name}-image.npy", image)
            np.save(root / f"{name}-label.npy", label)
            sources.append(
                CaseSource.model_validate(
                    {
                        "id": name,
                        "subject": subject,
                        "image": f"{name}-image.npy",
                        "label": f"{name}-label.npy",
                        "spacing": "2.0 x 1.0 x 1.0 um",
                    }
                )
            )
        return Data(name="files", licence="CC0", source="test", root="files", cases=tuple(sources)), tmp_path

    return make


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
