"""Measures beside the values of the reference implementation."""

from __future__ import annotations

import pytest

from minivess.records.evaluation.measures import MEASURES
from tests.support.reference_measures import DIFFERENCES, IN_TABLE, expected, table

pytestmark = [pytest.mark.verifies("SU-33"), pytest.mark.verifies("REQ-238")]


@pytest.mark.parametrize("name", table())
def test_measures_equal_those_of_the_reference_implementation(name: str) -> None:
    assert table()[name].ours == pytest.approx(expected(name), abs=1e-9)


def test_each_difference_is_where_the_reference_has_no_number() -> None:
    assert len(table()) == 21
    without = {
        (name, ours)
        for name, pair in table().items()
        for ours, theirs in IN_TABLE.items()
        if pair.values[theirs] is None
    }
    assert set(DIFFERENCES) == without


def test_every_measure_is_compared_that_the_table_has() -> None:
    named = set(table()["3d disjoint"].values)
    assert set(IN_TABLE) <= set(MEASURES)
    assert set(IN_TABLE.values()) <= named
    assert not {name for name in MEASURES if name in named and name not in IN_TABLE}
