"""Worker processes that draw patches: the same batches, few imports, and no process or memory that stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.errors import RefusedError
from minivess.ml.sampling import feeding
from minivess.ml.sampling.case_store import CaseStore
from minivess.ml.sampling.feeding import Feed, Request, WorkerError
from minivess.ml.sampling.patches import PatchSource
from tests.support.builders.training_cases import stored, training_case
from tests.support.patch_cutters import flipped, killed, naming_modules

pytestmark = pytest.mark.verifies("SU-31", "REQ-357")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> CaseStore:
    folder = tmp_path_factory.mktemp("cases")
    return stored([training_case(seed=seed, share=0.1, name=f"case {seed}") for seed in range(3)], folder)


def _gone(pid: int, *, within_s: float = 20) -> bool:
    """Whether a process ends."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.verifies("REQ-048")
def test_the_number_of_workers_changes_no_batch_and_nothing_stays_open(store: CaseStore) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    requests = [Request(step, first, 1 + step % 2) for step in range(1, 8) for first in (0, 2)]
    found = {}
    for workers in (0, 1, 3):
        with Feed(PatchSource(store, seed=3, augmentation=flipped), requests, workers=workers) as feed:
            found[workers] = list(feed)
            assert feed.waited > 0
        del feed
        assert set(Path("/proc/self/fd").iterdir()) == before
    assert len(found[0]) == len(requests)
    for workers in (1, 3):
        for (images, labels), (others, masks) in zip(found[0], found[workers], strict=True):
            np.testing.assert_array_equal(others, images)
            np.testing.assert_array_equal(masks, labels)
            assert {others.dtype, masks.dtype} == {np.dtype(np.float32)}


def test_a_worker_imports_numpy_and_little_more_and_its_errors_are_raised_here(store: CaseStore) -> None:
    with Feed(PatchSource(store, seed=3, augmentation=naming_modules), [Request(1, 0, 2)], workers=1) as feed:
        pid = feed.workers[0].process.pid
        with pytest.raises(RefusedError, match="augmentation failed: step 1, case case") as caught:
            next(feed)
    assert "training.augmentation.without" in caught.value.hint
    imported = set(caught.value.message.rpartition("ValueError: ")[2].split())
    assert "numpy" in imported
    assert not imported & {"torch", "monai", "pydantic", "pydantic_core", "lightning_fabric", "mlflow", "pytest"}
    assert _gone(pid)


def test_what_a_worker_imports_for_augmentation_is_light_and_quick() -> None:
    script = (
        "import sys, time, minivess.ml.sampling.feeding, minivess.ml.augmentation.registry\n"
        "print(time.process_time(), *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    out = subprocess.run([sys.executable, "-P", "-c", script], check=True, capture_output=True, text=True).stdout
    seconds, *imported = out.split()
    assert not {"torch", "monai", "pydantic", "lightning_fabric"} & set(imported)
    assert float(seconds) < 2


def test_a_killed_worker_is_an_error_that_names_step_and_cases(store: CaseStore) -> None:
    source = PatchSource(store, seed=3, augmentation=killed)
    with (
        Feed(source, [Request(6, 0, 6), Request(7, 0, 6)], workers=1) as feed,
        pytest.raises(
            WorkerError, match=r"was ended by SIGKILL at step 6; cases case \d, case \d(, case \d)?$"
        ) as caught,
    ):
        next(feed)
    assert caught.value.cases == tuple(dict.fromkeys(source.cases_of(6, 0, 6)))
    assert "`minivess train`" in caught.value.hint


def test_batches_ahead_are_bounded_in_number_and_bytes(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    source, asked = PatchSource(store, seed=3), 0
    size = sum(array.nbytes for array in source.empty(2))

    def requests():
        nonlocal asked
        for step in range(1, 100):
            asked += 1
            yield Request(step, 0, 2)

    for most, workers, ahead in ((1 << 30, 1, 2), (size, 3, 1)):
        monkeypatch.setattr(feeding, "PREFETCH", most)
        asked = 0
        with Feed(source, requests(), workers=workers) as feed:
            for taken in range(1, 4):
                next(feed)
                assert asked == taken + ahead


SCRIPT = """
import sys
from pathlib import Path
from minivess.ml.sampling.case_store import CaseStore, StoredCase
from minivess.ml.sampling.feeding import Feed, Request
from minivess.ml.sampling.patches import PatchSource
from tests.support.patch_cutters import flipped
store = eval(sys.argv[1], {"CaseStore": CaseStore, "StoredCase": StoredCase, "PosixPath": Path})
with Feed(PatchSource(store, seed=3, augmentation=flipped), (Request(step, 0, 2) for step in range(1, 10**6)), workers=2) as feed:
    next(feed)
    print(*(worker.process.pid for worker in feed.workers), flush=True)
    sys.stdin.read()
"""


def test_workers_end_with_a_training_process_that_is_killed(store: CaseStore) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, repr(store)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as training:
        assert training.stdout is not None
        pids = [int(pid) for pid in training.stdout.readline().split()]
        assert len(pids) == 2
        training.send_signal(signal.SIGKILL)
        training.wait()
        assert all(_gone(pid) for pid in pids)
