"""Small prepared data sets for the tests of the data rooms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from minivess.ml.cases.manifests import write_record
from minivess.ml.cases.prepared import ingest
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.source import CaseSource, Data, Synthetic


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
                        "spacing_um": (2.0, 1.0, 1.0),
                    }
                )
            )
        return Data(name="files", licence="CC0", source="test", root="files", cases=tuple(sources)), tmp_path

    return make
