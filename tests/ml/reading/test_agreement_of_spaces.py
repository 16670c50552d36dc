"""What files state in part, or in a space without a name, is compared too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.errors import InputError
from minivess.ml.reading.case import Case, read_case
from minivess.records.data.source import CaseSource
from tests.support.lazy_modules import lazily

with lazily("nibabel"):
    import nibabel

with lazily("tifffile"):
    import tifffile

pytestmark = pytest.mark.verifies("SU-25", "REQ-276", "REQ-311", "RC-15")

IMAGE = np.arange(64, dtype=np.uint8).reshape(4, 4, 4)
MASK = (IMAGE % 7 == 0).astype(np.uint8)
NAMED = "space: right-anterior-superior"
NAMELESS = "space dimension: 3"
STRAIGHT = "(0.5,0,0) (0,0.5,0) (0,0,2)", "(10,20,30)"


def nrrd(path: Path, array: np.ndarray, lines: tuple[str, ...], unit: str | None = "mm") -> str:
    """A NRRD file with these lines in its header."""
    units = () if unit is None else (f"space units: {' '.join([f'"{unit}"'] * 3)}",)
    sizes = " ".join(str(size) for size in array.shape[::-1])
    head = ("NRRD0005", "type: uint8", f"dimension: {array.ndim}", *lines[:1], f"sizes: {sizes}", *lines[1:], *units)
    path.write_bytes("\n".join((*head, "encoding: raw", "", "")).encode() + array.tobytes())
    return path.name


def placed(space: str, directions: str, origin: str = STRAIGHT[1]) -> tuple[str, ...]:
    return space, f"space directions: {directions}", f"space origin: {origin}"


def read(folder: Path, image: str, label: str, **stated: object) -> Case:
    return read_case(
        CaseSource.model_validate({"id": "a", "subject": "s", "image": image, "label": label} | stated), folder
    )


OTHERS = {
    "mirrored": ("(-0.5,0,0) (0,0.5,0) (0,0,2)", "(11.5,20,30)"),
    "elsewhere": (STRAIGHT[0], "(510,20,30)"),
    "upside down": ("(0.5,0,0) (0,0.5,0) (0,0,-2)", "(10,20,36)"),
    "transposed": ("(0,0.5,0) (0.5,0,0) (0,0,2)", "(10,20,30)"),
}


@pytest.mark.parametrize("unit", ["mm", None], ids=["mm", "no unit"])
@pytest.mark.parametrize("space", [NAMELESS, NAMED], ids=["no space", "named space"])
@pytest.mark.parametrize("how", sorted(OTHERS))
def test_positions_are_compared_also_in_a_space_without_a_name(
    tmp_path: Path, how: str, space: str, unit: str | None
) -> None:
    image = nrrd(tmp_path / "i.nrrd", IMAGE, placed(NAMELESS, *STRAIGHT), unit)
    label = nrrd(tmp_path / "l.nrrd", MASK, placed(space, *OTHERS[how]), unit)
    with pytest.raises(InputError, match=r"orientation or origin is not the image's: i\.nrrd .*, l\.nrrd has axes"):
        read(tmp_path, image, label, spacing="2000 x 500 x 500 um")


@pytest.mark.parametrize(
    ("signs", "used"), [((1, 1), "right-anterior-superior"), ((-1, -1), "left-posterior-superior")], ids=["RAS", "LPS"]
)
def test_a_space_without_a_name_is_taken_in_the_one_in_which_it_agrees(
    tmp_path: Path, signs: tuple[int, int], used: str
) -> None:
    affine = np.diag([0.5, 0.5, 2.0, 1.0])
    affine[:3, 3] = 10, 20, 30
    made = nibabel.Nifti1Image(IMAGE.T, affine)
    made.header.set_xyzt_units("mm")
    (tmp_path / "i.nii").write_bytes(made.to_bytes())
    x, y = signs
    turned = f"({x / 2},0,0) (0,{y / 2},0) (0,0,2)", f"({10 * x},{20 * y},30)"
    label = nrrd(tmp_path / "l.nrrd", MASK, placed(NAMELESS, *turned))
    case = read(tmp_path, "i.nii", label)
    assert f"the mask names no space: {used} was used (it gives the position of the other file)" in case.notes
    assert case.affine is not None


def test_a_position_in_a_space_without_a_name_is_none_of_the_record(tmp_path: Path) -> None:
    image = nrrd(tmp_path / "i.nrrd", IMAGE, placed(NAMELESS, *STRAIGHT))
    label = nrrd(tmp_path / "l.nrrd", MASK, placed(NAMELESS, *STRAIGHT))
    case = read(tmp_path, image, label)
    assert (case.affine, case.spacing) == (None, (2000.0, 500.0, 500.0))


@pytest.mark.parametrize("space", [("space dimension: 2", "(0.5,0) (0,0.5)", "(1,2)", "(-0.5,0) (0,0.5)", "(2.5,2)")])
def test_positions_of_pictures_are_compared(tmp_path: Path, space: tuple[str, ...]) -> None:
    kind, directions, origin, mirrored, moved = space
    image = nrrd(tmp_path / "i.nrrd", IMAGE[0], placed(kind, directions, origin), None)
    label = nrrd(tmp_path / "l.nrrd", MASK[0], placed(kind, mirrored, moved), None)
    with pytest.raises(InputError, match="orientation or origin"):
        read(tmp_path, image, label)


def test_a_picture_in_a_named_space_is_placed(tmp_path: Path) -> None:
    image = nrrd(tmp_path / "i.nrrd", IMAGE[0], placed(NAMED, "(0.5,0,0) (0,0.5,0)"))
    label = nrrd(tmp_path / "l.nrrd", MASK[0], placed(NAMED, "(0.5,0,0) (0,-0.5,0)", "(10,21.5,30)"))
    with pytest.raises(InputError, match="orientation or origin"):
        read(tmp_path, image, label)


def imagej(path: Path, array: np.ndarray, step: float, **facts: object) -> str:
    tifffile.imwrite(
        path,
        array,
        imagej=True,
        photometric="minisblack",
        resolution=(1 / step, 1 / step),
        metadata=facts | {"axes": "ZYX"[-array.ndim :]},
    )
    return path.name


def ome(path: Path, array: np.ndarray, **sizes: float) -> str:
    axes = "ZYX"[-array.ndim :]
    tifffile.imwrite(
        path,
        array,
        ome=True,
        photometric="minisblack",
        metadata={"axes": axes, **{f"PhysicalSize{a}": v for a, v in sizes.items()}},
    )
    return path.name


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("OME without z", lambda path: ome(path, IMAGE, X=0.5, Y=0.5)),
        ("ImageJ without a distance of planes", lambda path: imagej(path, IMAGE, 0.5, unit="um")),
        ("ImageJ", lambda path: imagej(path, IMAGE, 0.5, unit="um", spacing=2.0)),
        ("ImageJ in inches", lambda path: imagej(path, IMAGE, 0.5 / 25400, unit="inch", spacing=2.0 / 25400)),
        ("ImageJ without a unit", lambda path: imagej(path, IMAGE, 0.5, spacing=2.0)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_spacing_that_is_stated_in_part_must_agree(tmp_path: Path, name: str, make: object) -> None:
    image = make(tmp_path / "i.tif")
    np.save(tmp_path / "l.npy", MASK)
    case = read(tmp_path, image, "l.npy", spacing="2.0 x 0.5 x 0.5 um")
    assert case.spacing == (2.0, 0.5, 0.5)
    with pytest.raises(InputError, match=r"says .*0\.5 × 0\.5"):
        read(tmp_path, image, "l.npy", spacing="2.0 x 0.7 x 0.7 um")


def test_statements_about_some_axes_do_not_hide_a_contradiction_in_another(tmp_path: Path) -> None:
    image = ome(tmp_path / "i.ome.tif", IMAGE, X=0.5, Y=0.5)
    label = ome(tmp_path / "l.ome.tif", MASK, X=0.5, Y=0.5, Z=3.0)
    with pytest.raises(
        InputError, match=r"minivess\.yaml says 2 × 0\.5 × 0\.5 µm and l\.ome\.tif says 3 × 0\.5 × 0\.5"
    ):
        read(tmp_path, image, label, spacing="2.0 x 0.5 x 0.5 um")
    assert read(tmp_path, image, label).notes == ("the image states no spacing: that of the mask was used",)


def test_the_pixel_size_of_a_picture_is_read_from_imagej(tmp_path: Path) -> None:
    image, label = imagej(tmp_path / "i.tif", IMAGE[0], 0.5, unit="micron"), imagej(tmp_path / "l.tif", MASK[0], 0.5)
    case = read(tmp_path, image, label)
    assert (case.spacing, case.unit) == ((0.5, 0.5), "um")
    other = imagej(tmp_path / "m.tif", MASK[0], 0.7, unit="micron")
    with pytest.raises(InputError, match=r"0\.5 × 0\.5 µm and m\.tif says 0\.7"):
        read(tmp_path, image, other)


def test_an_unknown_unit_of_imagej_is_refused(tmp_path: Path) -> None:
    image = imagej(tmp_path / "i.tif", IMAGE, 0.5, unit="furlong", spacing=2.0)
    np.save(tmp_path / "l.npy", MASK)
    with pytest.raises(InputError, match="unknown unit 'furlong'"):
        read(tmp_path, image, "l.npy", spacing="2.0 x 0.5 x 0.5 um")


@pytest.mark.parametrize("value", [2, 3, 4, 5, 6, 7, 8])
def test_a_tiff_that_asks_viewers_to_turn_it_is_refused(tmp_path: Path, value: int) -> None:
    tifffile.imwrite(tmp_path / "i.tif", IMAGE[0], photometric="minisblack", extratags=[(274, "H", 1, value, True)])
    np.save(tmp_path / "l.npy", MASK[0])
    with pytest.raises(InputError, match="asks viewers to turn or mirror it"):
        read(tmp_path, "i.tif", "l.npy")


@pytest.mark.parametrize(("axis", "size"), [("SizeX", 5), ("SizeY", 3), ("SizeZ", 9)])
def test_metadata_of_another_image_are_refused(tmp_path: Path, axis: str, size: int) -> None:
    np.save(tmp_path / "i.npy", IMAGE)
    np.save(tmp_path / "l.npy", MASK)
    pixels = {"SizeX": 4, "SizeY": 4, "SizeZ": 4, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2}

    def write(sizes: dict[str, float]) -> None:
        stated = " ".join(f'{name}="{value}"' for name, value in sizes.items())
        (tmp_path / "m.xml").write_text(f"<OME><Image><Pixels {stated}/></Image></OME>", encoding="utf-8")

    write(pixels)
    assert read(tmp_path, "i.npy", "l.npy", metadata="m.xml").spacing == (2.0, 0.5, 0.5)
    write(pixels | {axis: size})
    with pytest.raises(InputError, match=f"m.xml: {axis} is {size} and the image has 4"):
        read(tmp_path, "i.npy", "l.npy", metadata="m.xml")
