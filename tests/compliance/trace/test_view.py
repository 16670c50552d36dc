"""The graph as data: every item once, every link named, and the status of what relies on something else."""

from __future__ import annotations

import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.items.history import history_of
from minivess.compliance.trace.graph import TraceGraph
from minivess.compliance.trace.link_reviews import link_digests, write_reviews
from minivess.compliance.trace.trace_data import RELATIONS, view
from minivess.compliance.trace.tree import Tree
from minivess.foundation.provenance import SourceVersion, environment_digest, tree_digest
from minivess.records.items.kinds import KINDS, link_fields
from minivess.records.items.trace import ResultReport

TODAY = date(2026, 11, 21)

pytestmark = pytest.mark.verifies("REQ-033", "SU-16")


def loaded(tree: Path, outcome: str | None) -> TraceGraph:
    """The graph with one result of the tree's one scenario."""
    if outcome is None:
        return TraceGraph.load(tree)
    scenario = {"path": "features/sum.feature", "line": 3}
    results = [
        {
            "name": "s",
            "node": "t::s",
            "ids": ["REQ-001", "RC-01"],
            "outcome": outcome,
            "seconds": 0.1,
            "scenario": scenario,
        }
    ]
    report = ResultReport.model_validate(
        {
            "commit": None,
            "dirty": None,
            "tree": tree_digest(tree),
            "environment": environment_digest(tree),
            "platform": "p",
            "time": datetime.now(UTC),
            "tester": "ada",
            "results": results,
        }
    )
    return TraceGraph.load(tree, report)


def statuses(tree: Path, outcome: str | None) -> dict[str, str]:
    return {item.id: item.status for item in view(Tree(SourceVersion(tree), loaded(tree, outcome), TODAY)).items}


@pytest.mark.parametrize(
    ("outcome", "word", "risk"),
    [
        ("passed", "passed", "acceptable"),
        ("failed", "failed", "failed"),
        ("skipped", "untested", "untested"),
        (None, "untested", "untested"),
    ],
)
def test_a_requirement_shows_at_its_need_and_at_the_risk_it_controls(
    tree: Path, outcome: str | None, word: str, risk: str
) -> None:
    found = statuses(tree, outcome)
    assert {name: found[name] for name in ("UN-01", "REQ-001", "RC-01", "RISK-01")} == {
        "UN-01": word,
        "REQ-001": word,
        "RC-01": word,
        "RISK-01": risk,
    }
    assert found["HAZ-01"] == "none"


def test_every_item_is_there_with_what_links_to_it(tree: Path) -> None:
    graph = loaded(tree, "passed")
    shown: dict[str, Any] = view(Tree(SourceVersion(tree), graph, TODAY)).model_dump(mode="json")
    items = {item["id"]: item for item in shown["items"]}
    assert list(items) == list(graph.items.by_id)
    assert items["REQ-001"]["links"] == [
        {"relation": "derives-from", "target": "UN-01", "suspect": False, "reviewed": None}
    ]
    assert [one["name"] for one in items["REQ-001"]["code"]] == ["thing.sums.add"]
    assert items["REQ-001"]["scenarios"][0]["outcome"] == "passed"
    assert {"label": "Rationale", "value": "Because."} in items["REQ-001"]["text"]
    assert {"label": "Safety class", "value": "B"} in items["REQ-001"]["facts"]
    assert [level["level"] for level in items["RISK-01"]["levels"]] == ["high", "low"]
    assert [cell["initial"] for cell in shown["risk"]["cells"] if cell["initial"]] == [["RISK-01"]]
    assert shown["verdict"] == {"holds": True, "gaps": 0, "justified": 0, "suspects": 0}


def test_a_suspect_link_shows_at_its_item(tree: Path) -> None:
    graph = TraceGraph.load(tree)
    write_reviews(tree, link_digests(graph.items, {}))
    path = tree / "requirements/all.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("The user needs trust.", "Everybody does."), encoding="utf-8"
    )
    shown = view(Tree.read(tree, today=TODAY)).model_dump(mode="json")
    assert [item["id"] for item in shown["items"] if item["suspect"]] == ["REQ-001"]
    assert shown["verdict"]["suspects"] == 1
    assert [gap["kind"] for gap in shown["gaps"]] == ["suspect-link"]


def test_every_link_that_can_be_declared_has_words() -> None:
    declared = {field.replace("_", "-") for kind in KINDS for field in link_fields(kind.record)}
    assert declared | {"rests-on"} == set(RELATIONS)


def test_an_item_knows_the_commits_of_its_lines(tree: Path) -> None:
    def git(*words: str) -> None:
        person = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", *person, *words], cwd=tree, check=True, capture_output=True)

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "Begin")
    path = tree / "requirements/all.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("Because.", "Because it must."), encoding="utf-8")
    git("commit", "-qam", "Say why")
    graph = TraceGraph.load(tree)
    shown = view(Tree(SourceVersion(tree), graph, TODAY)).model_dump(mode="json")
    subjects = {item["id"]: [one["subject"] for one in item["history"]] for item in shown["items"]}
    assert subjects["UN-01"] == ["Begin"]
    assert sorted(subjects["REQ-001"]) == ["Begin", "Say why"]
    assert shown["items"][0]["history"][0]["author"] == "Ada"


def test_without_git_there_is_no_history(tree: Path) -> None:
    graph = TraceGraph.load(tree)
    assert set(history_of(tree, graph.items.all()).values()) == {()}
