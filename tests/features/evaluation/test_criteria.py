"""Steps of features/criteria.feature."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.compliance.trace.graph import TraceGraph
from minivess.records.evaluation.case_results import CriterionVerdict
from minivess.workflows.trace.statistical_criteria import judge_all, read_cases
from tests.support.tiny_tree import write_tree

scenarios("criteria.feature")

CRITERION = """\
criteria:
  - id: SAC-01
    title: Topology
    statement: The median clDice is surely at least 0.80 on each scanner.
    verifies: [REQ-001]
    measure: cldice
    statistic: median
    bound: lower
    at_least: 0.8
    minimum_cases: 20
    strata: [scanner]
"""


@dataclass
class Judged:
    """A tree with the criterion, results of cases, and what came out."""

    tree: Path
    rows: list[dict[str, str]] = field(default_factory=list)
    verdict: CriterionVerdict | None = None
    gaps: list[str] = field(default_factory=list)

    def judge(self) -> None:
        """Write the table of cases, read it back, and judge."""
        path = self.tree.parent / "cases.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)
        cases = read_cases(path)
        graph = TraceGraph.load(self.tree, judge=lambda items: judge_all(items, cases))
        assert graph.criteria is not None
        self.verdict = graph.criteria["SAC-01"]
        self.gaps = [gap.message for gap in graph.gaps() if gap.kind == "unmet-criterion"]


@pytest.fixture
def judged(tmp_path: Path) -> Judged:
    return Judged(write_tree(tmp_path / "tree"))


@given(parsers.parse('the criterion "{words}"'))
def _(judged: Judged, words: str) -> None:
    assert "median clDice at least 0.80" in words
    (judged.tree / "requirements" / "criteria.yaml").write_text(CRITERION, encoding="utf-8")


def add(judged: Judged, scanner: str, values: list[float], subjects: list[str]) -> None:
    for number, (value, subject) in enumerate(zip(values, subjects, strict=True)):
        row = {
            "case": f"{scanner}-{number}",
            "subject": f"{scanner}-{subject}",
            "scanner": scanner,
            "cldice": f"{value:.6f}",
        }
        judged.rows.append(row)


@given(parsers.parse('{count:d} cases a scanner with a clDice about {one:f} on "A" and {two:f} on "B"'))
def _(judged: Judged, count: int, one: float, two: float) -> None:
    generator = np.random.default_rng(7)
    for scanner, middle in (("A", one), ("B", two)):
        values = np.clip(middle + generator.normal(0, 0.01, count), 0, 1)
        add(judged, scanner, list(values), [str(number) for number in range(count)])


@given("one case has no clDice")
def _(judged: Judged) -> None:
    judged.rows[3]["cldice"] = ""


@given("the cases of each scanner are those of 3 subjects, one of which went badly")
def _(judged: Judged) -> None:
    for scanner in ("A", "B"):
        add(judged, scanner, [0.9] * 16 + [0.4] * 8, [str(number // 8) for number in range(24)])
    assert np.median([float(row["cldice"]) for row in judged.rows]) > 0.8


@when("the criterion is judged")
@when("the trace check judges the criterion")
def _(judged: Judged) -> None:
    judged.judge()


@when('"trace check" judges the table of cases', target_fixture="output")
def _(judged: Judged) -> str:
    judged.judge()
    cases = ["--cases", str(judged.tree.parent / "cases.csv")]
    done = CliRunner().invoke(app, ["trace", "check", "--source", str(judged.tree), *cases])
    return done.output


@then(parsers.parse('it reports "{verdict}" with "{basis}"'))
def _(output: str, verdict: str, basis: str) -> None:
    [line] = [line for line in output.splitlines() if line.startswith(verdict)]
    assert basis in line


@then("it is met in both strata")
def _(judged: Judged) -> None:
    assert judged.verdict is not None
    assert judged.verdict.verdict == "passed"
    assert [one.stratum for one in judged.verdict.strata] == [{"scanner": "A"}, {"scanner": "B"}]
    assert judged.gaps == []


@then(parsers.parse('it reports that the criterion is not met for scanner "{scanner}"'))
def _(judged: Judged, scanner: str) -> None:
    [message] = judged.gaps
    assert message.startswith(f"SAC-01 is not met for scanner {scanner}: 0.7")


@then(parsers.parse("it is not met, because {count:d} cases are too few"))
def _(judged: Judged, count: int) -> None:
    assert judged.verdict is not None
    assert judged.verdict.verdict == "failed"
    assert all(one.why == f"{count} cases, 20 are asked for" for one in judged.verdict.strata)


@then("it is not met, because the measure is undefined for that case")
def _(judged: Judged) -> None:
    assert judged.gaps == ["SAC-01 is not met for scanner A: cldice is undefined for A-3"]


@then("it is not met, although the median of the cases is above the limit")
def _(judged: Judged) -> None:
    assert judged.verdict is not None
    assert [one.met for one in judged.verdict.strata] == [False, False]
    assert [one.groups for one in judged.verdict.strata] == [3, 3]
    assert all(one.why.startswith("n too small: a bound of the median") for one in judged.verdict.strata)
