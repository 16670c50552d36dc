"""Peak anonymous memory of training at 10 and at 1,000 cases.

Each figure is measured in a fresh process. It is `RssAnon` of that process and of its workers together, read every 10 ms from
before the cases are preprocessed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import training_cases as shared  # of this folder

FEW, MANY, MOST = 10, 1000, 1.1
SHAPE = (32, 64, 64)
WORKERS = 2


def measure() -> int:
    """Print the ratio of the peaks; 1 when it is too large."""
    few, many = (_peak(count) for count in (FEW, MANY))
    print(f"peak RssAnon at {FEW} cases: {few / 1e6:.0f} MB; at {MANY:,}: {many / 1e6:.0f} MB", flush=True)
    print(f"ratio {many / few:.3f}, at most {MOST}; load {os.getloadavg()[0]:.1f}", flush=True)
    return int(many > MOST * few)


def _peak(count: int) -> int:
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([sys.executable, __file__, folder, str(count), str(WORKERS)]) as process,
    ):
        peak = 0
        while process.poll() is None:
            peak = max(peak, shared.anonymous_memory(process.pid))
            time.sleep(0.01)
        if process.returncode:
            raise SystemExit(process.returncode)
        return peak


def _train(folder: Path, count: int, workers: int, begun: float | None) -> None:
    import minivess.ml.training.member  # noqa: F401  # its time is that of the imports
    from minivess.records.models.training import TrainingSpec

    imported = time.time()
    store = shared.store_of(folder / "cases", count, SHAPE)
    stored = time.time()
    training = TrainingSpec.model_validate(
        {"members": [0], "steps": 1 if begun else 20, "batch": shared.BATCH, "validation": {"share": 0}}
    )
    watch = shared.Stopwatch()
    shared.trained(store, training, workers=workers, watch=watch)
    if begun:
        first = time.time() - time.perf_counter() + watch.times[0]
        print(
            f"{first - begun:.1f} s to the end of the first step: {imported - begun:.1f} s imports, {stored - imported:.1f} s to "
            f"compare {count} copies, {first - stored:.1f} s network, workers and step; {time.process_time():.1f} CPU-s"
        )


if __name__ == "__main__":
    _train(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]) if len(sys.argv) > 4 else None)
