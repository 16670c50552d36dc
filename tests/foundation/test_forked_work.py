"""Work in a forked copy of the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from minivess.foundation.errors import InputError
from minivess.foundation.processes.forked_work import shared
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-02")

ALONE = """
import os, time
from minivess.foundation.processes.forked_work import shared

def who(task):
    time.sleep(0.01)
    return os.getpid()

with shared(range(40), who) as answers:
    time.sleep(0.1)
    by = answers()
    assert len(set(by)) == 2 and os.getpid() in by, by
with shared([1], lambda task: bytes(1 << 24)):
    pass
with shared([], who) as answers:
    assert answers() == []
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no process is left, and", len(os.listdir("/proc/self/fd")) - 1, "files are open")
"""


def test_where_nothing_else_runs_two_processes_share_the_tasks_and_nothing_is_left() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True)
    assert done.stdout == "no process is left, and 3 files are open\n"


@given(st.integers(0, 5000))
@settings(max_examples=20, deadline=None)
def test_every_task_is_done_once_and_in_its_place(count: int) -> None:
    with shared(range(count), lambda task: task * task) as answers:
        assert answers() == [task * task for task in range(count)]


def test_large_results_arrive_whole() -> None:
    with shared(["a", "b"], lambda task: task * 5_000_000) as answers:
        assert answers() == ["a" * 5_000_000, "b" * 5_000_000]


@pytest.mark.parametrize("at", [(1,), (3,), (1, 3), (0, 1, 2, 3, 4)])
def test_the_error_is_that_of_the_first_task_that_fails(at: tuple[int, ...]) -> None:
    def work(task: int) -> int:
        if task in at:
            raise InputError("is wrong", path="a.py", line=task, hint="mend it")
        return task

    with shared(range(5), work) as answers, pytest.raises(InputError, match="is wrong") as error:
        answers()
    assert error.value.line == at[0]
    assert error.value.hint == "mend it"


def test_a_copy_that_dies_is_made_up_for() -> None:
    here = os.getpid()

    def die_elsewhere(task: int) -> int:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    with shared(range(5), die_elsewhere) as answers:
        assert answers() == [0, 1, 2, 3, 4]


def test_beside_other_threads_nothing_is_forked() -> None:
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    other.start()
    try:
        with shared(range(5), lambda _: os.getpid()) as answers:
            assert answers() == [os.getpid()] * 5
    finally:
        stop.set()
        other.join()
