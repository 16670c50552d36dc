"""Steps of measures.feature."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.ml.measures.cldice import skeleton
from minivess.ml.measures.thinning import components
from minivess.records.evaluation.counts import CentrelineCounts
from minivess.records.evaluation.measures import MEASURES
from tests.support import measure_relations as relations
from tests.support import reference_measures

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
    story.values = {name: relations.value(name, story.masks) for name in MEASURES}


@then("every measure has its best value")
def _(story: Story) -> None:
    assert story.values == {name: relations.perfect(name) for name in MEASURES}


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
    story.values = {name: relations.value(name, story.pair, (), 1.5) for name in MEASURES}


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
    story.after = [{name: relations.value(name, pair, at, 1.5) for name in MEASURES} for pair, at in pairs[changed]]


@then("every measure keeps its value within the stated bound")
def _(story: Story) -> None:
    assert story.after
    for name in MEASURES:
        stated, before = relations.RELATIONS.get(name, relations.Relations()), story.values[name]
        assert before is not None
        slack = stated.turned if story.changed.startswith(("flipped", "turned")) else 0.0
        low, high = before - slack, before + slack
        if story.changed == "put on a finer grid" and stated.refined is not None:
            low, high = stated.refined(story.masks, 1.5)
        for after in story.after:
            found = after[name]
            assert found is not None
            assert low - 1e-12 <= found <= high + 1e-12, name
