"""The start page and the matrices: every count is that of the list it leads to."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from minivess.compliance.site.view import STATUSES, place
from tests.support.html_pages import Page, table_of

pytestmark = pytest.mark.verifies("SU-24")


def test_every_count_of_the_start_page_is_what_its_filter_finds(
    trace: dict[str, Any], site: Path, found: dict[str, Page]
) -> None:
    table = table_of(site)
    wanted = re.findall(
        r'<a class="number" href="items\.html(?:#([^"]*))?">([0-9\u202f]+)</a>', found["overview.html"].source
    )
    assert len(wanted) > 20
    for state, number in wanted:
        filters = dict(part.split("=") for part in unquote(state.replace("&amp;", "&")).split("&") if part)
        rows = [
            row
            for row in table["items"]
            if filters.get("kind") in {None, table["kinds"][row[2]][0]}
            and filters.get("status") in {None, table["statuses"][row[4]][0]}
            and (filters.get("point") != "suspect" or row[5] & 1)
        ]
        assert len(rows) == int(number.replace("\u202f", "")), state
    statuses = Counter(item["status"] for item in trace["items"])
    assert set(statuses) <= set(STATUSES)


def test_counts_of_points_and_results_are_those_of_the_lists_they_lead_to(
    trace: dict[str, Any], found: dict[str, Page]
) -> None:
    verdict, report = trace["verdict"], trace["report"]
    points, results = found["points.html"].source, found["results.html"].source
    assert _tally(points, "open") == verdict["gaps"] == _rows(points, "open")
    assert _tally(points, "justified") == verdict["justified"] == _rows(points, "justified")
    assert _tally(points, "suspect") == verdict["suspects"] == _rows(points, "suspect")
    assert _tally(results, "passed") == report["passed"] == _rows(results, "passed")
    assert _tally(results, "failed") == report["failed"] == _rows(results, "failed")
    justified = [gap["justified"] for gap in trace["gaps"] if gap["justified"]]
    assert all(gap["reason"] in points and gap["owner"] in points and gap["expires"] in points for gap in justified)


def test_the_start_page_shows_what_is_open_suspect_and_justified(found: dict[str, Page], trace: dict[str, Any]) -> None:
    start = found["overview.html"]
    first = next(gap for gap in trace["gaps"] if gap["justified"] is None)
    assert first["message"] in start.text
    soonest = min((gap for gap in trace["gaps"] if gap["justified"]), key=lambda gap: gap["justified"]["expires"])
    assert all(value in start.text for value in soonest["justified"].values())
    suspect = next(item["id"] for item in trace["items"] if item["suspect"])
    assert f"items/{place(suspect).address}" in start.links
    assert trace["report"]["tester"] in start.text
    assert trace["report"]["commit"][:12] in start.text


def _section(source: str, anchor: str) -> str:
    (section,) = re.findall(rf'<section aria-labelledby="{anchor}">(.*?)</section>', source, re.DOTALL)
    return section


def _tally(source: str, anchor: str) -> int:
    (number,) = re.findall(r'class="tally">([0-9\u202f]+)<', _section(source, anchor))
    return int(number.replace("\u202f", ""))


def _rows(source: str, anchor: str) -> int:
    section = _section(source, anchor)
    return section.count("</tr>") - section.count("</thead>")


def test_each_cell_of_the_risk_matrix_leads_to_the_risks_it_counts(
    trace: dict[str, Any], found: dict[str, Page]
) -> None:
    source = found["risks.html"].source
    filled = [cell for cell in trace["risk"]["cells"] if cell["initial"] or cell["residual"]]
    assert filled
    for cell in trace["risk"]["cells"]:
        for stage in ("initial", "residual"):
            anchor = f"{stage}-{cell['severity']}-{cell['probability']}"
            shown = re.findall(rf'<a href="#{anchor}" aria-label="[^"]*">([0-9]+)</a>', source)
            assert shown == ([str(len(cell[stage]))] if cell[stage] else [])
            listed = re.findall(rf'id="{anchor}">(.*?)</div>', source, re.DOTALL)
            ids = re.findall(r">([A-Z]+-[0-9]+)</a>", listed[0]) if listed else []
            assert ids == cell[stage]
