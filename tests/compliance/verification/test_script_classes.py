"""verify.py on several classes: its figures, its worst class, and the rows it refuses are those of the product."""

from __future__ import annotations

import json
from random import Random

import pytest

from minivess.compliance.proofs.canonical import canonical
from minivess.records.evaluation.acceptance_criteria import worst_class
from minivess.records.evaluation.cases import CaseCounts, check_rows
from minivess.records.evaluation.evaluation import AnalysisPlan
from minivess.records.evaluation.recomputation import figures_of
from minivess.records.evaluation.statistics.bounds import Bound
from tests.support.builders.counted_cases import counted_case
from tests.support.builders.evaluation_plan import analysis_plan
from tests.support.properties import given, settings
from tests.support.properties import strategies as st
from tests.support.verify_script import verify

pytestmark = [pytest.mark.verifies("REQ-338"), pytest.mark.verifies("SU-91")]

CLASSES = ("artery", "vein", "wall")
PLANS = [analysis_plan(bootstrap=100), analysis_plan(bootstrap=100, statistics="mean of groups")]
sizes = st.tuples(*(st.integers(0, 60) for _ in range(3)))


@st.composite
def evaluated(draw: st.DrawFn) -> list[CaseCounts]:
    """A row for each case and class; some classes are empty in some cases."""
    names = CLASSES[: draw(st.integers(2, 3))]
    rows = []
    for number in range(draw(st.integers(1, 5))):
        group = f"g{draw(st.integers(0, 3))}"
        for name in names:
            overlap = draw(sizes)
            rows.append(
                counted_case(
                    f"c{number}",
                    of_class=name,
                    overlap=overlap,
                    group=group,
                    conformal=(overlap[0], overlap[2]),
                    distance=draw(st.none() | st.floats(0, 50)),
                )
            )
    return rows


@settings(max_examples=25)
@given(evaluated(), st.sampled_from(PLANS), st.randoms(use_true_random=False))
def test_figures_of_classes_are_those_of_the_product_in_any_order(
    rows: list[CaseCounts], plan: AnalysisPlan, order: Random
) -> None:
    made = figures_of(rows, plan.conventions, seed=plan.seed, level=0.98)
    order.shuffle(rows)
    told = verify.figures_of([json.loads(canonical(row)) for row in rows], json.loads(canonical(plan)), 0.98)
    assert told == json.loads(made.model_dump_json())


@pytest.mark.verifies("REQ-339", "RC-142")
@given(
    st.lists(st.none() | st.sampled_from((0.0, 0.2, 0.5, 0.8, 0.9)), min_size=1, max_size=4),
    st.sampled_from(((0.2, None), (0.5, None), (0.85, None), (None, 0.5), (None, 0.8), (0.2, 0.8))),
)
def test_the_worst_class_is_that_of_the_product(
    values: list[float | None], limits: tuple[float | None, float | None]
) -> None:
    bound = Bound(*limits)
    found = worst_class([(value,) for value in values], lambda one: bound.judge(one[0]))
    assert found is not None
    assert verify.tightest(values, *limits) == found[0]
    assert bound.judge(found[0]).met == all(bound.judge(value).met for value in values)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("a", "b")),
            st.sampled_from((None, "artery", "vein")),
            st.sampled_from(((9, 1, 1), (60, 0, 0), (0, 60, 0), (0, 0, 60))),
            st.sampled_from((100, 100, 100, 120)),
            st.booleans(),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_rows_that_contradict_one_another_are_those_that_the_product_refuses(
    drawn: list[tuple[str, str | None, tuple[int, int, int], int, bool]],
) -> None:
    rows = [
        counted_case(
            name,
            of_class=of_class,
            overlap=overlap,
            voxels=voxels,
            distance=None,
            conformal=(overlap[0], overlap[2]) if wide else None,
        )
        for name, of_class, overlap, voxels, wide in drawn
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
