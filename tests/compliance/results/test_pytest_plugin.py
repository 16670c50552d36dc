"""The plugin, in real pytest sessions of their own: what it writes, and when it writes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from minivess.compliance.results.evidence_files import with_evidence
from minivess.compliance.results.result_files import read_report
from minivess.compliance.trace.graph import TraceGraph
from minivess.foundation.digests import digest_bytes
from minivess.foundation.provenance import tree_digest
from minivess.records.items.trace import ResultReport
from tests.support.pytest_settings import pytest_settings

pytestmark = pytest.mark.verifies("SU-17")

_TESTS = """
import pytest
from pytest_bdd import given, scenarios

scenarios("outline.feature")

@given("<a>")
@given("1")
def one(): ...

@given("2")
def two():
    raise AssertionError("two is /srv/secret/place/two.txt\\nmore")

@pytest.fixture
def broken_teardown():
    yield
    raise RuntimeError("late")

@pytest.fixture
def broken_setup():
    raise RuntimeError("early")

@pytest.mark.verifies("REQ-001", "REQ-001")
def test_passes(): ...

@pytest.mark.verifies("REQ-001")
@pytest.mark.skip(reason="not here")
def test_skips(): ...

@pytest.mark.xfail(reason="known")
def test_fails_as_expected():
    raise AssertionError

@pytest.mark.xfail(reason="known")
def test_passes_unexpectedly(): ...

def test_late(broken_teardown): ...

def test_early(broken_setup): ...
"""

_OUTLINE = """\
@REQ-001
Feature: Numbers
  Rule: Small
    Scenario Outline: Number <a>
      Given <a>
      @REQ-011
      Examples: one
        | a |
        | 1 |
      @RC-01
      Examples: two
        | a |
        | 2 |
"""


_PLUGINS = [
    *("-p", "no:cacheprovider"),
    *("-p", "pytest_bdd.plugin"),
    *("-p", "xdist.plugin"),
    *("-p", "minivess.compliance.results.pytest_plugin"),
]


def _run(tree: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-q", *_PLUGINS, *options],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
    )


def _record(tree: Path, *options: str) -> ResultReport:
    done = _run(tree, "--evidence-results", "evidence/results.json", "--evidence-tester", "Ada", *options)
    assert (tree / "evidence/results.json").is_file(), done.stdout + done.stderr
    return read_report(tree / "evidence/results.json")


@pytest.fixture
def suite(tree: Path) -> Path:
    (tree / "pyproject.toml").write_text(pytest_settings("--strict-markers"))
    (tree / "uv.lock").write_text("version = 1\n")
    (tree / "features/sum.feature").unlink()
    (tree / "features/outline.feature").write_text(_OUTLINE)
    (tree / "tests/test_sums.py").write_text(_TESTS)
    return tree


@pytest.mark.verifies("REQ-033")
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_session_is_recorded_as_it_was(suite: Path, options: tuple[str, ...]) -> None:
    report = _record(suite, *options)
    assert report.tester == "Ada"
    assert report.tree == tree_digest(suite)
    assert report.environment is not None
    assert {result.node.partition("::")[2]: (result.outcome, result.ids) for result in report.results} == {
        "test_number_a[1]": ("passed", ("REQ-001", "REQ-011")),
        "test_number_a[2]": ("failed", ("RC-01", "REQ-001")),
        "test_passes": ("passed", ("REQ-001",)),
        "test_skips": ("skipped", ("REQ-001",)),
        "test_fails_as_expected": ("skipped", ()),
        "test_passes_unexpectedly": ("skipped", ()),
        "test_late": ("failed", ()),
        "test_early": ("failed", ()),
    }
    scenarios = {result.scenario for result in report.results if result.scenario}
    assert [(source.path, source.line) for source in scenarios] == [("features/outline.feature", 4)]
    messages = {result.node.partition("::")[2]: result.message for result in report.results}
    assert messages["test_number_a[2]"] == "AssertionError: two is two.txt"
    assert messages["test_skips"] == "Skipped: not here"
    assert "early" in messages["test_early"]
    assert "late" in messages["test_late"]


@pytest.mark.verifies("REQ-033", "RC-11")
def test_what_was_recorded_joins_the_graph_until_the_tree_changes(suite: Path) -> None:
    report = _record(suite, "-k", "number")
    graph = TraceGraph.load(suite, report)
    assert len(graph.scenario_results(graph.scenarios[0].source)) == 2
    assert graph.verdict_for("RC-01") == "failed"
    (suite / "features/outline.feature").write_text(_OUTLINE + "\n")
    assert TraceGraph.load(suite, report).verdict_for("RC-01") == "stale"


@pytest.mark.verifies("REQ-033")
def test_a_session_that_changes_its_tree_records_nothing_and_removes_the_old_results(suite: Path) -> None:
    (suite / "evidence").mkdir()
    (suite / "evidence/results.json").write_text("old")
    (suite / "tests/test_sums.py").write_text(
        "from pathlib import Path\ndef test_writes(): Path('src/thing/new.py').write_text('')\n"
    )
    done = _run(suite, "--evidence-results", "evidence/results.json", "--evidence-tester", "Ada")
    assert done.returncode == 3
    assert "changed while the tests ran" in done.stdout + done.stderr
    assert not (suite / "evidence/results.json").exists()


def test_results_need_a_tester_and_an_interrupted_session_writes_none(suite: Path) -> None:
    done = _run(suite, "--evidence-results", "r.json")
    assert done.returncode == 4
    assert "--evidence-tester" in done.stderr
    (suite / "tests/test_broken.py").write_text("import nothing_of_this_name\n")
    assert _run(suite, "--evidence-results", "evidence/r.json", "--evidence-tester", "Ada").returncode == 2
    assert not (suite / "evidence/r.json").exists()


def test_results_are_not_written_where_they_would_change_their_tree(suite: Path) -> None:
    done = _run(suite, "--evidence-results", "r.json", "--evidence-tester", "Ada")
    assert done.returncode == 4
    assert "r.json would change the tree it is about: write results into evidence/" in done.stderr
    assert not (suite / "r.json").exists()


def test_the_plugin_loads_light() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules)\n"
        "import minivess.compliance.results.pytest_plugin\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names) - {'minivess'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_the_plugin_is_registered_with_pytest() -> None:
    (entry,) = (point for point in entry_points(group="pytest11") if point.name == "minivess-evidence")
    assert entry.value == "minivess.compliance.results.pytest_plugin"


_EVIDENCE = """
from pathlib import Path

