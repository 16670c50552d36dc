"""Overlays and figures of several classes, in volumes and in colour pictures: what is drawn, in which colour."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from minivess.ml.evaluation.evaluate import CaseArrays, ClassReliability, Pictures
from minivess.records.data.dataset import LabelClass
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.evaluation_plan import analysis_plan
from tests.support.lazy_modules import lazily

with lazily("minivess.ml.evaluation.figures", "minivess.ml.evaluation.overlays", "minivess.ml.evaluation.style"):
    from minivess.ml.evaluation import figures, overlays, style


pytestmark = [pytest.mark.verifies("REQ-338"), pytest.mark.verifies("SU-33")]

CLASSES = (LabelClass(value=1, name="artery", colour="#d02020"), LabelClass(value=2, name="vein"))


def rgb(colour: str) -> list[float]:
    """The parts of `#rrggbb`, from 0 to 1."""
    return [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]


def case(*, flat: bool) -> CaseArrays:
    """Row 0 agrees, row 1 is missed, row 2 is added, row 3 is another class, row 4 is background."""
    reference = np.repeat([[1], [1], [0], [1], [0]], 6, axis=1).astype(np.uint8)
    prediction = np.repeat([[1], [0], [2], [2], [0]], 6, axis=1).astype(np.uint8)
    image = np.random.default_rng(0).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    if flat:
        return CaseArrays("p-1", (1.0, 1.0), "px", CLASSES, 0.5, image, reference, prediction)
    deep = [np.repeat(one[np.newaxis], 2, axis=0) for one in (image[..., 0], reference, prediction)]
    return CaseArrays("v-1", (500.0, 200.0, 200.0), "um", CLASSES, 0.5, *deep)


@pytest.mark.parametrize("flat", [True, False])
def test_each_kind_of_difference_has_its_colour(flat: bool) -> None:
    picture = overlays.differences(case(flat=flat))
    for row, colour in enumerate((style.AGREED, style.BLUE, style.ORANGE, style.PURPLE, "#FFFFFF")):
        assert np.allclose(picture[row], rgb(colour)), row


@pytest.mark.parametrize("flat", [True, False])
def test_each_class_has_its_colour(flat: bool) -> None:
    shown = case(flat=flat)
    picture = overlays.painted(shown, shown.prediction, 1 if flat else 2)
    assert np.allclose(picture[0], rgb("#d02020"))
    assert np.allclose(picture[2], rgb(overlays.colour_of(CLASSES, 1)))
    assert np.allclose(picture[4], 1)


def test_a_colour_picture_is_shown_in_its_colours() -> None:
    shown = case(flat=True)
    assert np.allclose(overlays.image_of(shown), shown.image / 255)


def test_figures_of_two_classes_name_each_with_its_figures() -> None:
    rows = [
        counted_case(f"c{n}", of_class=name, overlap=(90 - n, 10, 20), distance=None if n else 2.5)
        for n in range(2)
        for name in ("artery", "vein")
    ]
    record = counted_evaluation(
        rows, analysis_plan(), model=f"sha256:{'1' * 64}", data=f"sha256:{'1' * 64}", request="r"
    )
    pictures = Pictures(case(flat=True), case(flat=False), {name: ClassReliability() for name in ("artery", "vein")})
    looks = figures.looks_of(record, pictures)
    assert [(one.name, one.colour) for one in looks] == [
        ("artery", "#d02020"),
        ("vein", overlays.colour_of(CLASSES, 1)),
    ]
    assert figures.heading(looks[0], record.measures[0], record).startswith("artery 0.85")
    assert figures.heading(looks[1], record.measures[3], record).endswith("1 of 2")
    assert figures.measures_by_case(record, pictures).startswith(b"<?xml")
    assert figures.reliability(record, pictures).startswith(b"<?xml")
    assert Image.open(io.BytesIO(overlays.overlay(pictures))).size == (1650, 960)
