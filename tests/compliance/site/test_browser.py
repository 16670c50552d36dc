"""The pages with a script, in a browser that is installed here: the address selects what is shown, and texts stay texts."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.builders.hostile_trace import HOSTILE, hostile_trace
from tests.support.builders.trace_data import empty_trace, make_trace
from tests.support.html_pages import Page
from tests.support.trace_site import write_site

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium here")]


def after_its_script(folder: Path, state: str, page: str = "items.html") -> str:
    """A page as it stands once its script ran, without the scripts themselves."""
    done = subprocess.run(
        [
            str(BROWSER),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={folder.parent / 'profile'}",
            "--virtual-time-budget=2000",
            "--dump-dom",
            f"{(folder / page).as_uri()}{state}",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def shown(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a class="id" href="[^"]+">([^<]+)</a>', page)


def wanted(trace: dict[str, Any], **fields: Any) -> list[str]:
    return [item["id"] for item in trace["items"] if all(item[name] == value for name, value in fields.items())]


def test_the_address_says_what_is_shown(tmp_path: Path) -> None:
    trace = make_trace(120)
    write_site(trace, tmp_path / "site")
    page = after_its_script(tmp_path / "site", "#kind=requirement&status=failed")
    assert shown(page) == wanted(trace, kind="software-requirement", status="failed")
    assert f"{len(shown(page))} of {len(trace['items'])} items" in page
    clause = after_its_script(tmp_path / "site", "#standard=IEC%2062304%205.3.1&q=volumes%20SI-")
    assert shown(clause) == ["SI-01"]
    suspect = after_its_script(tmp_path / "site", "#point=suspect&sort=-id")
    assert shown(suspect) == sorted(wanted(trace, suspect=True), reverse=True)


def test_a_long_list_starts_with_its_first_rows(tmp_path: Path) -> None:
    trace = make_trace(300)
    write_site(trace, tmp_path / "site")
    page = after_its_script(tmp_path / "site", "")
    rows = shown(page)
    assert 0 < len(rows) < len(trace["items"])
    assert rows == wanted(trace)[: len(rows)]
    assert f"All {len(trace['items'])} items" in page


def test_text_that_means_harm_stays_text_in_the_browser(tmp_path: Path) -> None:
    write_site(hostile_trace(), tmp_path / "site")
    page = after_its_script(tmp_path / "site", "#q=%3Cimg%20src=x%20onerror=alert(1)%3E&kind=%3Cscript%3E")
    assert "<img" not in page
    page = after_its_script(tmp_path / "site", "")
    assert len(shown(page)) == len(HOSTILE) + 1
    matrix = after_its_script(tmp_path / "site", "#rows=requirement", "index.html")
    assert len(shown_rows(matrix)) == len(HOSTILE)
    for text, scripts in ((page, 2), (matrix, 3)):
        assert text.count("<script") == scripts
        assert "<img" not in text
        dumped = tmp_path / "dumped.html"
        dumped.write_text(text, encoding="utf-8")
        for _, attributes in Page(dumped).elements:
            assert not [name for name in attributes if name.startswith("on")]


def test_a_project_that_holds_nothing_says_so(tmp_path: Path) -> None:
    write_site(empty_trace(), tmp_path / "site")
    assert "All 0 items" in after_its_script(tmp_path / "site", "")
    assert "0 rows" in after_its_script(tmp_path / "site", "", "index.html")


def shown_rows(page: str) -> list[dict[str, str]]:
    """The rows of the matrix: the words of each cell by its label, and `!` before the words of a gap."""
    body = page.partition('<tbody id="rows">')[2].partition("</tbody>")[0]
    rows = []
    for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL):
        cells = re.findall(r"<t[hd]([^>]*)>(.*?)</t[hd]>", row, re.DOTALL)
        names = [(re.findall(r'data-label="([^"]*)"', head)[0], "gap" in head, text) for head, text in cells]
        rows.append(
            {name: ("!" if gap else "") + " ".join(re.sub("<[^>]+>", " ", text).split()) for name, gap, text in names}
        )
    return rows


@pytest.mark.verifies("REQ-510")
def test_the_matrix_leads_from_the_hazard_to_the_entry_and_shows_gaps_in_their_cells(tmp_path: Path) -> None:
    write_site(make_trace(24), tmp_path / "site")
    page = after_its_script(tmp_path / "site", "", "index.html")
    rows = shown_rows(page)
    assert [list(row) for row in rows] == [COLUMNS] * len(rows)
    first = next(row for row in rows if "RISK-03" in row["Risk"])
    words = {"Hazard": "HAZ-01", "Control": "RC-03", "Requirement": "REQ-003", "Design": "SU-04", "Result": "1 passed"}
    words |= {"Scenario or test": "Volume 3 comes with unsuitable volumes", "Code": "step_3", "Entry": "entry 131"}
    assert all(text in first[name] for name, text in words.items())
    assert not [text for text in first.values() if text.startswith("!")]
    failed = next(row for row in rows if "REQ-005" in row["Requirement"])
    assert failed["Result"].startswith("!")
    assert "failed" in failed["Result"]
    unacceptable = next(row for row in rows if "RISK-04" in row["Risk"])
    assert "the residual risk is not acceptable" in unacceptable["Risk"]
    only = shown_rows(after_its_script(tmp_path / "site", "#gaps=1", "index.html"))
    assert only == [row for row in rows if any(text.startswith("!") for text in row.values())] != rows


@pytest.mark.verifies("REQ-510")
def test_the_matrix_by_requirement_has_one_row_for_each_and_can_be_searched(tmp_path: Path) -> None:
    trace = make_trace(30)
    write_site(trace, tmp_path / "site")
    rows = shown_rows(after_its_script(tmp_path / "site", "#rows=requirement", "index.html"))
    ids = [re.findall(r"REQ-[0-9]+", row["Requirement"])[0] for row in rows]
    assert ids == wanted(trace, kind="software-requirement")
    assert rows[20]["Control"] == "controls no risk"
    assert rows[0]["Risk"] == "✓ &nbsp; RISK-01"
    [found] = shown_rows(after_its_script(tmp_path / "site", "#rows=requirement&q=step_29", "index.html"))
    assert "REQ-029" in found["Requirement"]


@pytest.mark.verifies("REQ-510")
def test_what_the_trace_check_accepts_with_a_reason_is_no_gap_of_the_matrix(tmp_path: Path) -> None:
    trace = make_trace(50)
    [item] = [one for one in trace["items"] if one["id"] == "REQ-046"]
    assert item["status"] == "untested"
    assert item["gaps"][0]["justified"]
    write_site(trace, tmp_path / "site")
    rows = shown_rows(after_its_script(tmp_path / "site", "#rows=requirement&q=req-046", "index.html"))
    assert [row["Result"] for row in rows if "REQ-046" in row["Requirement"]] == ["none, justified"]
    assert not [row for row in rows for text in row.values() if text.startswith("!")]


COLUMNS = ["Hazard", "Risk", "Control", "Requirement", "Design", "Scenario or test", "Result", "Code", "Model", "Entry"]
