"""Items and everything that points at them, indexed by id; and which results count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from minivess.compliance.items.features import Tag
from minivess.compliance.items.items import Items
from minivess.compliance.results.result_files import Verdict, judge
from minivess.compliance.trace.link_reviews import LinkKey, State, link_digests, states
from minivess.records.evaluation.case_results import CriterionVerdict
from minivess.records.items.items import Source
from minivess.records.items.justification import Justification
from minivess.records.items.trace import CodeLink, Drilled, RecordedResult, ResultReport, Scenario, VerificationLink


@dataclass(frozen=True)
class Links:
    """What was read from one source tree, with the look-ups that rules and pages need."""

    items: Items
    scenarios: tuple[Scenario, ...]
    tags: tuple[Tag, ...]
    tests: tuple[VerificationLink, ...]
    code: tuple[CodeLink, ...]
    report: ResultReport | None = None
    stale: bool = False
    """Whether the report is of another tree or environment: its results then count for nothing."""
    reviews: Mapping[LinkKey, str] = field(default_factory=dict)
    """What links pointed to when they were reviewed."""
    artifacts: Mapping[str, str] = field(default_factory=dict)
    """By name: digests of what items rest on beside text."""
    criteria: Mapping[str, CriterionVerdict] | None = None
    """Verdicts of statistical criteria, computed from the results of cases; None without such results."""
    justifications: tuple[Justification, ...] = ()
    """Why something that is missing may be missing, expired ones too."""

    def results_for(self, identifier: str) -> tuple[RecordedResult, ...]:
        """The results that count for an id; none when there is no report or it is stale."""
        return self._results.get(identifier, ())

    def scenario_results(self, source: Source) -> tuple[RecordedResult, ...]:
        """The results of the scenario written at `source` (several for an outline)."""
        return self._results_of_scenarios.get((source.path, source.line), ())

    def verdict_for(self, requirement: str) -> Verdict:
        """Whether a requirement or control is verified: `stale` when the report is, `untested` without passed results.

        For a risk control (`RC-…`) only scenarios count: its effectiveness is shown in use, not by a unit test.
        """
        if self.stale:
            return "stale"
        results: Iterable[RecordedResult] = self.results_for(requirement)
        if requirement.startswith("RC-"):
            results = [result for result in results if result.scenario is not None]
        return judge(results)

    def scenarios_for(self, identifier: str) -> tuple[Scenario, ...]:
        """The scenarios that carry an id."""
        return self._scenarios.get(identifier, ())

    def tests_for(self, identifier: str) -> tuple[VerificationLink, ...]:
        """The marked tests that carry an id."""
        return self._tests.get(identifier, ())

    def code_for(self, identifier: str) -> tuple[CodeLink, ...]:
        """The code that declares an id."""
        return self._code.get(identifier, ())

    @cached_property
    def link_states(self) -> dict[LinkKey, State]:
        """How every link stands; without any review of any link nothing is looked at."""
        return states(link_digests(self.items, self.artifacts), self.reviews) if self.reviews else {}

    @property
    def suspects(self) -> tuple[LinkKey, ...]:
        """Links whose target has changed since they were reviewed."""
        return tuple(key for key, state in self.link_states.items() if state == "suspect")

    @cached_property
    def drilled(self) -> dict[str, Drilled]:
        """What the drill of each control found, as far as the report counts."""
        return {one.control: one for one in self.report.drilled} if self.report is not None and not self.stale else {}

    @property
    def counted(self) -> tuple[RecordedResult, ...]:
        """The results that count: all of the report's, or none."""
        return self.report.results if self.report is not None and not self.stale else ()

    @cached_property
    def _results(self) -> dict[str, tuple[RecordedResult, ...]]:
        return _index((identifier, result) for result in self.counted for identifier in result.ids)

    @cached_property
    def _results_of_scenarios(self) -> dict[tuple[str, int], tuple[RecordedResult, ...]]:
        return _index(
            ((result.scenario.path, result.scenario.line), result)
            for result in self.counted
            if result.scenario is not None
        )

    @cached_property
    def _scenarios(self) -> dict[str, tuple[Scenario, ...]]:
        return _index((tag, scenario) for scenario in self.scenarios for tag in scenario.tags)

    @cached_property
    def _tests(self) -> dict[str, tuple[VerificationLink, ...]]:
        return _index((identifier, link) for link in self.tests for identifier in link.ids)

    @cached_property
    def _code(self) -> dict[str, tuple[CodeLink, ...]]:
        return _index((identifier, link) for link in self.code for identifier in link.ids)


def _index[K, V](pairs: Iterable[tuple[K, V]]) -> dict[K, tuple[V, ...]]:
    lists: defaultdict[K, list[V]] = defaultdict(list)
    for key, value in pairs:
        lists[key].append(value)
    return {key: tuple(values) for key, values in lists.items()}
