"""Work in a forked copy of the process, so that a second core helps where Python would let only one run."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_SHARES = 1024
"""Tasks are taken one by one, or this many shares of them when they are more; a pipe holds as many numbers."""


@contextmanager
def shared[T, R](tasks: Sequence[T], work: Callable[[T], R]) -> Iterator[Callable[[], list[R]]]:
    """Begin `work` on tasks in a forked copy of this process, and go on with it here when the results are asked for.

    Whoever is free takes the next task, so that both end at about the same time. `work` changes nothing and its results
    can be pickled. Whatever goes wrong, in the copy or here, is done again here and in order, so results and errors are
    those of calling `work` on one task after the other. Nothing is forked where that is not safe: on other systems
    than Linux, and while other threads run.

    Yields:
        What gives the results, in the order of the tasks; it is asked once.
    """
    if sys.platform != "linux" or len(list(Path("/proc/self/task").iterdir())) > 1:
        yield lambda: [work(task) for task in tasks]
        return
    step = min(len(tasks), _SHARES)
    numbers, reading, child = _forked(tasks, step, work)
    asked = False

    def results() -> list[R]:
        nonlocal asked
        asked = True
        found: dict[int, list[R]] = {}
        with suppress(Exception):  # told below, by the first task that fails
            _take(tasks, step, work, numbers, found)
        data = answer.read()
        _, status = os.waitpid(child, 0)
        if status == 0:
            found |= pickle.loads(data)  # noqa: S301  # our own copy wrote it, into a pipe nobody else holds
        shares = [found[share] if share in found else list(map(work, tasks[share::step])) for share in range(step)]
        return [shares[place % step][place // step] for place in range(len(tasks))]

    with os.fdopen(reading, "rb") as answer, os.fdopen(numbers, "rb"):
        try:
            yield results
        finally:
            if not asked:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)


def _forked[T, R](tasks: Sequence[T], step: int, work: Callable[[T], R]) -> tuple[int, int, int]:
    """The pipe with the shares nobody has taken, that of the copy's answer, and the copy."""
    numbers, numbering = os.pipe()
    os.set_blocking(numbering, False)
    with suppress(BlockingIOError):  # what a smaller pipe does not hold is nobody's, and done here at the end
        os.write(numbering, b"".join(share.to_bytes(2) for share in range(step)))
    os.close(numbering)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            found: dict[int, list[R]] = {}
            _take(tasks, step, work, numbers, found)
            with os.fdopen(writing, "wb") as stream:
                pickle.dump(found, stream, protocol=pickle.HIGHEST_PROTOCOL)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writing)
    return numbers, reading, child


def _take[T, R](tasks: Sequence[T], step: int, work: Callable[[T], R], numbers: int, found: dict[int, list[R]]) -> None:
    """Work on share after share until none is left."""
    while number := os.read(numbers, 2):
        share = int.from_bytes(number)
        found[share] = [work(task) for task in tasks[share::step]]
