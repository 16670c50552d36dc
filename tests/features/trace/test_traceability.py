"""Steps of features/traceability.feature."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from click.testing import CliRunner
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.compliance.results.result_files import read_report
from minivess.compliance.trace.graph import TraceGraph
from minivess.compliance.trace.trace_data import view
from minivess.compliance.trace.tree import Tree
from minivess.foundation.errors import InputError
from minivess.foundation.provenance import SourceVersion, environment_digest, tree_digest
from minivess.records.items.trace import ResultReport
from tests.support.tiny_tree import write_tree

scenarios("traceability.feature")

TODAY = date(2026, 11, 21)


_SESSION = """\
import pytest

pytestmark = pytest.mark.verifies("REQ-001")

def test_passes(): ...

def test_fails(): raise ValueError

@pytest.mark.skip
def test_skips(): ...
"""


@dataclass
class Check:
    """A source tree, and what the check made of it."""

    tree: Path
    report: ResultReport | None = None
    graph: TraceGraph | None = None
    error: InputError | None = None
    gaps: set[tuple[str, str, str]] = field(default_factory=set)

    def run(self, report: ResultReport | None = None) -> None:
        """Load the graph and note its gaps, or why it was refused."""
        try:
            self.graph = TraceGraph.load(self.tree, report)
        except InputError as error:
            self.error = error
            return
        self.gaps = {(gap.kind, gap.item, f"{gap.source.path}:{gap.source.line}") for gap in self.graph.gaps()}

    def results(self, outcome: str, line: int = 3) -> ResultReport:
        """A report on this tree with one result of the scenario."""
        result = {
            "name": "Two and two",
            "node": "test_sums.py::test_two_and_two",
            "ids": ["RC-01", "REQ-001"],
            "outcome": outcome,
            "seconds": 0.1,
            "scenario": {"path": "features/sum.feature", "line": line},
        }
        return ResultReport.model_validate(
            {
                "commit": None,
                "dirty": None,
                "tree": tree_digest(self.tree),
                "environment": environment_digest(self.tree),
                "platform": "here",
                "time": datetime(2026, 11, 20, tzinfo=UTC),
                "tester": "Ada",
                "results": [result],
            }
        )


@given("a source tree whose chain from risk to result is whole", target_fixture="check")
def _whole(tmp_path: Path) -> Check:
    return Check(write_tree(tmp_path / "tree"))


@given(parsers.parse('in "{file}" the text "{old}" becomes "{new}"'))
def _edited(check: Check, file: str, old: str, new: str) -> None:
    path = check.tree / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@given("the code begins by importing a library that is not installed and by writing a file")
def _poisoned(check: Check) -> None:
    path = check.tree / "src/thing/sums.py"
    witness = str(check.tree / "ran")
    path.write_text(f"import no_such_library\nopen({witness!r}, 'w')\n{path.read_text()}", encoding="utf-8")


@given(parsers.parse('the feature has a second scenario "{name}" with the tags "{tags}"'))
def _second(check: Check, name: str, tags: str) -> None:
    path = check.tree / "features/sum.feature"
    marked = " ".join(f"@{tag}" for tag in tags.split(", "))
    more = f"\n  {marked}\n  Scenario: {name}\n    Given two numbers\n"
    path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")


@then(parsers.re('the scenario "(?P<name>[^"]+)" is (?P<answer>not reported|reported)'))
def _scenario_reported(check: Check, name: str, answer: str) -> None:
    found = any(kind == "unbound-scenario" and item == name for kind, item, _ in check.gaps)
    assert found == (answer == "reported")


@given("results in which everything passed were recorded")
def _recorded(check: Check) -> None:
    check.report = check.results("passed")


@when("the trace check runs")
def _run(check: Check) -> None:
    check.run()


@when("the trace check runs with results in which everything passed")
def _run_passed(check: Check) -> None:
    check.run(check.results("passed"))


@when(parsers.parse("the trace check runs with a result that {outcome}"))
def _run_with(check: Check, outcome: str) -> None:
    check.run(check.results(outcome))


@when("the trace check runs with those results")
def _run_recorded(check: Check) -> None:
    check.run(check.report)


@when("the trace check runs with results in which the scenario is missing")
def _run_missing(check: Check) -> None:
    check.run(check.results("passed", line=99))


@when("the trace check runs with results of a run that left out the slow scenarios")
def _run_without_slow(check: Check) -> None:
    check.run(check.results("passed").model_copy(update={"results": ()}))


@when(parsers.parse('"{tester}" runs a session with one passing, one failing and one skipped test'))
def _session(check: Check, tester: str) -> None:
    (check.tree / "tests").mkdir()
    (check.tree / "tests/test_sums.py").write_text(_SESSION, encoding="utf-8")
    (check.tree / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    plugin = "minivess.compliance.results.pytest_plugin"
    options = [
        "-p",
        "no:cacheprovider",
        "-p",
        plugin,
        "--evidence-results",
        "evidence/r.json",
        "--evidence-tester",
        tester,
    ]
    subprocess.run(
        [sys.executable, "-B", "-m", "pytest", *options],
        cwd=check.tree,
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
    )
    check.report = read_report(check.tree / "evidence/r.json")


@then("there is no gap")
def _no_gap(check: Check) -> None:
    assert check.error is None
    assert check.gaps == set()


@then(parsers.parse('it refuses at "{place}" and hints "{hint}"'))
def _refused(check: Check, place: str, hint: str) -> None:
    assert check.error is not None
    assert str(check.error).startswith(f"{place}: ")
    assert hint in check.error.hint


@then(parsers.parse('it reports "{gap}" of "{item}" at "{place}"'))
def _reported(check: Check, gap: str, item: str, place: str) -> None:
    assert check.error is None
    assert (gap, item, place) in check.gaps


@then(parsers.parse('the requirement "{requirement}" is linked to "{name}"'))
def _linked(check: Check, requirement: str, name: str) -> None:
    assert check.graph is not None
    assert [link.name for link in check.graph.code_for(requirement)] == [name]


@then("the code was not run")
def _not_run(check: Check) -> None:
    assert not (check.tree / "ran").exists()


@then(parsers.parse('the requirement "{requirement}" counts as {verdict}'))
def _counts(check: Check, requirement: str, verdict: str) -> None:
    assert check.graph is not None
    assert check.graph.verdict_for(requirement) == verdict


@then(parsers.parse('the results name "{tester}", the digest of the tree and that of the lock file'))
def _named(check: Check, tester: str) -> None:
    assert check.report is not None
    assert check.report.tester == tester
    assert check.report.tree == tree_digest(check.tree)
    assert check.report.environment == environment_digest(check.tree) is not None


@then(parsers.parse('the results hold one passed, one failed and one skipped test of "{requirement}"'))
def _held(check: Check, requirement: str) -> None:
    assert check.report is not None
    outcomes = Counter(result.outcome for result in check.report.results if requirement in result.ids)
    assert outcomes == {"passed": 1, "failed": 1, "skipped": 1}


@then(parsers.parse('"{first}", "{second}" and "{third}" count as failed too'))
def _(check: Check, first: str, second: str, third: str) -> None:
    assert check.graph is not None
    statuses = {item.id: item.status for item in view(Tree(SourceVersion(check.tree), check.graph, TODAY)).items}
    assert [statuses[name] for name in (first, second, third)] == ["failed"] * 3


@given(parsers.parse('in {uses:d} uses the situation of "{risk}" came about {situations:d} times and did no harm'))
def _(check: Check, uses: int, risk: str, situations: int) -> None:
    counts = f"statement: A year at one site., risk: {risk}, exposures: {uses}, situations: {situations}, harms: 0"
    path = check.tree / "risk" / "field.yaml"
    path.write_text(f"field_counts:\n  - {{id: FC-01, title: A year, {counts}}}\n", encoding="utf-8")


@then(parsers.parse('the risk "{risk}" is {state}'))
def _(check: Check, risk: str, state: str) -> None:
    reopened = {item for kind, item, _ in check.gaps if kind == "reopened-risk"}
    assert reopened == ({risk} if state == "reopened" else set())
    assert check.graph is not None
    [item] = [one for one in view(Tree(SourceVersion(check.tree), check.graph, TODAY)).items if one.id == risk]
    assert item.levels[-1].stage == "counted in use"
    assert item.levels[-1].acceptable == (state == "kept")


@given(parsers.parse('a hazard "{hazard}" that leads to no risk'))
def _(check: Check, hazard: str) -> None:
    text = f"hazards:\n  - {{id: {hazard}, title: Heat, statement: Something gets hot.}}\n"
    (check.tree / "risk" / "more.yaml").write_text(text, encoding="utf-8")


@given("the source tree was read with results in which everything passed", target_fixture="tree")
def _(check: Check, tmp_path: Path) -> Tree:
    file = tmp_path / "results.json"
    file.write_text(check.results("passed").model_dump_json(), encoding="utf-8")
    return Tree.read(check.tree, today=TODAY, results=file)


@when(
    parsers.parse('in "{file}" the text "{old}" becomes "{new}" and in "{other}" "{before}" becomes "{after}"'),
)
def _(check: Check, *, file: str, old: str, new: str, other: str, before: str, after: str) -> None:
    for name, here, there in ((file, old, new), (other, before, after)):
        path = check.tree / name
        text = path.read_text(encoding="utf-8")
        assert here in text
        path.write_text(text.replace(here, there), encoding="utf-8")


@then("its gaps, its risk file and its pages are about the files as they were read")
def _(tree: Tree) -> None:
    assert tree.gaps == ()
    assert tree.risks.acceptable
    assert [risk.residual.p1 for risk in tree.risks.risks] == [1]
    shown = view(tree)
    assert shown.verdict.holds
    assert not any(item.gaps for item in shown.items)


@then("a tree that is read now has gaps")
def _(check: Check) -> None:
    assert [one.gap.item for one in Tree.read(check.tree, today=TODAY).gaps] == ["UN-01", "RISK-01", "RISK-01"]


@then(parsers.parse('it refuses at "{place}" because it "{words}"'))
def _(check: Check, place: str, words: str) -> None:
    assert check.error is not None
    assert str(check.error).startswith(f"{place}: ")
    assert words in check.error.message


EMPTY = {
    "requirements": ("requirements/all.yaml", "requirements: []\n"),
    "risks": ("risk/risks.yaml", "risks: []\n"),
    "controls": ("risk/controls.yaml", "controls: []\n"),
    "scenarios": ("features/sum.feature", "Feature: Sums\n"),
}


@given(parsers.parse("the tree has no {kind}"))
def _(check: Check, kind: str) -> None:
    name, text = EMPTY[kind]
    (check.tree / name).write_text(text, encoding="utf-8")


@given(parsers.parse('a justification of "{subject}"'))
def _(check: Check, subject: str) -> None:
    lines = f"subject: {subject}, reason: This tree is only beginning., owner: ada, expires: 2099-01-01"
    path = check.tree / "requirements" / "justifications.yaml"
    path.write_text(f"justifications:\n  - {{{lines}}}\n", encoding="utf-8")


@then(parsers.parse('"minivess trace check" ends with exit code {code:d} and says "{words}"'))
def _(check: Check, code: int, words: str) -> None:
    done = CliRunner().invoke(app, ["trace", "check", "--source", str(check.tree)])
    assert done.exit_code == code
    assert words in done.output
