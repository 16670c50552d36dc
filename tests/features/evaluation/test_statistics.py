"""Steps of features/statistics.feature."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.sealed.measures import emit_measures
from minivess.foundation.digests import digest_bytes
from minivess.ml.evaluation.statistical_criteria import judge_criterion
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.likeness import NearDuplicate
from minivess.records.data.split import SplitManifest
from minivess.records.device.project import Project
from minivess.records.device.registration import SealTerms
from minivess.records.evaluation.acceptance_criteria import judge
from minivess.records.evaluation.case_results import CaseResult, CriterionVerdict
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.evaluation import SKELETON, SKELETON_BEFORE, AnalysisPlan, Criterion, EvaluationRecord
from minivess.records.evaluation.statistics.summaries import Interval
from minivess.records.items.items import StatisticalCriterion
from minivess.workflows.data.seal_terms import laxer_terms, terms_of
from minivess.workflows.sealed.analysis_plan import plan_of
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.release_builder import PLAN, PROJECT

scenarios("statistics.feature")

DIGEST = "sha256:" + "7" * 64


@dataclass
class Story:
    cases: list[CaseCounts] = field(default_factory=list)
    record: EvaluationRecord | None = None
    manifest: DatasetManifest | None = None
    split: SplitManifest | None = None
    terms: SealTerms | None = None
    plan: AnalysisPlan | None = None
    verdict: CriterionVerdict | None = None

    def interval(self, name: str = "dice") -> Interval:
        assert self.record is not None
        return self.record.aggregates[name]


@pytest.fixture
def story() -> Story:
    return Story()


def case(animal: int, stack: int = 0) -> CaseCounts:
    """A case of an animal; the cases of one animal are alike."""
    return counted_case(
        f"a{animal}-{stack}",
        overlap=(90, 10 + 7 * animal, 20),
        group=f"a{animal}",
        voxels=1000 + 400 * (animal == 0),
        conformal=(100, 10),
    )


def case_record(name: str) -> CaseRecord:
    """A case of a subject of its own."""
    return CaseRecord(
        id=name,
        subject=name,
        acquisition=name,
        shape=(8, 16, 16),
        spacing=(2.0, 1.0, 1.0),
        modality="two-photon microscopy",
        image=digest_bytes(name.encode()),
        label=DIGEST,
        source_dtype="float32",
        label_values=(0, 1),
        foreground_fraction=0.1,
    )


def evaluated(cases: list[CaseCounts]) -> EvaluationRecord:
    return counted_evaluation(cases, PLAN, model=DIGEST, data=DIGEST, request="r", looks=1)


@given("12 cases of one animal and one case each of 5 other animals")
def _(story: Story) -> None:
    story.cases = [case(0, stack) for stack in range(12)] + [case(animal) for animal in range(1, 6)]


@given(parsers.parse("one case each of {count:d} animals"))
def _(story: Story, count: int) -> None:
    story.cases = [case(animal) for animal in range(count)]


@given("12 cases of one animal")
def _(story: Story) -> None:
    story.cases = [case(0, stack) for stack in range(12)]


@when("they are evaluated")
def _(story: Story) -> None:
    story.record = evaluated(story.cases)


@then("the interval of each mean is over 6 groups and 17 cases")
def _(story: Story) -> None:
    assert story.record is not None
    for one in (*story.record.aggregates.values(), story.record.baseline, story.record.conformal_recall):
        assert one is not None
        assert (one.groups, one.n) == (6, 17)


@then("its limits are those of 6 animals with one case each")
def _(story: Story) -> None:
    alone = evaluated([case(animal) for animal in range(6)]).aggregates["dice"]
    assert [story.interval().lower, story.interval().upper] == pytest.approx([alone.lower, alone.upper], abs=1e-12)


@then("the calibration error is that of 6 animals with one case each")
def _(story: Story) -> None:
    alone = evaluated([case(animal) for animal in range(6)])
    assert story.record is not None
    assert (story.record.ece, story.record.band_ece) == pytest.approx((alone.ece, alone.band_ece), abs=1e-12)
    assert story.record.ece > 0


@given("a project with cases that are near duplicates")
def _(story: Story) -> None:
    records = tuple(case_record(name) for name in ("a", "b", "c"))
    story.manifest = DatasetManifest(name="set", licence="x", source="y", cases=records, root=DIGEST)
    pair = NearDuplicate.model_validate({"cases": ("b", "c"), "kind": "identical", "score": 1.0, "detail": "alike"})
    story.split = SplitManifest(
        dataset=DIGEST, seed=0, train=("a",), calibration=(), test=("b", "c"), near=(pair,), root=DIGEST
    )


@when("its test part is sealed")
def _(story: Story) -> None:
    assert story.manifest is not None
    assert story.split is not None
    project = Project.model_validate(PROJECT)
    story.terms = terms_of(project, story.manifest, story.split)
    apart = terms_of(project, story.manifest, story.split.model_copy(update={"near": ()}))
    assert laxer_terms(story.terms, apart) == ["groups: another than at the sealing"]


@then(parsers.parse('the terms of the seal name the statistics "{statistics}" by "{unit}"'))
def _(story: Story, statistics: str, unit: str) -> None:
    assert story.terms is not None
    assert (story.terms.statistics, story.terms.unit) == (statistics, unit)


@then("the analysis plan has the same")
def _(story: Story) -> None:
    assert story.terms is not None
    assert story.manifest is not None
    made = plan_of(Project.model_validate(PROJECT), story.manifest.cases, terms=story.terms)
    assert (made.conventions.statistics, made.conventions.bootstrap_unit) == (story.terms.statistics, story.terms.unit)
    assert made.conventions.failure_dice == 0.5
    assert made.conventions.skeleton == SKELETON
    assert made == plan_of(Project.model_validate(PROJECT), story.manifest.cases)


@given("a seal that does not state its statistics")
def _(story: Story) -> None:
    story.manifest = DatasetManifest(name="s", licence="x", source="y", cases=(case_record("a"),), root=DIGEST)
    story.split = SplitManifest(dataset=DIGEST, seed=0, train=("a",), calibration=(), test=(), root=DIGEST)
    now = terms_of(Project.model_validate(PROJECT), story.manifest, story.split).model_dump(mode="json")
    del now["statistics"]
    story.terms = SealTerms.model_validate({**now, "unit": "subject"})
    assert "statistics" not in story.terms.model_dump(mode="json")


@when("the analysis plan is made")
def _(story: Story) -> None:
    assert story.manifest is not None
    story.plan = plan_of(Project.model_validate(PROJECT), story.manifest.cases, terms=story.terms)


@then(parsers.parse('it has the statistics "{statistics}" by "{unit}"'))
def _(story: Story, statistics: str, unit: str) -> None:
    assert story.plan is not None
    said = story.plan.conventions
    assert (said.statistics, said.bootstrap_unit, said.failure_dice) == (statistics, unit, None)
    assert "statistics" not in said.model_dump(mode="json")
    assert said.skeleton == SKELETON_BEFORE
    assert story.plan.intervals == "percentile bootstrap of the mean over cases, resampled by subject"


@then("the terms of the seal are not laxer than before")
def _(story: Story) -> None:
    assert story.terms is not None
    assert story.manifest is not None
    assert story.split is not None
    project = Project.model_validate(PROJECT)
    assert laxer_terms(story.terms, terms_of(project, story.manifest, story.split, fixed=story.terms)) == []


@then("the interval of Dice is by Student's t over the animals")
def _(story: Story) -> None:
    from scipy import stats

    values = [one.dice for one in story.cases]
    made = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    found = story.interval()
    assert (found.method, found.groups, found.level) == ("student-t", 6, 0.95)
    assert [found.lower, found.upper] == pytest.approx(made, abs=1e-12)


@then("the percentile bootstrap is beside it and has a lower simulated coverage")
def _(story: Story) -> None:
    found = story.interval()
    assert found.beside is not None
    assert found.lower is not None
    assert found.beside.method == "percentile"
    assert found.lower < found.beside.lower < found.mean < found.beside.upper
    assert found.coverage is not None
    assert found.beside.coverage is not None
    assert found.beside.coverage <= found.coverage


@then("the table of measures names method, groups, cases, nominal and simulated coverage")
def _(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    assert story.record is not None
    emit_measures(story.record)
    shown = " ".join(capsys.readouterr().out.split())
    assert "Student's t, 6 groups, 6 cases, nominal coverage 95 %, simulated" in shown
    assert "dice: beside it percentile bootstrap" in shown


@then("there is no interval, because there is one group")
def _(story: Story) -> None:
    found = story.interval()
    assert (found.lower, found.upper, found.groups, found.n) == (None, None, 1, 12)
    assert found.words() == "no interval: one group"
    assert story.record is not None
    assert not judge(story.record, [Criterion(measure="dice", statistic="lower", at_least=0.0)])[0].met


@then(parsers.parse('the share of failures is "{words}"'))
def _(story: Story, words: str) -> None:
    assert story.interval("failures").words() == words


@then("a criterion of at most 0.3 on the upper bound of failures is not met")
def _(story: Story) -> None:
    assert story.record is not None
    asked = [Criterion(measure="failures", statistic="upper", at_most=limit) for limit in (0.3, 0.4)]
    strict, loose = judge(story.record, asked)
    assert (strict.met, loose.met) == (False, True)
    assert "Clopper-Pearson, 6 groups, 6 cases, nominal coverage 95 %, one-sided and exact" in strict.basis


@when("an upper bound of the 0.9 quantile is asked for")
def _(story: Story) -> None:
    criterion = StatisticalCriterion.model_validate(
        {
            "id": "SAC-01",
            "title": "t",
            "statement": "s",
            "verifies": ["REQ-001"],
            "measure": "dice",
            "statistic": "quantile",
            "quantile": 0.9,
            "bound": "upper",
            "at_most": 1.0,
            "minimum_cases": 1,
            "source": {"path": "requirements/criteria.yaml", "line": 2},
        }
    )
    results = [
        CaseResult(case=one.case, subject=one.subject, group=one.group, values=dict(one.values), attributes={})
        for one in story.cases
    ]
    story.verdict = judge_criterion(criterion, results, seed=0)


@then("it is not met, because 29 groups are needed")
def _(story: Story) -> None:
    assert story.verdict is not None
    [stratum] = story.verdict.strata
    assert not stratum.met
    assert "n too small" in stratum.why
    assert "needs 29 groups; there are 28 groups" in stratum.why
