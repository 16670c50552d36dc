"""Print what a patch costs where a graph takes several at a time: whether batches could gain anything.

    uv run python benchmarks/serving_batches.py                    (one thread)
    uv run python benchmarks/serving_batches.py --threads 4

The networks are those of the demonstration (volumes) and a U-Net with ResNet-34 (pictures of 256 x 256), with weights that were
not trained. Each is exported as `minivess model export` does, with a batch axis of 1, 2, 4 and 8. A graph of a fixed size is the
best case: one with a free axis gives ONNX Runtime less to plan with. Sizes take turns; read ratios, not milliseconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from functools import partial

import numpy as np
from serving_load import interval
from serving_processes import CASES, Case, network_of

SIZES = (1, 2, 4, 8)


def sessions(case: Case, name: str, threads: int) -> dict[int, object]:
    """A session for each size of batch."""
    import onnxruntime

    from minivess.ml.inference.thread_pool import session_options
    from minivess.ml.models.graphs.onnx_graph import onnx_graph

    made = {}
    for size in SIZES:
        graph = onnx_graph(network_of(name), (size, case.task.channels, *case.patch), outputs=("logits",))
        options = session_options(threads=threads)
        made[size] = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return made


def measure(name: str, threads: int, rounds: int) -> None:
    """Costs of one patch, by the size of the batch."""
    case = CASES[name]
    shape = (max(SIZES), case.task.channels, *case.patch)
    patches = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    runs = {size: partial(one.run, None) for size, one in sessions(case, name, threads).items()}  # type: ignore[attr-defined]
    alone = np.concatenate([runs[1]({"patch": patches[number : number + 1]})[0] for number in range(len(patches))])
    cpu: dict[int, list[float]] = {size: [] for size in SIZES}
    wall: dict[int, list[float]] = {size: [] for size in SIZES}
    differences = {}
    for number in range(rounds):
        for size in SIZES if number % 2 == 0 else reversed(SIZES):
            given = {"patch": patches[:size]}
            (found,) = runs[size](given) if number == 0 else (alone[:size],)
            differences.setdefault(size, float(np.abs(found - alone[:size]).max()))
            begun, before = time.perf_counter(), time.process_time()
            for _ in range(max(SIZES) // size):
                runs[size](given)
            cpu[size].append((time.process_time() - before) / max(SIZES) * 1e3)
            wall[size].append((time.perf_counter() - begun) / max(SIZES) * 1e3)
    for size in SIZES:
        ratios = [one / first for one, first in zip(cpu[size], cpu[1], strict=True)]
        walls = [one / first for one, first in zip(wall[size], wall[1], strict=True)]
        print(
            f"{name}, {size} at a time: CPU ms a patch {interval(cpu[size])}, over 1 at a time {interval(ratios)}; "
            f"wall over 1 at a time {statistics.median(walls):.3f}; logits differ by {differences[size]:.1e}; "
            f"load {os.getloadavg()[0]:.1f}",
            flush=True,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--parts", nargs="+", default=["picture", "demo"])
    given = parser.parse_args(arguments)
    for name in given.parts:
        measure(name, given.threads, given.rounds)


if __name__ == "__main__":
    main()
