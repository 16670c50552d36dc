"""CPU time of the conformance suite for each family of networks, after imports, export included.

    uv run python benchmarks/adapters.py

Runs `tests/ml/models/test_adapters.py` in this process and adds up the CPU time of the tests of each family, of all threads.
Everything that is loaded once (PyTorch, MONAI, the exporter) is loaded before.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from minivess.ml.models.graphs.onnx_graph import onnx_graph
from minivess.ml.models.registry import ADAPTERS
from minivess.records.models.task import SegmentationTask

SUITE = "tests/ml/models/test_adapters.py"
LIMIT, LIMITS = 10.0, {"swinunetr": 20.0}
"""CPU seconds of a family."""


class CpuTime:
    """CPU seconds of the tests, by family and test."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, dict[str, float]] = defaultdict(dict)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: Any) -> Iterator[None]:
        begun = time.process_time()
        try:
            return (yield)
        finally:
            of = self.seconds[item.callspec.params["spec"].architecture]
            of[item.originalname] = of.get(item.originalname, 0.0) + time.process_time() - begun


def warm() -> None:
    """Load what the first test would load."""
    onnx_graph(torch.nn.Conv3d(1, 1, 3), (1, 1, 8, 8, 8), outputs=("logits",))
    for adapter in ADAPTERS.values():
        spec = adapter.specification()
        axes = "zyx" if "zyx" in adapter.axes else "yx"
        adapter.network(spec.model_copy(update={"patch": (64,) * len(axes)}), SegmentationTask(axes=axes))


def main() -> int:
    """Print one line a family; 1 where a test fails or a family is above its limit."""
    warm()
    timed = CpuTime()
    failed = pytest.main(["-q", "-n", "0", "-p", "no:cacheprovider", "-m", "slow", SUITE], plugins=[timed])
    above = False
    for name, tests in timed.seconds.items():
        whole, limit = sum(tests.values()), LIMITS.get(name, LIMIT)
        above |= whole > limit
        parts = ", ".join(f"{test.removeprefix('test_')} {seconds:.1f}" for test, seconds in tests.items())
        print(f"{name:<16} {whole:6.1f} s CPU, at most {limit:g}  ({parts})")
    return int(bool(failed) or above)


if __name__ == "__main__":
    sys.exit(main())
