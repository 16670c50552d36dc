"""A site of a trace of some hundred items, written once a test file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.site.view import ITEMS_A_PAGE
from tests.support.builders.trace_data import make_trace
from tests.support.html_pages import Page, pages
from tests.support.trace_site import write_site


@pytest.fixture(scope="module")
def trace() -> dict[str, Any]:
    return make_trace(2 * ITEMS_A_PAGE + 7)


@pytest.fixture(scope="module")
def site(trace: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    write_site(trace, folder)
    return folder


@pytest.fixture(scope="module")
def found(site: Path) -> dict[str, Page]:
    return pages(site)
