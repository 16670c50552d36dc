"""Masks of answers: read as they were written, and refused when they are anything else."""

from __future__ import annotations

import gzip
import io
import json

import numpy as np
import pytest
from hypothesis import strategies as st

from minivess.foundation.errors import InputError
from tests.support.lazy_modules import lazily
from tests.support.properties import given

with lazily(
    "minivess.client", "minivess.client.masks", "minivess.ml.writing.registry", "minivess.ml.writing.placed_mask"
):
    from minivess.client import masks
    from minivess.ml.writing import placed_mask, registry

pytestmark = pytest.mark.verifies("SU-178", "REQ-485")

LIMIT = 1 << 20


@given(
    shape=st.lists(st.integers(1, 6), min_size=2, max_size=3).map(tuple),
    seed=st.integers(0, 2**16),
    name=st.sampled_from(["npy", "rle"]),
)
def test_a_mask_is_read_as_the_service_wrote_it(shape: tuple[int, ...], seed: int, name: str) -> None:
    mask = np.random.default_rng(seed).choice(np.array([0, 1, 255], np.uint8), shape)
    placed = placed_mask.PlacedMask(mask, spacing=None, affine=None, classes=(), source=b"", made_by=("toy", "1"))
    read = masks.mask_array(registry.write_mask(placed, name).data, name, shape, limit=LIMIT)
    assert read is not None
    assert np.array_equal(read, mask)
    assert read.dtype == np.uint8


def _packed(array: np.ndarray, **how: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **how)
    return gzip.compress(stream.getvalue())


ZEROS = np.zeros((2, 3), np.uint8)
RUNS = {"shape": [2, 3], "runs": [[0, 4], [1, 2]]}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("npy", b"no gzip"),
        ("npy", gzip.compress(b"no array")),
        ("npy", _packed(ZEROS)[:-6]),
        ("npy", _packed(ZEROS) + b"more"),
        ("npy", _packed(np.zeros((3, 2), np.uint8))),
        ("npy", _packed(np.zeros((2, 3), np.uint16))),
        ("npy", _packed(np.array([[{}, 1, 2], [1, 2, 3]], object), allow_pickle=True)),
        ("npy", _packed(np.zeros(1 << 22, np.uint8))),
        ("rle", b"[]"),
        ("rle", b"{" * 3000),
        ("rle", json.dumps(RUNS | {"shape": [3, 2]}).encode()),
        ("rle", json.dumps(RUNS | {"runs": [[0, 4]]}).encode()),
        ("rle", json.dumps(RUNS | {"runs": []}).encode()),
        ("rle", json.dumps(RUNS | {"runs": [[0, 7], [1, -1]]}).encode()),
        ("rle", json.dumps(RUNS | {"runs": [[256, 6]]}).encode()),
        ("rle", json.dumps(RUNS | {"runs": [[0, 1 << 70]]}).encode()),
        ("rle", json.dumps(RUNS | {"runs": [[0, 1 << 62], [0, 1 << 62], [0, 6]]}).encode()),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_malformed_mask_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(InputError):
        masks.mask_array(data, name, (2, 3), limit=LIMIT)


@pytest.mark.parametrize("shape", [(), (0, 3), (-1, 3), (1 << 20, 1 << 20)])
def test_a_shape_outside_the_limits_is_refused(shape: tuple[int, ...]) -> None:
    for name in (*masks.DECODERS, "nifti"):
        with pytest.raises(InputError, match="shape"):
            masks.mask_array(b"", name, shape, limit=LIMIT)


def test_text_that_is_no_base64_is_refused() -> None:
    assert masks.mask_bytes("AAEC") == b"\0\1\2"
    for text in ("A", "AA*C", "ä"):
        with pytest.raises(InputError):
            masks.mask_bytes(text)


@given(kind=st.sampled_from(["<f2", "<f4"]), seed=st.integers(0, 2**16))
def test_further_outputs_are_read_as_they_were_written(kind: str, seed: int) -> None:
    values = np.random.default_rng(seed).random((2, 3, 4)).astype(kind)
    assert np.array_equal(masks.output_array(_packed(values), (2, 3, 4), limit=LIMIT), values)


@pytest.mark.parametrize("shape", [(4, 3, 2), (2, 3), (), (1 << 20,)])
def test_an_output_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    for kind in ("<f4", "<f8", "u1"):
        with pytest.raises(InputError, match="output"):
            masks.output_array(_packed(np.zeros((2, 3, 4), kind)), shape, limit=LIMIT)
    with pytest.raises(InputError, match="output"):
        masks.output_array(_packed(np.zeros((2, 3, 4), "<f8")), (2, 3, 4), limit=LIMIT)
