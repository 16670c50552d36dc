"""Batches of patches in order, drawn in this process or ahead of time by worker processes.

Worker processes import NumPy and what the augmentations need, neither PyTorch nor MONAI. They put batches into anonymous
shared memory, which has no name that could outlive the processes. Requests and answers go through pipes: a worker ends
when its pipe is closed, so also when the training process is killed.

    to a worker:   {"source", "slots"}: numbers of its open files, with the pickled source and for batches
                   then for each batch {"step", "first", "size", "slot"}
    from a worker: for each batch {} or {"error", "message", "hint"}
"""

from __future__ import annotations

import mmap
import os
import pickle
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import CouldNotCheckError, MinivessError, RefusedError
from minivess.foundation.implements import implements
from minivess.foundation.processes.piped import PipedProcess, ProcessEndedError, read_message, write_message
from minivess.ml.sampling.patches import Batch, PatchSource

PREFETCH = 512 << 20
"""Bytes of batches that workers keep ready, all together; one batch is always allowed."""
AHEAD = 2
"""Batches a worker keeps ready, where `PREFETCH` allows it."""
PATIENCE_S = 600.0
"""Seconds after which a worker that does not answer is given up."""

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_ERRORS: dict[str, type[MinivessError]] = {one.__name__: one for one in (RefusedError, CouldNotCheckError)}


