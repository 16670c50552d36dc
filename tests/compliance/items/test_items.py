"""Items: typed YAML whose errors name file, line and what mends them."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.compliance.items.items import load_items
from minivess.foundation.errors import InputError

pytestmark = pytest.mark.verifies("SU-16")


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.verifies("REQ-030")
def test_items_know_where_they_are_written(tree: Path) -> None:
    items = load_items(tree)
    requirement = items.requirements["REQ-001"]
    assert (requirement.source.path, requirement.source.line) == ("requirements/all.yaml", 6)
    assert [item.id for item in items.all()] == [
        *("UN-01", "REQ-001", "RC-01", "HAZ-01", "SEQ-01", "HS-01", "HARM-01", "RISK-01"),
    ]


@pytest.mark.verifies("REQ-030")
@pytest.mark.parametrize(
    ("name", "old", "new", "mended"),
    [
        ("requirements/all.yaml", "rationale:", "rational:", (":9: unknown field `rational`", "`rationale`")),
        (
            "requirements/all.yaml",
            "    rationale: Because.\n",
            "",
            (":6: the field `rationale` is missing", "rationale:"),
        ),
        ("requirements/all.yaml", "functional", "functionl", (":10: `category`", "did you mean `functional`?")),
        ("requirements/all.yaml", "id: REQ-001", "id: REQ-1", (":6: `id`", "match")),
        ("requirements/all.yaml", "id: REQ-001", "id: RC-001", (":6: `RC-001` is no id for a Requirement", "REQ-")),
        ("requirements/all.yaml", "user_needs:", "user_need:", (":1: unknown list", "did you mean `user_needs`?")),
        ("requirements/all.yaml", "title: Trust", "source: x", (":3: unknown field `source`", "title")),
        ("requirements/all.yaml", "[UN-01]", "UN-01", (":13: `derives_from`", "")),
        ("risk/risks.yaml", "p1: 1", "p3: 1", (":7: unknown field `residual.p3`", "p1")),
        ("risk/risks.yaml", "severity: 2, p1: 1", "severity: 3, p1: 1", (":2: residual: severity 3 is not on", "")),
        ("risk/plan.yaml", ", [low, high]]", ", [low]]", (":1: a matrix row has 1 levels", "")),
    ],
)
def test_a_malformed_item_is_refused_with_file_line_and_hint(
    tree: Path, name: str, old: str, new: str, mended: tuple[str, str]
) -> None:
    _edit(tree / name, old, new)
    with pytest.raises(InputError) as caught:
        load_items(tree)
    assert str(caught.value).startswith(name + mended[0])
    assert mended[1] in caught.value.hint


@pytest.mark.verifies("REQ-034")
def test_a_typed_verdict_that_differs_is_refused(tree: Path) -> None:
    _edit(tree / "risk/risks.yaml", "controls: [RC-01]", "controls: [RC-01]\n    verdict: unacceptable")
    with pytest.raises(InputError, match=r"^risk/risks\.yaml:2: the verdict typed for RISK-01 is unacceptable"):
        load_items(tree)


def test_a_tree_without_requirements_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_items(tmp_path)


def test_risks_without_a_plan_are_refused(tree: Path) -> None:
    (tree / "risk/plan.yaml").unlink()
    with pytest.raises(InputError, match=r"^risk/plan\.yaml: no such file"):
        load_items(tree)


def test_a_tree_without_risks_needs_no_plan(tree: Path) -> None:
    for path in (tree / "risk").iterdir():
        path.unlink()
    assert load_items(tree).plan is None
