"""Steps of measures.feature."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.errors import InputError
from minivess.foundation.paths import release_policy
from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.nsd import nsd
from minivess.ml.measures.registry import count_measures
from minivess.ml.measures.shapes.skeletons import skeleton
from minivess.ml.measures.shapes.surface import border_distances
from minivess.ml.measures.shapes.thinning import components
from minivess.records.device.project import Project
from minivess.records.evaluation.counted.counts import CaseNumbers, CentrelineCounts, OverlapCounts
from minivess.records.evaluation.evaluation import SKELETON, AnalysisPlan, Conventions
from minivess.records.evaluation.measures import MEASURES
from minivess.workflows.sealed import registration
from minivess.workflows.sealed.analysis_plan import plan_of
from tests.support import measure_relations as relations
from tests.support import projects, reference_measures

scenarios("measures.feature")

FIELD = (12, 14, 30)


@dataclass
class Story:
    """Masks and what was measured."""

    pair: relations.Pair | None = None
    values: dict[str, float | None] = field(default_factory=dict)
    after: list[dict[str, float | None]] = field(default_factory=list)
    changed: str = ""
    by_pair: dict[str, dict[str, float | None]] = field(default_factory=dict)
    spacing: tuple[float, ...] = ()
    apart: list[relations.Pair] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    counts: dict[str, CaseNumbers] = field(default_factory=dict)
    thinned: list[int] = field(default_factory=list)
    compared: list[int] = field(default_factory=list)
    project: Project | None = None
    plan: AnalysisPlan | None = None
    refused: str = ""

    @property
    def masks(self) -> relations.Pair:
        assert self.pair is not None
        return self.pair


@pytest.fixture
def story() -> Story:
    return Story()


def bar(*sides: slice) -> np.ndarray:
    mask = np.zeros(FIELD, np.bool_)
    mask[sides] = True
    return mask


EVEN, ODD = bar(slice(2, 4), slice(2, 4), slice(3, 23)), bar(slice(7, 10), slice(8, 11), slice(3, 23))
CONTENTS = {
    "a vessel 2 x 2 voxels wide": EVEN,
    "two vessels, one of them of even width": EVEN | ODD,
    "a solid box of 4 x 6 x 8 voxels": bar(slice(2, 6), slice(2, 8), slice(2, 10)),
    "one voxel": bar(slice(5, 6), slice(5, 6), slice(5, 6)),
    "nothing": np.zeros(FIELD, np.bool_),
}


@given(parsers.re("a mask with (?P<content>.+)"))
def _(story: Story, content: str) -> None:
    story.pair = (CONTENTS[content], CONTENTS[content].copy())


@when("the mask is compared with itself")
def _(story: Story) -> None:
    story.values = relations.values(story.masks)


@then("every measure has its best value")
def _(story: Story) -> None:
    mask = story.masks[0]
    assert all(relations.is_perfect_alone(name, value, mask) for name, value in story.values.items())


@then("each component of the mask has a part of the skeleton")
def _(story: Story) -> None:
    labels, count = components(story.masks[0])
    assert set(labels[skeleton(story.masks[0])].tolist()) == set(range(1, count + 1))


@given("a vessel 2 x 2 voxels wide, of which the prediction has half")
def _(story: Story) -> None:
    half = EVEN.copy()
    half[:, :, 13:] = False
    story.pair = (half, EVEN)


@when("the centrelines are compared", target_fixture="centrelines")
def _(story: Story) -> CentrelineCounts:
    counted = relations.counted("cldice", story.masks)
    assert isinstance(counted, CentrelineCounts)
    return counted


@then("the precision is 1 and the sensitivity is one half")
def _(centrelines: CentrelineCounts) -> None:
    assert centrelines.predicted_inside == centrelines.predicted == 10
    assert (centrelines.reference_inside, centrelines.reference) == (10, 20)


@given("the stored table of the reference implementation")
def _(story: Story) -> None:
    assert len(reference_measures.table()) == 21


@when("its pairs of masks are measured")
def _(story: Story) -> None:
    story.by_pair = {name: pair.ours for name, pair in reference_measures.table().items()}


@then("each value is equal to 1e-9, or is a stated difference")
def _(story: Story) -> None:
    for name, values in story.by_pair.items():
        assert values == pytest.approx(reference_measures.expected(name), abs=1e-9), name


@given("a prediction of vessels with faults")
def _(story: Story) -> None:
    story.pair = relations.vessel_pair(0)
    story.values = relations.values(story.pair, (), 1.5)


@when(parsers.parse("both masks are {changed}"))
def _(story: Story, changed: str) -> None:
    (first, second), step = story.masks, relations.SPACING
    order = (2, 0, 1)
    pairs: dict[str, list[tuple[relations.Pair, tuple[float, ...]]]] = {
        "exchanged": [((second, first), step)],
        "flipped along each axis": [((np.flip(first, axis), np.flip(second, axis)), step) for axis in range(3)],
        "turned with their spacing": [
            ((first.transpose(order), second.transpose(order)), tuple(step[axis] for axis in order))
        ],
        "put into a larger field": [((np.pad(first, 3), np.pad(second, 3)), step)],
        "put on a finer grid": [
            ((relations.refined(first), relations.refined(second)), tuple(one / 2 for one in step))
        ],
    }
    story.changed = changed
    story.after = [relations.values(pair, at, 1.5) for pair, at in pairs[changed]]


@then("every measure keeps its value within the stated bound")
def _(story: Story) -> None:
    assert story.after
    for name in MEASURES:
        stated, before = relations.RELATIONS.get(name, relations.Relations()), story.values[name]
        if story.changed == "exchanged" and not stated.symmetric:
            continue
        if story.changed == "put into a larger field" and name == "specificity":
            continue  # the background of the field counts in it
        assert before is not None
        slack = stated.turned if story.changed.startswith(("flipped", "turned")) else 0.0
        low, high = before - slack, before + slack
        if story.changed == "put on a finer grid" and stated.refined is not None:
            low, high = stated.refined(story.masks, 1.5)
        for after in story.after:
            found = after[name]
            assert found is not None
            assert low - 1e-12 <= found <= high + 1e-12, name


@when("all measures are counted for a case")
def _(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    def thin(mask: np.ndarray) -> np.ndarray:
        story.thinned.append(id(mask))
        return skeleton(mask)

    def compare(*borders: Any) -> Any:
        story.compared.append(1)
        return border_distances(*borders)

    monkeypatch.setattr("minivess.ml.measures.case_pairs.RULES", {SKELETON: thin})
    monkeypatch.setattr("minivess.ml.measures.case_pairs.border_distances", compare)
    spacing = story.spacing or relations.spacing_of(story.masks[0])
    pair, conventions = CasePair.of(*story.masks, spacing), Conventions(tolerance=1.5, unit="um")
    story.counts = count_measures(pair, conventions, MEASURES)
    size = story.masks[0].size
    story.values = {name: row.value(story.counts[row.counted_as], size) for name, row in MEASURES.items()}


@then("the counts of Dice and of clDice are there once")
def _(story: Story) -> None:
    shared = ["dice", "cldice", "nsd", "hd95", "distances", "boundary_iou", "topology", "objects", "network"]
    assert list(story.counts) == shared


@then("each measure of the plan follows from the counts that a reader of the record has")
def _(story: Story) -> None:
    overlap, line = story.counts["dice"], story.counts["cldice"]
    assert isinstance(overlap, OverlapCounts)
    assert isinstance(line, CentrelineCounts)
    tp, fp, fn, size = overlap.tp, overlap.fp, overlap.fn, story.masks[0].size
    expected = {
        "iou": tp / (tp + fp + fn),
        "sensitivity": tp / (tp + fn),
        "specificity": (size - tp - fp - fn) / (size - tp - fn),
        "ppv": tp / (tp + fp),
        "volume_error": abs(fp - fn) / (tp + fn),
        "skeleton_precision": line.predicted_inside / line.predicted,
        "skeleton_recall": line.reference_inside / line.reference,
    }
    assert {name: story.values[name] for name in expected} == expected


@given(parsers.parse("a {kind} and the same one moved by 2 voxels along an axis of 3 µm"))
def _(story: Story, kind: str) -> None:
    mask = bar(slice(2, 6), slice(2, 8), slice(2, 20))
    mask = mask[4] if kind == "plane" else mask
    story.pair, story.spacing = (np.roll(mask, 2, -1), mask), (1.0,) * (mask.ndim - 1) + (3.0,)


@then("the Hausdorff distance is 6 µm, and the mean distances are between 0 and 6 µm")
def _(story: Story) -> None:
    assert story.values["hd"] == 6.0
    for name in ("assd", "masd"):
        assert 0 < (story.values[name] or 0) < 6


@then("all 15 measures of the table are compared")
def _(story: Story) -> None:
    for name, values in story.by_pair.items():
        assert len(values) == 15
        assert values == pytest.approx(reference_measures.expected(name), abs=reference_measures.CLOSE), name


@then("each listed difference is one")
def _(story: Story) -> None:
    for (pair, measure), listed in reference_measures.differences().items():
        stored, ours = listed.reference, story.by_pair[pair][measure]
        assert stored is None or abs(stored - (ours or 0)) > reference_measures.CLOSE


@given(parsers.parse("a ring of vessels in which {fault}"))
def _(story: Story, fault: str) -> None:
    ring = np.zeros((7, 21, 21), np.bool_)
    ring[2:5, 2:19, 2:19] = True
    ring[2:5, 5:16, 5:16] = False
    found = ring.copy()
    if fault in {"a gap opens the ring", "two gaps cut the ring in two"}:
        found[:, 2:5, 9:12] = False
    if fault == "two gaps cut the ring in two":
        found[:, 16:19, 9:12] = False
    if fault == "a bar is drawn through it":
        found[3, 5:16, 10] = True
    story.pair = (found, ring)


@then(parsers.parse("the Betti-0 error is {components:d} and the Betti-1 error is {tunnels:d}"))
def _(story: Story, components: int, tunnels: int) -> None:
    assert (story.values["betti0_error"], story.values["betti1_error"]) == (components, tunnels)


@given("two straight vessels, of which the prediction has one and half of the other, and a speck that is none")
def _(story: Story) -> None:
    true, other = bar(slice(1, 4), slice(1, 4), slice(2, 23)), bar(slice(8, 11), slice(8, 11), slice(2, 23))
    half = bar(slice(8, 11), slice(8, 11), slice(2, 12))
    speck = bar(slice(6, 7), slice(1, 2), slice(28, 29))
    story.pair, story.spacing = (true | half | speck, true | other), (1.0, 1.0, 1.0)


@then("one object matches, as half of the other is not enough")
def _(story: Story) -> None:
    assert story.counts["objects"].model_dump() == {"tp": 1, "fp": 2, "fn": 1}
    assert story.values["object_f1"] == 2 / 5


@then("the skeleton has 3 branches for 2 and a length of 25 µm for 36 µm, and the vessels have a radius of 2 µm")
def _(story: Story) -> None:
    network = story.counts["network"].model_dump()
    assert (network["predicted_branches"], network["reference_branches"]) == (3, 2)
    assert (network["predicted_length"], network["reference_length"]) == (25.0, 36.0)
    assert network["reference_radius"] == 2.0
    assert story.values["branch_error"] == 1 / 2
    assert story.values["length_error"] == 11 / 36
    assert 0 < (story.values["radius_error"] or 0) < 0.05  # the speck is thin


@then("each mask was thinned once, and the borders were compared once")
def _(story: Story) -> None:
    assert (len(story.thinned), len(set(story.thinned)), len(story.compared)) == (2, 2, 1)


CHOSEN = ("iou", "sensitivity", "object_f1")
DEVICE = {"name": "d", "version": "1", "manufacturer": "m", "intended_use": "u", "safety_class": "B"}


def project_with(*criteria: dict[str, object]) -> dict[str, object]:
    dice = {"measure": "dice", "at_least": 0.5}
    return {
        "device": DEVICE,
        "data": {"name": "set", "licence": "CC0", "source": "test", "synthetic": {}},
        "evaluation": {"tolerance": "2 µm", "measures": list(CHOSEN), "criteria": [dice, *criteria]},
    }


@given("a project that chooses iou, sensitivity and object_f1")
def _(story: Story) -> None:
    story.project = Project.model_validate(project_with())


@when("its plan is made")
def _(story: Story) -> None:
    assert story.project is not None
    story.plan = plan_of(story.project)


@then("the plan has these measures, with a sentence for each")
def _(story: Story) -> None:
    assert story.plan is not None
    assert story.plan.measures == CHOSEN
    stated = story.plan.conventions.of_measure
    assert stated == {name: MEASURES[name].convention for name in CHOSEN}
    assert all("empty" in text for text in stated.values())
    assert AnalysisPlan.model_validate_json(story.plan.model_dump_json()) == story.plan


@when(parsers.parse("{what} on the Hausdorff distance is added"))
def _(story: Story, what: str, started_project: projects.ProjectFolder, tmp_path: Path) -> None:
    if what == "a criterion":
        with pytest.raises(ValidationError) as refused:
            Project.model_validate(project_with({"measure": "hd", "at_most": 5}))
        story.refused = str(refused.value)
        return
    folder = started_project.copy_to(tmp_path / "project")
    policy = yaml.safe_load(release_policy().read_text(encoding="utf-8"))
    policy["gates"].append({"id": "far", "kind": "metric", "measure": "hd", "at_most": 5})
    path = folder.workspace.root / "release" / "policy.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(policy), encoding="utf-8")
    with folder.services() as services, pytest.raises(InputError) as caught:
        registration.register_policy(services, folder.signers["max"])
    story.refused = f"{caught.value} {caught.value.hint}"


@then("it is refused, and the message says where to add the measure")
def _(story: Story) -> None:
    assert "limits hd" in story.refused
    assert "`measures`" in story.refused or "evaluation.measures" in story.refused


@given(parsers.parse("two masks whose borders are 2 voxels of {spacing:f} mm apart, at 60 places in a volume"))
def _(story: Story, spacing: float) -> None:
    story.spacing = (spacing,) * 3
    for place in range(60):
        first, second = (np.zeros((40, 70, 30), bool) for _ in range(2))
        first[1, place, 1] = second[1, place + 2, 1] = True
        story.apart.append((first, second))


@when("NSD is computed at the tolerance that follows from the spacing")
def _(story: Story) -> None:
    tolerance = float(f"{2 * story.spacing[0]:.6g}")
    story.shares = [nsd(first, second, story.spacing, tolerance) for first, second in story.apart]


@then("it is 1 at each place")
def _(story: Story) -> None:
    assert story.shares == [1.0] * 60
