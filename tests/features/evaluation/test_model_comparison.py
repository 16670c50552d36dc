"""Steps of features/model_comparison.feature."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pydantic import ValidationError
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.cli.models.comparison import show_comparison
from minivess.compliance.audit.log import AuditLog
from minivess.compliance.changes.logged_evaluations import LoggedEvaluations
from minivess.compliance.proofs.canonical import canonical, digest_of
from minivess.compliance.rules.look_facts import Look
from minivess.compliance.rules.looks import LookHistory
from minivess.foundation.digests import digest_bytes, digest_file
from minivess.foundation.errors import RefusedError
from minivess.foundation.settings import load_settings
from minivess.records.artifact import Artifact
from minivess.records.device.project import Evaluation
from minivess.records.device.strictness import laxer_plan
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.comparison.evaluations import (
    ComparedEvaluation,
    Comparison,
    MeasureComparison,
    compare,
)
from minivess.records.evaluation.evaluation import AnalysisPlan, EvaluationRecord
from minivess.records.evaluation.margins import Margin
from minivess.workflows.evaluation.comparison import compare_files
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.evaluation_plan import analysis_plan
from tests.support.builders.guarded_log import PLAN as GUARDED
from tests.support.builders.guarded_log import SEALED, GuardedLog, exported, grant, request
from tests.support.builders.pack_builder import ada, ben
from tests.support.projects import ProjectFolder
from tests.support.verify_script import verify

scenarios("model_comparison.feature")

PLAN = analysis_plan(bootstrap=100, statistics="mean of groups")
PLAN = PLAN.model_copy(update={"conventions": PLAN.conventions.model_copy(update={"failure_dice": 0.5})})
MODELS = tuple(digest_bytes(name) for name in (b"one", b"two", b"three"))
NAMES = {"Dice": "dice", "HD95": "hd95", "clDice": "cldice"}
Cases = list[tuple[str, int]]
"""Of each case its group, and the voxels of 100 that are found."""


def record(found: Cases, model: int = 0, **changes: Any) -> EvaluationRecord:
    rows = [case(place, group, voxels) for place, (group, voxels) in enumerate(found)]
    known = {"model": MODELS[model], "data": SEALED, "request": f"open-{model}", "looks": 3}
    return counted_evaluation(rows, PLAN, **(known | changes))


def case(place: int, group: str, found: int) -> CaseCounts:
    extra = 0 if not found else 6 + place % 5
    return counted_case(
        f"c{place:02}", overlap=(found, extra, 100 - found), group=group, distance=2.5 if found else None
    )


def animals(*found: int) -> Cases:
    return [(f"a{place}", voxels) for place, voxels in enumerate(found)]


@dataclass
class Story:
    first: EvaluationRecord | None = None
    second: EvaluationRecord | None = None
    folder: Path = Path()
    logged: LoggedEvaluations | None = None
    made: Comparison | None = None
    shown: str = ""
    refusal: RefusedError | None = None
    result: Result | None = None
    before: str = ""
    files_at: tuple[Path, ...] = ()
    registered: int | None = None
    plans: list[AnalysisPlan] = field(default_factory=list)
    stated: dict[str, Any] = field(default_factory=dict)

    def be(self, first: Cases, second: Cases, **changes: Any) -> None:
        self.first, self.second = record(first), record(second, 1, **changes)

    def of(self, name: str) -> MeasureComparison:
        assert self.made is not None, self.refusal
        return next(one for one in self.made.measures if one.measure == NAMES[name])

    def looks(self) -> tuple[Look, ...]:
        assert self.logged is not None
        return self.logged.history.looks()

    @property
    def files(self) -> tuple[Path, Path]:
        return self.folder / "first" / "evaluation.json", self.folder / "second" / "evaluation.json"


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(folder=tmp_path)


@given("two models of which the second is better in all 12 stacks of one animal, and equal in 2 other animals")
def _(story: Story) -> None:
    others = [("b", 80), ("c", 75)]
    story.be([("a", 70)] * 12 + others, [("a", 85)] * 12 + others)


@given(parsers.parse("two models of which the second is better in each of {number:d} animals"))
def _(story: Story, number: int) -> None:
    story.be(
        animals(*(70 + place for place in range(number))), animals(*(75 + place + place % 3 for place in range(number)))
    )


@given("two models of which the second finds 1 voxel in 100 less in each of 6 animals")
def _(story: Story) -> None:
    story.be(animals(70, 74, 78, 82, 86, 90), animals(69, 73, 77, 81, 85, 89))


@given("two models that are equal but for one case, in which the second finds no vessel")
def _(story: Story) -> None:
    story.be(animals(70, 74, 78, 82, 86, 90), animals(70, 74, 78, 82, 86, 0))


@given("two models that differ by chance in 6 animals")
def _(story: Story) -> None:
    story.be(animals(70, 74, 78, 82, 86, 90), animals(76, 67, 83, 76, 90, 85))


@given(parsers.parse("two models of which the second was evaluated {differently}"))
def _(story: Story, differently: str) -> None:
    cases = animals(70, 74, 78)
    story.be(cases, cases[:-1] if "without" in differently else cases)
    assert story.second is not None
    if "data" in differently:
        story.second = record(cases, 1, data=digest_bytes(b"other"))
    if "tolerance" in differently:
        wider = story.second.conventions.model_copy(update={"tolerance": 4.0})
        story.second = story.second.model_copy(update={"conventions": wider})


@when("they are compared")
def _(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    compared(story, capsys)


@when("they are compared with a margin of 5 in HD95")
def _(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    compared(story, capsys, margins={"hd95": 5.0})


@when(parsers.parse("they are compared with a margin of {margin:g} in Dice"))
def _(story: Story, margin: float, capsys: pytest.CaptureFixture[str]) -> None:
    compared(story, capsys, margins={"dice": margin})


@when(parsers.parse("they are compared with the goal of {goal:g} in clDice"))
def _(story: Story, goal: float, capsys: pytest.CaptureFixture[str]) -> None:
    compared(story, capsys, goals={"cldice": goal})


def compared(story: Story, capsys: pytest.CaptureFixture[str], **asked: dict[str, float]) -> None:
    assert story.first is not None
    assert story.second is not None
    files = [
        ComparedEvaluation(file=one.model, model=one.model, request=one.request, look=1, entry=None)
        for one in (story.first, story.second)
    ]
    try:
        story.made = compare(story.first, story.second, (files[0], files[1]), seed=0, **asked)
    except RefusedError as error:
        story.refusal = error
        return
    show_comparison(story.made)
    story.shown = " ".join(capsys.readouterr().out.split())


@then("p of Dice is 1 over 3 groups and 14 cases")
def _(story: Story) -> None:
    dice = story.of("Dice")
    assert dice.paired is not None
    assert (dice.paired.p, dice.paired.difference.groups, dice.cases) == (1.0, 3, 14)


@then("p of Dice is 2 in 4,096, and is multiplied by the number of measures")
def _(story: Story) -> None:
    dice = story.of("Dice")
    assert dice.paired is not None
    assert story.made is not None
    assert (dice.paired.p, dice.p_holm) == (2 / 4096, len(story.made.measures) * 2 / 4096)


@then("the table has both means, the difference with its interval, both values of p, groups and cases")
def _(story: Story) -> None:
    paired = story.of("Dice").paired
    assert paired is not None
    row = (
        f"dice {paired.first:.4f} {paired.second:.4f} {paired.difference.mean:+.4f} {paired.difference.words(4)} 0.0005 "
        "0.0020 12 of 12 12, 12"
    )
    assert row in story.shown


@given("two models of which the second has a smaller HD95 in each of 12 animals")
def _(story: Story) -> None:
    first, second = (
        [counted_case(f"c{place:02}", overlap=(80, 9, 20), distance=distance + place / 10) for place in range(12)]
        for distance in (4.0, 2.5)
    )
    known: dict[str, Any] = {"data": SEALED, "request": "r", "looks": 1}
    story.first = counted_evaluation(first, PLAN, model=MODELS[0], **known)
    story.second = counted_evaluation(second, PLAN, model=MODELS[1], **known)


@then("a sentence reports that B is better in HD95, in 12 of 12 groups")
def _(story: Story) -> None:
    assert "hd95 (µm): B is better (p 0.0020 after Holm's correction" in story.shown
    assert "-1.5000 -1.5000 to -1.5000 0.0005 0.0020 12 of 12 12, 12" in story.shown


@given("two models of which the first fails in 3 animals, and the second in 2 of them and in 2 others")
def _(story: Story) -> None:
    story.be(animals(20, 20, 20, 80, 80, 80), animals(20, 20, 80, 20, 20, 80))


@then("the output reports 2 groups that failed in A and B, 1 in A alone and 2 in B alone")
def _(story: Story) -> None:
    said = "Failed groups (a case with a Dice below 0.5): 2 in A and B, 1 in A alone, 2 in B alone, of 6."
    assert said in story.shown


@then("a sentence reports that B is better in Dice")
def _(story: Story) -> None:
    assert "dice: B is better (p 0.0020 after Holm's correction" in story.shown


@then("the method of each interval is stated with its simulated coverage")
def _(story: Story) -> None:
    assert story.made is not None
    for one in story.made.measures:
        assert one.paired is not None
        coverage = one.paired.difference.coverage
        assert coverage is not None
        assert f"{one.measure}" in story.shown
        assert (
            f"Student's t, 12 groups, 12 cases, nominal coverage 98.33 %, simulated {100 * coverage:.4g} %"
            in story.shown
        )


@then("the output reports that no difference can be shown with so few groups")
def _(story: Story) -> None:
    assert "So few groups give no p below 0.0625, 0.25 after the correction: no difference can be shown" in story.shown


@then(parsers.parse('the verdict on {name} is "{verdict}"'))
def _(story: Story, name: str, verdict: str) -> None:
    judged = story.of(name).non_inferiority
    assert judged is not None
    assert judged.verdict == verdict
    assert judged.why in story.shown
    assert "(not registered)" in story.shown
    assert "No log entry shows that it was stated before the evaluations, so the answer is exploratory" in story.shown


@then("the output names the case that was left out")
def _(story: Story) -> None:
    assert "1 of 6 cases left out, where it is undefined: c05" in story.shown


@then("the output states how many groups would show it, and with which power")
def _(story: Story) -> None:
    needed = story.of("Dice").needed
    assert needed is not None
    assert needed.needed is not None
    assert needed.needed > 6
    assert (
        f"To show a loss in dice below 0.01 with this spread, {needed.needed} groups are needed (power 80 %"
        in story.shown
    )


@then(parsers.parse('the output states for A and for B how many groups show "{claim}"'))
def _(story: Story, claim: str) -> None:
    assert story.made is not None
    first, second = (one.needed.needed for one in story.made.goals)
    assert first is not None
    assert second is not None
    assert f"A: To show {claim.replace('clDice', 'cldice')} with this spread, {first} groups are needed" in story.shown
    assert f"B: To show {claim.replace('clDice', 'cldice')} with this spread, {second} groups are needed" in story.shown


@then(parsers.parse('the comparison is refused, because of "{reason}"'))
def _(story: Story, reason: str) -> None:
    assert story.made is None
    assert story.refusal is not None
    assert reason in str(story.refusal)


@given("a log with a look of each of two models")
def _(story: Story) -> None:
    story.be(animals(70, 74, 78, 82), animals(72, 77, 80, 84))
    log = exported()
    for number, (path, made) in enumerate(zip(story.files, (story.first, story.second), strict=True)):
        assert made is not None
        write(path, made)
        looked(log, made, number, digest_file(path))
    story.logged = LoggedEvaluations.of(LookHistory.fold(log.entries), log.entries)


def looked(log: GuardedLog, made: EvaluationRecord, number: int, file: str, **asked_for: Any) -> None:
    """A request, its approval and the evaluation, as their entries state them."""
    asked = request(made.request, model=made.model, **asked_for)
    log.ask(ada(), asked)
    log.approve(ben(), grant(asked, ben()))
    aggregates = {name: one.model_dump(mode="json") for name, one in made.aggregates.items()}
    payload = {
        "request": made.request, "cases": 4, "aggregates": aggregates, "baseline_dice": 0.5, "look": number + 1,
    }  # fmt: skip
    log.append(ada(), "evaluation", payload, outputs=[Artifact(name="evaluation/evaluation.json", digest=file)])


def write(path: Path, made: EvaluationRecord) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(made.model_dump_json(), encoding="utf-8")


@when("the files of their evaluations are compared")
def _(story: Story) -> None:
    assert story.logged is not None
    story.made = compare_files(story.logged, story.files[0].parent, story.files[1])


@then("the comparison names the entries of both looks and the digests of both files")
def _(story: Story) -> None:
    assert story.made is not None
    files = (story.made.first, story.made.second)
    assert [one.file for one in files] == [digest_file(path) for path in story.files]
    assert [one.entry for one in files] == [look.opening.index for look in story.looks()]
    assert len({one.entry for one in files}) == 2


@when(parsers.parse("one is {changed}, and the files are compared"))
def _(story: Story, changed: str) -> None:
    assert story.second is not None
    assert story.logged is not None
    turned = [row.model_copy(update={"case": f"c{3 - place:02}"}) for place, row in enumerate(story.second.cases)]
    other = {
        "given other counts with the same means": story.second.model_copy(update={"cases": tuple(turned)}),
        "given a better Dice": record(animals(72, 77, 80, 99), 1),
        "given another model": story.second.model_copy(update={"model": MODELS[0]}),
        "of no look": record(animals(72, 77, 80, 84), 2),
    }[changed]
    write(story.files[1], other)
    with pytest.raises(RefusedError) as caught:
        compare_files(story.logged, *story.files)
    story.refusal = caught.value


def of_part(story: Story, data: str) -> None:
    """Both files as evaluations of the validation part."""
    for path, made in zip(story.files, (story.first, story.second), strict=True):
        assert made is not None
        write(path, made.model_copy(update={"part": "validation", "request": "validation", "data": data}))


@when("the same models are compared by the validation part")
def _(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    assert story.logged is not None
    of_part(story, digest_bytes(b"split"))
    story.made = compare_files(story.logged, *story.files)
    show_comparison(story.made)
    story.shown = " ".join(capsys.readouterr().out.split())


@then("the comparison names no entry, and the output states that this is not the test set")
def _(story: Story) -> None:
    assert story.made is not None
    assert (story.made.first.entry, story.made.second.entry, story.made.part) == (None, None, "validation")
    assert "Not the test set: these figures meet no acceptance criterion" in story.shown
    assert "4 validation cases, 4 independent groups" in story.shown
    assert "log entry" not in story.shown.partition("measure")[0]


@when("both files state the validation part, and are compared")
def _(story: Story) -> None:
    assert story.logged is not None
    of_part(story, SEALED)
    with pytest.raises(RefusedError) as caught:
        compare_files(story.logged, *story.files)
    story.refusal = caught.value


@given("a sealed project and the record of an evaluation that its log does not have")
def _(story: Story, sealed_project: ProjectFolder) -> None:
    project = sealed_project.copy_to(story.folder / "project")
    story.folder = project.workspace.root
    story.be(animals(70, 74), animals(70, 74))
    assert story.first is not None
    write(story.files[0], story.first)
    story.before = checkpoint(story)


def checkpoint(story: Story) -> str:
    with closing(AuditLog.open(load_settings(story.folder).database_url, log_signer=None)) as log:
        return log.checkpoint()


@when('"minivess model compare" is run with this record twice')
def _(story: Story) -> None:
    path = str(story.files[0])
    words = ["-C", str(story.folder), "model", "compare", path, path, "--json"]
    story.result = CliRunner().invoke(app, words, standalone_mode=False)


@given("a project whose model was evaluated on the sealed test set")
def _(story: Story, releasable_project: ProjectFolder) -> None:
    project = releasable_project.copy_to(story.folder / "project")
    copy = story.folder / "first" / "evaluation.json"
    copy.parent.mkdir()
    copy.write_bytes((project.workspace.evaluation / "evaluation.json").read_bytes())
    story.files_at = (project.workspace.root, copy)
    story.folder = project.workspace.root
    story.before = checkpoint(story)


@when('"minivess model compare" is run with the project and a copy of its record')
def _(story: Story) -> None:
    words = ["-C", str(story.folder), "model", "compare", *map(str, story.files_at), "--json"]
    story.result = CliRunner().invoke(app, words, standalone_mode=False)


@then("it ends with exit code 0, and each difference is 0")
def _(story: Story) -> None:
    assert story.result is not None
    assert story.result.exit_code == 0, story.result.exception
    made = Comparison.model_validate_json(story.result.stdout)
    assert [one.measure for one in made.measures] == ["dice", "cldice", "nsd", "hd95"]
    assert {one.paired.difference.mean for one in made.measures if one.paired} == {0.0}
    assert made.first.entry is not None
    assert made.first == made.second


@then("the log is as before")
def _(story: Story) -> None:
    assert checkpoint(story) == story.before


@then("it is refused with exit code 1, and the log is as before")
def _(story: Story) -> None:
    assert story.result is not None
    error = story.result.exception
    assert isinstance(error, RefusedError)
    assert error.exit_code == 1
    assert "no evaluation of the log of this project wrote" in str(error)
    assert not story.result.stdout
    assert checkpoint(story) == story.before
    json.loads(story.files[0].read_text(encoding="utf-8"))


MARGIN = Margin(measure="dice", loss=0.02)


def with_margins(*margins: Margin) -> AnalysisPlan:
    return GUARDED.model_copy(update={"margins": margins})


def two_looks(story: Story, plans: tuple[AnalysisPlan, AnalysisPlan], further: AnalysisPlan | None = None) -> None:
    """A log in which each of two models was evaluated under a plan of its own."""
    story.be(animals(70, 74, 78, 82), animals(72, 77, 80, 84))
    log = exported()
    for number, (path, made) in enumerate(zip(story.files, (story.first, story.second), strict=True)):
        assert made is not None
        write(path, made)
        log.criteria(ada(), plans[number])
        looked(log, made, number, digest_file(path), plan=digest_of(plans[number]))
    if further is not None:
        log.criteria(ada(), further)
    story.logged = LoggedEvaluations.of(LookHistory.fold(log.entries), log.entries)
    story.registered = next(
        (one.body.index for one in log.entries if "margins" in one.body.payload.get("plan", {})), None
    )


@given("a log with a look of each of two models, whose later plan has a margin of 0.02 in Dice")
def _(story: Story) -> None:
    two_looks(story, (GUARDED, with_margins(MARGIN)))


@given("a log with a look of each of two models, and a plan with a margin that no request names")
def _(story: Story) -> None:
    two_looks(story, (GUARDED, GUARDED), further=with_margins(MARGIN))


@given("a log with a look of each of two models, and a margin in the plan of the earlier look alone")
def _(story: Story) -> None:
    other = GUARDED.model_copy(
        update={"notes": "A margin of clDice.", "margins": (Margin(measure="cldice", loss=0.1),)}
    )
    two_looks(story, (with_margins(MARGIN), other))


@when(parsers.re(r"the files of their evaluations are compared (?P<how>with.*|in the other.*)"))
def _(story: Story, how: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert story.logged is not None
    stated = {"with a margin of 0.05": 0.05, "with the same margin": 0.02, "with a margin of 0.02": 0.02}
    files = story.files[::-1] if "other order" in how else story.files
    story.made = compare_files(story.logged, *files, margins={"dice": stated[how]} if how in stated else None)
    show_comparison(story.made)
    story.shown = " ".join(capsys.readouterr().out.split())


@then(parsers.parse("the margin of Dice is {used:g}, and its answer is {mark}"))
def _(story: Story, used: float, mark: str) -> None:
    judged = story.of("Dice").non_inferiority
    assert judged is not None
    assert judged.margin == used
    loose = "so the answer is exploratory: it supports no claim of non-inferiority"
    if mark == "registered by the entry":
        assert judged.registered == story.registered is not None
        assert f"(registered in log entry {story.registered}, before the look)" in story.shown
        assert loose not in story.shown
    else:
        assert judged.registered is None
        assert "with a margin of" in story.shown
        assert "(not registered)" in story.shown
        assert loose in story.shown


@given("a plan that was used for a look, with a margin of 0.02 in Dice")
def _(story: Story) -> None:
    story.plans = [with_margins(MARGIN)]


@when(parsers.parse("the plan has {change}"))
def _(story: Story, change: str) -> None:
    dice, cldice = Margin(measure="dice", loss=0.03), Margin(measure="cldice", loss=0.1)
    changed = {
        "a margin of 0.03 in Dice": (dice,),
        "no margin": (),
        "a margin of 0.01 in Dice": (MARGIN.model_copy(update={"loss": 0.01}), dice),
        "a further margin in clDice": (cldice, MARGIN),
    }
    story.plans.append(with_margins(*changed[change]))


@then(parsers.re('both verifiers (?P<answer>call it laxer, for "margin of dice"|accept it)'))
def _(story: Story, answer: str) -> None:
    plain = [json.loads(canonical(plan)) for plan in story.plans]
    script = verify.laxer(*(verify.limits_of_plan(verify.fit(plan, "plan", "the plan")) for plan in plain))
    found = laxer_plan(*story.plans)
    assert bool(found) == bool(script) == (answer != "accept it")
    if found:
        assert found[0].startswith("margin of dice")
        assert script == "margin of dice"


@given(parsers.parse("a project that states a margin of {what}"))
def _(story: Story, what: str) -> None:
    dice = {"measure": "dice", "loss": 0.02}
    stated = {
        "iou, without computing": {"margins": [{"measure": "iou", "loss": 0.02}], "measures": ["dice", "cldice"]},
        "hd95 without a unit": {"margins": [{"measure": "hd95", "loss": 2.0}]},
        "dice twice": {"margins": [dice, dice]},
    }
    story.stated = {"criteria": [{"measure": "dice", "at_least": 0.8}], **stated[what]}


@then(parsers.parse('reading the project is refused with "{reason}"'))
def _(story: Story, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Evaluation.model_validate(story.stated)
