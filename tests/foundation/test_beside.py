"""Work in a forked copy of the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from minivess.foundation.beside import beside
from minivess.foundation.errors import InputError

ALONE = """
import os
from minivess.foundation.beside import beside

with beside(os.getpid) as answer:
    assert answer() != os.getpid()
with beside(lambda: bytes(1 << 24)):
    pass
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no process is left")
"""


def test_where_nothing_else_runs_the_result_comes_from_another_process_and_none_is_left() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True)
    assert done.stdout == "no process is left\n"


def test_large_results_arrive_whole() -> None:
    with beside(lambda: list(range(500_000))) as answer:
        assert answer() == list(range(500_000))


def test_an_error_is_raised_as_if_called_here() -> None:
    def fail() -> None:
        raise InputError("is wrong", path="a.py", line=3, hint="mend it")

    with beside(fail) as answer, pytest.raises(InputError, match="is wrong") as error:
        answer()
    assert error.value.line == 3
    assert error.value.hint == "mend it"


def test_a_copy_that_dies_is_made_up_for() -> None:
    here = os.getpid()

    def die_elsewhere() -> str:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return "done"

    with beside(die_elsewhere) as answer:
        assert answer() == "done"


def test_beside_other_threads_nothing_is_forked() -> None:
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    other.start()
    try:
        with beside(os.getpid) as answer:
            assert answer() == os.getpid()
    finally:
        stop.set()
        other.join()
