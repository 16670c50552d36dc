"""The target spacing by hand-made sets."""

from __future__ import annotations

from typing import Any

import pytest

from minivess.foundation.errors import UsageError
from minivess.ml.planning.fingerprint import DataFingerprint
from minivess.ml.planning.spacing import target_spacing
from minivess.records.models.task import SegmentationTask
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-145")


def data(spacings: list[tuple[float, ...]], grid: tuple[int, ...] = (20, 200, 200), **more: Any) -> DataFingerprint:
    axes = "zyx" if len(grid) == 3 else "yx"
    facts = {
        "task": SegmentationTask(axes=axes), "modality": "MR", "unit": "um", "cases": len(spacings),
        "subjects": len(spacings), "grids": (grid,) * len(spacings), "spacings": tuple(spacings),
    }  # fmt: skip
    return DataFingerprint(**{**facts, **more})


def test_pixels_without_a_size_stay() -> None:
    assert target_spacing(data([(1, 1), (1, 1)], (9, 9), unit="px")).value == "native"


def test_cases_of_one_spacing_stay() -> None:
    found = target_spacing(data([(5, 1, 1), (5.02, 1.001, 1)]))
    assert (found.value, found.reason) == ("native", "all cases have 5 x 1 x 1 µm")


def test_the_median_is_a_spacing_that_is_met() -> None:
    assert target_spacing(data([(2, 1, 1), (2, 2, 2), (2, 1.5, 1.5), (2, 1, 1)])).spacing == (2, 1, 1)


def test_an_axis_with_coarse_steps_gets_its_10th_percentile() -> None:
    cases = [(10_000.0, 1500.0, 1500.0)] * 8 + [(5000.0, 1500.0, 1500.0)] * 2
    found = target_spacing(data(cases, (10, 250, 200)))
    assert found.value == "5 x 1.5 x 1.5 mm"
    assert "10th percentile of z" in found.reason
    many_planes = target_spacing(data(cases, (90, 250, 200)))
    assert many_planes.value == "10 x 1.5 x 1.5 mm"


def test_a_coarse_axis_does_not_become_finer_than_the_others() -> None:
    cases = [(10.0, 2.0, 2.0)] * 8 + [(0.5, 2.0, 2.0)] * 2
    assert target_spacing(data(cases, (10, 250, 200))).spacing == (2, 2, 2)


def test_spacings_of_different_units_are_refused() -> None:
    with pytest.raises(UsageError, match="along z, cases have spacings from 5 µm to 5 mm"):
        target_spacing(data([(5, 1, 1), (5000, 1000, 1000)]))


_STEPS = st.tuples(st.floats(0.3, 9), st.floats(2, 90), st.floats(200, 9000))


@settings(max_examples=40)
@given(spacings=st.lists(_STEPS, min_size=1, max_size=6))
def test_the_target_is_between_the_finest_and_the_coarsest_case(spacings: list[tuple[float, ...]]) -> None:
    found = target_spacing(data(spacings))
    assert len(found.reason) <= 76
    if found.spacing is not None:
        for axis, step in enumerate(found.spacing):
            met = [one[axis] for one in spacings]
            assert min(met) * 0.999 <= step <= max(met) * 1.001


def test_the_project_file_gets_a_length_with_its_unit() -> None:
    assert target_spacing(data([(2, 1, 1), (2, 2, 2), (2, 1, 1)])).value == "2 x 1 x 1 µm"
    assert target_spacing(data([(1500, 800, 800), (1500, 900, 900)])).value == "1.5 x 0.8 x 0.8 mm"
