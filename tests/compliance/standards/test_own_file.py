"""What this project's own file says of its libraries is what their packages say of themselves."""

from __future__ import annotations

import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest

from minivess.compliance.exchange.exporting import export_items
from minivess.compliance.exchange.importing import import_file
from minivess.compliance.items.items import load_items
from minivess.compliance.standards.required_documents import documents, unanswered
from minivess.records.items.items import RequirementCategory, SoupItem
from minivess.records.items.platform_parts import PART_KINDS
from minivess.records.items.risk_items import RiskControl

pytestmark = pytest.mark.verifies("SU-21")

ROOT = Path(__file__).parents[3]
ITEMS = load_items(ROOT)
SOUP = tuple(ITEMS.of(SoupItem).values())


PACKAGES = tuple(item for item in SOUP if item.package not in PART_KINDS)


@pytest.mark.verifies("REQ-264")
def test_each_part_of_the_platform_is_a_soup_item() -> None:
    assert {item.package for item in SOUP} >= set(PART_KINDS)


@pytest.mark.parametrize("item", PACKAGES, ids=lambda item: item.package)
def test_python_is_what_the_installed_package_asks_for(item: SoupItem) -> None:
    assert item.platform is not None
    assert item.platform.python == metadata(item.package).get("Requires-Python", ">=3")  # a package may state none


def test_what_is_said_to_run_anywhere_is_locked_as_a_package_for_any_system() -> None:
    locked = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    wheels = {one["name"]: [wheel["url"] for wheel in one.get("wheels", ())] for one in locked}
    for item in SOUP:
        urls = wheels.get(item.package)
        if urls is not None:
            assert item.platform is not None
            everywhere = any(url.endswith("-none-any.whl") for url in urls)
            assert (item.platform.builds == ("any",)) == everywhere, item.package


def test_no_name_stands_twice() -> None:
    packages = [item.package for item in SOUP]
    assert sorted(packages) == sorted(set(packages))


@pytest.mark.parametrize("document", documents(), ids=lambda one: one.evidence)
def test_every_plan_answers_every_part(document: object) -> None:
    [one] = [one for one in documents() if one == document]
    assert unanswered(one.parts, (ROOT / one.path).read_text(encoding="utf-8")) == ()


def test_every_category_has_a_requirement() -> None:
    assert {one.category for one in ITEMS.requirements.values()} == set(RequirementCategory)


def test_every_control_was_looked_at_for_what_it_brings() -> None:
    controls = ITEMS.of(RiskControl).values()
    assert controls
    assert [one.id for one in controls if bool(one.new_risks) == (one.no_new_risks is not None)] == []


@pytest.mark.verifies("REQ-075")
def test_the_whole_file_survives_a_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    export_items(ITEMS.all(), path)
    found = import_file(path, mapping=None, taken=(), known_origins={name: name for name in ITEMS.by_id})
    assert [remark for remark in found.remarks if remark.severity == "lost"] == []
    assert {item.id for item in found.items} == ITEMS.by_id.keys()
    assert [item.missing for item in found.items if item.missing] == []
