"""The report in a browser that is installed here: its script runs under its policy and sorts, and hostile names run nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.evaluation_plan import analysis_plan
from tests.support.builders.report_facts import report_facts
from tests.support.lazy_modules import lazily

with lazily("minivess.ml.evaluation.report.page"):
    from minivess.ml.evaluation.report import page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium here"),
    pytest.mark.verifies("REQ-398", "REQ-403"),
]

DIGEST = f"sha256:{'6' * 64}"
HOSTILE = "<script>document.title = 'taken'</script>"
CLICK = """
for (const head of document.querySelectorAll("table.sortable th")) {
  if (head.textContent.trim().startsWith("Dice")) { head.querySelector("button").click(); }
}
"""


def after_its_script(path: Path) -> str:
    """The page as it is once its scripts ran."""
    done = subprocess.run(
        [
            str(BROWSER),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={path.parent / 'profile'}",
            "--virtual-time-budget=2000",
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def order(text: str) -> list[str]:
    return re.findall(r'<tr><th scope="row">(c\d)</th><td>', text)[:4]


def test_the_table_sorts_and_nothing_else_runs(tmp_path: Path) -> None:
    plan = analysis_plan(statistics="mean of groups")
    cases = [counted_case(f"c{number}", overlap=(90 - 20 * number, 10, 20)) for number in range(4)]
    made = counted_evaluation(cases, plan, model=DIGEST, data=DIGEST, request="r", looks=3)
    path = page.write_report(made, None, report_facts(plan, device=HOSTILE), tmp_path / "report.html")
    text = after_its_script(path)
    assert order(text) == ["c3", "c2", "c1", "c0"]
    assert text.count('aria-label="Sort by ') == 8
    assert "<title>taken</title>" not in text
    # a click in the page's own world needs the policy to allow a second script, which this copy does
    copy = tmp_path / "clicked.html"
    source = path.read_text(encoding="utf-8")
    policy = re.search(r"script-src '[^']+'", source)
    assert policy is not None
    copy.write_text(
        source.replace(policy[0], "script-src 'unsafe-inline'").replace(
            "</body>", f"<script>{CLICK}{CLICK}</script></body>"
        ),
        encoding="utf-8",
    )
    clicked = after_its_script(copy)
    assert order(clicked) == ["c0", "c1", "c2", "c3"]
    assert len(re.findall(r'<th [^>]*aria-sort="descending"', clicked)) == 1
    # and without the change of the policy the second script does not run
    copy.write_text(source.replace("</body>", f"<script>{CLICK}{CLICK}</script></body>"), encoding="utf-8")
    assert order(after_its_script(copy)) == ["c3", "c2", "c1", "c0"]
