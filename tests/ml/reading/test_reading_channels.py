"""Cases of several channels are read and named; what may be time or components is refused with a way out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from minivess.foundation.errors import InputError
from minivess.ml.reading.case import read_case, read_image
from minivess.records.data.source import CaseSource
from tests.support.lazy_modules import lazily

with lazily("nibabel"):
    import nibabel

pytestmark = [pytest.mark.verifies("SU-25"), pytest.mark.verifies("REQ-288")]

CHANNELS = np.arange(2 * 3 * 5 * 7, dtype=np.uint16).reshape(2, 3, 5, 7)
"""Channel, z, y, x."""
LAST = np.moveaxis(CHANNELS, 0, -1)


def nifti(path: Path, array: np.ndarray, unit: str | None, intent: str = "none") -> None:
    made = nibabel.Nifti1Pair if path.suffix == ".img" else nibabel.Nifti1Image
    image = made(array, np.diag([0.25, 0.5, 2.0, 1.0]))
    image.header.set_xyzt_units("mm", unit)
    image.header.set_intent(intent)
    nibabel.save(image, path)


def fourth(path: Path) -> None:
    nifti(path, CHANNELS.transpose(3, 2, 1, 0), None, "vector")


def fifth(path: Path, intent: str = "none") -> None:
    nifti(path, CHANNELS.transpose(3, 2, 1, 0)[:, :, :, None], "sec", intent)


def nrrd(path: Path, kinds: str = "vector domain domain domain", more: str = "") -> None:
    head = (
        "NRRD0004\ntype: uint16\ndimension: 4\nspace: left-posterior-superior\nsizes: 2 7 5 3\nendian: little\n"
        "encoding: raw\nspace directions: none (0.25,0,0) (0,0.5,0) (0,0,2)\nspace origin: (0,0,0)\n"
        f'space units: "mm" "mm" "mm"\nkinds: {kinds}\n{more}\n'
    )
    path.write_bytes(head.encode("ascii") + LAST.astype("<u2").tobytes())


def imagej(path: Path) -> None:
    metadata = {"axes": "ZCYX", "spacing": 2.0, "unit": "um"}
    tifffile.imwrite(path, CHANNELS.transpose(1, 0, 2, 3), imagej=True, resolution=(4, 2), metadata=metadata)


def ome(path: Path, axes: str = "CZYX", **more: Any) -> None:
    array = CHANNELS if axes == "CZYX" else CHANNELS.transpose(1, 0, 2, 3)
    sizes = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0}
    metadata = {"axes": axes, "Channel": {"Name": ["vessel", "nucleus"]}} | sizes | more
    tifffile.imwrite(path, array, ome=True, metadata=metadata, photometric="minisblack")


@pytest.mark.parametrize(
    ("name", "write", "channels"),
    [
        ("fourth.nii", fourth, ("channel 1", "channel 2")),
        ("fourth.nii.gz", fourth, ("channel 1", "channel 2")),
        ("fifth.nii", fifth, ("channel 1", "channel 2")),
        ("vector.nii", lambda path: fifth(path, "vector"), ("channel 1", "channel 2")),
        ("fifth.img", fifth, ("channel 1", "channel 2")),
        ("fourth.img", fourth, ("channel 1", "channel 2")),
        ("v.nrrd", nrrd, ("channel 1", "channel 2")),
        ("l.nrrd", lambda path: nrrd(path, "list domain domain domain"), ("channel 1", "channel 2")),
        ("j.tif", imagej, ("channel 1", "channel 2")),
        ("czyx.ome.tif", ome, ("vessel", "nucleus")),
        ("zcyx.ome.tif", lambda path: ome(path, "ZCYX"), ("vessel", "nucleus")),
    ],
)
def test_channels_are_read_and_named_in_their_order_in_an_image_and_refused_in_a_mask(
    tmp_path: Path, name: str, write: Callable[[Path], None], channels: tuple[str, ...]
) -> None:
    write(tmp_path / name)
    volume = read_image(tmp_path / name)
    assert volume.axes == "zyxc"
    assert volume.grid == (3, 5, 7)
    assert volume.channels == channels
    assert np.array_equal(volume.array, LAST)
    assert volume.spacing is not None
    assert volume.spacing[1] == 2 * volume.spacing[2]
    assert volume.doubts == ()
    np.save(tmp_path / "l.npy", np.ones((3, 5, 7), np.uint8))
    case = read_case(CaseSource(id="a", subject="s", image=name, label="l.npy"), tmp_path)
    assert (case.axes, case.channels) == ("zyxc", channels)
    assert np.array_equal(case.image, LAST)
    np.save(tmp_path / "i.npy", LAST[..., 0])
    with pytest.raises(InputError, match=rf"the mask has 2 channels \({channels[0]}, {channels[1]}\)") as caught:
        read_case(CaseSource(id="a", subject="s", image="i.npy", label=name), tmp_path)
    assert caught.value.rule == "mask-values"


@pytest.mark.parametrize("unit", ["sec", "msec", "hz"])
def test_a_fourth_axis_of_time_or_frequency_is_refused_with_a_way_out(tmp_path: Path, unit: str) -> None:
    nifti(tmp_path / "v.nii", CHANNELS.transpose(3, 2, 1, 0), unit)
    with pytest.raises(InputError, match="fourth axis has 2 steps in") as caught:
        read_image(tmp_path / "v.nii")
    assert caught.value.rule == "axes-order"
    assert "slicer" in caught.value.hint


@pytest.mark.verifies("REQ-290")
@pytest.mark.parametrize(
    ("name", "write", "says"),
    [
        ("v.nii", lambda path: nifti(path, CHANNELS.transpose(3, 2, 1, 0), None), "whether they are times or channels"),
        ("d.nii", lambda path: fifth(path, "displacement vector"), "of intent `displacement vector`"),
        ("s.nii", lambda path: fifth(path, "symmetric matrix"), "of intent `symmetric matrix`"),
        ("g.nrrd", lambda path: nrrd(path, "covariant-vector domain domain domain"), "kind 'covariant-vector'"),
        ("3.nrrd", lambda path: nrrd(path, "2-vector domain domain domain"), "kind '2-vector'"),
        ("c.nrrd", lambda path: nrrd(path, "complex domain domain domain"), "kind 'complex'"),
        (
            "m.nrrd",
            lambda path: nrrd(path, more="measurement frame: (1,0,0) (0,1,0) (0,0,1)\n"),
            "directions in a measurement frame",
        ),
        (
            "w.nrrd",
            lambda path: nrrd(path, "list domain domain domain", "modality:=DWMRI\nDWMRI_b-value:=1000\n"),
            "of diffusion gradients",
        ),
    ],
)
def test_values_that_may_be_times_or_are_components_are_refused_by_name(
    tmp_path: Path, name: str, write: Callable[[Path], None], says: str
) -> None:
    write(tmp_path / name)
    with pytest.raises(InputError, match=says) as caught:
        read_image(tmp_path / name)
    assert caught.value.rule == "axes-order"
    assert caught.value.hint


@pytest.mark.verifies("REQ-290")
def test_an_image_of_more_channels_than_a_network_takes_is_refused(tmp_path: Path) -> None:
    nifti(tmp_path / "v.nii", np.zeros((4, 4, 4, 1, 65), np.uint8), None)
    np.save(tmp_path / "l.npy", np.ones((4, 4, 4), np.uint8))
    with pytest.raises(InputError, match=r"65 channels .* at most 64"):
        read_case(CaseSource(id="a", subject="s", image="v.nii", label="l.npy"), tmp_path)


def test_times_of_nrrd_ome_and_imagej_are_refused(tmp_path: Path) -> None:
    nrrd(tmp_path / "v.nrrd", "time domain domain domain")
    ome(tmp_path / "o.ome.tif", "CZYX")
    tifffile.imwrite(tmp_path / "t.ome.tif", CHANNELS, ome=True, metadata={"axes": "TZYX"}, photometric="minisblack")
    tifffile.imwrite(tmp_path / "j.tif", CHANNELS, imagej=True, metadata={"axes": "TZYX"})
    for name in ("v.nrrd", "t.ome.tif", "j.tif"):
        with pytest.raises(InputError) as caught:
            read_image(tmp_path / name)
        assert caught.value.rule == "axes-order", name


def test_pages_of_channels_follow_tiffdata(tmp_path: Path) -> None:
    pages = [(channel, z) for z in (2, 0, 1) for channel in (1, 0)]
    blocks = "".join(
        f'<TiffData IFD="{page}" FirstC="{channel}" FirstZ="{z}"/>' for page, (channel, z) in enumerate(pages)
    )
    xml = (
        '<?xml version="1.0"?><OME><Image><Pixels DimensionOrder="XYZCT" Type="uint16" SizeX="7" SizeY="5" SizeZ="3" '
        f'SizeC="2" SizeT="1"><Channel Name="a"/><Channel/>{blocks}</Pixels></Image></OME>'
    )
    stack = np.stack([CHANNELS[channel, z] for channel, z in pages])
    tifffile.imwrite(tmp_path / "v.ome.tif", stack, description=xml, metadata=None, photometric="minisblack")
    volume = read_image(tmp_path / "v.ome.tif")
    assert np.array_equal(volume.array, LAST)
    assert volume.channels == ("channel 1", "channel 2")


def test_a_vector_of_one_value_is_grey(tmp_path: Path) -> None:
    head = (
        "NRRD0004\ntype: uint8\ndimension: 4\nsizes: 1 7 5 3\nencoding: raw\nspacings: nan 1 1 2\n"
        "kinds: vector domain domain domain\n\n"
    )
    (tmp_path / "v.nrrd").write_bytes(head.encode("ascii") + bytes(105))
    volume = read_image(tmp_path / "v.nrrd")
    assert (volume.axes, volume.array.shape, volume.channels) == ("zyx", (3, 5, 7), ())
