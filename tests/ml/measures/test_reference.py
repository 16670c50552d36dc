"""Measures beside the values of the reference implementation."""

from __future__ import annotations

import pytest

from minivess.records.evaluation.measures import MEASURES
from tests.support.reference_measures import CLOSE, IN_TABLE, differences, expected, table

pytestmark = [pytest.mark.verifies("SU-33"), pytest.mark.verifies("REQ-238"), pytest.mark.verifies("REQ-376")]


@pytest.mark.parametrize("name", table())
def test_measures_equal_those_of_the_reference_implementation(name: str) -> None:
    assert table()[name].ours == pytest.approx(expected(name), abs=CLOSE)


@pytest.mark.parametrize(("pair", "measure"), differences())
def test_a_listed_difference_is_one_and_has_a_reason(pair: str, measure: str) -> None:
    listed, stored = differences()[pair, measure], table()[pair].values[IN_TABLE[measure]]
    assert listed.reference == stored
    assert stored is None or abs(stored - listed.ours) > CLOSE
    assert listed.reason


def test_every_value_of_the_table_is_compared() -> None:
    assert len(table()) == 21
    assert set(IN_TABLE) <= set(MEASURES)
    assert all(set(IN_TABLE.values()) == set(pair.values) for pair in table().values())
