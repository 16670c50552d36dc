"""Patches of several requests: why each batch is run, what each request gets, and what a failure does."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from minivess.ml.inference.batching import BatchCut, Batching
from minivess.ml.inference.watch import Watch

pytestmark = pytest.mark.verifies("SU-30", "REQ-439")

LONG = 20.0


class Graph:
    """Doubles patches, batch by batch, once it may."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.cuts: list[tuple[int, BatchCut]] = []
        self.may_run = threading.Event()
        self.may_run.set()
        self.begun = threading.Event()
        self.error: Exception | None = None

    def run(self, names: tuple[str, ...], patches: np.ndarray) -> list[np.ndarray]:
        self.begun.set()
        assert self.may_run.wait(LONG)
        self.sizes.append(len(patches))
        if self.error is not None:
            raise self.error
        return [(2 + number) * patches for number in range(len(names))]

    def cut(self, requests: int, why: BatchCut) -> None:
        self.cuts.append((requests, why))


def _patches(number: int, many: int = 1) -> np.ndarray:
    return np.full((many, 1, 2, 2), float(number), np.float32)


def _together(
    graph: Graph, batching: Batching, asked: list[tuple[tuple[str, ...], np.ndarray]], *, idle: int = 0
) -> list[Future[list[np.ndarray]]]:
    """Ask in this order while as many requests are under way, and `idle` more that do not ask."""
    begun = [threading.Event() for _ in asked]
    over = threading.Event()
    all_under_way = threading.Barrier(len(asked) + idle)

    def ask(number: int) -> list[np.ndarray]:
        with batching.joining(Watch()):
            all_under_way.wait(LONG)
            if number:
                assert begun[number - 1].wait(LONG)
            names, patches = asked[number]
            with batching._changed:
                begun[number].set()
            return batching.run(names, patches)

    def stay() -> None:
        with batching.joining(Watch()):
            all_under_way.wait(LONG)
            assert over.wait(LONG)

    with ThreadPoolExecutor(len(asked) + idle) as pool:
        others = [pool.submit(stay) for _ in range(idle)]
        futures = [pool.submit(ask, number) for number in range(len(asked))]
        for future in futures:
            future.exception(LONG)
        over.set()
        for other in others:
            other.result(LONG)
    return futures


@pytest.mark.parametrize("outputs", [("logits",), ("logits", "disagreement")])
def test_each_request_gets_the_outputs_of_its_own_patches(outputs: tuple[str, ...]) -> None:
    graph = Graph()
    batching = Batching(graph.run, most=8, seconds=LONG, cut=graph.cut)
    asked = [(outputs, _patches(number, number % 3 + 1)) for number in range(6)]
    futures = _together(graph, batching, asked)
    for number, (names, patches) in enumerate(asked):
        found = futures[number].result()
        assert len(found) == len(names)
        assert all(np.array_equal(one, (2 + place) * patches) for place, one in enumerate(found))
    assert sum(graph.sizes) == sum(len(patches) for _, patches in asked)
    assert max(graph.sizes) <= 8


def test_a_batch_is_run_when_it_is_full() -> None:
    graph = Graph()
    batching = Batching(graph.run, most=3, seconds=LONG, cut=graph.cut)
    _together(graph, batching, [(("a",), _patches(number)) for number in range(3)], idle=1)
    assert graph.cuts == [(3, BatchCut.FULL)]


def test_a_batch_is_run_when_nobody_else_is_under_way() -> None:
    graph = Graph()
    batching = Batching(graph.run, most=8, seconds=LONG, cut=graph.cut)
    _together(graph, batching, [(("a",), _patches(number)) for number in range(3)])
    assert sum(requests for requests, _ in graph.cuts) == 3
    assert {why for _, why in graph.cuts} == {BatchCut.DRAINED}


def test_a_batch_is_run_when_the_first_has_waited_long_enough() -> None:
    graph = Graph()
    batching = Batching(graph.run, most=8, seconds=0.01, cut=graph.cut)
    _together(graph, batching, [(("a",), _patches(0))], idle=1)
    assert graph.cuts == [(1, BatchCut.TIME)]


def test_a_batch_is_run_when_the_next_wants_other_outputs() -> None:
    graph = Graph()
    batching = Batching(graph.run, most=8, seconds=LONG, cut=graph.cut)
    _together(graph, batching, [(("a",), _patches(0)), (("a", "b"), _patches(1))])
    assert (1, BatchCut.SHAPE) in graph.cuts
    assert sum(requests for requests, _ in graph.cuts) == 2


def test_requests_gather_while_the_graph_runs() -> None:
    graph = Graph()
    graph.may_run.clear()
    batching = Batching(graph.run, most=4, seconds=0.01, cut=graph.cut)
    with ThreadPoolExecutor(5) as pool:
        futures = [pool.submit(batching.run, ("a",), _patches(0))]
        assert graph.begun.wait(LONG)
        futures += [pool.submit(batching.run, ("a",), _patches(number)) for number in range(1, 5)]
        give_up = threading.Event()
        while len(batching._waiting) < 4 and not give_up.wait(0.01):
            pass
        graph.may_run.set()
        for number, future in enumerate(futures):
            assert future.result(LONG)[0].max() == 2 * number
    assert graph.sizes == [1, 4]


def test_a_failure_reaches_each_request_of_the_batch_and_no_other() -> None:
    graph = Graph()
    batching = Batching(graph.run, most=2, seconds=LONG, cut=graph.cut)
    graph.error = ValueError("damaged")
    futures = _together(graph, batching, [(("a",), _patches(0)), (("a",), _patches(1))], idle=1)
    assert all(isinstance(one.exception(), ValueError) for one in futures)
    graph.error = None
    with batching.joining(Watch()):
        assert batching.run(("a",), _patches(3))[0].max() == 6


def test_waiting_counts_as_queueing() -> None:
    graph = Graph()
    ticks = iter(float(number) for number in range(100))
    batching = Batching(graph.run, most=8, seconds=0.0, cut=graph.cut, elapsed=lambda: next(ticks))
    watch = Watch()
    with batching.joining(watch):
        batching.run(("a",), _patches(0))
    assert watch.times.queueing is not None
    assert watch.times.queueing >= 1.0
    assert all(first < second for first, second in pairwise(sorted({0.0, watch.times.queueing})))
