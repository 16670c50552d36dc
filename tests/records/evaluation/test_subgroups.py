"""Subgroups, gaps and places are pure functions of the rows, whatever their order."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from minivess.foundation.errors import UsageError
from minivess.records.data.dataset import CaseRecord
from minivess.records.evaluation.cases import CaseCounts, CaseMeasures, check_rows
from minivess.records.evaluation.counted.counts import OverlapCounts
from minivess.records.evaluation.counted.places import (
    RADII,
    ErrorsByPlace,
    FalsePlaces,
    MissedPlaces,
    Place,
    radius_bin,
    words_of,
)
from minivess.records.evaluation.evaluation import Criterion, EvaluationRecord
from minivess.records.evaluation.statistics.distributions import student_t, two_sided
from minivess.records.evaluation.subgroups.figures import place_figures, subgroups, worst_cases
from minivess.records.evaluation.subgroups.gaps import gap_between, holm_of_known
from minivess.records.evaluation.subgroups.sections import Sections, cells_of, first_measure, sections_of
from minivess.records.evaluation.subgroups.strata import attributes_of, strata_of
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.evaluation_plan import analysis_plan
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = [pytest.mark.verifies("SU-157")]

DIGEST = f"sha256:{'6' * 64}"
PLAN = analysis_plan(statistics="mean of groups", bootstrap=150)


def errors(overlap: OverlapCounts) -> ErrorsByPlace:
    """All voxels of a case in one bin of each table."""
    reference, predicted = overlap.tp + overlap.fn, overlap.tp + overlap.fp
    missed = (Place(3, reference, overlap.fn),) if reference else ()
    false = (Place(1, predicted, overlap.fp),) if predicted else ()
    return ErrorsByPlace(
        missed=MissedPlaces(radius=missed, depth=missed, size=missed, components=(), border=missed),
        false=FalsePlaces(size=false, components=(), border=false),
    )


def row(
    name: str, wrong: int, *, group: str | None = None, of_class: str | None = None, **attributes: str
) -> CaseCounts:
    made = counted_case(name, overlap=(110 - wrong, 5, wrong), group=group, of_class=of_class)
    return made.model_copy(update={"attributes": attributes, "errors": errors(made.overlap)})


def record(rows: list[CaseCounts]) -> EvaluationRecord:
    return counted_evaluation(rows, PLAN, model=DIGEST, data=DIGEST, request="r", looks=1)


ROWS = [
    row(
        f"c{number}",
        3 * number % 50,
        group=f"g{number % 14}",
        site="AB"[number % 2],
        sex=("female", "male")[number // 9],
    )
    for number in range(18)
]


@pytest.mark.verifies("REQ-415", "REQ-417")
@settings(max_examples=15)
@given(st.permutations(ROWS))
def test_the_order_of_the_cases_changes_no_subgroup_and_no_place(order: list[CaseCounts]) -> None:
    made, before = record(order), record(ROWS)
    assert subgroups(made, "dice", seed=3) == subgroups(before, "dice", seed=3)
    assert worst_cases(made, "dice") == worst_cases(before, "dice")
    assert place_figures(made, "missed", "radius", seed=3) == place_figures(before, "missed", "radius", seed=3)


@pytest.mark.verifies("REQ-415")
@settings(max_examples=25)
@given(st.lists(st.sampled_from("ABC"), min_size=12, max_size=24))
def test_the_subgroups_of_an_attribute_divide_the_cases(sites: list[str]) -> None:
    rows = [row(f"c{number}", number, site=site) for number, site in enumerate(sites)]
    found = [one for one in subgroups(record(rows), "dice", seed=0).rows if one.attribute == "site"]
    if len(set(sites)) == 1:
        assert not found
        return
    assert {one.value: one.cases for one in found} == {site: sites.count(site) for site in set(sites)}
    means = math.fsum((one.mean or 0) * one.cases for one in found) / len(sites)
    assert means == pytest.approx(math.fsum(one.dice for one in rows) / len(sites))
    assert [one.mean for one in found] == sorted(one.mean or 0 for one in found)
    assert all((one.interval is None) == (sites.count(one.value) < 5) for one in found)


@pytest.mark.verifies("REQ-415")
def test_a_distance_is_worst_where_it_is_largest_or_undefined() -> None:
    rows = [
        counted_case(f"c{number}", distance=2.0 + number).model_copy(update={"attributes": {"site": "AB"[number // 6]}})
        for number in range(12)
    ]
    rows[0] = counted_case("c0", overlap=(0, 0, 20)).model_copy(update={"attributes": {"site": "A"}})
    first, second = (one for one in subgroups(record(rows), "hd95", seed=0).rows if one.attribute == "site")
    assert (first.value, second.value, second.undefined, second.note) == ("B", "A", 1, "undefined in 1")
    assert [one.case for one in worst_cases(record(rows), "hd95", 2)] == ["c0", "c11"]
    assert second.groups == 6
    assert second.rest is not None
    assert second.rest.groups == (5, 6)


@pytest.mark.verifies("REQ-415", "REQ-417")
def test_reports_show_the_measures_that_criteria_limit() -> None:
    criteria = tuple(Criterion(measure=name, at_least=0.5) for name in ("nsd", "failures", "cldice"))
    plan, found = PLAN.model_copy(update={"criteria": criteria}), record(ROWS)
    shown = sections_of(found, plan)
    assert [one.measure for one in shown.subgroups] == ["cldice", "nsd"]
    assert shown.subgroups[0] == subgroups(found, "cldice", seed=plan.seed)
    assert first_measure(found, plan).subgroups == shown.subgroups[:1]
    headings = [one.heading for one in shown.places]
    assert headings[:2] == ["missed by radius of the vessel", "missed by depth in the volume"]
    assert "false by distance to the border" in headings
    assert "false by radius of the vessel" not in headings
    assert shown.worst == worst_cases(found, "cldice", 10)
    assert shown.readers == ()
    lines = cells_of(shown.subgroups[0], found, digits=2)
    assert len(lines) == len(shown.subgroups[0].rows) + 1
    assert {len(line) for line in lines} == {6}


@pytest.mark.verifies("REQ-415")
def test_an_evaluation_without_counts_shows_nothing() -> None:
    row = CaseMeasures(case="a", subject="a", values={"dice": 0.5}, baseline_dice=0.25)
    old = record([counted_case("a")]).model_copy(update={"format": None, "cases": (row,)})
    assert sections_of(old, PLAN) == first_measure(old, PLAN) == Sections()


@pytest.mark.verifies("REQ-415")
def test_a_class_has_subgroups_of_its_own() -> None:
    rows = [
        row(f"c{number}", wrong, of_class=name, site="AB"[number // 6])
        for number in range(12)
        for name, wrong in (("artery", 5 + number % 6), ("vein", 40 + number))
    ]
    found = record(rows)
    shown = sections_of(found, PLAN)
    assert [one.of_class for one in shown.subgroups] == ["artery", "vein"]
    assert {one.of_class for one in shown.places} == {"artery", "vein"}
    assert shown.worst[0].of_class == "vein"
    assert cells_of(shown.subgroups[1], found)[0][0] == "dice of vein by subgroup"
    artery, vein = (subgroups(found, "dice", seed=0, of_class=name).rows for name in ("artery", "vein"))
    assert artery[0].rest is not None
    assert vein[0].rest is not None
    assert (artery[0].rest.value, artery[0].rest.p) == (0.0, 1.0)
    assert vein[0].rest.value < 0
    assert {one.cases for one in subgroups(found, "dice", seed=0).rows} == {6}
    with pytest.raises(UsageError, match="no class capillary"):
        subgroups(found, "dice", seed=0, of_class="capillary")
    with pytest.raises(UsageError, match="no class capillary"):
        place_figures(found, "missed", "size", seed=0, of_class="capillary")
    with pytest.raises(UsageError, match="have no betti"):
        subgroups(found, "betti", seed=0)
    with pytest.raises(ValueError, match="rows of different attributes"):
        check_rows([*rows[:-1], rows[-1].model_copy(update={"attributes": {"site": "A"}})])


@pytest.mark.verifies("REQ-415")
@settings(max_examples=40)
@given(
    st.lists(st.floats(0, 1), min_size=5, max_size=9),
    st.lists(st.floats(0, 1), min_size=5, max_size=9),
    st.integers(0, 5),
)
def test_the_gap_of_two_sides_is_that_of_the_other_turned_round(
    first: list[float], second: list[float], shared: int
) -> None:
    one = {f"g{number}": value for number, value in enumerate(first)}
    other = {f"g{number + len(first) - shared}": value for number, value in enumerate(second)}
    there, back = (gap_between(*pair, level=0.95, seed=0) for pair in ((one, other), (other, one)))
    assert there.shared == back.shared == shared
    assert (there.value, there.lower, there.upper) == pytest.approx((-back.value, -back.upper, -back.lower))
    assert there.lower is not None
    assert there.lower <= there.value


@pytest.mark.verifies("REQ-415")
def test_without_common_groups_the_variance_is_that_of_welch() -> None:
    first, second = [0.8, 0.9, 0.7, 0.85, 0.95, 0.6], [0.5, 0.55, 0.7, 0.4, 0.65]
    gap = gap_between(
        dict(zip("abcdef", first, strict=True)), dict(zip("vwxyz", second, strict=True)), level=0.95, seed=0
    )
    variances = [
        math.fsum((x - math.fsum(v) / len(v)) ** 2 for x in v) / (len(v) - 1) / len(v) for v in (first, second)
    ]
    error = math.sqrt(sum(variances))
    assert gap.value == pytest.approx(0.8 - 0.56)
    assert gap.upper == pytest.approx(0.24 + student_t(0.95, 4) * error)
    assert gap.p == pytest.approx(two_sided(0.24 / error, 4))


@pytest.mark.verifies("REQ-415")
@settings(max_examples=25)
@given(st.floats(0.5, 0.999), st.integers(1, 40))
def test_the_p_value_is_the_inverse_of_the_quantile(level: float, freedom: int) -> None:
    assert two_sided(student_t(level, freedom), freedom) == pytest.approx(1 - level, abs=1e-12)


@pytest.mark.verifies("REQ-415")
def test_p_values_are_adjusted_step_by_step() -> None:
    assert holm_of_known([0.01, None, 0.04, 0.03]) == [
        pytest.approx(0.03),
        None,
        pytest.approx(0.06),
        pytest.approx(0.06),
    ]
    assert holm_of_known([0.9, 0.8]) == [1.0, 1.0]
    assert two_sided(0.0, 3) == 1.0
    with pytest.raises(UsageError, match="has no probability"):
        two_sided(-1.0, 3)


@pytest.mark.verifies("REQ-417")
def test_each_case_weighs_the_same_in_the_figures_of_a_place() -> None:
    large = counted_case("large", overlap=(1000, 0, 1000), voxels=9000)
    rows = [row(f"c{number}", 0) for number in range(5)] + [
        large.model_copy(update={"attributes": {}, "errors": errors(large.overlap)})
    ]
    [figure] = place_figures(record(rows), "missed", "radius", seed=0)
    assert (figure.whole, figure.wrong, figure.groups, figure.cases) == (2550, 1000, 6, 6)
    assert figure.share == pytest.approx(0.5 / 6)
    assert figure.interval is not None
    assert figure.interval.lower == 0.0
    [few] = place_figures(record(rows[:4]), "missed", "radius", seed=0)
    assert few.interval is None
    assert place_figures(record([counted_case("a")]), "missed", "size", seed=0) == ()


@pytest.mark.verifies("REQ-417")
@pytest.mark.parametrize(
    ("places", "words"),
    [
        ((Place(2, 1, 0), Place(1, 1, 0)), "ascending order"),
        ((Place(1, 1, 0), Place(1, 1, 0)), "ascending order"),
        ((Place(1, 1, 2),), "more errors"),
        ((Place(1, 0, 0),), "greater than or equal to 1"),
    ],
)
def test_tables_that_contradict_themselves_are_refused(places: tuple[Place, ...], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        MissedPlaces(radius=places, size=(), components=(), border=())


@pytest.mark.verifies("REQ-417")
def test_bins_have_words() -> None:
    assert [radius_bin(one) for one in (0.0, 0.01, 1 / 64, 1.0, 1.49, 1.5, 6144.0, 1e9)] == [
        0,
        0,
        1,
        13,
        13,
        14,
        38,
        38,
    ]
    assert len(RADII) == 39
    assert words_of("radius", 14, "um") == "1.5 to 2 µm"
    assert words_of("radius", 38, "mm") == "6144 mm and more"
    assert words_of("size", 2, "um") == "100 to 999 voxels"
    assert words_of("depth", 0, "px") == "tenth 1 of 10"
    assert [words_of("border", one, "um") for one in (0, 1)] == ["in the border band", "elsewhere"]


def case(**changes: object) -> CaseRecord:
    stated = {
        "id": "a",
        "subject": "a",
        "acquisition": "a",
        "shape": (43, 8, 8),
        "spacing": (5.0, 1.0, 1.0),
        "modality": "MR",
        "image": DIGEST,
        "label": DIGEST,
        "source_dtype": "uint8",
        "label_values": (0, 1),
        "foreground_fraction": 0.1,
    }
    return CaseRecord.model_validate({**stated, **changes})


@pytest.mark.verifies("REQ-414")
@pytest.mark.parametrize(
    ("changes", "depth"),
    [
        ({}, "200 to 500 µm"),
        ({"spacing": (500.0, 1.0, 1.0)}, "20 to 50 mm"),
        ({"unit": "px"}, "20 to 50 slices"),
        ({"shape": (43, 8), "spacing": (1.0, 1.0), "axes": "yx"}, None),
        ({"shape": (1, 8, 8), "spacing": (0.02, 1.0, 1.0)}, "0.02 to 0.05 µm"),
    ],
)
def test_the_depth_is_a_band(changes: dict[str, object], depth: str | None) -> None:
    assert attributes_of(case(**changes)).get("depth") == depth


@pytest.mark.verifies("REQ-414")
def test_attributes_of_files_are_taken_whatever_they_contain() -> None:
    found = attributes_of(case(scanner="x\ny" + "z" * 150, site="\u200b", attributes={"stain": "DAPI"}))
    assert found == {"depth": "200 to 500 µm", "modality": "MR", "scanner": "x y" + "z" * 57, "stain": "DAPI"}
    assert counted_case("a").model_copy(update={"attributes": found}).attributes == found


@pytest.mark.verifies("REQ-415")
def test_the_size_of_the_reference_cuts_the_cases_in_thirds() -> None:
    rows = [counted_case(f"c{number}", overlap=(10 * number + 10, 5, 10), voxels=1000) for number in range(6)]
    sizes = [one["reference_size"].split(":")[0] for one in strata_of(record(rows)).values()]
    assert sizes == ["small", "small", "middle", "middle", "large", "large"]
    assert strata_of(record(rows[::-1])) == strata_of(record(rows))
    assert {
        one["reference_size"] for one in strata_of(record([rows[0], counted_case("z", overlap=(10, 5, 10))])).values()
    } == {"large: 2 % and more"}


@pytest.mark.verifies("REQ-415")
def test_the_coverage_of_a_gap_falls_where_one_group_of_few_failed() -> None:
    good = {f"b{number}": 0.9 + number / 1000 for number in range(6)}
    failed = {f"a{number}": 0.9 + number / 1000 for number in range(4)} | {"a9": 0.1}
    coverage = gap_between(failed, good, level=0.95, seed=0).coverage
    assert coverage is not None
    assert 0.55 < coverage < 0.75  # a third of the samples of 5 have no failure, and an interval around 0


@pytest.mark.verifies("REQ-415", "REQ-416")
def test_the_best_subgroup_is_one_that_is_stated_and_has_enough_groups() -> None:
    wrongs = {"A": [30] * 6, "B": [20] * 6, "C": [1] * 4, None: [1] * 6}
    rows = [
        row(f"{site}{number}", wrong + number, **({} if site is None else {"site": site}))
        for site, values in wrongs.items()
        for number, wrong in enumerate(values)
    ]
    found = {one.value: one for one in subgroups(record(rows), "dice", seed=0).rows if one.attribute == "site"}
    assert found["B"].best is None
    assert found["A"].best is not None
    assert found["A"].best.value == pytest.approx((found["A"].mean or 0) - (found["B"].mean or 0))
    better = found["not stated"].best
    assert better is not None
    assert better.value > 0


@pytest.mark.verifies("REQ-415")
def test_intervals_have_the_level_of_the_looks_and_stay_within_the_measure() -> None:
    rows = [row(f"c{number}", 40 if number % 6 == 0 else 0, site="AB"[number // 6]) for number in range(12)]
    made = counted_evaluation(rows, PLAN, model=DIGEST, data=DIGEST, request="r", looks=3)
    for one in subgroups(made, "dice", seed=0).rows:
        assert one.interval is not None
        assert one.rest is not None
        assert one.interval.level == one.rest.level == 1 - 0.05 / 3
        assert one.interval.upper == 1.0


@pytest.mark.verifies("REQ-417")
def test_the_cases_of_one_group_weigh_as_one_group_in_a_place() -> None:
    rows = [row(f"a{number}", 0, group="a") for number in range(4)] + [row(f"b{number}", 55) for number in range(5)]
    [figure] = place_figures(record(rows), "missed", "border", seed=0)
    assert (figure.groups, figure.cases) == (6, 9)
    assert figure.share == pytest.approx(5 / 6 * 0.5)


@pytest.mark.verifies("REQ-415")
def test_the_correction_is_stated_where_there_is_a_p_value() -> None:
    assert "adjusted by Holm for" in subgroups(record(ROWS), "dice", seed=0).basis
    few = subgroups(record(ROWS[:4]), "dice", seed=0)
    assert few.comparisons == 0
    assert "Holm" not in few.basis
