"""Steps of features/classes.feature."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.documents.croissant import croissant
from minivess.compliance.documents.data_card import data_card
from minivess.foundation.errors import InputError
from minivess.ml.cases.ingestion import ingest
from minivess.ml.reading.case import read_case
from minivess.records.data.dataset import CodedTerm, LabelClass
from minivess.records.data.source import CaseSource, Data
from minivess.records.data.split import SplitManifest
from minivess.records.data.validation import ValidationReport
from tests.support.builders import specimens

scenarios("classes.feature")

ARTERY = CodedTerm(value="51114001", scheme="SCT", meaning="Arterial structure")
STATED = {1: {"name": "artery", "colour": "#d02020", "code": ARTERY.model_dump()}}
SHAPE = (160, 160)


@pytest.fixture
def facts(tmp_path: Path) -> dict[str, Any]:
    """What the steps of one scenario tell each other."""
    return {"folder": tmp_path, "classes": ()}


def squares(values: list[int], side: int = 7, step: int = 9) -> np.ndarray:
    """A mask with one square of each value."""
    mask = np.zeros(SHAPE, np.int32)
    per_row = SHAPE[1] // step
    for number, value in enumerate(values):
        y, x = divmod(number, per_row)
        mask[y * step : y * step + side, x * step : x * step + side] = value
    return mask


def beside(value: int) -> np.ndarray:
    """A large area of 255, and a small one of another value."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[20:120, 20:120], mask[130:140, 20:32] = 255, value
    return mask


def colours() -> np.ndarray:
    """A red and a green area on black."""
    mask = np.zeros((*SHAPE, 3), np.uint8)
    mask[10:40, 10:40], mask[60:90, 10:40] = (255, 0, 0), (0, 255, 0)
    return mask


def smooth() -> np.ndarray:
    """A disc whose edge has greys, as resampling makes them."""
    y, x = np.mgrid[:160, :160]
    return np.clip(255 * (30.5 - np.hypot(y - 80, x - 80)), 0, 255).astype(np.uint8)


MASKS: dict[str, Callable[[], np.ndarray]] = {
    "a value for each of 12 objects": lambda: squares(list(range(1, 13))),
    "a value for each of 300 objects": lambda: squares(list(range(1, 301)), 5, 8),
    "few large and many small values, sparse": lambda: squares(list(range(10, 260, 10)), 3, 20),
    "three classes in scattered pieces": lambda: squares([1, 2, 3] * 40),
    "a small class 128 beside a class 255": lambda: beside(128),
    "a small class 3 beside a class 255": lambda: beside(3),
    "red and green areas": colours,
    "smooth edges": smooth,
}


@given("a project file that states name, colour and coded term of the class 1")
def _project(facts: dict) -> None:
    folder = facts["folder"]
    for name in "abc":
        np.save(folder / f"{name}.npy", np.random.default_rng(ord(name)).integers(0, 99, (4, 9, 9)).astype(np.uint8))
        np.save(folder / f"{name}-mask.npy", (np.arange(324).reshape(4, 9, 9) % 5 == 0).astype(np.uint8))
    cases = [
        {"id": n, "subject": n, "image": f"{n}.npy", "label": f"{n}-mask.npy", "spacing": "5 x 1 x 1 um"} for n in "abc"
    ]
    stated = {"name": "set", "licence": "CC0", "source": "test", "root": ".", "cases": cases, "classes": STATED}
    facts["data"] = Data.model_validate(stated)


@when("its case is ingested and the data card is made")
def _card(facts: dict) -> None:
    facts["manifest"] = manifest = ingest(facts["data"], facts["folder"], facts["folder"] / "prepared")
    report = ValidationReport(dataset=manifest.root, rules=(), findings=())
    split = SplitManifest(
        dataset=manifest.root, seed=0, train=("a",), calibration=("b",), test=("c",), root=manifest.root
    )
    facts["card"] = data_card(facts["data"], manifest, report, split)


@then("the record of the case and the card have the three")
def _three(facts: dict) -> None:
    wanted = (LabelClass(value=1, name="artery", colour="#d02020", code=ARTERY),)
    assert facts["manifest"].cases[0].classes == wanted
    assert facts["card"].classes == wanted


