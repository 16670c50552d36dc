"""Figures: the same bytes for the same input, in the promised formats, for awkward cases too."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from minivess.ml.evaluation.evaluate import Pictures, evaluate
from minivess.records.data.dataset import CaseRecord
from minivess.records.evaluation.evaluation import EvaluationRecord
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.evaluation_plan import analysis_plan, evaluation_plan
from tests.support.lazy_modules import lazily

with lazily("minivess.ml.evaluation.figures"):
    from minivess.ml.evaluation import figures

pytestmark = pytest.mark.verifies("SU-33")

DIGEST = f"sha256:{'3' * 64}"
Vessels = Callable[[int], tuple[np.ndarray, np.ndarray]]


def evaluated(
    vessels: Vessels, case_record: Callable[[str, str], CaseRecord], *, blind: bool
) -> tuple[EvaluationRecord, Pictures]:
    volumes = {f"case-{seed}": vessels(seed) for seed in range(2 if not blind else 1)}
    return evaluate(
        ((case_record(name, name), image) for name, (image, _) in volumes.items()),
        (lambda image, _: (image[np.newaxis] > (1e9 if blind else 4)).astype(np.float32)),
        lambda case: volumes[case][1],
        evaluation_plan(analysis_plan(bootstrap=100), digest=DIGEST, request="r", cases=volumes),
    )


@pytest.mark.verifies("REQ-024", "REQ-025", "REQ-040")
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("blind", [False, True])
def test_figures_are_the_same_bytes_twice(
    tmp_path: Path, vessels: Vessels, case_record: Callable[[str, str], CaseRecord], blind: bool
) -> None:
    record, pictures = evaluated(vessels, case_record, blind=blind)
    first = figures.write_figures(record, pictures, tmp_path / "one")
    second = figures.write_figures(record, pictures, tmp_path / "two")
    assert [path.name for path in first] == ["overlay.png", "reliability.svg", "measures.svg"]
    for before, after in zip(first, second, strict=True):
        assert before.read_bytes() == after.read_bytes()
    assert first[0].read_bytes().startswith(b"\x89PNG")
    for svg in first[1:]:
        assert ElementTree.fromstring(svg.read_bytes()).tag.endswith("svg")  # noqa: S314  our own bytes


@pytest.mark.parametrize(("axes", "unit"), [(3, "voxels"), (2, "pixels")])
def test_reliability_counts_the_pixels_of_pictures(
    vessels: Vessels, case_record: Callable[[str, str], CaseRecord], axes: int, unit: str
) -> None:
    record, pictures = evaluated(vessels, case_record, blind=False)
    best = dataclasses.replace(pictures.best, spacing=pictures.best.spacing[-axes:])
    drawn = figures.reliability(record, dataclasses.replace(pictures, best=best)).decode("utf-8")
    assert f"All {unit}" in drawn
    assert f"Within 2 {unit} of the reference" in drawn


@pytest.mark.verifies("REQ-244")
def test_the_measures_state_how_often_their_intervals_cover(
    vessels: Vessels, case_record: Callable[[str, str], CaseRecord]
) -> None:
    _, pictures = evaluated(vessels, case_record, blind=False)
    plan = analysis_plan(bootstrap=100, statistics="mean of groups")
    cases = [counted_case(f"c{place}", overlap=(60 + 5 * place, 9, 20)) for place in range(6)]
    made = counted_evaluation(cases, plan, model=DIGEST, data=DIGEST, request="r", looks=1)
    shown = [made.aggregates[name].coverage for name in ("dice", "cldice", "nsd", "hd95")]
    low, high = (f"{100 * found(one for one in shown if one is not None):.4g} %" for found in (min, max))
    drawn = figures.measures_by_case(made, pictures).decode("utf-8")
    assert f"95 % interval, Student's t over 6 groups, simulated coverage {low} to {high}" in drawn
