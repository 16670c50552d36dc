"""Work in several processes: an item that ends its process is named, and the others are done."""

from __future__ import annotations

import pytest

from minivess.foundation.processes.worker_processes import EndedProcess, each_in_processes
from tests.support.worker_tasks import doubled

pytestmark = pytest.mark.verifies("SU-02", "REQ-300")


def test_an_item_that_ends_its_process_is_named_and_the_others_are_done() -> None:
    found = dict(each_in_processes(doubled, [1, 2, 3, 4, 5, 6], processes=2))
    assert {at: answer for at, answer in found.items() if isinstance(answer, int)} == {0: 2, 1: 4, 3: 8, 5: 12}
    assert (found[2], found[4]) == (EndedProcess(-9), EndedProcess(4))
    assert (str(found[2]), str(found[4])) == ("was ended by SIGKILL", "ended with exit code 4")


def test_an_error_of_the_work_is_raised_and_no_process_stays() -> None:
    import multiprocessing

    with pytest.raises(ValueError, match="seven"):
        list(each_in_processes(doubled, [7, 1], processes=1))
    assert multiprocessing.active_children() == []
    assert list(each_in_processes(doubled, [], processes=2)) == []
