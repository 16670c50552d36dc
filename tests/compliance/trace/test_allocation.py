"""Requirements are met where the architecture says, or there is a gap with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.compliance.trace.graph import TraceGraph
from tests.support.tiny_tree import FILES, write_tree

pytestmark = pytest.mark.verifies("REQ-110", "SU-16")

ARCHITECTURE = """\
software_items:
  - {id: SI-01, title: Whole, statement: s, safety_class: B}
  - {id: SI-02, title: Sums, statement: s, safety_class: B, part_of: SI-01}
  - {id: SI-03, title: Other, statement: s, safety_class: B, part_of: SI-01}
software_units:
  - {id: SU-01, title: Adding, statement: s, part_of: SI-02, modules: [MODULE]}
  - {id: SU-02, title: Taking, statement: s, part_of: SI-03, modules: [thing.taking]}
"""


def gaps(folder: Path, allocated: str, *, module: str = "thing.sums", code: bool = True) -> list[str]:
    """What is said about the one requirement, whose code stands in `thing.sums.add`."""
    requirement = FILES["requirements/all.yaml"] + (f"    allocated_to: [{allocated}]\n" if allocated else "")
    changes = {"requirements/all.yaml": requirement}
    changes |= {"requirements/architecture.yaml": ARCHITECTURE.replace("MODULE", module)}
    changes |= {} if code else {"src/thing/sums.py": ""}
    found = TraceGraph.load(write_tree(folder, changes)).gaps()
    mine = [gap for gap in found if gap.kind == "misallocated-requirement"]
    assert {(gap.item, gap.source.path, gap.source.line) for gap in mine} <= {("REQ-001", "requirements/all.yaml", 6)}
    return [gap.message.removeprefix("REQ-001 (Sum) ") for gap in mine]


@pytest.mark.parametrize("part", ["SU-01", "SI-02", "SI-01"])
def test_the_unit_and_every_item_around_it_will_do(tmp_path: Path, part: str) -> None:
    assert gaps(tmp_path, part) == []


def test_the_nearest_module_around_the_code_says_which_unit_it_is(tmp_path: Path) -> None:
    assert gaps(tmp_path / "package", "SU-01", module="thing") == []
    assert gaps(tmp_path / "function", "SU-01", module="thing.sums.add") == []


def test_a_requirement_that_is_allocated_to_nothing_is_told_where_its_code_stands(tmp_path: Path) -> None:
    assert gaps(tmp_path, "") == ["is allocated to no software item or unit; its code is in SU-01"]


def test_code_in_another_unit_is_a_gap_on_both_sides(tmp_path: Path) -> None:
    assert gaps(tmp_path, "SU-02") == [
        "is implemented in SU-01 (thing.sums.add), to which it is not allocated",
        "is allocated to SU-02, where no code implements it",
    ]


def test_a_further_place_without_code_is_a_gap(tmp_path: Path) -> None:
    assert gaps(tmp_path, "SU-01, SI-03") == ["is allocated to SI-03, where no code implements it"]


def test_code_that_belongs_to_no_unit_is_a_gap(tmp_path: Path) -> None:
    assert gaps(tmp_path, "SI-02", module="elsewhere") == [
        "is implemented in thing.sums.add, which belongs to no software unit"
    ]
    assert gaps(tmp_path, "SI-02", module="thing.sum") == [
        "is implemented in thing.sums.add, which belongs to no software unit"
    ]


def test_without_code_the_allocation_is_believed_for_now(tmp_path: Path) -> None:
    assert gaps(tmp_path, "SU-01", code=False) == []


def test_without_units_nothing_is_asked(tmp_path: Path) -> None:
    assert TraceGraph.load(write_tree(tmp_path)).gaps() == ()


def test_items_that_are_part_of_each_other_are_told_as_a_circle_and_end_the_search(tmp_path: Path) -> None:
    circle = ARCHITECTURE.replace("safety_class: B}\n", "safety_class: B, part_of: SI-02}\n", 1)
    changes = {"requirements/architecture.yaml": circle.replace("MODULE", "thing.sums")}
    kinds = {gap.kind for gap in TraceGraph.load(write_tree(tmp_path, changes)).gaps()}
    assert kinds == {"circular-link", "misallocated-requirement"}
