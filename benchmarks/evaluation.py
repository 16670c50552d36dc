"""Print how long an evaluation takes: measures of surfaces, cases over processes, and figures that are computed again.

    uv run python benchmarks/evaluation.py               (every part)
    uv run python benchmarks/evaluation.py surfaces      (one part)

Volumes have 43 x 512 x 512 voxels with vessels of the generator, and masks with a rough border. Times of one process are CPU
seconds, the least of some rounds: other programs on the machine can only make them longer. Times of several processes are wall
times of alternate turns, whose ratio is printed with the load.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

GROUPS, RESAMPLES, ROUNDS = 300, 2000, 5
SHAPE, SPACING, TOLERANCE = (43, 512, 512), (5.0, 1.0, 1.0), 2.0
CASES, TURNS, SAME = 10, 3, 1e-9
SURFACES = ("nsd", "hd95", "assd", "masd")
REFERENCE = "MetricsReloaded"
"""The package of Metrics Reloaded, which is not on PyPI."""


def row(what: str, found: str, limit: str = "") -> None:
    """Print one figure."""
    print(f"{what:<66} {found:>14}  {limit}", flush=True)


def load() -> str:
    """The load of the last minute, beside the number of processors."""
    return f"load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} processors"


def least(make: Callable[[], object], rounds: int = ROUNDS) -> float:
    """CPU seconds of the quickest round."""

    def once() -> float:
        begun = time.process_time()
        make()
        return time.process_time() - begun

    return min(once() for _ in range(rounds))


@cache
def vessels() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities with a rough border, and the mask they are of."""
    from scipy import ndimage

    from minivess.ml.synthesis.parameters import parameters_of
    from minivess.ml.synthesis.volume import synthesise

    mask = synthesise(1, parameters_of(shape=SHAPE)).label > 0
    rough = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=SHAPE).astype(np.float32), 1)
    logits = 8 * ndimage.gaussian_filter(mask.astype(np.float32), 0.8) - 3.6 + 0.7 * rough / rough.std()
    return (1 / (1 + np.exp(-logits))).astype(np.float32), mask


def intervals() -> None:
    """One interval where each group has one case, and one where each has three."""
    from minivess.records.evaluation.statistics.intervals import mean_interval

    drawn = random.Random(0)  # noqa: S311
    for cases in (1, 3):
        values = [drawn.random() for _ in range(GROUPS * cases)]
        units = [f"group-{number // cases}" for number in range(GROUPS * cases)]
        seconds = least(partial(mean_interval, values, units, resamples=RESAMPLES, seed=0))
        what = f"interval: {RESAMPLES:,} resamples of {GROUPS} groups, {cases} case(s) each"
        row(what, f"{seconds:.3f} s CPU", "limit 0.15 s" if cases == 1 else "")


def surfaces() -> None:
    """Measures of surfaces: ours, one distance transform of the whole volume a border, and the reference package."""
    from minivess.ml.measures.case_pairs import CasePair
    from minivess.ml.measures.registry import count_measures
    from minivess.records.evaluation.evaluation import Conventions
    from minivess.records.evaluation.measures import MEASURES

    probabilities, mask = vessels()
    predicted, conventions = probabilities >= 0.5, Conventions(tolerance=TOLERANCE, unit="um")
    names = [name for name in SURFACES if name in MEASURES]

    def ours() -> Any:
        return count_measures(CasePair.of(predicted, mask, SPACING), conventions, names)

    found, other = ours(), transforms(predicted, mask)
    if any(abs(found[name].measure - other[name]) > SAME for name in ("nsd", "hd95")):
        raise SystemExit(f"the measures differ: {found} and {other}")
    row(f"surfaces: {', '.join(names)}", f"{least(ours):.2f} s CPU", load())
    ratio = least(lambda: transforms(predicted, mask), 2) / least(ours)
    row("surfaces: one distance transform a border takes", f"{ratio:.1f} times", f"limit 4 times; {load()}")
    if importlib.util.find_spec(REFERENCE) is None:
        row(f"surfaces: {REFERENCE} takes", "not installed", "limit 8 times")
        return
    ratio = least(lambda: reference(predicted, mask), 1) / least(ours)
    row(f"surfaces: {REFERENCE} takes", f"{ratio:.1f} times", f"limit 8 times; {load()}")


