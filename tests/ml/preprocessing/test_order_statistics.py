"""Order statistics of images: exact, whatever the sample finds."""

from __future__ import annotations

import numpy as np
import pytest

from minivess.ml.preprocessing import order_statistics as subject
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-97")

KINDS = ["<f4", "<f8", "<u1", "<u2", "<i2", "<f2", "<i8"]
SHARES = (0.0, 0.5, 33.3, 50.0, 99.5, 100.0)


def _values(kind: str, form: str, size: int, seed: int) -> np.ndarray:
    """Numbers of several forms; `waves` has the step of the sample as its period, so that the sample is like nothing else."""
    rng = np.random.default_rng(seed)
    if form == "noise":
        made = rng.normal(100, 20, size)
    elif form == "few values":
        made = rng.integers(0, 3, size).astype(float)
    elif form == "ordered":
        made = np.linspace(0, 250, size)
    else:
        made = np.where(np.arange(size) % (size // 64 | 1) == 0, 200.0, rng.normal(50, 1, size))
    return np.asarray(made.clip(0, 255)).astype(kind)


@given(
    st.sampled_from(KINDS),
    st.sampled_from(["noise", "few values", "ordered", "waves"]),
    st.integers(1, 3000),
    st.integers(0, 2**32 - 1),
)
def test_percentiles_are_those_of_numpy_bit_for_bit(kind: str, form: str, size: int, seed: int) -> None:
    values = _values(kind, form, size, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subject, "_SMALL", 128)
        patch.setattr(subject, "_SAMPLED", 64)
        for shape in (values, values[::-1]):
            assert subject.percentiles(shape, SHARES) == tuple(map(float, np.percentile(shape, SHARES)))


@given(st.sampled_from(["noise", "few values", "waves"]), st.integers(0, 2**32 - 1), st.data())
def test_places_are_those_of_the_sorted_order(form: str, seed: int, data: st.DataObject) -> None:
    values = _values("<f4", form, 1200, seed).reshape(10, 12, 10)
    places = data.draw(st.lists(st.integers(0, 1199), min_size=1, max_size=6))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subject, "_SMALL", 128)
        patch.setattr(subject, "_SAMPLED", 64)
        assert subject.order_statistics(values, places) == np.sort(values.ravel())[places].tolist()


def test_an_image_is_not_copied() -> None:
    import tracemalloc

    values = np.random.default_rng(0).normal(size=1 << 20).astype(np.float32)
    tracemalloc.start()
    try:
        subject.percentiles(values, (0.5, 50, 99.5))
        assert tracemalloc.get_traced_memory()[1] < 0.8 * values.nbytes
    finally:
        tracemalloc.stop()
