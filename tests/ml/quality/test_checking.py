"""What checking is made of: exact histograms, the spelling of subjects, pictures, measures and the profile."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minivess.foundation.errors import InputError, UsageError
from minivess.ml.cases.prepared import load_case
from minivess.ml.quality.case_measures import measure
from minivess.ml.quality.case_table import affine_fault, alike
from minivess.ml.quality.histograms import COARSE, FINE, WholeCounts, added, binned, quantiles_of
from minivess.ml.quality.pages.case_pictures import COLOURS, thumbnail
from minivess.ml.quality.profile import profile
from tests.support.builders.prepared_sets import manifest, picture, put
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-60")

FLOATS = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=60)


@given(st.lists(FLOATS, min_size=1, max_size=4))
@pytest.mark.verifies("REQ-084")
def test_histograms_of_any_images_add_up_exactly(images: list[list[float]]) -> None:
    arrays = [np.sort(np.array(values, np.float32)) for values in images]
    parts = [binned(float(one[0]), float(one[-1]), flat=one) for one in arrays]
    assert all(
        len(part.counts) <= FINE and sum(part.counts) == one.size for part, one in zip(parts, arrays, strict=True)
    )
    whole = added(parts)
    assert len(whole.counts) <= COARSE
    everything = np.concatenate(arrays).astype(np.float64)
    places = np.floor(everything / whole.width) - whole.first
    expected = np.bincount(places.astype(int), minlength=len(whole.counts))
    assert list(whole.counts) == list(expected)


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=200), st.booleans())
@pytest.mark.verifies("REQ-084")
def test_counted_and_listed_values_agree(values: list[int], wide: bool) -> None:
    array = np.array(values if wide else [value % 256 for value in values], np.uint16).astype(np.float32)
    counts = WholeCounts(np.dtype(np.uint16 if wide else np.uint8))
    counts.add(array)
    met, numbers = counts.values()
    flat = np.sort(array)
    assert counts.exact
    assert quantiles_of(values=met, numbers=numbers) == quantiles_of(flat=flat)
    low, high = float(flat[0]), float(flat[-1])
    assert sum(binned(low, high, values=met, numbers=numbers).counts) == len(values)
    counts.add(array + np.float32(0.5))
    assert not counts.exact


@pytest.mark.verifies("REQ-081")
@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["mouse-1", "Mouse_01"], [("Mouse_01", "mouse-1")]),
        (["mouse-1", "mose-1"], [("mose-1", "mouse-1")]),
        (["mouse-1", "mouse-2", "mouse-12"], []),
        (["rat-a", "rat-b", "cat-a"], []),
        (["patient-a", "patient-b"], []),
        (["control 3", "kontrol 3", "controls-3"], [("control 3", "controls-3"), ("control 3", "kontrol 3")]),
        (["cju0qkwl35", "cju0qoxqj9", "cju0qx73cj"], []),
    ],
)
def test_spellings_that_are_probably_one(names: list[str], expected: list[tuple[str, str]]) -> None:
    assert alike(names) == expected


@pytest.mark.verifies("REQ-081")
def test_an_affine_is_compared_with_spacing_and_orientation(tmp_path: Path) -> None:
    image, label = picture(0, (4, 20, 24))
    record = put(tmp_path, "a", image, label)
    good = ((0, 0, -1.0, 5), (0, -1.0, 0, 5), (2.0, 0, 0, 5), (0, 0, 0, 1))
    for affine, orientation, fault in (
        (None, None, ""),
        (good, "SPL", ""),
        (good, "SAL", "points to SPL"),
        (((0, 0, -1.0, 5), (0, -1.0, 0, 5), (3.0, 0, 0, 5), (0, 0, 0, 1)), "SPL", "3 × 1 × 1 µm"),
        (((0, 0, 0, 5), (0, -1.0, 0, 5), (2.0, 0, 0, 5), (0, 0, 0, 1)), None, "inverted"),
    ):
        changed = record.model_copy(update={"affine": affine, "orientation": orientation})
        assert fault in affine_fault(changed)
        assert bool(affine_fault(changed)) is bool(fault)


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.verifies("REQ-083")
def test_a_picture_shows_the_image_and_outlines_the_mask(tmp_path: Path) -> None:
    image, label = picture(0)
    put(tmp_path, "a", image, label)
    shown = opened(thumbnail(load_case(tmp_path, "a"), 96))
    assert shown.shape == (96, 96, 3)
    outline = (shown == COLOURS[0]).all(axis=-1)
    rows, columns = np.flatnonzero(outline.any(axis=1)), np.flatnonzero(outline.any(axis=0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (23, 56, 7, 48)
    assert not outline[24:56, 8:48].any()
    assert shown[30, 20].mean() > shown[80, 80].mean()


@pytest.mark.verifies("REQ-083")
def test_pictures_of_volumes_colour_and_stretched_pixels(tmp_path: Path) -> None:
    volume, mask = picture(1, (6, 48, 48))
    mask[:3] = 0
    put(tmp_path, "v", volume, mask, spacing=(5.0, 2.0, 1.0))
    assert opened(thumbnail(load_case(tmp_path, "v"), 96)).shape == (96, 48 + 4 + 48, 3)
    colour = np.stack([volume[0], volume[0] * 0, volume[0] * 0], axis=-1)
    put(tmp_path, "c", colour, mask[0] * 0, axes="yxc")
    shown = opened(thumbnail(load_case(tmp_path, "c"), 96)).astype(int)
    assert shown[..., 0].mean() > 20
    assert shown[..., 1:].max() == 0
    broken = np.full((48, 48), np.nan, np.float32)
    put(tmp_path, "n", broken, mask[5])
    assert opened(thumbnail(load_case(tmp_path, "n"))).shape == (240, 240, 3)
    for size, plane in ((8, None), (96, 6)):
        with pytest.raises(UsageError):
            thumbnail(load_case(tmp_path, "v"), size, plane=plane)


@pytest.mark.verifies("REQ-084")
def test_figures_follow_their_formulas(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    label = np.zeros((128, 128), np.uint8)
    label[32:96, 32:96] = 1
    image = rng.normal(100 + 50.0 * label, 5).astype(np.float32)
    record = put(tmp_path, "a", image, label, source_dtype="float32")
    figures = profile(manifest([record]), tmp_path)
    [case] = figures.cases
    assert case.noise == pytest.approx(5, rel=0.05)
    assert case.snr == pytest.approx(30, rel=0.06)
    assert case.cnr == pytest.approx(10, rel=0.06)
    assert case.quantiles.p50 == pytest.approx(float(np.median(image)), rel=1e-3)
    sharpness = (np.diff(image, axis=0) ** 2).sum() + (np.diff(image, axis=1) ** 2).sum()
    assert case.sharpness == pytest.approx(sharpness / image.size / image.var(), rel=1e-3)
    assert set(figures.formulas) >= {"noise", "snr", "cnr", "sharpness", "histogram"}
    flat = put(tmp_path / "flat", "a", np.full((32, 32), 4.0, np.float32), label[:32, :32], source_dtype="float32")
    [case] = profile(manifest([flat]), tmp_path / "flat").cases
    assert (case.noise, case.snr, case.cnr, case.sharpness) == (0, None, None, None)


@pytest.mark.verifies("REQ-084")
def test_colour_is_measured_in_luma_and_left_out_cases_are_named(tmp_path: Path) -> None:
    image, label = picture(0)
    colour = np.stack([image, image * 0, image * 0], axis=-1)
    records = [put(tmp_path, "a", colour, label, axes="yxc"), put(tmp_path, "b", image, label, axes="yx")]
    measured = measure(load_case(tmp_path, "a"))
    assert measured.mean == pytest.approx(0.299 * image.mean(), abs=0.3)
    (tmp_path / "b" / "image.npy").unlink()
    assert profile(manifest(records), tmp_path).left_out == ("b",)
    (tmp_path / "a" / "label.npy").unlink()
    with pytest.raises(InputError, match="no case"):
        profile(manifest(records), tmp_path)
