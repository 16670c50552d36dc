"""Pages and tables of a pack of two classes: each figure is shown with its class."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from tests.support.builders.layout2_pack import small_pack
from tests.support.builders.release_builder import FLAT, TWO_CLASSES

pytestmark = [pytest.mark.verifies("REQ-338"), pytest.mark.verifies("SU-24")]


def words(name: str) -> str:
    """The text of a page of the pack, without tags, on one line."""
    page = small_pack(task=TWO_CLASSES).files[name].decode("utf-8")
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("data/index.html", "Dice, artery 0.893"),
        ("data/index.html", "Dice, vein 0.903"),
        ("data/index.html", "3 cases, each class against everything else"),
        ("data/index.html", "reaches a Dice of 0.693 (artery), 0.703 (vein)"),
        ("data/index.html", "Failed groups, vein (a case with a Dice below 0.5): 0 of 3 failed"),
        ("data/index.html", "Expected calibration error, vein:"),
        ("data/index.html", "Dice, mean, worst of all classes: artery"),
        ("data/documents/model-card.html", "into classes: 1 artery, 2 vein; 0 is background"),
        ("data/documents/model-card.html", "Preprocessing The image&#39;s own grid"),
        ("data/documents/model-card.html", "clDice, vein 0.883"),
        ("data/documents/model-card.html", "Dice of the tuned intensity threshold, vein 0.703"),
        ("data/documents/model-card.html", "of each voxel the class, or the background, with the highest probability"),
        ("data/documents/model-card.html", "Vein, all voxels 0.030 0.020"),
        ("data/documents/model-card.html", "0.400. Of vein against everything else."),
        ("data/documents/release-notes.html", "Dice of artery 0.893"),
        ("data/documents/release-notes.html", "Dice of vein 0.903"),
    ],
)
def test_a_page_shows_the_figures_of_each_class(page: str, shown: str) -> None:
    text = words(page)
    place = text.find(shown[:20])
    assert shown in text, text[place : place + 200]


def test_the_table_of_cases_has_a_row_for_each_class() -> None:
    files = small_pack(task=TWO_CLASSES).files
    (name,) = (name for name in files if name.endswith("cases.csv"))
    rows = list(csv.DictReader(io.StringIO(files[name].decode("utf-8-sig"), newline="")))
    assert [(row["case"], row["class"]) for row in rows][:3] == [
        ("case-00", "artery"),
        ("case-00", "vein"),
        ("case-01", "artery"),
    ]
    flat = small_pack(task=FLAT).files[name].decode("utf-8-sig").splitlines()
    assert flat[0].startswith("case,subject,")
    assert len(flat) == 4


def test_the_model_card_of_the_bill_of_materials_names_the_class_of_each_figure() -> None:
    whole = json.loads(small_pack(task=TWO_CLASSES).files["data/bom/ml.cdx.json"])
    (card,) = (one["modelCard"] for one in whole["components"] if one["bom-ref"] == "model")
    assert card["modelParameters"]["outputs"] == [
        {"format": "float32 probability of background, artery, vein (3, z, y, x)"}
    ]
    dices = [one for one in card["quantitativeAnalysis"]["performanceMetrics"] if one["type"] == "dice"]
    assert [(one["slice"], one["value"]) for one in dices] == [
        ("sealed test set, class artery", "0.8933"),
        ("sealed test set, class vein", "0.9033"),
    ]
