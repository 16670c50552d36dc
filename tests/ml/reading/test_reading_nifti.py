"""NIfTI in two files."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minivess.foundation.errors import InputError
from minivess.ml.reading.case import read_case, read_image, source_files
from minivess.records.data.source import CaseSource
from tests.support.lazy_modules import lazily

with lazily("nibabel"):
    import nibabel

pytestmark = [pytest.mark.verifies("SU-25"), pytest.mark.verifies("REQ-287")]

STACK = np.arange(3 * 5 * 7, dtype=np.int16).reshape(3, 5, 7)


def save(folder: Path, kind: str = "Nifti1Pair", array: np.ndarray = STACK, name: str = "v.img") -> Path:
    image = getattr(nibabel, kind)(array.T, np.diag([0.25, 0.5, 2.0, 1.0]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, folder / name)
    return folder / name


@pytest.mark.parametrize("kind", ["Nifti1Pair", "Nifti2Pair"])
@pytest.mark.parametrize("name", ["v.hdr", "v.img"])
def test_a_pair_is_read_by_either_name(tmp_path: Path, kind: str, name: str) -> None:
    save(tmp_path, kind)
    volume = read_image(tmp_path / name)
    assert np.array_equal(volume.array, STACK)
    assert volume.spacing == (2000.0, 500.0, 250.0)
    assert volume.format == ("NIfTI-1" if kind == "Nifti1Pair" else "NIfTI-2")
    assert volume.doubts == ()
    assert source_files(tmp_path / name) == [tmp_path / "v.hdr", tmp_path / "v.img"]


def test_either_file_of_a_pair_may_be_packed(tmp_path: Path) -> None:
    save(tmp_path)
    for suffix in (".img", ".hdr"):
        content = (tmp_path / f"v{suffix}").read_bytes()
        (tmp_path / f"v{suffix}").unlink()
        (tmp_path / f"v{suffix}.gz").write_bytes(gzip.compress(content, mtime=0))
        name = "v.hdr" if suffix == ".img" else "v.hdr.gz"
        assert np.array_equal(read_image(tmp_path / name).array, STACK)
    packed = bytearray((tmp_path / "v.img.gz").read_bytes())
    packed[-6] ^= 1
    (tmp_path / "v.img.gz").write_bytes(bytes(packed))
    with pytest.raises(InputError, match="checksum"):
        read_image(tmp_path / "v.hdr.gz")


def test_a_pair_is_a_case_and_a_change_of_either_file_is_seen(tmp_path: Path) -> None:
    save(tmp_path)
    save(tmp_path, array=(STACK > 50).astype(np.uint8), name="l.hdr")
    case = read_case(CaseSource(id="a", subject="s", image="v.img", label="l.hdr"), tmp_path)
    assert case.spacing == (2000.0, 500.0, 250.0)
    assert case.label.sum() == (STACK > 50).sum()


def _truncated(folder: Path) -> None:
    (folder / "v.img").write_bytes((folder / "v.img").read_bytes()[:-2])


def _twice(folder: Path) -> None:
    (folder / "v.img.gz").write_bytes(gzip.compress(b"x"))


def _single(folder: Path) -> None:
    (folder / "v.hdr").write_bytes(nibabel.Nifti1Image(STACK.T, np.eye(4)).to_bytes())


def _analyze(folder: Path) -> None:
    nibabel.save(nibabel.AnalyzeImage(STACK.T, np.eye(4)), folder / "v.img")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda folder: (folder / "v.img").unlink(), "voxels, v.img, are missing"),
        (_truncated, "truncated"),
        (_twice, "two files may be its voxels"),
        (_single, "voxels follow it in one file"),
        (_analyze, "Analyze 7.5"),
    ],
)
def test_a_pair_that_is_not_whole_is_refused(tmp_path: Path, change: Any, says: str) -> None:
    save(tmp_path)
    change(tmp_path)
    with pytest.raises(InputError, match=says):
        read_image(tmp_path / "v.hdr")


def test_a_header_without_its_voxels_is_no_nii_file(tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "v.nii").write_bytes((tmp_path / "v.hdr").read_bytes())
    with pytest.raises(InputError, match=r"voxels are in an \.img file"):
        read_image(tmp_path / "v.nii")
    (tmp_path / "v.hdr").unlink()
    with pytest.raises(InputError, match=r"header, v\.hdr, is missing"):
        read_image(tmp_path / "v.img")


def test_bytes_after_the_voxels_of_a_pair_are_a_doubt(tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "v.img").write_bytes((tmp_path / "v.img").read_bytes() + bytes(70))
    assert [doubt.rule for doubt in read_image(tmp_path / "v.hdr").doubts] == ["bytes-left-over"]
