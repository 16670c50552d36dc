"""Distances of borders and boundary IoU, beside a computation over every pair of border voxels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis.extra.numpy import arrays

from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.registry import measure_values
from minivess.records.evaluation.evaluation import Conventions
from tests.support.properties import assume, given, settings
from tests.support.properties import strategies as st

pytestmark = [pytest.mark.verifies("SU-33"), pytest.mark.verifies("REQ-375")]

NAMES = ("hd", "assd", "masd", "boundary_iou")
SPACINGS = st.sampled_from([(1.0, 1.0, 1.0), (5.0, 0.5, 0.7)])
volumes, planes = arrays(np.bool_, (3, 4, 5)), arrays(np.bool_, (5, 6))
pairs = st.one_of(st.tuples(volumes, volumes), st.tuples(planes, planes))


def measured(found: np.ndarray, true: np.ndarray, spacing: tuple[float, ...]) -> dict[str, float | None]:
    conventions = Conventions(tolerance=1.0, unit="um")
    return dict(measure_values(CasePair.of(found, true, spacing[-found.ndim :]), conventions, NAMES))


def border_places(mask: np.ndarray) -> np.ndarray:
    """Foreground voxels with a face neighbour that is background, one by one."""
    padded = np.pad(mask, 1)
    steps = [sign * np.eye(mask.ndim, dtype=int)[axis] for axis in range(mask.ndim) for sign in (-1, 1)]
    return np.array(
        [place for place in np.argwhere(mask) if not all(padded[tuple(place + 1 + step)] for step in steps)]
    )


@settings(max_examples=60)
@given(pair=pairs, spacing=SPACINGS)
def test_distances_are_those_over_every_pair_of_border_voxels(
    pair: tuple[np.ndarray, np.ndarray], spacing: tuple[float, ...]
) -> None:
    found, true = pair
    assume(found.any() and true.any())
    there, back = border_places(found), border_places(true)
    apart = (there[:, np.newaxis] - back[np.newaxis]) * np.array(spacing[-found.ndim :])
    distances = np.linalg.norm(apart, axis=2)
    directed = distances.min(axis=1), distances.min(axis=0)
    both = len({tuple(one) for one in there} & {tuple(one) for one in back})
    assert measured(found, true, spacing) == pytest.approx(
        {
            "hd": max(one.max() for one in directed),
            "assd": np.concatenate(directed).mean(),
            "masd": (directed[0].mean() + directed[1].mean()) / 2,
            "boundary_iou": both / (len(there) + len(back) - both),
        },
        abs=1e-12,
    )


def test_empty_masks() -> None:
    empty, full = np.zeros((3, 3), np.bool_), np.ones((3, 3), np.bool_)
    nothing = dict.fromkeys(("hd", "assd", "masd"))
    assert measured(empty, empty, (1.0, 1.0)) == {"hd": 0.0, "assd": 0.0, "masd": 0.0, "boundary_iou": 1.0}
    assert measured(empty, full, (1.0, 1.0)) == {**nothing, "boundary_iou": 0.0}
    assert measured(full, empty, (1.0, 1.0)) == {**nothing, "boundary_iou": 0.0}


def test_the_mean_of_the_means_differs_from_the_mean_of_all() -> None:
    """A short false branch far away: its few voxels weigh more in MASD."""
    true, found = np.zeros((1, 30), np.bool_), np.zeros((1, 30), np.bool_)
    true[0, :20] = found[0, :20] = found[0, 29] = True
    values = measured(found, true, (1.0, 1.0))
    assert values["hd"] == 10.0
    assert values["assd"] == 10 / 41
    assert values["masd"] == (10 / 21 + 0) / 2
