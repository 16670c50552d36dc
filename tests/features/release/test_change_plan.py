"""Steps of features/change_plan.feature."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.changes.change_plan_file import load_change_plan
from minivess.compliance.changes.packed_release import EVALUATION, PackedRelease
from minivess.compliance.changes.plan_bounds import PLAN, judge_change, worst
from minivess.compliance.proofs.archive import write_archive
from minivess.foundation.errors import InputError
from minivess.records.changes.change_plan import ALWAYS_FIXED, ChangeJudgement
from minivess.records.evaluation.evaluation import EvaluationRecord
from tests.support.builders.counted_cases import counted_evaluation
from tests.support.builders.layout2_pack import small_pack
from tests.support.builders.release_builder import PLAN as ANALYSIS
from tests.support.builders.second_release import better, first_pack, second_of, two_releases
from tests.support.command_line import Finished, run_here

scenarios("change_plan.feature")

ROOT = Path(__file__).parents[3]
VERIFIED = ("VERIFIED", "VERIFIED")
MANIFEST, SPLIT = "data/datasets/manifest.json", "data/datasets/split.json"


@dataclass
class Story:
    folder: Path
    old: PackedRelease
    new: PackedRelease
    verdicts: tuple[str, str] = VERIFIED
    told: Finished | None = None
    found: ChangeJudgement | None = None

    def change(self, name: str, edit: Callable[[Any], Any]) -> None:
        """Change a JSON file of the second pack."""
        edited = json.dumps(edit(json.loads(self.new.files[name]))).encode("utf-8")
        self.new = replace(self.new, files={**self.new.files, name: edited})

    def state(self, **fields: str) -> None:
        """Change what the second pack states of the device."""
        assert self.new.stated is not None
        device = self.new.stated.device.model_copy(update=fields)
        self.new = replace(self.new, stated=replace(self.new.stated, device=device))

    def add_cases(self, number: int, part: str, **fields: str) -> None:
        manifest = json.loads(self.new.files[MANIFEST])
        names = [f"more-{place}" for place in range(number)]
        like = manifest["cases"][0]
        self.change(
            MANIFEST, lambda one: one | {"cases": one["cases"] + [like | {"id": name} | fields for name in names]}
        )
        self.change(SPLIT, lambda one: one | {part: one[part] + names})

    def check(self, *options: str) -> Finished:
        for name, release in (("old.zip", self.old), ("new.zip", self.new)):
            (self.folder / name).write_bytes(write_archive(dict(release.files)))
        return run_here("release", "pccp-check", "old.zip", "new.zip", *options, folder=self.folder)


def story_of(folder: Path, releases: Any) -> Story:
    first, second = (PackedRelease.of_files(one) for one in (releases.first, releases.second.files))
    return Story(folder, first, second)


@given("two releases, the second trained again and better", target_fixture="story")
def _(tmp_path: Path) -> Story:
    return story_of(tmp_path, two_releases())


@given("two releases, the second with a Dice that is lower by 0.03", target_fixture="story")
def _(tmp_path: Path) -> Story:
    return story_of(tmp_path, second_of(first_pack(), cases=better(first_pack().release, -300)))


@given(parsers.parse("two releases of which {what}"), target_fixture="story")
def _(tmp_path: Path, what: str) -> Story:
    story = story_of(tmp_path, two_releases())
    CHANGES[what](story)
    return story


def _without_plan(story: Story) -> None:
    story.old = replace(story.old, files={name: data for name, data in story.old.files.items() if name != PLAN})


def _classes(record: Any) -> Any:
    return record | {"task": {"channels": 1, "axes": "zyx", "classes": [{"value": 1, "name": "artery"}]}}


def _export(story: Story, edit: Callable[[Any], Any]) -> None:
    story.change("data/models/export.json", edit)


def _decision(record: Any) -> Any:
    return record | {"model": record["model"] | {"decision": {"rule": "threshold", "threshold": 0.4}}}


def _other_classes(story: Story) -> None:
    thresholds = {"target_recall": 0.9, "thresholds": {"artery": 0.3}}
    _export(story, lambda one: _classes(one) | {"model": one["model"] | {"conformal": thresholds}})


def _network(record: Any) -> Any:
    return record | {"model": {"architecture": "unet", "filters": 8, "patch": [32, 64, 64]}}


def _without_member(story: Story) -> None:
    name = "data/models/members/seed-1.json"
    story.new = replace(story.new, files={one: data for one, data in story.new.files.items() if one != name})


def _failed_gate(record: Any) -> Any:
    return [record[0] | {"passed": False}, *record[1:]]


def _low_subgroup(story: Story) -> None:
    rows = better(first_pack().release, 0)
    low = better(first_pack().release, -1400)
    record = EvaluationRecord.model_validate_json(story.new.files[EVALUATION])
    made = counted_evaluation(
        [low[place] if place == 1 else row for place, row in enumerate(rows)],
        ANALYSIS,
        model=record.model,
        data=record.data,
        request=record.request,
        look=2,
        looks=record.looks,
    )
    story.new = replace(story.new, files={**story.new.files, EVALUATION: made.model_dump_json().encode("utf-8")})


def _third_look(story: Story) -> None:
    looking = [one for one in story.new.entries if one.body.action in {"test-set.request", "test-set.approve"}][-2:]
    again = [
        one.model_copy(update={"body": one.body.model_copy(update={"payload": _renamed(one.body.payload)})})
        for one in looking
    ]
    story.new = replace(story.new, entries=(*story.new.entries, *again))


def _renamed(payload: Any) -> Any:
    return json.loads(json.dumps(payload).replace("open-2", "open-3"))


def _another_log(story: Story) -> None:
    files = {name: data for name, data in small_pack().files.items() if name.startswith("data/audit/")}
    story.new = replace(story.new, files={**story.new.files, **files})


CHANGES: dict[str, Callable[[Story], None]] = {
    "the first has no plan": _without_plan,
    "the second has another plan": lambda story: story.change(PLAN, lambda one: one | {"looks_at_most": 9}),
    "the second has another intended use": lambda story: story.state(intended_use="Everything."),
    "the second has other classes": _other_classes,
    "the second has another network": lambda story: story.change("data/models/ensemble.json", _network),
    "the second has another decision threshold": lambda story: _export(story, _decision),
    "the second has another member": _without_member,
    "the second has a case of another modality": lambda story: story.add_cases(1, "train", modality="light sheet"),
    "the second has another test case": lambda story: story.add_cases(1, "test"),
    "the second has 3 cases more": lambda story: story.add_cases(3, "train"),
    "the second has a case more in the calibration part": lambda story: story.add_cases(1, "calibration"),
    "the second had a third look": _third_look,
    "the second fails a gate": lambda story: story.change("data/release/gates.json", _failed_gate),
    "the first does not verify": lambda story: setattr(story, "verdicts", ("NOT VERIFIED: bag", "VERIFIED")),
    "the second continues another log": _another_log,
    "the second has a subgroup below its limit": _low_subgroup,
}


@when("the second is judged by the plan of the first at the command line")
def _(story: Story) -> None:
    story.told = story.check()


@when("the second is judged by the plan of the first")
def _(story: Story) -> None:
    story.found = judge_change(story.old, story.new, verdicts=story.verdicts)


@then(parsers.parse('it is "{verdict}", with exit code {code:d}'))
def _(story: Story, verdict: str, code: int) -> None:
    assert story.told is not None
    assert story.told.out.splitlines()[-1] == f"vessel-segmenter 1.1.0: {verdict}", story.told
    assert story.told.code == code


@then("each bound is shown with its limit, what was found, entries and digests")
def _(story: Story) -> None:
    found = ChangeJudgement.model_validate_json(story.check("--json").out)
    by_name = {one.bound: one for one in found.bounds}
    assert set(ALWAYS_FIXED) <= set(by_name)
    assert {one.part for one in found.bounds} == {
        "description of modifications",
        "modification protocol",
        "impact assessment",
    }
    assert by_name["looks"].entries == (24, 34)
    assert len(by_name["plan"].digests) == 2
    assert by_name["Dice, change"].found.startswith("+0.0100 (0.0100 to 0.0100); non-inferior")
    assert by_name["modification: retraining"].found.endswith("(planned as retraining)")
    assert found.verdict == worst(found.bounds) == "inside"


@then(parsers.parse('the bound "{name}" is not kept, with the paired difference and its interval'))
def _(story: Story, name: str) -> None:
    found = ChangeJudgement.model_validate_json(story.check("--json").out)
    (bound,) = [one for one in found.bounds if one.verdict != "inside"]
    assert bound.bound == name
    assert re.match(r"-0\.0300 \(.* to .*\); inferior: ", bound.found)


@then(parsers.parse('the bound "{name}" is "{verdict}"'))
def _(story: Story, name: str, verdict: str) -> None:
    assert story.found is not None
    bounds = [one for one in story.found.bounds if one.bound.startswith(name)]
    assert [one.verdict for one in bounds] == [verdict], story.found.bounds


@then(parsers.parse('the release is "{verdict}"'))
def _(story: Story, verdict: str) -> None:
    assert story.found is not None
    assert story.found.verdict == verdict, [one for one in story.found.bounds if one.verdict != "inside"]


@then('the document "change-plan" of the first pack shows the modifications, what must not change, and the bounds')
def _(story: Story) -> None:
    page = story.old.files["data/documents/change-plan.html"].decode("utf-8")
    for words in (
        "Trained again",
        "A subgroup can be segmented worse.",
        "sealed test set",
        "at least 0.85",
        "at most 2",
    ):
        assert words in page, words


@then("the plan of this project is read, and covers the three parts")
def _() -> None:
    plan = load_change_plan(ROOT)
    assert plan is not None
    assert {"retraining", "calibration", "decision"} <= {kind for one in plan.modifications for kind in one.kinds}
    assert all(one.margin is not None and one.subgroups_at_least is not None for one in plan.performance)


def test_a_plan_with_an_unknown_bound_is_refused_by_line(tmp_path: Path) -> None:
    file = tmp_path / "release" / "change-plan.yaml"
    file.parent.mkdir()
    file.write_text("format: minivess-change-plan/1\nlooks_atmost: 2\n", encoding="utf-8")
    with pytest.raises(InputError, match="looks_atmost"):
        load_change_plan(tmp_path)


def test_without_bounds_nothing_is_inside() -> None:
    assert worst(()) == "outside: new submission"