@then("the Croissant file has them as a record of the class")
def _croissant(facts: dict) -> None:
    (records,) = (one for one in croissant(facts["card"])["recordSet"] if one["@id"] == "classes")
    assert records["data"] == [
        {
            "classes/value": 1, "classes/name": "artery", "classes/colour": "#d02020", "classes/scheme": "SCT",
            "classes/code": "51114001", "classes/meaning": "Arterial structure",
        }
    ]  # fmt: skip
    assert {f"{one['@id']}" for one in records["field"]} == set(records["data"][0])


def _series(facts: dict) -> None:
    folder = facts["folder"] / "ct"
    folder.mkdir()
    for dataset in specimens.series():
        (folder / f"{dataset.InstanceNumber}.dcm").write_bytes(specimens.dicom_bytes(dataset))
    facts["image"] = "ct"


@given("a DICOM segmentation with a coloured segment")
def _segmentation(facts: dict) -> None:
    from io import BytesIO

    import pydicom
    from highdicom.color import CIELabColor

    _series(facts)
    mask = np.zeros((4, 5, 7), np.uint8)
    mask[1:3, 2:4, 1:6] = 1
    made = pydicom.dcmread(BytesIO(specimens.segmentation(mask)))
    made.SegmentSequence[0].RecommendedDisplayCIELabValue = list(CIELabColor.from_rgb(208, 32, 32).value)
    (facts["folder"] / "seg.dcm").write_bytes(specimens.dicom_bytes(made))
    facts["label"] = "seg.dcm"


@given("a mask that is drawn in red and green")
def _coloured(facts: dict) -> None:
    _mask(facts, "red and green areas")


@given(parsers.parse("a mask with {contents}"))
def _mask(facts: dict, contents: str) -> None:
    folder = facts["folder"]
    if contents == "two segments that overlap":
        _series(facts)
        mask = np.zeros((4, 5, 7, 2), np.uint8)
        mask[1:3, 2:4, 1:6] = 1
        (folder / "seg.dcm").write_bytes(specimens.segmentation(mask, ("artery", "vein")))
        facts["label"] = "seg.dcm"
        return
    mask = MASKS[contents]()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8)).save(folder / "i.png")
    if mask.dtype == np.uint8:
        Image.fromarray(mask).save(folder / "l.png")
        facts["label"] = "l.png"
    else:
        np.save(folder / "l.npy", mask)
        facts["label"] = "l.npy"
    facts["image"] = "i.png"


@when("its case is read")
def _read(facts: dict) -> None:
    source = CaseSource.model_validate({"id": "a", "subject": "a", "image": facts["image"], "label": facts["label"]})
    try:
        facts["case"] = read_case(source, facts["folder"], classes=facts["classes"])
    except InputError as error:
        facts["error"] = error


@when("its case is read with another coded term in the project file")
def _other(facts: dict) -> None:
    facts["classes"] = (LabelClass(value=1, name="artery", code=ARTERY),)
    _read(facts)


@when("its case is read with the colours of both classes")
def _by_colour(facts: dict) -> None:
    facts["classes"] = (
        LabelClass(value=1, name="artery", colour="#ff0000"),
        LabelClass(value=2, name="vein", colour="#00ff00"),
    )
    _read(facts)


@then("the class has the name, the colour and the coded term of the segment")
def _segment(facts: dict) -> None:
    (found,) = facts["case"].classes
    assert (found.value, found.name) == (1, "vessel")
    assert found.code == CodedTerm(value="85756007", scheme="SCT", meaning="Tissue")
    channels = [int(found.colour[at : at + 2], 16) for at in (1, 3, 5)]
    assert np.allclose(channels, (208, 32, 32), atol=2)


@then("it is refused with both terms under the rule mask-term")
def _terms(facts: dict) -> None:
    error = facts["error"]
    assert error.rule == "mask-term"
    assert "Tissue (SCT 85756007)" in error.message
    assert "Arterial structure (SCT 51114001)" in error.message


@then("the mask has the values of both classes")
def _values(facts: dict) -> None:
    drawn = colours()
    assert np.array_equal(facts["case"].label, (drawn[..., 0] > 0) + 2 * (drawn[..., 1] > 0))


@then(parsers.re(r'it is refused with "(?P<words>.+)" under the rule (?P<rule>\S+)'))
def _refused(facts: dict, words: str, rule: str) -> None:
    error = facts["error"]
    assert words in error.message
    assert error.rule == rule
    assert error.hint


@then("the mask has one class")
def _one(facts: dict) -> None:
    case = facts["case"]
    assert np.array_equal(case.label, smooth() > 127.5)
    assert [one.name for one in case.classes] == ["foreground"]
