"""The page of the evaluation record: its program gives the limits that the record states."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from minivess.records.evaluation.recomputation import first_difference
from minivess.records.evaluation.statistics.distributions import student_t
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.evaluation_plan import analysis_plan

pytestmark = [pytest.mark.verifies("SU-04"), pytest.mark.verifies("REQ-215")]

PAGE = Path(__file__).parents[3] / "docs" / "concepts" / "evaluation-record.md"
DIGEST = f"sha256:{'7' * 64}"


def test_the_program_on_the_page_repeats_an_interval(tmp_path: Path) -> None:
    plan = analysis_plan(bootstrap=300, statistics="mean of groups")
    cases = [counted_case(f"c{n}", overlap=(50 + 10 * n, 9, 7), group=f"g{n // 2}") for n in range(9)]
    made = counted_evaluation(cases, plan, model=DIGEST, data=DIGEST, request="r", looks=3)
    folder = tmp_path / "evidence" / "evaluation"
    folder.mkdir(parents=True)
    (folder / "evaluation.json").write_text(made.model_dump_json(), encoding="utf-8")
    (folder / "plan.json").write_text(plan.model_dump_json(), encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    done = subprocess.run(
        [sys.executable, "-I", "-c", found[1]], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    dice, (limits, sizes, _) = made.aggregates["dice"], done.stdout.splitlines()
    assert dice.beside is not None
    assert limits == f"{dice.beside.lower!r} {dice.beside.upper!r}"
    mean, error = map(float, sizes.split())
    assert mean == dice.mean
    assert (dice.method, dice.groups) == ("student-t", 5)
    assert dice.lower == pytest.approx(mean - student_t(dice.level, 4) * error, abs=1e-12)


def test_the_case_on_the_page_is_read() -> None:
    """The example, with the bins written out, is a case of an evaluation without a difference."""
    found = re.search(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    example = json.loads(found[1].replace(", …", "").replace("[[…]]", "[]"))
    case = counted_case("s07", conformal=(104, 6), surface=(45, 50, 45, 55))
    stated = json.loads(case.model_dump_json())
    assert {name: example[name] for name in ("case", "subject", "group", "counts", "baseline", "conformal")} == {
        name: stated[name] for name in ("case", "subject", "group", "counts", "baseline", "conformal")
    }
    plan = analysis_plan(bootstrap=100)
    made = counted_evaluation([case], plan, model=DIGEST, data=DIGEST, request="r", looks=3)
    assert first_difference(made, plan) is None
