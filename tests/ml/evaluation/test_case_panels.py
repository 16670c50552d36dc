"""Pictures of evaluated cases: what is drawn where, in which colour, and how many are kept."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from minivess.ml.evaluation.drawings import Album, CaseDrawing, Panel, Picture, ScaleBar, drawing_order
from minivess.records.data.dataset import LabelClass
from tests.support.builders.report_facts import case_arrays
from tests.support.lazy_modules import lazily
from tests.support.properties import given, settings, strategies

with lazily("minivess.ml.evaluation.report.case_panels"):
    from minivess.ml.evaluation.report import case_panels, outlines

pytestmark = [pytest.mark.verifies("REQ-400"), pytest.mark.verifies("SU-151")]

TWO = (LabelClass(value=1, name="artery", colour="#d02020"), LabelClass(value=2, name="vein"))


def pixels(picture: Picture) -> NDArray[np.uint8]:
    opened = Image.open(io.BytesIO(picture.data))
    assert opened.size == (picture.width, picture.height)
    assert opened.format is not None
    assert opened.format.lower() == picture.kind
    return np.asarray(opened.convert("RGBA"))


def square(start: int, end: int, size: int = 12) -> NDArray[np.uint8]:
    mask = np.zeros((size, size), np.uint8)
    mask[start:end, start:end] = 1
    return mask


def test_a_line_is_where_only_one_mask_or_both_have_their_border() -> None:
    reference, prediction = square(2, 8), square(2, 8)
    prediction[2:8, 6:8] = 0
    lines = outlines.outlines(reference, prediction, (12, 12))
    assert lines[4, 2] == 3  # the left borders coincide
    assert lines[4, 7] == 1  # the right border of the reference
    assert lines[4, 5] == 2  # and that of the prediction
    assert lines[4, 3] == 0  # inside both
    assert lines[0, 0] == 0


@given(strategies.integers(0, 2**16), strategies.integers(4, 40), strategies.integers(4, 40))
def test_no_line_is_lost_when_a_mask_is_reduced(seed: int, rows: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    reference, prediction = ((rng.random((40, 40)) < 0.02).astype(np.uint8) for _ in range(2))
    full = outlines.outlines(reference, prediction, (40, 40))
    small = outlines.outlines(reference, prediction, (rows, columns))
    for row, column in zip(*np.nonzero(full), strict=True):
        place = np.searchsorted(np.arange(rows) * 40 // rows, row, "right") - 1
        other = np.searchsorted(np.arange(columns) * 40 // columns, column, "right") - 1
        assert small[place, other] & full[row, column] == full[row, column]


@pytest.mark.parametrize(
    ("pair", "colour"), [((1, 1), "BOTH"), ((1, 0), "REFERENCE"), ((0, 1), "PREDICTION"), ((1, 2), "ANOTHER")]
)
@pytest.mark.parametrize("flat", [True, False])
def test_each_kind_of_difference_has_its_colour(pair: tuple[int, int], colour: str, flat: bool) -> None:
    shape = (4, 4) if flat else (3, 4, 4)
    reference, prediction = (np.full(shape, value, np.uint8) for value in pair)
    seen = outlines.differences(reference, prediction, 0)
    assert np.allclose(seen, outlines.rgb(getattr(outlines, colour)), atol=1)


def test_the_more_frequent_kind_along_the_axis_gives_the_colour_and_an_error_wins_a_draw() -> None:
    reference, prediction = np.ones((4, 1, 2), np.uint8), np.ones((4, 1, 2), np.uint8)
    prediction[:1, :, 0], prediction[:2, :, 1] = 0, 0  # one of four missed, and two of four
    seen = outlines.differences(reference, prediction, 0)[0]
    hues = seen / seen.max(axis=-1, keepdims=True)
    for hue, colour in zip(hues, (outlines.BOTH, outlines.REFERENCE), strict=True):
        assert np.allclose(hue, np.array(outlines.rgb(colour)) / max(outlines.rgb(colour)), atol=0.01)


def test_a_volume_has_three_planes_and_three_projections_at_one_scale() -> None:
    drawn = case_panels.draw_case(case_arrays("a", shape=(6, 20, 40)))
    assert [one.title.split(" plane")[0] for one in drawn.panels[:3]] == ["xy", "xz", "yz"]
    assert [one.title for one in drawn.panels[3:]] == ["xy projection", "xz projection", "yz projection"]
    assert [one.projection for one in drawn.panels] == [False] * 3 + [True] * 3
    # 6 planes of 5 µm are 30 µm, 20 rows are 20 µm, 40 columns 40 µm: 8 pixels a micrometre
    assert [(one.image.height, one.image.width) for one in drawn.panels[:3]] == [(160, 320), (240, 320), (240, 160)]
    for one in drawn.panels:
        assert pixels(one.image).shape == pixels(one.masks).shape
        assert one.of_classes is None
        assert one.bar.text in {"10 µm", "5 µm"}
    assert drawn.classes == ()


def test_the_planes_are_those_with_most_wrong_voxels() -> None:
    case = case_arrays("a")
    right = np.zeros_like(case.reference)
    right[1:3, 2:5, 2:5] = 1
    wrong = right.copy()
    wrong[4, 10:14, 7] = 1
    drawn = case_panels.draw_case(case_arrays("a", reference=right, prediction=wrong))
    assert [one.title for one in drawn.panels[:3]] == ["xy plane 4 of 6", "xz plane 10 of 20", "yz plane 7 of 20"]
    same = case_panels.draw_case(case_arrays("a", reference=right, prediction=right))
    assert [one.title for one in same.panels[:3]] == ["xy plane 1 of 6", "xz plane 2 of 20", "yz plane 2 of 20"]
    none = case_panels.draw_case(case_arrays("a", reference=right * 0, prediction=right * 0))
    assert [one.title for one in none.panels[:3]] == ["xy plane 3 of 6", "xz plane 10 of 20", "yz plane 10 of 20"]


def test_a_known_orientation_is_shown_as_radiologists_see_it_and_planes_keep_their_numbers() -> None:
    reference = np.zeros((6, 20, 20), np.uint8)
    reference[1, 3, 2] = 1  # z grows to superior, y to anterior, x to right
    empty = np.zeros_like(reference)
    drawn = case_panels.draw_case(case_arrays("a", reference=reference, prediction=empty, orientation="SAR"))
    axial, coronal, sagittal = drawn.panels[:3]
    assert [one.edges for one in (axial, coronal, sagittal)] == [
        ("R", "L", "A", "P"),
        ("R", "L", "S", "I"),
        ("A", "P", "S", "I"),
    ]
    assert [one.title for one in drawn.panels[:3]] == ["xy plane 1 of 6", "xz plane 3 of 20", "yz plane 2 of 20"]
    lines = pixels(axial.masks)[..., 3] > 0
    rows, columns = np.nonzero(lines)
    # y is 3 of 20 from the posterior end, so it is near the bottom; x is 2 of 20 from the left end, so near the right
    assert rows.mean() / lines.shape[0] == pytest.approx((19 - 3 + 0.5) / 20, abs=0.03)
    assert columns.mean() / lines.shape[1] == pytest.approx((19 - 2 + 0.5) / 20, abs=0.03)
    unknown = case_panels.draw_case(case_arrays("a")).panels[0]
    assert unknown.edges == ("", "x →", "", "y ↓")


def test_outlines_of_reference_and_prediction_have_their_own_colours() -> None:
    reference, prediction = np.zeros((1, 20, 20), np.uint8), np.zeros((1, 20, 20), np.uint8)
    reference[0, 2:8, 2:8], prediction[0, 10:18, 10:18] = 1, 1
    drawn = case_panels.draw_case(case_arrays("a", shape=(1, 20, 20), reference=reference, prediction=prediction))
    lines = pixels(drawn.panels[0].masks)
    for part, colour in ((lines[:140, :140], outlines.REFERENCE), (lines[150:, 150:], outlines.PREDICTION)):
        drawn_colours = {tuple(int(value) for value in one[:3]) for one in part[part[..., 3] > 0]}
        assert drawn_colours == {outlines.rgb(colour)}


@pytest.mark.parametrize("colour", [True, False])
def test_a_flat_image_is_one_panel_in_its_own_colours(colour: bool) -> None:
    image = np.zeros((24, 32, 3), np.uint8)
    image[..., 0] = 200
    changes: dict[str, Any] = {"image": image} if colour else {}
    drawn = case_panels.draw_case(case_arrays("p", shape=(24, 32), **changes))
    (panel,) = drawn.panels
    assert (panel.title, panel.projection, panel.edges) == ("", False, ("", "x →", "", "y ↓"))
    assert (panel.image.width, panel.image.height) == (480, 360)
    if colour:
        assert np.abs(pixels(panel.image)[..., :3].astype(int) - (200, 0, 0)).max() < 12


def test_with_several_classes_each_has_its_colour() -> None:
    reference, prediction = np.full((2, 8, 8), 1, np.uint8), np.full((2, 8, 8), 2, np.uint8)
    drawn = case_panels.draw_case(
        case_arrays("a", shape=(2, 8, 8), classes=TWO, reference=reference, prediction=prediction)
    )
    assert [name for name, _ in drawn.classes] == ["artery", "vein"]
    for panel in drawn.panels:
        assert panel.of_classes is not None
        for picture, (_, colour) in zip(panel.of_classes, drawn.classes, strict=True):
            assert np.abs(pixels(picture)[..., :3].astype(int) - outlines.rgb(colour)).max() <= 1


def test_values_that_are_no_numbers_are_black_and_empty_masks_can_be_drawn() -> None:
    image = np.full((3, 8, 8), np.nan, np.float32)
    empty = np.zeros((3, 8, 8), np.uint8)
    drawn = case_panels.draw_case(case_arrays("a", shape=(3, 8, 8), image=image, reference=empty, prediction=empty))
    assert pixels(drawn.panels[0].image)[..., :3].max() == 0
    constant = case_panels.draw_case(case_arrays("a", shape=(3, 8, 8), image=empty.astype(np.float32) + 5))
    assert len(constant.panels) == 6


DTYPES = ("bool", "uint8", "int16", "uint16", "int32", "float32", "float64")


@given(strategies.data())
@settings(max_examples=60)
def test_any_case_that_can_be_evaluated_can_be_drawn(data: strategies.DataObject) -> None:
    flat = data.draw(strategies.booleans())
    axes = 2 if flat else 3
    shape = tuple(data.draw(strategies.lists(strategies.integers(1, 30), min_size=axes, max_size=axes)))
    channels = data.draw(strategies.sampled_from([None, 1, 2, 3, 5]))
    spacing = tuple(data.draw(strategies.lists(strategies.floats(1e-3, 1e4), min_size=axes, max_size=axes)))
    rng = np.random.default_rng(data.draw(strategies.integers(0, 99)))
    values = rng.normal(0, 300, shape if channels is None else (*shape, channels))
    image = values.astype(data.draw(strategies.sampled_from(DTYPES)))
    if image.dtype.kind == "f":
        image.flat[0] = data.draw(strategies.sampled_from([np.nan, np.inf, -np.inf, 0]))
    classes = data.draw(strategies.sampled_from([TWO, TWO[:1]]))
    given_masks = data.draw(strategies.sampled_from([{}, {"reference": np.zeros(shape, np.uint8)}]))
    case = case_arrays("a", shape=shape, classes=classes, image=image, spacing=spacing, **given_masks)
    drawn = case_panels.draw_case(case)
    assert len(drawn.panels) == (1 if flat else 6)
    for panel in drawn.panels:
        assert min(panel.image.width, panel.image.height) >= 2
        assert max(panel.image.width, panel.image.height) <= (480 if flat else 320)
        assert 0 < panel.bar.share <= 1


def small(case: str, dice: float) -> CaseDrawing:
    dot = Picture("png", b"", 1, 1)
    panel = Panel("", False, dot, dot, None, ScaleBar(0.2, "1 px"), ("", "", "", ""))
    return CaseDrawing(case, dice, dot, (panel,), ())


@given(
    strategies.permutations([(f"c{number}", (number * 7 % 12) / 12) for number in range(12)]), strategies.integers(0, 9)
)
def test_an_album_keeps_few_large_pictures_whatever_the_order(cases: list[tuple[str, float]], seed: int) -> None:
    album = Album(seed, most=4)
    for case, dice in cases:
        album.add(small(case, dice))
    detailed = {case for case, _ in cases if (drawing := album.get(case)) is not None and drawing.panels}
    ranked = [case for case, _ in sorted(cases, key=lambda pair: (pair[1], pair[0]))]
    others = drawing_order(set(ranked) - {ranked[0], ranked[-1]}, seed)
    assert len(album) == 12
    assert detailed == {ranked[0], ranked[-1], *others[:4]}
