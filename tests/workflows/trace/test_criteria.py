"""Results of cases as people hand them in: tables and evaluations of this project."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.foundation.errors import InputError
from minivess.workflows.trace.statistical_criteria import read_cases

pytestmark = pytest.mark.verifies("REQ-069", "SU-38")


def test_numbers_are_measures_and_the_rest_are_attributes(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text("\ufeffcase,subject,scanner,dice,hd95\nc1,s1,A,0.9,\nc2,s2,B,0.8,1.5\n", encoding="utf-8")
    first, second = read_cases(path)
    assert (first.case, first.subject, first.attributes) == ("c1", "s1", {"scanner": "A"})
    assert first.values == {"dice": 0.9, "hd95": None}
    assert second.values == {"dice": 0.8, "hd95": 1.5}


@pytest.mark.verifies("REQ-242")
def test_a_column_of_groups_is_what_statistics_count(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text("case,subject,group,dice\nc1,s1,g,0.9\nc2,s2,g,0.8\n", encoding="utf-8")
    first, second = read_cases(path)
    assert (first.unit, second.unit, first.attributes) == ("g", "g", {})


@pytest.mark.parametrize(
    ("name", "data", "where"),
    [
        ("cases.csv", b"", "cases.csv:1"),
        ("cases.csv", b"name,dice\na,1\n", "cases.csv:1"),
        ("cases.csv", b"case,subject,dice\nc1,s1,0.5\nc2,s2\n", "cases.csv:3"),
        ("cases.csv", b"case,subject\n\xff,s\n", "cases.csv"),
        ("cases.csv", b"case,subject,dice\n,s1,0.5\n", "cases.csv"),
        ("evaluation.json", b"{}", "evaluation.json"),
    ],
)
def test_what_is_no_table_of_cases_is_refused(tmp_path: Path, name: str, data: bytes, where: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_cases(tmp_path / name)
    assert str(caught.value).startswith(where)
