"""Test records of the verification report: procedure, parameters, expected and actual of each scenario, and each linked test."""

from __future__ import annotations

from dataclasses import dataclass

from minivess.compliance.documents.dossier import Dossier
from minivess.foundation.errors import MinivessError
from minivess.foundation.implements import implements
from minivess.foundation.reading.lock_file import lock_place, read_lock
from minivess.records.items.items import Source
from minivess.records.items.trace import RecordedResult, Scenario
from minivess.records.people.roles import Role

TEST_TOOLS = ("pytest", "pytest-bdd", "gherkin-official", "hypothesis", "coverage")
"""Packages that run scenarios and tests, as far as the lock file has them."""
_ORDER = ("failed", "skipped", "passed")


@dataclass(frozen=True)
class ScenarioRecord:
    """One scenario with its procedure and its results, one for each set of parameters."""

    scenario: Scenario
    ids: tuple[str, ...]
    outcome: str
    """The worst of its results: `failed`, `skipped` or `passed`."""
    results: tuple[RecordedResult, ...]

    @property
    def runs(self) -> tuple[tuple[str, RecordedResult], ...]:
        """The parameters of each result, as pytest names them, with the result; empty for a scenario without parameters."""
        return tuple((one.node.partition("[")[2].removesuffix("]"), one) for one in self.results)


@dataclass(frozen=True)
class Tool:
    """A program that took part in verification."""

    name: str
    version: str


@dataclass(frozen=True)
class Records:
    """What the verification report lists."""

    scenarios: tuple[ScenarioRecord, ...]
    tests: tuple[RecordedResult, ...]
    """Tests that are no scenarios, those that did not pass first."""
    not_run: tuple[Scenario, ...]
    """Scenarios of the tree without a result."""
    reviewers: tuple[str, ...]
    """The people who may review the release."""
    tools: tuple[Tool, ...]


@implements("REQ-512")
def records_of(dossier: Dossier) -> Records:
    """The results that were recorded, joined with the scenarios of the source tree."""
    known = {one.source: one for one in dossier.inputs.tree.graph.scenarios}
    by_scenario: dict[Source, list[RecordedResult]] = {}
    tests: list[RecordedResult] = []
    for result in dossier.report.results:
        if result.scenario is not None and result.scenario in known:
            by_scenario.setdefault(result.scenario, []).append(result)
        else:
            tests.append(result)
    records = [_record(known[source], results) for source, results in by_scenario.items()]
    return Records(
        scenarios=tuple(sorted(records, key=lambda one: (_ORDER.index(one.outcome), *_place(one.scenario)))),
        tests=tuple(sorted(tests, key=lambda one: _ORDER.index(one.outcome))),
        not_run=tuple(one for one in known.values() if one.source not in by_scenario),
        reviewers=tuple(
            f"{person.name} ({person.id})" for person in dossier.log.people if Role.REVIEWER in person.roles
        ),
        tools=_tools(dossier),
    )


def _record(scenario: Scenario, results: list[RecordedResult]) -> ScenarioRecord:
    ids = tuple(dict.fromkeys(name for one in results for name in one.ids))
    worst = next(word for word in _ORDER if any(one.outcome == word for one in results))
    return ScenarioRecord(scenario, ids, worst, tuple(results))


def _place(scenario: Scenario) -> tuple[str, int]:
    return scenario.source.path, scenario.source.line


def _tools(dossier: Dossier) -> tuple[Tool, ...]:
    """The tools with their versions, from the tool that made the pack and from the lock file where it can be read."""
    tool = dossier.inputs.tool
    try:
        versions = read_lock(*lock_place(dossier.inputs.source)).versions()
    except MinivessError:
        versions = {}
    locked = (Tool(name, versions[name]) for name in TEST_TOOLS if name in versions)
    return (Tool(tool.name, tool.version), *locked)
