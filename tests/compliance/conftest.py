"""A small source tree whose chain is whole, to break one link at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tiny_tree import write_tree

TESTS = """\
import pytest

@pytest.mark.verifies("REQ-001")
def test_add():
    assert 1 + 1 == 2
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree without a gap."""
    return write_tree(tmp_path / "tree", {"tests/test_sums.py": TESTS})
