"""Cases are counted in several processes, because each is counted by itself: the same rows, in the order of the cases.

The process of the evaluation reads, predicts and hands out. A process that counts (`counting_process`) gets the plan, then one
predicted case after the other through a socket, and answers its rows. It holds references of the sealed test set, so it writes no
file, its memory is private, and it gets no case before it has said so. A case is in one process at a time, and no more cases than
processes and one are held, whatever their number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import local
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import CouldNotCheckError, InputError, MinivessError, RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.foundation.processes.piped import PipedProcess, ProcessEndedError
from minivess.foundation.processes.processors import usable_processors
from minivess.ml.measures.mask_pairs import Mask
from minivess.records.data.dataset import CaseRecord
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.evaluation import EvaluationPlan

MODULE = "minivess.ml.evaluation.counting_process"
"""What a process that counts runs."""
MOST_PROCESSES = 8
"""Processes that count, unless their number is given: each holds a case."""
LARGE = 1 << 21
"""Voxels from which a case is worth a process, unless the number of processes is given: one starts in about two seconds."""
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_ERRORS: dict[str, type[MinivessError]] = {one.__name__: one for one in (InputError, RefusedError, UsageError)}


class PredictedCase(NamedTuple):
    """A case whose prediction is complete, with its reference."""

    record: CaseRecord
    image: NDArray[Any]
    """Raw, (z, y, x) or (y, x), channels last where there are several."""
    probabilities: NDArray[np.float32]
    """Of each output, (outputs, *grid)."""
    prediction: NDArray[np.uint8]
    """Numbers of classes from 1, 0 for background."""
    reference: NDArray[np.uint8]
    """The same of the reference."""
    baselines: Sequence[Mask]
    """The mask of the intensity threshold of each class."""


Count = Callable[[PredictedCase, EvaluationPlan], list[CaseCounts]]
"""Counts each class of a case."""


@implements("REQ-385")
def counted(
    cases: Iterable[PredictedCase], count: Count, plan: EvaluationPlan, processes: int | None = None
) -> Generator[tuple[PredictedCase, list[CaseCounts]], None, None]:
    """Each case with its rows, in the order of the cases.

    Args:
        cases: taken one by one, while earlier ones are counted.
        count: counts a case in this process. Other processes use `evaluate.count_case`.
        plan: of the evaluation.
        processes: that count; 1: this one. None: one a processor, at most 8, and this one for cases below 2 million voxels.

    Raises:
        UsageError: the number of processes is below 1.
        CouldNotCheckError: a process ended before it answered; names the case.
        MinivessError: what `count` raised.
    """
    if processes is not None and processes < 1:
        raise UsageError(f"{processes} processes cannot count anything", hint="give 1 or more")
    number = processes or min(usable_processors(), MOST_PROCESSES)
    least = LARGE if processes is None else 0
    with _processes(plan, number) as ask:
        waiting: deque[tuple[PredictedCase, Future[list[CaseCounts]]]] = deque()
        for case in cases:
            if number > 1 and case.reference.size >= least:
                waiting.append((case, ask(case)))
                while len(waiting) > number:
                    yield _first(waiting)
                continue
            while waiting:
                yield _first(waiting)
            yield case, count(case, plan)
        while waiting:
            yield _first(waiting)


def _first(waiting: deque[tuple[PredictedCase, Future[list[CaseCounts]]]]) -> tuple[PredictedCase, list[CaseCounts]]:
    case, found = waiting.popleft()
    return case, found.result()


@contextmanager
def _processes(plan: EvaluationPlan, number: int) -> Iterator[Callable[[PredictedCase], Future[list[CaseCounts]]]]:
    """Up to a number of processes, each with a thread that waits for it. It starts with its first case."""
    started, mine = list[CountingProcess](), local()

    def work(case: PredictedCase) -> list[CaseCounts]:
        if not hasattr(mine, "process"):
            mine.process = CountingProcess(plan)
            started.append(mine.process)
        rows: list[CaseCounts] = mine.process.count(case)
        return rows

    pool = ThreadPoolExecutor(number, thread_name_prefix="counting")
    try:
        yield lambda case: pool.submit(work, case)
    except BaseException:
        for process in started:
            process.end()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        for process in started:
            process.close()


class CountingProcess:
    """A process that counts one case after the other.

    Args:
        plan: of the evaluation.

    Raises:
        CouldNotCheckError: it does not start, or its memory is not private.
    """

    def __init__(self, plan: EvaluationPlan) -> None:
        self._process = PipedProcess(MODULE, "counting", variables=_ONE_THREAD)
        try:
            check_private(self._process.ask({"plan": plan.model_dump(mode="json")}))
        except BaseException:
            self._process.kill()
            raise

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def count(self, case: PredictedCase) -> list[CaseCounts]:
        """The rows of a case.

        Raises:
            CouldNotCheckError: the process ended, or failed; names the case.
            MinivessError: what counting raised.
        """
        message = {
            "case": case.record.model_dump(mode="json"),
            "probabilities": case.probabilities.shape,
            "grid": case.reference.shape,
            "baselines": len(case.baselines),
        }
        arrays = (case.probabilities, case.prediction, case.reference, *case.baselines)
        try:
            answer = self._process.ask(message, *(bytes_of(np.ascontiguousarray(one)) for one in arrays))
        except ProcessEndedError as error:
            how = "" if error.status is None or error.status >= 0 else f", by signal {-error.status}"
            raise CouldNotCheckError(
                f"case {case.record.id!r} could not be counted: {error.message}{how}",
                hint="is memory short? With fewer processes less of it is needed",
            ) from error
        return rows_of(answer, case)

    def close(self) -> None:
        """End the process when it has answered; may be called again."""
        self._process.close()

    def end(self) -> None:
        """End the process at once, also while another thread waits for its answer. `close` is to follow."""
        self._process.end()


@implements("REQ-386", "RC-156")
def check_private(answer: dict[str, Any]) -> None:
    """Refuse a process before it gets a case, unless it says that no other one reads its memory.

    Raises:
        CouldNotCheckError: it does not, or it says why it did not start.
    """
    if answer.get("private") is not True:
        why = answer.get("message", "its memory is not private")
        raise CouldNotCheckError(
            f"no case was given to a process that counts: {why}",
            hint="with one process the evaluation counts by itself",
        )


def rows_of(answer: dict[str, Any], case: PredictedCase) -> list[CaseCounts]:
    """The rows in an answer.

    Raises:
        CouldNotCheckError, MinivessError: the answer says that counting failed.
    """
    if "error" in answer:
        kind = _ERRORS.get(str(answer["error"]), CouldNotCheckError)
        raise kind(f"case {case.record.id!r} could not be counted: {answer['message']}", hint=str(answer["hint"]))
    return [CaseCounts.model_validate(row) for row in answer["rows"]]


def bytes_of(array: NDArray[Any]) -> memoryview:
    """The bytes of an array, without a copy."""
    return memoryview(array.reshape(-1).view(np.uint8))
