"""Facts of the gates from a source tree."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from minivess.compliance.trace.tree import Tree
from minivess.workflows.release.gates import judgeable_risks
from tests.support.tiny_tree import FILES, write_tree

pytestmark = pytest.mark.verifies("REQ-231")


def _tree(folder: Path, changes: dict[str, str] | None = None) -> Tree:
    return Tree.read(write_tree(folder, changes), today=date(2026, 11, 29))


def test_risks_that_cannot_be_judged_are_not_known(tmp_path: Path) -> None:
    known = judgeable_risks(_tree(tmp_path / "whole"))
    assert known is not None
    assert [one.id for one in known.risks] == ["RISK-01"]
    unknown = FILES["risk/risks.yaml"].replace("controls: [RC-01]", "controls: [RC-07]")
    assert judgeable_risks(_tree(tmp_path / "unknown", {"risk/risks.yaml": unknown})) is None
