"""The table of what the tool is used for: every check has a use, and every requirement exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.compliance.items.items import load_items
from minivess.workflows.qualification.qualify import CHECKS
from minivess.workflows.qualification.tool_functions import tool_functions

pytestmark = pytest.mark.verifies("REQ-591", "SU-213")

SOURCE = Path(__file__).resolve().parents[3]


def test_every_check_belongs_to_a_function_and_every_named_check_exists() -> None:
    named = {name for one in tool_functions() for name in one.checks}
    assert named == {row.name for rows in CHECKS.values() for row in rows}


def test_every_named_requirement_is_one_of_this_software() -> None:
    known = load_items(SOURCE).by_id
    assert [name for one in tool_functions() for name in one.requirements if name not in known] == []
