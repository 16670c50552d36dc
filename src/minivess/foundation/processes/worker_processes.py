"""Work on many items in processes: one item at a time in each, and an item that ends its process is named.

`concurrent.futures.ProcessPoolExecutor` stops as a whole when one of its processes ends, and does not know which item
did that. Files that other people made can end a process: a library's native code fails, or the memory does not suffice.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess
from typing import Any

from minivess.foundation.implements import implements
from minivess.foundation.processes.processors import usable_processors


@dataclass(frozen=True)
class EndedProcess:
    """What became of an item whose process ended before it answered.

    Attributes:
        code: exit code of the process; below 0: the signal that ended it.
    """

    code: int

    def __str__(self) -> str:
        if self.code >= 0:
            return f"ended with exit code {self.code}"
        return f"was ended by {signal.Signals(-self.code).name}"


@dataclass
class _Worker:
    """One process, the end of its pipe that is here, and the position of its item; None: it has none."""

    process: SpawnProcess
    pipe: connection.Connection
    item: int | None = None


@implements("REQ-300")
def each_in_processes[T, R](
    work: Callable[[T], R], items: Sequence[T], *, processes: int | None = None
) -> Iterator[tuple[int, R | EndedProcess]]:
    """Do the same work on every item in spawned processes; answers come as they are ready.

    A process has one item at a time, so that the memory in use does not grow with the number of items.

    Args:
        work: a function that spawned processes can import.
        items: can be pickled, as can the answers.
        processes: how many; by default one a processor.

    Yields:
        The position of the item, and its answer or how its process ended.

    Raises:
        Exception: `work` raised it; the processes are ended.
    """
    context, waiting = get_context("spawn"), iter(range(len(items)))
    workers: list[_Worker] = []

    def started() -> _Worker:
        here, there = context.Pipe()
        process = context.Process(target=_serve, args=(there, work), daemon=True)
        process.start()
        there.close()
        return _Worker(process, here)

    def next_item(worker: _Worker) -> None:
        worker.item = next(waiting, None)
        if worker.item is not None:
            with suppress(OSError):  # it ended meanwhile: that is its answer
                worker.pipe.send(items[worker.item])

    try:
        for _ in range(min(len(items), processes or usable_processors())):
            workers.append(started())
            next_item(workers[-1])
        while busy := {worker.pipe: worker for worker in workers if worker.item is not None}:
            for pipe in connection.wait(list(busy)):
                worker = busy[pipe]  # type: ignore[index]
                item, answer = worker.item, _answer(worker)
                if isinstance(answer, EndedProcess):
                    workers.remove(worker)
                    workers.append(worker := started())
                elif isinstance(answer, BaseException):
                    raise answer
                else:
                    (answer,) = answer
                next_item(worker)
                if item is not None:
                    yield item, answer
    finally:
        for worker in workers:
            worker.pipe.close()
            worker.process.terminate()
        for worker in workers:
            worker.process.join()


def _answer(worker: _Worker) -> Any:
    """What a process answers: a tuple of one answer, an exception, or that it ended."""
    try:
        return worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join()
        return EndedProcess(worker.process.exitcode or 0)


def _serve(pipe: connection.Connection, work: Callable[[Any], Any]) -> None:
    """What a process does: answer item after item until the pipe is closed. Ctrl-C is for the process that asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            answer: Any = (work(item),)
        except Exception as error:
            answer = error
        pipe.send(answer)
