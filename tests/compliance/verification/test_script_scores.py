"""verify.py on scores of probabilities and grids: its figures, and the cases it refuses, are those of the product."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from minivess.compliance.proofs.canonical import canonical
from minivess.records.evaluation.cases import CaseCounts, check_rows
from minivess.records.evaluation.counted.counts import MILLION, BinCounts
from minivess.records.evaluation.counted.scores import FINE_BINS, LOSSES, RANGES, ScoreCounts, adaptive_error
from minivess.records.evaluation.evaluation import AnalysisPlan
from minivess.records.evaluation.recomputation import figures_of
from tests.support.builders.counted_cases import counted_case
from tests.support.builders.evaluation_plan import analysis_plan
from tests.support.properties import given, settings
from tests.support.properties import strategies as st
from tests.support.verify_script import verify

pytestmark = [pytest.mark.verifies("REQ-382"), pytest.mark.verifies("SU-91")]

PLANS = [analysis_plan(bootstrap=100), analysis_plan(bootstrap=100, statistics="mean of groups")]
Change = Callable[[dict[str, Any]], None]


@st.composite
def scores(draw: st.DrawFn) -> ScoreCounts:
    """Voxels with a probability in the middle of their bins."""
    rows, sums = [BinCounts(0, 0, 0)] * FINE_BINS, dict.fromkeys(LOSSES, 0.0)
    places = draw(st.lists(st.integers(0, FINE_BINS - 1), unique=True, max_size=8))
    for place in places:
        voxels = draw(st.integers(1, 50))
        positives = draw(st.integers(0, voxels))
        likely = (place + 0.5) / FINE_BINS
        rows[place] = BinCounts(voxels, round(voxels * likely * MILLION), positives)
        for name, loss in LOSSES.items():
            sums[name] += positives * loss(likely) + (voxels - positives) * loss(1 - likely)
    return ScoreCounts(**{name: round(total * MILLION) for name, total in sums.items()}, bins=tuple(rows))


@given(scores())
def test_every_score_is_that_of_the_product(held: ScoreCounts) -> None:
    case = counted_case("a", scored=True).model_copy(update={"scores": held, "border_scores": held})
    plain = {name: json.loads(canonical(held)) for name in ("scores", "border_scores")}
    assert {name: verify.score(name, plain) for name in verify.SCORES} == dict(case.score_values)


def test_as_many_voxels_as_ranges_are_a_range_each() -> None:
    rows = [BinCounts(0, 0, 0)] * FINE_BINS
    for place in range(RANGES):
        rows[5 * place] = BinCounts(1, round((5 * place + 0.5) * MILLION / FINE_BINS), place % 2)
    likely = [(5 * place + 0.5) / FINE_BINS for place in range(RANGES)]
    sums = {
        name: sum(loss(one if place % 2 else 1 - one) for place, one in enumerate(likely))
        for name, loss in LOSSES.items()
    }
    held = ScoreCounts(**{name: round(total * MILLION) for name, total in sums.items()}, bins=tuple(rows))
    expected = sum(abs(one - place % 2) for place, one in enumerate(likely)) / RANGES
    assert adaptive_error(held) == pytest.approx(expected)
    assert verify.score("ace", {"scores": json.loads(canonical(held))}) == adaptive_error(held)


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.sampled_from(("g", "h", "i", "j"))),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(PLANS),
)
def test_figures_with_scores_are_those_of_the_product(
    drawn: list[tuple[int, int, int, str]], plan: AnalysisPlan
) -> None:
    cases = [
        counted_case(f"c{place}", overlap=row[:3], group=row[3], distance=None, scored=True, shape=(40, 25))
        for place, row in enumerate(drawn)
    ]
    made = figures_of(cases, plan.conventions, seed=plan.seed, level=0.98)
    told = verify.figures_of([json.loads(canonical(case)) for case in cases], json.loads(canonical(plan)), 0.98)
    assert told == json.loads(made.model_dump_json())


CASE = json.loads(canonical(counted_case("a", scored=True, shape=(10, 10, 10))))
NUMBERS = st.sampled_from([-1, 0, 1, 2, 10, 19, 20, 100, 1000, 10_000, 900_000, 4_000_000, 10**9])
FIELDS = ("scores", "border_scores")


@st.composite
def changes(draw: st.DrawFn) -> list[Change]:
    """Changes of single numbers, rows and fields of a case."""
    found: list[Change] = []
    for _ in range(draw(st.integers(1, 3))):
        field, kind = draw(st.sampled_from(FIELDS)), draw(st.integers(0, 6))
        place, other = draw(st.sampled_from((0, 1, 20, 89, 90, 99))), draw(st.sampled_from((1, 20, 90)))
        column, by = draw(st.integers(0, 2)), draw(NUMBERS)
        name = draw(st.sampled_from(("brier", "nll")))
        size = draw(st.sampled_from((1, 5, 10, 20)))

        def number(case: dict[str, Any], f: str = field, p: int = place, c: int = column, b: int = by) -> None:
            case[f]["bins"][p][c] += b

        def total(case: dict[str, Any], f: str = field, n: str = name, b: int = by) -> None:
            case[f][n] += b

        def swap(case: dict[str, Any], f: str = field, p: int = place, o: int = other) -> None:
            bins = case[f]["bins"]
            bins[p], bins[o] = bins[o], bins[p]

        def move(case: dict[str, Any], f: str = field, p: int = place, o: int = other) -> None:
            if case[f]["bins"][o][0]:
                case[f]["bins"][p][0] += 1
                case[f]["bins"][o][0] -= 1

        def drop(case: dict[str, Any], f: str = draw(st.sampled_from((*FIELDS, "shape", "spacing")))) -> None:
            case.pop(f, None)

        def shape(case: dict[str, Any], s: int = size) -> None:
            case["shape"] = [s, 1000 // s]

        def axes(case: dict[str, Any], s: int = size) -> None:
            case["spacing"] = [0.5] * (1 + s // 5)

        found.append((number, total, swap, move, drop, shape, axes)[kind])
    return found


def refitted(case: dict[str, Any]) -> None:
    """Give the sums the values of voxels in the middle of their bins."""
    for field in FIELDS:
        for name, loss in LOSSES.items():
            total = sum(
                row[2] * loss((place + 0.5) / FINE_BINS) + (row[0] - row[2]) * loss(1 - (place + 0.5) / FINE_BINS)
                for place, row in enumerate(case[field]["bins"])
            )
            case[field][name] = round(total * MILLION)


def more_positives_than_voxels(case: dict[str, Any]) -> None:
    """All sums stay: another bin has one positive fewer."""
    case["scores"]["bins"][20][2] += 1
    case["scores"]["bins"][90][2] -= 1
    refitted(case)


def fewer_voxels(case: dict[str, Any]) -> None:
    """The sum of the probabilities stays."""
    case["scores"]["bins"][1][0] -= 1
    refitted(case)


def fewer_positives(case: dict[str, Any]) -> None:
    """Voxels and probabilities stay."""
    case["border_scores"]["bins"][20][2] -= 1
    refitted(case)


def larger_along_the_border(name: str) -> Change:
    """The case is all border, so that sums that are there twice differ alone."""

    def change(case: dict[str, Any]) -> None:
        case["border_bins"], case["border_scores"] = case["bins"], copy.deepcopy(case["scores"])
        case["border_scores"][name] += 2

    return change


FAULTS: dict[str, Change] = {
    "more positives than voxels": more_positives_than_voxels,
    "fewer voxels": fewer_voxels,
    "fewer positives": fewer_positives,
    "a Brier score that is too low": lambda case: case["scores"].update(brier=0),
    "a log likelihood that is too low": lambda case: case["border_scores"].update(nll=0),
    "a Brier score that is too high": lambda case: case["border_scores"].update(brier=10**9),
    "a larger Brier score along the border": larger_along_the_border("brier"),
    "a larger log likelihood along the border": larger_along_the_border("nll"),
    "a shape of another size": lambda case: case.update(shape=[10, 10, 11]),
    "one axis": lambda case: case.update(shape=[1000], spacing=[1.0]),
    "no scores along the border": lambda case: case.pop("border_scores"),
    "no spacing": lambda case: case.pop("spacing"),
    "99 bins": lambda case: case["scores"]["bins"].pop(40),
    "a probability outside its bin": lambda case: case["scores"]["bins"][1].__setitem__(1, 40_000_000),
}


def judged(case: dict[str, Any]) -> dict[str, bool]:
    """Whether each verifier accepts a case."""
    found = {"product": True, "verify.py": True}
    try:
        CaseCounts.model_validate_json(json.dumps(case), strict=True)
    except ValidationError:
        found["product"] = False
    try:
        verify.check_case(verify.fit(case, "case", "a case"))
    except verify.WrongError:
        found["verify.py"] = False
    return found


@pytest.mark.verifies("REQ-383", "REQ-384")
@pytest.mark.parametrize("fault", FAULTS)
def test_each_contradiction_is_refused_by_both(fault: str) -> None:
    case = copy.deepcopy(CASE)
    refitted(case)
    assert judged(case) == {"product": True, "verify.py": True}
    FAULTS[fault](case)
    assert judged(case) == {"product": False, "verify.py": False}


@pytest.mark.verifies("REQ-384")
def test_rows_of_one_case_with_other_grids_are_refused_by_both() -> None:
    rows = [counted_case("a", of_class=name, scored=True, shape=(10, 10, 10)) for name in ("artery", "vein")]
    plain = [json.loads(canonical(row)) for row in rows]
    verify.check_rows(plain)
    for change in ({"shape": [5, 20, 10]}, {"spacing": [2, 2, 4]}):
        with pytest.raises(verify.WrongError, match="case a has rows of different shapes"):
            verify.check_rows([plain[0], plain[1] | change])
        with pytest.raises(ValueError, match="rows of different subjects, groups, shapes"):
            check_rows([rows[0], CaseCounts.model_validate(plain[1] | change)])


@pytest.mark.verifies("REQ-383", "REQ-384")
@settings(max_examples=300)
@given(changes())
def test_cases_that_contradict_themselves_are_those_that_the_product_refuses(made: list[Change]) -> None:
    case = copy.deepcopy(CASE)
    for change in made:
        if all(field in case for field in (*FIELDS, "shape")):
            change(case)
    found = judged(case)
    assert found["product"] == found["verify.py"]


@pytest.mark.verifies("REQ-383", "REQ-384")
@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.sampled_from(("artery", "vein")),
            st.booleans(),
            st.sampled_from((None, (10, 100), (20, 50))),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_rows_with_other_scores_or_grids_are_those_that_the_product_refuses(
    drawn: list[tuple[str, str, bool, tuple[int, int] | None]],
) -> None:
    rows = [
        counted_case(name, of_class=of_class, overlap=(90, 10, 20), scored=scored, shape=shape)
        for name, of_class, scored, shape in drawn
    ]
    refused = {"product": False, "verify.py": False}
    try:
        check_rows(rows)
    except ValueError:
        refused["product"] = True
    try:
        verify.check_rows([json.loads(canonical(row)) for row in rows])
    except verify.WrongError:
        refused["verify.py"] = True
    assert refused["product"] == refused["verify.py"]
