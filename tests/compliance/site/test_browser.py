"""The matrix page in a browser that is installed here: its script reads the address, and makes elements of nothing it is told."""

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


def after_its_script(folder: Path, state: str) -> str:
    """The matrix page as it stands once its script ran, without the scripts themselves."""
    done = subprocess.run(
        [
            str(BROWSER),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={folder.parent / 'profile'}",
            "--virtual-time-budget=2000",
            "--dump-dom",
            f"{(folder / 'matrix.html').as_uri()}{state}",
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
    assert shown(page) == wanted(trace, kind="requirement", status="failed")
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
    assert page.count("<script") == 2
    dumped = tmp_path / "dumped.html"
    dumped.write_text(page, encoding="utf-8")
    for _, attributes in Page(dumped).elements:
        assert not [name for name in attributes if name.startswith("on")]


def test_a_project_that_holds_nothing_says_so(tmp_path: Path) -> None:
    write_site(empty_trace(), tmp_path / "site")
    assert "All 0 items" in after_its_script(tmp_path / "site", "")