def transforms(predicted: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """The same measures as one writes them: the distance from each voxel of the volume to each border."""
    from scipy import ndimage

    borders = [one & ~ndimage.binary_erosion(one) for one in (predicted, mask)]
    far = [ndimage.distance_transform_edt(~border, sampling=SPACING) for border in borders]
    there, back = far[1][borders[0]], far[0][borders[1]]
    both = np.concatenate([there, back])
    return {
        "nsd": float((both <= TOLERANCE).mean()),
        "hd95": float(max(np.percentile(there, 95), np.percentile(back, 95))),
        "assd": float(both.mean()),
        "masd": float((there.mean() + back.mean()) / 2),
    }


def reference(predicted: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """The same measures by the reference package, with one object for all of them."""
    package = importlib.import_module(f"{REFERENCE}.metrics.pairwise_measures")
    held = package.BinaryPairwiseMeasures(
        predicted.astype(int), mask.astype(int), pixdim=list(SPACING), dict_args={"nsd": TOLERANCE}
    )
    return {
        "nsd": held.normalised_surface_distance(),
        "hd95": held.measured_hausdorff_distance_perc(),
        "assd": held.measured_average_distance(),
        "masd": held.measured_masd(),
    }


def processes() -> None:
    """Ten cases over two processes and over one, in alternate turns, and the memory of three and of ten cases."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vessels.npz"
        probabilities, mask = vessels()
        np.savez(path, probabilities=probabilities, mask=mask)
        taken: dict[int, list[float]] = {1: [], 2: []}
        for turn in range(TURNS):
            for number in ((1, 2), (2, 1))[turn % 2]:
                taken[number].append(counted_apart(path, CASES, number, "seconds"))
        ratio = statistics.median(taken[1]) / statistics.median(taken[2])
        row(f"{CASES} cases, one process", f"{statistics.median(taken[1]):.1f} s wall", load())
        row(f"{CASES} cases, one process takes against two", f"{ratio:.2f} times", f"limit 1.6 times; {load()}")
        for number in (1, 2):
            few, many = (counted_apart(path, cases, number, "memory") for cases in (3, CASES))
            row(f"memory of 3 and of {CASES} cases, {number} process(es)", f"{few:.0f}, {many:.0f} MiB")


def counted_apart(path: Path, cases: int, number: int, what: str) -> float:
    """Seconds or largest memory (MiB) of an evaluation of so many cases, by a Python of its own and its processes."""
    command = [sys.executable, __file__, "--count", str(path), str(cases), str(number), what]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def count(path: str, cases: int, number: int, what: str) -> None:
    """What that Python does: print the seconds from the first case to the last, or the memory of all processes."""
    from minivess.ml.evaluation.evaluate import evaluate
    from minivess.records.data.dataset import CaseRecord
    from minivess.records.evaluation.evaluation import (
        AnalysisPlan,
        ClassThresholds,
        Conventions,
        EvaluationPlan,
        IntensityThreshold,
        Looks,
    )

    digest, held = f"sha256:{'0' * 64}", np.load(path)
    probabilities, mask = held["probabilities"], held["mask"].astype(np.uint8)
    names = [f"case-{place}" for place in range(cases)]
    conventions = Conventions(tolerance=TOLERANCE, unit="um", bootstrap=100, bootstrap_unit="group")
    plan = EvaluationPlan(
        analysis=AnalysisPlan(mask_threshold=0.5, conventions=conventions, seed=0, looks=Looks(), criteria=()),
        model=digest,
        data=digest,
        request="r",
        thresholds=(ClassThresholds(baseline=IntensityThreshold(threshold=1.0)),),
        groups={name: name for name in names},
    )

    def drawn() -> Iterator[tuple[CaseRecord, np.ndarray]]:
        for name in names:
            record = CaseRecord(
                id=name,
                subject=name,
                acquisition=name,
                shape=SHAPE,
                spacing=SPACING,
                modality="two-photon microscopy",
                image=digest,
                label=digest,
                source_dtype="float32",
                label_values=(0, 1),
                foreground_fraction=0.1,
            )
            yield record, probabilities + np.float32(0)

    largest = Largest()
    if what == "memory":
        largest.start()
    begun = time.perf_counter()
    evaluate(drawn(), lambda image, _: image[np.newaxis].copy(), lambda _: mask.copy(), plan, processes=number)
    seconds = time.perf_counter() - begun
    print(largest.stop() if what == "memory" else seconds)


class Largest(threading.Thread):
    """Looks at the resident memory of this process and its children twenty times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most, self.ended = 0, threading.Event()

    def run(self) -> None:
        """Look until the end."""
        page = resource.getpagesize()
        while not self.ended.wait(0.05):
            found = 0
            children = " ".join(path.read_text(encoding="utf-8") for path in Path("/proc/self/task").glob("*/children"))
            for number in (str(os.getpid()), *children.split()):
                with suppress(OSError):
                    found += int(Path(f"/proc/{number}/statm").read_text(encoding="utf-8").split()[1]) * page
            self.most = max(self.most, found)

    def stop(self) -> float:
        """The largest memory that was seen, in MiB."""
        self.ended.set()
        self.join()
        return self.most / 2**20


PARTS: dict[str, Callable[[], None]] = {"intervals": intervals, "surfaces": surfaces, "processes": processes}


def main() -> None:
    """Every part, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar=f"{{{','.join(PARTS)}}}", help="all of them by default")
    parser.add_argument("--count", nargs=4, metavar=("FILE", "CASES", "PROCESSES", "WHAT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.count:
        count(given.count[0], int(given.count[1]), int(given.count[2]), given.count[3])
        return
    for name in given.parts or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
