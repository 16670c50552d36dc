"""Prepared cases straight from arrays, for tests of what comes after reading."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from minivess.foundation.digests import digest_bytes
from minivess.ml.cases.manifests import cases_root, write_record
from minivess.ml.cases.prepared import CASE, IMAGE, LABEL, PreparedCase, npy_bytes
from minivess.records.data.dataset import CaseRecord, DatasetManifest


def picture(seed: int, shape: tuple[int, ...] = (48, 48)) -> tuple[np.ndarray, np.ndarray]:
    """A grey picture or volume with noise and a bright box of its own, and the mask of the box."""
    rng = np.random.default_rng(seed)
    label = np.zeros(shape, np.uint8)
    label[(..., slice(12, 28), slice(4 + seed % 20, 24 + seed % 20))] = 1
    image = rng.integers(20, 90, shape) + 90 * label
    return image.astype(np.float32), label


def put(folder: Path, name: str, image: np.ndarray, label: np.ndarray, **facts: Any) -> CaseRecord:
    """Write a prepared case: axes by the number of dimensions, unless they are given."""
    axes = facts.pop("axes", "zyx" if image.ndim == 3 else "yx")
    spatial = len(axes.removesuffix("c"))
    picture_bytes, mask = npy_bytes(image.astype("<f4")), npy_bytes(label.astype(np.uint8))
    record = CaseRecord(
        **{
            "id": name,
            "subject": name,
            "acquisition": name,
            "axes": axes,
            "shape": image.shape,
            "spacing": (2.0, 1.0, 1.0)[-spatial:],
            "modality": "angiography",
            "image": digest_bytes(picture_bytes),
            "label": digest_bytes(mask),
            "source_dtype": "uint8",
            "label_values": (0, 1),
            "foreground_fraction": float(np.mean(label > 0)),
            **facts,
        }
    )
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / IMAGE).write_bytes(picture_bytes)
    (folder / name / LABEL).write_bytes(mask)
    write_record(folder / name / CASE, PreparedCase(record=record, made_from=digest_bytes(name.encode())))
    return record


def manifest(records: Iterable[CaseRecord], name: str = "small") -> DatasetManifest:
    """The manifest of some cases."""
    cases = tuple(sorted(records, key=lambda one: one.id))
    return DatasetManifest(name=name, licence="CC0", source="test", cases=cases, root=cases_root(cases))