@implements("REQ-358")
def worker_count(device: str, *, processors: int | None = None, processes: int = 1) -> int:
    """How many worker processes a training process gets.

    A GPU makes a step in less time than it takes to draw its patches, and leaves the processors idle. So all processors but
    one draw, at most 8. A CPU has all its processors in the step already. Measured on two of them, for two patches of
    32 x 64 x 64: drawing takes 2 ms (`flips`), 6 ms (`light`) or 29 ms (`medium`) of CPU time, receiving from a worker
    takes 1 ms, a step of a small network 200 to 400 ms, and the start of a worker 500 ms. A worker would save a few
    per cent at most, and take a processor from the step. So a CPU has one worker for each four processors, at most 4.

    Args:
        device: the kind: `cpu`, `cuda` or `mps`.
        processors: that this machine lets this process use; by default they are counted.
        processes: that train together on this machine.
    """
    from minivess.foundation.processes.processors import usable_processors

    own = (processors or usable_processors()) // processes
    return min(own // 4, 4) if device == "cpu" else max(0, min(own - 1, 8))


class Request(NamedTuple):
    """A batch: patches `first` to `first + size - 1` of a step."""

    step: int
    first: int
    size: int


class WorkerError(CouldNotCheckError):
    """A worker process ended, or did not answer.

    Args:
        message: what happened.
        hint: what to do.
        cases: names of the cases of the batch that it drew.
    """

    def __init__(self, message: str, *, hint: str, cases: tuple[str, ...]) -> None:
        super().__init__(message, hint=hint)
        self.cases = cases


@implements("REQ-357")
class Feed:
    """Batches in the order of the requests; a context manager.

    Args:
        source: draws the batches.
        requests: read some batches ahead where there are workers.
        workers: processes that draw; 0: batches are drawn here when they are asked for. The batches are the same.

    Attributes:
        waited: seconds that the caller waited for batches.
    """

    def __init__(self, source: PatchSource, requests: Iterable[Request], *, workers: int) -> None:
        self._source, self._requests = source, iter(requests)
        self._wanted = workers
        self.workers: list[_Worker] = []
        self._free: deque[tuple[_Worker, int]] = deque()
        self._drawn: deque[tuple[Request, _Worker, int]] = deque()
        self.waited = 0.0

    def __enter__(self) -> Self:
        """Start the workers; they begin with the first batches at once."""
        if self._wanted:
            first = next(self._requests, None)
            size = 0 if first is None else sum(array.nbytes for array in self._source.empty(first.size))
            fitting = max(1, PREFETCH // max(size, 1))
            slots = max(1, min(AHEAD, fitting // self._wanted))
            try:
                self.workers = _start(self._source, min(self._wanted, fitting), slots)
            except OSError as error:
                raise CouldNotCheckError(
                    f"worker processes cannot be started: {error.strerror or error}", hint="train with fewer workers"
                ) from error
            self._free.extend((worker, slot) for slot in range(slots) for worker in self.workers)
            if first is not None:
                self._ask(first)
            self._fill()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the workers."""
        for worker in self.workers:
            worker.close()
        self.workers.clear()
        self._free.clear()
        self._drawn.clear()

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        """The next batch.

        Raises:
            CouldNotCheckError, RefusedError: as `PatchSource.batch`.
            WorkerError: a worker process ended, or did not answer within ten minutes.
        """
        begun = time.perf_counter()
        try:
            if not self.workers:
                return self._source.batch(*next(self._requests))
            if not self._drawn:
                raise StopIteration
            request, worker, slot = self._drawn.popleft()
            batch = self._received(request, worker, slot)
            self._free.append((worker, slot))
            self._fill()
            return batch
        finally:
            self.waited += time.perf_counter() - begun

    def _fill(self) -> None:
        """Ask for batches until there is no room for more."""
        while self._free and (request := next(self._requests, None)) is not None:
            self._ask(request)

    def _ask(self, request: Request) -> None:
        worker, slot = self._free.popleft()
        with suppress(ProcessEndedError):  # found again, with what it drew, when its oldest batch is due
            worker.process.send({**request._asdict(), "slot": slot})
        self._drawn.append((request, worker, slot))

    def _received(self, request: Request, worker: _Worker, slot: int) -> Batch:
        try:
            answer = worker.process.answer(seconds=PATIENCE_S)
        except ProcessEndedError as error:
            raise self._ended(error, request) from None
        if "error" in answer:
            raise _ERRORS.get(str(answer["error"]), CouldNotCheckError)(
                str(answer["message"]), hint=str(answer["hint"])
            )
        images, labels = _views(worker.slots[slot], self._source, request.size)
        return images.copy(), labels.astype(np.float32)

    def _ended(self, error: ProcessEndedError, request: Request) -> WorkerError:
        cases = tuple(dict.fromkeys(self._source.cases_of(*request)))
        how = "did not answer within ten minutes"
        if error.status is not None:
            known = error.status < 0 and -error.status in set(signal.Signals)
            by = signal.Signals(-error.status).name if known else f"with status {error.status}"
            how = f"was ended by {by}" if known else f"ended {by}"
        return WorkerError(
            f"the worker process that draws patches {how} at step {request.step}; cases {', '.join(cases)}",
            hint="run `minivess train` again: it continues. Where memory is short, lower training.batch or the workers",
            cases=cases,
        )


class _Worker:
    """A worker process and its shared memory.

    Args:
        source: number of the open file with the pickled source.
        slots: how many batches it has room for.
    """

    def __init__(self, source: int, slots: int) -> None:
        self.slots = [_SharedMemory.new() for _ in range(slots)]
        numbers = [slot.number for slot in self.slots]
        try:
            self.process = PipedProcess(
                "minivess.ml.sampling.feeding",
                "patch",
                variables={**_ONE_THREAD, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                files=[source, *numbers],
            )
        except BaseException:
            for slot in self.slots:
                slot.close()
            raise
        with suppress(ProcessEndedError):  # found again when its first batch is due
            self.process.send({"source": source, "slots": numbers})

    def close(self) -> None:
        """End it; it keeps nothing."""
        self.process.kill()
        for slot in self.slots:
            slot.close()


class _SharedMemory:
    """An open file without a name, mapped as large as it was needed so far.

    Args:
        number: of the open file.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._map: mmap.mmap | None = None

    @classmethod
    def new(cls) -> _SharedMemory:
        """In memory on Linux; elsewhere a temporary file."""
        if hasattr(os, "memfd_create"):
            return cls(os.memfd_create("minivess-patches"))
        with tempfile.TemporaryFile() as stream:
            return cls(os.dup(stream.fileno()))

    def room(self, size: int) -> mmap.mmap:
        """The memory, at least `size` bytes."""
        if self._map is None or len(self._map) < size:
            if os.fstat(self.number).st_size < size:
                os.truncate(self.number, size)
            self._map = mmap.mmap(self.number, size)
        return self._map

    def close(self) -> None:
        """Let go of it."""
        self._map = None
        os.close(self.number)


def _start(source: PatchSource, workers: int, slots: int) -> list[_Worker]:
    shared = _SharedMemory.new()
    try:
        data = pickle.dumps(source, protocol=pickle.HIGHEST_PROTOCOL)
        shared.room(len(data))[: len(data)] = data
        started: list[_Worker] = []
        try:
            for _ in range(workers):
                started.append(_Worker(shared.number, max(1, slots)))
        except BaseException:
            for worker in started:
                worker.close()
            raise
        return started
    finally:
        shared.close()


def _views(memory: _SharedMemory, source: PatchSource, size: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """A batch in shared memory: images, then masks."""
    patch, channels = source.store.patch, source.store.channels
    images, labels = (size, channels, *patch), (size, 1, *patch)
    end = 4 * int(np.prod(images))
    room = memory.room(end + int(np.prod(labels)))
    return (
        np.frombuffer(room, np.float32, end // 4).reshape(images),
        np.frombuffer(room, np.uint8, int(np.prod(labels)), end).reshape(labels),
    )


def _serve(asked: IO[bytes], answers: IO[bytes]) -> None:
    """What a worker does: draw batch after batch until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupted training process closes the pipe when it is done
    plan = read_message(asked)
    if plan is None:
        return
    source: PatchSource | None = None
    slots = [_SharedMemory(int(number)) for number in plan["slots"]]
    while (request := read_message(asked)) is not None:
        answer: dict[str, Any] = {}
        try:
            if source is None:
                with os.fdopen(int(plan["source"]), "rb") as stream:
                    stream.seek(0)
                    source = pickle.load(stream)  # noqa: S301  # the training process wrote it, into memory without a name
            images, labels = _views(slots[int(request["slot"])], source, int(request["size"]))
            source.draw(int(request["step"]), int(request["first"]), images, labels)
        except MinivessError as error:
            answer = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
        except Exception as error:  # the training process reports it: this one has no terminal
            message = f"patches of step {request['step']} cannot be drawn: {type(error).__name__}: {error}"
            answer = {"error": "", "message": message, "hint": "train with 0 workers to see where it fails"}
        write_message(answers, answer)


def _main() -> None:
    """A worker. What an augmentation prints does not get between the answers."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers, suppress(BrokenPipeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        _serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    _main()
