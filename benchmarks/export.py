"""Print how fast an exported network answers patches, beside eager PyTorch: the ratio, also where it is below 1.

    uv run python benchmarks/export.py
    uv run python benchmarks/export.py --architectures segresnet dynunet --rounds 5

All sides answer the same four patches in turns, and the least time of the rounds counts: other programs on the machine can
only make it worse. Eager PyTorch gets them in one batch with channels last, which is its fastest way; the static graph takes
one after the other. Read ratios, not milliseconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from minivess.ml.export.backends import BACKENDS, measured
from minivess.ml.export.graphs import graphs_of, on_cpu
from minivess.ml.export.staged import StagedGraphs
from minivess.ml.inference.predictor import EnsemblePredictor, NetworkPredictor
from minivess.ml.models.registry import adapter_of, build_network
from minivess.records.models.exports.contract import AppliedCalibrator
from minivess.records.models.task import SegmentationTask

PATCHES = 4
EAGER = "eager PyTorch"
CALIBRATOR = AppliedCalibrator(method="temperature scaling", parameter=1.0, inside=True)


def rows(architecture: str, folder: Path, rounds: int) -> dict[str, float]:
    """Seconds of a patch by side."""
    task, spec = SegmentationTask(), adapter_of(architecture).specification()
    network = NetworkPredictor(build_network(spec, task, seed=0), spec, "cpu", task=task)
    source, threads = on_cpu(EnsemblePredictor([network])), torch.get_num_threads()
    random = np.random.default_rng(0)
    training = [(random.gamma(2, 2, spec.patch).astype(np.float32), None) for _ in range(PATCHES)]
    staged = StagedGraphs(graphs_of(source, CALIBRATOR), folder, training)
    sides: dict[str, Callable[[], object]] = {EAGER: partial(staged.answer, [staged.graphs[0].source])}
    for name in BACKENDS:
        sides[name] = partial(staged.answer, staged.run(name, CALIBRATOR, source, threads=threads).parts)
    return {name: seconds / staged.asked for name, seconds in measured(sides, rounds=rounds).items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one line a network and side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architectures", nargs="+", default=["segresnet", "dynunet", "unet"])
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args(arguments)
    print(f"{torch.get_num_threads()} threads, {PATCHES} patches, {asked.rounds} rounds in turns")
    for architecture in asked.architectures:
        with TemporaryDirectory() as folder:
            found = rows(architecture, Path(folder), asked.rounds)
        for name, seconds in found.items():
            print(
                f"{architecture:<12} {name:<18} {1000 * seconds:9.1f} ms a patch {found[EAGER] / seconds:8.2f} times eager"
            )


if __name__ == "__main__":
    main()
