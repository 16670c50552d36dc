"""Image, masks and project: what they state is compared, and what one does not state is no agreement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from minivess.foundation.errors import InputError
from minivess.ml.reading.agreement import CaseFile, Statement, agree
from minivess.ml.reading.case import Case, read_case
from minivess.ml.reading.volume import Volume
from minivess.records.data.source import CaseSource, StatedUnit
from tests.support.lazy_modules import lazily
from tests.support.properties import given, settings

with lazily("nibabel"):
    import nibabel

pytestmark = pytest.mark.verifies("SU-25", "REQ-276", "REQ-277", "RC-15")

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "data.md"
HEADER = "| image | mask | project | result | message or note |"
STEPS, OTHER, ORIGIN = (0.5, 0.5, 2.0), (0.5, 0.5, 3.0), (10.0, 20.0, 30.0)
IMAGE = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
MASK = (IMAGE % 7 == 0).astype(np.uint8)

UNITS = {"mm": "mm", "no unit": None}
PROJECTS: dict[str, tuple[str | None, StatedUnit | None]] = {
    "–": (None, None),
    "spacing": ("2 x 0.5 x 0.5 mm", None),
    "other spacing": ("4 x 1.5 x 1.5 µm", None),
    "spacing and unit: um": ("2000 x 500 x 500 µm", "um"),
    "unit: mm": (None, "mm"),
    "unit: um": (None, "um"),
    "unit: px": (None, "px"),
}


def rows() -> list[tuple[str, ...]]:
    """The rule table of the guide."""
    lines = GUIDE.read_text(encoding="utf-8").split(HEADER)[1].split("\n\n")[0].splitlines()[2:]
    return [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines]


def affine(detail: str, steps: tuple[float, ...]) -> np.ndarray:
    made = np.diag([*steps, 1.0])
    made[:3, 3] = ORIGIN
    if detail == "mirrored":
        made[0, 0], made[0, 3] = -steps[0], ORIGIN[0] + 4 * steps[0]
    if detail == "elsewhere":
        made[0, 3] += 500
    return made


def written(folder: Path, stem: str, cell: str, array: np.ndarray) -> str:
    """A file that states what a cell of the table says; its name."""
    if cell == "nothing":
        np.save(folder / f"{stem}.npy", array)
        return f"{stem}.npy"
    kind, _, detail = cell.partition(", ")
    if cell == "other shape":
        kind, array = "mm", np.zeros((3, 4, 6), np.uint8)
    steps = {"other spacing": OTHER, "not square": (0.5, 2.0, 1.0)}.get(detail, STEPS)
    if kind == "picture":
        array = array[0]
    made = nibabel.Nifti1Image(array.T, np.eye(4) if kind == "unit matrix" else affine(detail, steps))
    if kind == "picture" or detail == "no position" or kind == "initial values":
        made.header.set_zooms((1.0,) * 3 if kind == "initial values" else steps[: array.ndim])
        made = nibabel.Nifti1Image(array.T, None, made.header)
        made.header["sform_code"] = made.header["qform_code"] = 0
    if detail == "two lengths":
        made.header["pixdim"][3] = 9
    if UNITS.get(kind):
        made.header.set_xyzt_units(UNITS[kind])
    else:
        made.header["xyzt_units"] = 0
    (folder / f"{stem}.nii").write_bytes(made.to_bytes())
    return f"{stem}.nii"


def read(folder: Path, image: str, mask: str, project: str = "–", second: str | None = None) -> Case:
    spacing, unit = PROJECTS[project]
    files = {"image": written(folder, "i", image, IMAGE), "label": written(folder, "l", mask, MASK)}
    if second is not None:
        files["second_label"] = written(folder, "m", second, MASK)
    source = CaseSource.model_validate({"id": "a", "subject": "s", "spacing": spacing} | files)
    return read_case(source, folder, unit=unit)


@pytest.mark.parametrize("row", rows(), ids=" + ".join)
def test_each_row_of_the_rule_table_holds(tmp_path: Path, row: tuple[str, ...]) -> None:
    image, mask, project, result, says = row
    if result == "refused":
        with pytest.raises(InputError) as caught:
            read(tmp_path, image, mask, project)
        assert says in f"{caught.value.message} {caught.value.hint}"
        return
    case = read(tmp_path, image, mask, project)
    assert np.array_equal(case.label, MASK if case.axes == "zyx" else MASK[0])
    if result == "taken":
        assert case.notes == ()
    else:
        assert any(says in note for note in case.notes), case.notes
    flat = image.startswith("picture")
    in_pixels = project == "unit: px" or (flat and project == "–")
    factor = 1 if project == "unit: um" and image != "mm" else 1000
    known = (2.0, 0.5, 0.5) if not flat else (2.0, 0.5)
    if project.startswith("unit: ") and image in {"initial values", "unit matrix"}:
        known = (1.0, 1.0, 1.0)
    expected = tuple(1.0 for _ in known) if in_pixels else tuple(factor * step for step in known)
    assert case.spacing == pytest.approx(expected)
    assert case.unit == ("px" if in_pixels else "um")
    if case.affine is not None:
        assert np.linalg.norm(case.affine[:3, :3], axis=0) == pytest.approx(expected)
        origin = (0, 0, 0) if image == "unit matrix" else ORIGIN
        assert list(case.affine[:3, 3]) == pytest.approx([factor * value for value in origin])
    placed = not in_pixels and (image in UNITS or (image == "unit matrix" and project.startswith("unit: ")))
    assert (case.affine is not None) == placed


def test_the_table_has_every_result_and_no_row_twice() -> None:
    found = rows()
    assert len({row[:3] for row in found}) == len(found) > 40
    assert {row[3] for row in found} == {"taken", "noted", "refused"}


@pytest.mark.parametrize("second", ["mm, elsewhere", "no unit, mirrored", "no unit, other spacing", "other shape"])
def test_the_mask_of_a_second_reader_is_compared_too(tmp_path: Path, second: str) -> None:
    with pytest.raises(InputError, match=r"^.*m\.nii: "):
        read(tmp_path, "mm", "mm", second=second)


FACTORS = {"mm": 1e3, "µm": 1.0, "m": 1e6, "cm": 1e4, "nm": 1e-3}


@settings(max_examples=60)
@given(
    unit=st.sampled_from(sorted(FACTORS)),
    steps=st.tuples(*[st.floats(0.1, 9, allow_subnormal=False)] * 3),
    changed=st.integers(0, 2),
    by=st.sampled_from([1.0, 1.005, 1.05, 0.5, 3.0]),
)
def test_a_header_without_a_unit_is_taken_only_in_a_unit_in_which_it_agrees(
    unit: str, steps: tuple[float, float, float], changed: int, by: float
) -> None:
    other = tuple(step * (by if axis == changed else 1) * FACTORS[unit] for axis, step in enumerate(steps))
    array = np.zeros((2, 2, 2))
    turned = np.zeros((4, 4))
    for axis, step in enumerate(steps):
        turned[2 - axis, axis] = step
    turned[3, 3] = 1
    image = CaseFile("the image", Path("i"), Volume(array, "zyx", "f4", "x", unitless=steps, affine=turned))
    stated = (Statement("minivess.yaml", Path("i"), other),)
    if abs(by - 1) > 0.01:
        with pytest.raises(InputError, match=r"minivess\.yaml says .* and i says .* without a unit"):
            agree("a", [image], stated)
        return
    agreed = agree("a", [image], stated)
    assert agreed.spacing == other
    assert agreed.volumes[0].affine is not None
    assert np.allclose(agreed.volumes[0].affine[:3], turned[:3] * FACTORS[unit])
    assert agreed.notes == (f"the image names no unit: {unit} was used (it gives the spacing of the other sources)",)
