"""Predicted memory against memory that was measured (`benchmarks/plan.py csv`), and what a machine has."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.errors import CouldNotCheckError
from minivess.ml.planning import memory
from minivess.ml.planning.memory import (
    image_memory,
    memory_at_hand,
    memory_in_words,
    stated_memory,
    training_memory,
    weights,
)
from minivess.ml.sampling.case_store import TrainingCase, store_cases
from minivess.records.data.dataset import LabelClass
from minivess.records.models.networks.dynunet import DynUNetSpec
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.networks.swinunetr import SwinUNETRSpec
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import SegmentationTask

pytestmark = pytest.mark.verifies("SU-145")

FAMILIES = {"segresnet": SegResNetSpec, "dynunet": DynUNetSpec}
with (Path(__file__).parent / "measured_memory.csv").open(encoding="utf-8", newline="") as stream:
    MEASURED = list(csv.DictReader(stream))
VOLUMES = SegmentationTask()


@pytest.mark.verifies("REQ-346")
@pytest.mark.parametrize("row", MEASURED, ids=lambda row: f"{row['architecture']} {row['patch']} x{row['batch']}")
def test_predictions_are_within_a_quarter_of_what_was_measured(row: dict[str, str]) -> None:
    patch = tuple(int(side) for side in row["patch"].split("x"))
    spec = FAMILIES[row["architecture"]](patch=patch, filters=int(row["filters"]), levels=int(row["levels"]))
    task = SegmentationTask(
        channels=int(row["channels"]),
        axes="zyx" if len(patch) == 3 else "yx",
        classes=tuple(LabelClass(value=value, name=str(value)) for value in range(1, int(row["classes"]) + 1)),
    )
    found = training_memory(spec, task, int(row["batch"]))
    assert found is not None
    assert 0.75 <= found / int(row["bytes"]) <= 1.25


def test_both_families_were_measured_in_planes_and_volumes() -> None:
    assert {(row["architecture"], row["patch"].count("x")) for row in MEASURED} == {
        (family, axes) for family in FAMILIES for axes in (1, 2)
    }


@pytest.mark.slow
@pytest.mark.verifies("REQ-346")
def test_predictions_are_within_a_quarter_of_what_is_measured_here() -> None:
    benchmark = Path(__file__).parents[3] / "benchmarks" / "plan.py"
    done = subprocess.run([sys.executable, str(benchmark), "few"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("architecture", "numbers"), [("segresnet", 108_337), ("dynunet", 85_153)])
def test_weights_are_counted_without_building_a_network(architecture: str, numbers: int) -> None:
    assert weights(FAMILIES[architecture](), VOLUMES) == pytest.approx(numbers, rel=0.01)


def test_what_was_not_measured_is_not_predicted() -> None:
    assert training_memory(SwinUNETRSpec(), VOLUMES, 2) is None
    assert training_memory(SegResNetSpec(), VOLUMES, 1) is None


@pytest.mark.parametrize(("classes", "channels", "step"), [(1, 1, 1.0), (2, 3, 1.0), (1, 1, 2.0), (1, 1, 0.7)])
def test_an_image_is_counted_as_its_preprocessing_takes(
    classes: int, channels: int, step: float, tmp_path: Path
) -> None:
    rng, shape = np.random.default_rng(0), (40, 100, 100)
    task = SegmentationTask(
        channels=channels, classes=tuple(LabelClass(value=n, name=str(n)) for n in range(1, classes + 1))
    )
    preprocessing = Preprocessing(channels=channels, spacing=(1.0, step, step))

    def cases() -> Iterator[TrainingCase]:
        image = np.empty((*shape, channels) if channels > 1 else shape, np.float32)
        rng.random(out=image, dtype=np.float32)
        label = np.zeros(shape, np.uint8)
        for number in range(1, classes + 1):
            label[number::4, ::3, ::3] = number
        yield TrainingCase(image, label, (1.0, 1.0, 1.0))

    peaks = []
    for folder in ("first", "second"):  # the first time imports modules
        tracemalloc.start()
        store_cases(cases(), tmp_path / folder, patch=(8, 8, 8), task=task, preprocessing=preprocessing)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    voxels = math.prod(shape)
    found = image_memory(voxels=voxels, resampled=voxels / step**2, channels=channels)
    assert found == pytest.approx(peaks[-1], rel=0.25)


def _machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


MEMINFO = {"proc/meminfo": "MemTotal: 9000 kB\nMemAvailable:    8000 kB\n"}


@pytest.mark.parametrize(
    ("files", "size", "source"),
    [
        (MEMINFO, 8000 << 10, "machine"),
        ({**MEMINFO, "sys/fs/cgroup/memory.max": "max\n"}, 8000 << 10, "machine"),
        ({**MEMINFO, "sys/fs/cgroup/memory.max": "5000000\n"}, 5_000_000, "container"),
        (
            {**MEMINFO, "sys/fs/cgroup/memory.max": "5000000\n", "sys/fs/cgroup/memory.current": "3000000\n"},
            2_000_000,
            "container",
        ),
        ({**MEMINFO, "sys/fs/cgroup/memory/memory.limit_in_bytes": "4000000\n"}, 4_000_000, "container"),
        ({**MEMINFO, "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 8000 << 10, "machine"),
    ],
)
def test_the_least_of_machine_and_container_is_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], size: int, source: str
) -> None:
    monkeypatch.setattr(memory, "_gpu_memory", lambda: None)
    found = memory_at_hand(_machine(tmp_path, files))
    assert (found.size, found.device) == (size, "cpu")
    assert source in found.source


def test_a_machine_without_figures_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_gpu_memory", lambda: None)
    with pytest.raises(CouldNotCheckError, match="not known"):
        memory_at_hand(tmp_path)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8GB", 8_000_000_000), ("8 gb", 8_000_000_000), ("1.5g", 1_500_000_000), ("800 MB", 800_000_000), ("64k", 64_000),
        ("5000", 5000), ("0 GB", None), ("much", None), ("-1GB", None), ("8 GB or so", None), ("", None),
    ],
)  # fmt: skip
def test_sizes_are_read(text: str, size: int | None) -> None:
    assert stated_memory(text) == size


def test_sizes_are_written() -> None:
    assert [memory_in_words(size) for size in (1000, 999_000_000, 8_000_000_000)] == ["1 MB", "999 MB", "8.0 GB"]
