"""The pages in docs/ name scenarios, files and commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.verifies("SI-01")

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "decisions" not in path.parts)
MEASURE_FUNCTIONS = "src/minivess/ml/measures/registry.py"
"""Has no rows: it finds the function of a measure by its name."""
LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s]+)[^)]*\)")
TABLE = "## What an attacker can do without being detected"
SCENARIO = re.compile(r"^\s*Scenario(?: Outline)?: (.+?)\s*$", re.MULTILINE)


def links(page: Path) -> list[tuple[str, str]]:
    """Text and place of each link to a file."""
    found = LINK.findall(page.read_text(encoding="utf-8"))
    return [(text, place) for text, place in found if not place.startswith(("http:", "https:"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_what_a_page_links_to_exists(page: Path) -> None:
    for text, place in links(page):
        target = page.parent / place
        assert target.exists(), f"{place} in {page.name}"
        if target.suffix == ".feature":
            assert text in SCENARIO.findall(target.read_text(encoding="utf-8"))


def test_each_row_of_the_threat_model_names_a_scenario() -> None:
    text = (DOCS / "concepts" / "threat-model.md").read_text(encoding="utf-8")
    assert re.findall("^## .*", text, re.MULTILINE)[0] == TABLE
    section = text.split(TABLE)[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 11
    for row in rows:
        assert len(row.strip("|").split("|")) == 5, row
        assert any(place.endswith(".feature") for _, place in LINK.findall(row)), row


def test_each_path_in_the_guide_to_extensions_exists() -> None:
    text = (DOCS / "guides" / "extending.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:src|tests)/[^`]+)`", text)
    assert len(paths) >= 18
    assert [path for path in paths if not (DOCS.parent / path).exists()] == []
    registries = {path for path in (DOCS.parent / "src").rglob("registry.py") if "ml" in path.parts}
    assert {path.relative_to(DOCS.parent).as_posix() for path in registries} <= {*paths, MEASURE_FUNCTIONS}
