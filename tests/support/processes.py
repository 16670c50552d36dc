"""Several processes that do the same thing at the same moment, as fresh commands would."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier

_FORK = get_context("fork")
_WITHIN_S = 240.0


@dataclass(frozen=True)
class Ended:
    """How one process ended."""

    value: str
    """What its work gave."""
    fault: str
    """The traceback, where it raised something."""
    seconds: float
    """From the moment at which all began."""
    cpu_s: float
    """Seconds of CPU that its work took."""


def at_once(count: int, work: Callable[[int], object]) -> list[Ended]:
    """Run some work in forked processes that wait for each other before they begin; each gets its number."""
    barrier = _FORK.Barrier(count)
    pipes = [_FORK.Pipe(duplex=False) for _ in range(count)]
    processes = [
        _FORK.Process(target=_run, args=(work, number, barrier, pipes[number][1]), daemon=True)
        for number in range(count)
    ]
    for process, (_, sender) in zip(processes, pipes, strict=True):
        process.start()
        sender.close()
    ended = []
    for receiver, _ in pipes:
        if not receiver.poll(_WITHIN_S):
            raise TimeoutError("a process did not end")
        ended.append(Ended(*receiver.recv()))
    for process in processes:
        process.join()
    return ended


def _run(work: Callable[[int], object], number: int, barrier: Barrier, sender: object) -> None:
    value = fault = ""
    barrier.wait()
    begun, used = time.monotonic(), time.process_time()
    try:
        value = str(work(number))
    except BaseException:
        fault = traceback.format_exc()
    sender.send((value, fault, time.monotonic() - begun, time.process_time() - used))  # type: ignore[attr-defined]
    os._exit(0)
