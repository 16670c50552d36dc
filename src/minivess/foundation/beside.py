"""Work in a forked copy of the process, so that a second core helps where Python would let only one run."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def beside[T](work: Callable[[], T]) -> Iterator[Callable[[], T]]:
    """Start `work` in a forked copy of this process, and give what answers its result.

    `work` changes nothing and its result can be pickled. Whatever goes wrong in the copy, the work is done again
    here when its result is asked for, so results and errors are those of calling `work` directly. It is only done here
    where forking is not safe: on other systems than Linux, and while other threads run.
    """
    if sys.platform != "linux" or len(list(Path("/proc/self/task").iterdir())) > 1:
        yield work
        return
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            with os.fdopen(writing, "wb") as stream:
                pickle.dump(work(), stream, protocol=pickle.HIGHEST_PROTOCOL)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writing)
    ended = False
    answer = os.fdopen(reading, "rb")

    def result() -> T:
        nonlocal ended
        data = answer.read()
        _, status = os.waitpid(child, 0)
        ended = True
        if status != 0:
            return work()
        found: T = pickle.loads(data)  # noqa: S301  # our own copy wrote it, into a pipe nobody else holds
        return found

    try:
        yield result
    finally:
        answer.close()  # a copy nobody asked finds its pipe broken, and ends
        if not ended:
            os.waitpid(child, 0)