import pytest
from pytest_bdd import given, scenarios

scenarios("outline.feature")

ROOT = Path(__file__).parents[1]

@given("<a>")
@given("1")
@given("2")
def number(record_property):
    (ROOT / "evidence").mkdir(exist_ok=True)
    (ROOT / "evidence/number.txt").write_text("a number")
    record_property("evidence", ROOT / "evidence/number.txt")

@pytest.fixture
def late(record_property):
    yield
    (ROOT / "evidence").mkdir(exist_ok=True)
    (ROOT / "evidence/late.txt").write_text("late")
    record_property("evidence", "evidence/late.txt")

@pytest.mark.verifies("REQ-001")
def test_late(late): ...

@pytest.mark.verifies("REQ-001")
def test_forgets(record_property):
    record_property("evidence", "evidence/never.png")

@pytest.mark.verifies("REQ-001")
def test_elsewhere(record_property, tmp_path):
    (tmp_path / "away.txt").write_text("away")
    record_property("evidence", tmp_path / "away.txt")

@pytest.mark.verifies("REQ-001")
def test_fails(record_property):
    record_property("evidence", "evidence/never.png")
    raise AssertionError("broken")
"""


@pytest.mark.verifies("REQ-108", "RC-11")
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_result_names_its_evidence_and_is_nothing_without_it(suite: Path, options: tuple[str, ...]) -> None:
    (suite / "tests/test_sums.py").write_text(_EVIDENCE)
    report = _record(suite, *options)
    found = {result.node.partition("::")[2]: result for result in report.results}
    number = found["test_number_a[1]"]
    assert number.outcome == "passed"
    assert [(file.path, file.digest) for file in number.evidence] == [
        ("evidence/number.txt", digest_bytes(b"a number"))
    ]
    assert [file.path for file in found["test_late"].evidence] == ["evidence/late.txt"]
    assert found["test_late"].outcome == "passed"
    assert found["test_forgets"].outcome == "skipped"
    assert found["test_forgets"].message == "its evidence file evidence/never.png is missing"
    assert found["test_elsewhere"].outcome == "skipped"
    assert [file.path for file in found["test_elsewhere"].evidence] == ["away.txt"]
    assert (found["test_fails"].outcome, found["test_fails"].message) == ("failed", "AssertionError: broken")


@pytest.mark.verifies("REQ-108", "RC-11")
@pytest.mark.parametrize(
    ("change", "words"), [(None, "is missing"), ("other", "has changed since")], ids=["removed", "changed"]
)
def test_evidence_that_goes_or_changes_takes_its_result_with_it(suite: Path, change: str | None, words: str) -> None:
    (suite / "tests/test_sums.py").write_text(_EVIDENCE)
    report = _record(suite, "-k", "number")
    assert TraceGraph.load(suite, with_evidence(report, suite)).verdict_for("RC-01") == "passed"
    file = suite / "evidence/number.txt"
    file.unlink() if change is None else file.write_text(change)
    graph = TraceGraph.load(suite, with_evidence(report, suite))
    assert graph.verdict_for("RC-01") == "untested"
    assert [gap.message for gap in graph.gaps() if gap.item == "RC-01"]
    assert all(words in result.message for result in graph.results_for("RC-01"))
