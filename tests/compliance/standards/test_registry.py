"""The table of collectors: one for each kind of evidence that can be found, and each looks at its own place alone."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from minivess.compliance.standards.collectors.inputs import EvidenceSources
from minivess.compliance.standards.collectors.registry import COLLECTORS, collect
from minivess.compliance.standards.evidence_names import evidence
from minivess.compliance.trace.tree import Tree
from minivess.foundation.errors import InputError
from tests.support.tiny_tree import write_tree

pytestmark = pytest.mark.verifies("REQ-112", "SU-21")

TODAY = date(2026, 11, 21)


def sources(tree: Path, **more: object) -> EvidenceSources:
    return EvidenceSources(Tree.read(tree, today=TODAY), "B", **more)


def test_every_kind_of_evidence_that_can_be_found_has_one_collector() -> None:
    assert set(COLLECTORS) == {name for name, one in evidence().items() if one.found_in != "planned"}


def test_without_results_project_and_pack_only_the_tree_shows_something(tmp_path: Path) -> None:
    found = collect(sources(write_tree(tmp_path)))
    assert {"requirements", "lock-file", "risk-file", "new-risks-considered"} <= found
    assert {evidence()[name].found_in for name in found} == {"source"}
    assert "soup-list" not in found
    assert "soup-list" in collect(sources(tmp_path, locked={"numpy": "2.5.5"}))


class Unreadable:
    """A workspace or a pack in which nothing can be read."""

    def __getattr__(self, name: str) -> object:
        raise InputError("is malformed", path=name)


def test_what_cannot_be_read_shows_nothing_in_a_project_and_stops_the_check_in_a_tree(tmp_path: Path) -> None:
    tree = write_tree(tmp_path)
    broken = sources(tree, workspace=Unreadable(), pack=Unreadable())
    assert collect(broken, found_in={"workspace", "release"}) == frozenset()
    with (tree / "CHANGELOG.md").open("wb") as file:
        file.truncate(5 << 20)
    with pytest.raises(InputError, match=r"CHANGELOG\.md"):
        collect(broken, found_in={"source"})
