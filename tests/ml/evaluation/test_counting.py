"""Counting in other processes: what they hold and can do, how many cases are held, and errors that arrive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minivess.foundation.errors import CouldNotCheckError, InputError, UsageError
from minivess.ml.evaluation import counting
from minivess.ml.evaluation.counting import CountingProcess, PredictedCase, counted
from minivess.ml.evaluation.evaluate import count_case, evaluate
from minivess.records.data.dataset import CaseRecord
from minivess.records.evaluation.evaluation import EvaluationPlan
from tests.support.builders.evaluated_sets import SUPPORT, EvaluatedSet

pytestmark = [pytest.mark.verifies("SU-147"), pytest.mark.verifies("REQ-385")]

SET = EvaluatedSet(("e", "b", "c", "a", "d", "f", "g"))


def predicted(record: CaseRecord) -> PredictedCase:
    probabilities = SET.predict(SET.images[record.id])
    prediction = (probabilities[0] >= 0.5).astype(np.uint8)
    reference = SET.masks[record.id]
    return PredictedCase(
        record, SET.images[record.id], probabilities, prediction, reference, [SET.images[record.id] > 1]
    )


def never(case: PredictedCase, plan: EvaluationPlan) -> list[Any]:
    raise AssertionError("this process must not count")


@pytest.mark.parametrize("processes", [1, 2])
def test_rows_come_in_the_order_of_the_cases_and_few_cases_are_held(processes: int) -> None:
    alive: list[weakref.ref[np.ndarray]] = []
    most = 0

    def cases() -> Iterator[PredictedCase]:
        nonlocal most
        for record in SET.records:
            case = predicted(record)
            alive.append(weakref.ref(case.probabilities))
            most = max(most, sum(one() is not None for one in alive))
            yield case
            del case

    names = []
    for case, rows in counted(cases(), count_case if processes == 1 else never, SET.plan, processes):
        assert rows == count_case(case, SET.plan)
        names.append(case.record.id)
        del case
    assert names == list(SET.names)
    assert most <= processes + 2


@pytest.mark.verifies("REQ-386")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_a_process_that_counts_knows_no_secret_and_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIVESS_PASSPHRASE_ADA", "the passphrase of Ada")
    process = CountingProcess(SET.plan)
    try:
        folder = Path(f"/proc/{process.pid}")
        environment = (folder / "environ").read_bytes()
        limits = (folder / "limits").read_text(encoding="utf-8")
        for number in (0, 1):
            with pytest.raises(OSError, match="No such device or address"):
                os.open(folder / "fd" / str(number), os.O_RDWR)
        assert process.count(predicted(SET.records[0])) == count_case(predicted(SET.records[0]), SET.plan)
    finally:
        process.close()
    assert b"MINIVESS" not in environment
    assert b"Ada" not in environment
    sizes = {line.split("  ")[0]: line.split() for line in limits.splitlines()}
    assert sizes["Max file size"][3:5] == ["0", "0"]
    assert sizes["Max core file size"][4] == "0"


@pytest.mark.verifies("REQ-386")
def test_private_memory_is_known_as_such(tmp_path: Path) -> None:
    code = (
        "from minivess.foundation.processes.private_memory import *; before = memory_is_private();"
        "keep_memory_private(); print(before, memory_is_private());"
        "import pathlib; write_no_file(); pathlib.Path('made').write_text('x')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout.split() == ["False", "True"]
    assert "File too large" in done.stderr


def test_a_process_that_ended_names_the_case_that_it_got() -> None:
    process = CountingProcess(SET.plan)
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(CouldNotCheckError, match=r"case 'b' could not be counted: .*, by signal 9"):
        process.count(predicted(SET.records[1]))
    process.close()


@pytest.mark.parametrize("processes", [1, 2])
def test_what_counting_refuses_arrives_as_it_is(processes: int) -> None:
    plan = SET.plan
    odd = plan.analysis.conventions.model_copy(update={"skeleton": "drawn by hand"})
    plan = plan.model_copy(update={"analysis": plan.analysis.model_copy(update={"conventions": odd})})
    with pytest.raises(UsageError, match="rule of the skeleton") as refused:
        evaluate(SET.cases(), SET.predict, SET.masks.__getitem__, plan, processes=processes)
    assert refused.value.hint
    assert ("case 'e'" in refused.value.message) == (processes == 2)


def test_an_error_before_counting_ends_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[CountingProcess] = []

    class Noted(CountingProcess):
        def __init__(self, plan: EvaluationPlan) -> None:
            super().__init__(plan)
            made.append(self)

    monkeypatch.setattr(counting, "CountingProcess", Noted)
    masks = {**SET.masks, "d": np.full((6, 20, 24), 7, np.uint8)}
    with pytest.raises(InputError, match="'d'"):
        evaluate(SET.cases(), SET.predict, masks.__getitem__, SET.plan, processes=2)
    assert len(made) == 2
    for process in made:
        with pytest.raises(ProcessLookupError):
            os.kill(process.pid, 0)


def test_a_process_that_fails_otherwise_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    process = CountingProcess(SET.plan)
    case = predicted(SET.records[0])
    broken = case._replace(record=case.record.model_copy(update={"spacing": (1.0, 1.0)}))
    try:
        with pytest.raises(CouldNotCheckError, match=r"case 'e' could not be counted: ValidationError: .*"):
            process.count(broken)
        assert process.count(case)
    finally:
        process.close()


def test_small_cases_start_no_process_unless_their_number_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "CountingProcess", never)
    monkeypatch.setattr(counting, "usable_processors", lambda: 4)
    cases = [predicted(record) for record in SET.records]
    assert [case.record.id for case, _ in counted(cases, count_case, SET.plan)] == list(SET.names)
    monkeypatch.setattr(counting, "LARGE", 6 * 20 * 24)
    with pytest.raises(TypeError, match="never"):
        list(counted(cases, count_case, SET.plan))
    with pytest.raises(UsageError, match="0 processes"):
        list(counted(cases, count_case, SET.plan, 0))
