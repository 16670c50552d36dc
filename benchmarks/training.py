"""Print figures of training, measured in this run on this machine.

    uv run python benchmarks/training.py augmentation    (CPU milliseconds a patch, by change and by strength)
    uv run python benchmarks/training.py rare-objects    (objects that fill .02 % of the voxels, three seeds, 12 CPU-minutes)
    uv run python benchmarks/training.py speed           (steps a second against other loops, ratios with their intervals)
    uv run python benchmarks/training.py recording       (share of the time that recording and tracking take)
    uv run python benchmarks/training.py memory          (peak at 10 and at 1,000 cases)
    uv run python benchmarks/training.py first-step      (time to the first step)

Each part is a module of this folder. Threads are pinned to one before NumPy is loaded.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys

PARTS = {
    "augmentation": "training_augmentation",
    "rare-objects": "training_rare_objects",
    "speed": "training_speed",
    "recording": "training_recording",
    "memory": "training_memory",
    "first-step": "training_first_step",
}
"""The module of each part; its function `measure` prints the figures."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> int:
    """Run the parts named, or all; 1 when a figure falls short."""
    parser = argparse.ArgumentParser(description="Measure training.")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all when none is named")
    chosen = parser.parse_args().parts or list(PARTS)
    if strange := set(chosen) - set(PARTS):
        parser.error(f"no part is called {min(strange)}")
    os.environ.update(dict.fromkeys(THREADS, "1"))
    return max(int(importlib.import_module(PARTS[name]).measure() or 0) for name in chosen)


if __name__ == "__main__":
    sys.exit(main())
