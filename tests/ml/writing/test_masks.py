"""Masks as files: what is written is read back, and lies on the image that it belongs to."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis.extra.numpy import arrays

from minivess.foundation.errors import InputError, UsageError
from minivess.ml.reading.single_image import read_single
from minivess.ml.writing import rle
from minivess.ml.writing.arrays import array_file, number_pieces
from minivess.ml.writing.placed_mask import PlacedMask
from minivess.ml.writing.registry import WRITERS, write_mask
from minivess.records.data.dataset import LabelClass
from tests.support.builders import image_files, specimens
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-161")

VESSEL = (LabelClass(value=1, name="vessel"),)
ORDERS = [
    (order, signs) for order in itertools.permutations(range(3)) for signs in itertools.product((1.0, -1.0), repeat=3)
]


def _world(affine: np.ndarray, where: np.ndarray) -> set[tuple[float, ...]]:
    """The places of the voxels (x, y, z) that are true, in millimetres."""
    places = (affine @ np.c_[np.argwhere(where), np.ones(np.count_nonzero(where))].T)[:3].T
    return {tuple(np.round(place, 3).tolist()) for place in places}


@pytest.mark.verifies("REQ-428", "RC-172")
@given(st.sampled_from(ORDERS), st.integers(0, 2**32 - 1))
def test_a_mask_lies_on_its_image_in_every_axis_order_and_flip(
    turned: tuple[tuple[int, ...], tuple[float, ...]], seed: int
) -> None:
    import gzip

    import nibabel

    order, signs = turned
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 200, (3, 4, 5)).astype(np.int16)
    affine = np.zeros((4, 4))
    for axis, (row, sign, step) in enumerate(zip(order, signs, (0.5, 1.0, 2.0), strict=True)):
        affine[row, axis] = sign * step
    affine[:, 3] = (*rng.uniform(-50, 50, 3).round(2), 1)
    sent = nibabel.nifti1.Nifti1Image(image, affine)
    sent.header.set_xyzt_units("mm")
    read = read_single(gzip.compress(sent.to_bytes()))
    values = (read.array > 100).astype(np.uint8)
    made = write_mask(PlacedMask(values, read.spacing, read.affine, VESSEL), "nifti")
    answer = nibabel.nifti1.Nifti1Image.from_bytes(gzip.decompress(made.data))
    assert answer.affine is not None
    assert _world(answer.affine, np.asarray(answer.dataobj) == 1) == _world(affine, image > 100)


@pytest.mark.verifies("REQ-428")
@given(arrays(np.uint8, st.sampled_from([(2, 3), (4, 1), (2, 3, 4), (1, 1, 1)]), elements=st.integers(0, 3)))
def test_run_lengths_are_the_mask(mask: np.ndarray) -> None:
    packed = json.loads(write_mask(PlacedMask(mask, None, None, VESSEL), "rle").data)
    assert np.array_equal(rle.from_runs(**packed), mask)
    assert all(first[0] != second[0] for first, second in itertools.pairwise(packed["runs"]))


@pytest.mark.verifies("REQ-428")
@pytest.mark.parametrize(
    ("shape", "runs"), [([2, 2], [[0, 3]]), ([2, 2], [[300, 4]]), ([1 << 20, 1 << 20], [[0, 1 << 40]]), ([-1, 2], [])]
)
def test_run_lengths_that_are_no_mask_are_refused(shape: list[int], runs: list[list[int]]) -> None:
    with pytest.raises(InputError):
        rle.from_runs(shape, runs)


@pytest.mark.verifies("REQ-428")
@pytest.mark.parametrize("name", [name for name in WRITERS if name not in {"png", "dicom-seg"}])
def test_the_same_mask_gives_the_same_bytes_and_comes_back(name: str) -> None:
    values = np.random.default_rng(0).integers(0, 3, (3, 5, 7)).astype(np.uint8)
    mask = PlacedMask(values, (5.0, 1.0, 1.0), None, VESSEL)
    made = write_mask(mask, name)
    assert write_mask(mask, name) == made
    if name in {"nifti", "tiff"}:
        read = read_single(made.data)
        assert np.array_equal(read.array, values)
        assert read.spacing == pytest.approx((5.0, 1.0, 1.0))


@pytest.mark.verifies("REQ-428")
def test_a_picture_is_a_png_and_a_volume_is_not() -> None:
    values = np.arange(6, dtype=np.uint8).reshape(2, 3)
    made = write_mask(PlacedMask(values, None, None, VESSEL), "png")
    assert np.array_equal(image_files.png_array(made.data), values)
    with pytest.raises(UsageError, match="a volume"):
        write_mask(PlacedMask(values[None], None, None, VESSEL), "png")
    with pytest.raises(UsageError, match="format of masks"):
        write_mask(PlacedMask(values, None, None, VESSEL), "bmp")
    with pytest.raises(UsageError, match="DICOM images"):
        write_mask(PlacedMask(values[None], (1.0, 1.0, 1.0), np.eye(4), VESSEL, b"no image"), "dicom-seg")


@pytest.mark.verifies("REQ-432")
@given(st.sampled_from(ORDERS), st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_numbers_lie_on_their_image_in_every_axis_order_and_flip(
    turned: tuple[tuple[int, ...], tuple[float, ...]], seed: int, classes: int
) -> None:
    import gzip

    import nibabel

    order, signs = turned
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 200, (3, 4, 5)).astype(np.int16)
    affine = np.zeros((4, 4))
    for axis, (row, sign, step) in enumerate(zip(order, signs, (0.5, 1.0, 2.0), strict=True)):
        affine[row, axis] = sign * step
    affine[:, 3] = (*rng.uniform(-50, 50, 3).round(2), 1)
    sent = nibabel.nifti1.Nifti1Image(image, affine)
    sent.header.set_xyzt_units("mm")
    read = read_single(gzip.compress(sent.to_bytes()))
    values = np.stack([read.array + 1000 * number for number in range(classes)]).astype(np.float32)
    made = b"".join(array_file(values, "nifti", "float32", spacing=read.spacing, affine=read.affine, channels=True))
    answer = nibabel.nifti1.Nifti1Image.from_bytes(gzip.decompress(made))
    assert answer.affine is not None
    found = np.asarray(answer.dataobj)
    assert found.dtype == np.float32
    for number in range(classes):
        of_class = found if classes == 1 else found[:, :, :, 0, number]
        inside = of_class - 1000 * number > 100
        assert _world(answer.affine, inside) == _world(affine, image > 100)


@pytest.mark.verifies("REQ-432")
@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 4, 5), (3, 4)])
def test_numbers_come_back_as_they_were(kind: type[np.floating], shape: tuple[int, ...]) -> None:
    import gzip
    import io

    values = np.random.default_rng(0).uniform(size=shape).astype(kind)
    name = kind.__name__
    assert name in {"float16", "float32"}
    made, again = (
        b"".join(
            array_file(values.astype(np.float32), "npy", name, spacing=None, affine=None, channels=len(shape) != 2)
        )
        for _ in range(2)
    )
    assert made == again
    found = np.load(io.BytesIO(gzip.decompress(made)), allow_pickle=False)
    assert found.dtype == values.dtype
    assert np.array_equal(found, values)


@pytest.mark.verifies("REQ-432", "REQ-436")
@given(
    arrays(
        np.float32, st.sampled_from([(3, 5, 7), (2, 9, 4, 3), (40,), (2, 1, 30)]), elements=st.floats(0, 1, width=32)
    )
)
@pytest.mark.parametrize("most", [1, 6, 20, 1000])
def test_pieces_are_small_and_together_the_numbers_in_c_order(most: int, values: np.ndarray) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minivess.ml.writing.arrays.PIECE", most)
        for turned in (values, values[..., ::-1], values.T):
            pieces = [bytes(one) for one in number_pieces(turned, "float16")]
            assert b"".join(pieces) == turned.astype("<f2").tobytes()
            assert turned.ndim == 1 or max(len(one) for one in pieces) <= 2 * max(most, turned.shape[-1])


@pytest.mark.verifies("REQ-428")
def test_no_warning_quotes_the_name_of_a_patient(recwarn: pytest.WarningsRecorder) -> None:
    """highdicom warns of names with one component, and quotes them."""
    slices = {
        f"{number}.dcm": specimens.dicom_bytes(
            specimens.slice_of(2.0 * number, number=number + 1, PatientName="Doe", PatientID="P-1")
        )
        for number in range(3)
    }
    data = image_files.zipped(slices)
    read = read_single(data)
    values = np.ones(read.array.shape, np.uint8)
    made = write_mask(PlacedMask(values, read.spacing, read.affine, VESSEL, data), "dicom-seg")
    assert b"Doe" in made.data
    assert not [one for one in recwarn if "Doe" in str(one.message)]
