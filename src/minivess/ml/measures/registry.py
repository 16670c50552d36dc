"""The functions that count: `count` of the module in this folder that is named as the counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Protocol, cast

from minivess.foundation.choices import choose
from minivess.foundation.implements import implements
from minivess.ml.measures.case_pairs import CasePair
from minivess.records.evaluation.counted.counts import CaseNumbers
from minivess.records.evaluation.evaluation import Conventions
from minivess.records.evaluation.measures import MEASURES, sources_of


class CountFunction(Protocol):
    """Counts something in one case."""

    def __call__(self, pair: CasePair, conventions: Conventions) -> CaseNumbers:
        """The counts, of the class that the rows of the measures name."""


def function_of(name: str) -> CountFunction:
    """The function that counts what a measure follows from.

    Raises:
        UsageError: the table of measures has no such name.
    """
    row = choose(MEASURES, name, what="measure")
    return cast("CountFunction", import_module(f"{__package__}.{row.counted_as}").count)


@implements("REQ-024", "REQ-200", "REQ-214", "REQ-238", "REQ-241", "REQ-374", "REQ-376", "REQ-379")
def count_measures(pair: CasePair, conventions: Conventions, names: Iterable[str]) -> dict[str, CaseNumbers]:
    """What measures follow from in one case, by the name of the counts. Counts that measures share are there once.

    Raises:
        UsageError: a name is no measure.
    """
    rows = [choose(MEASURES, name, what="measure") for name in names]
    functions = {row.counted_as: function_of(row.name) for row in rows}
    order = sources_of([row.name for row in rows])
    return {name: functions[name](pair, conventions) for name in order}


def measure_values(pair: CasePair, conventions: Conventions, names: Iterable[str]) -> Mapping[str, float | None]:
    """The values of measures in one case, by name; None where one is undefined.

    Raises:
        UsageError: a name is no measure.
    """
    rows = [choose(MEASURES, name, what="measure") for name in names]
    counted = count_measures(pair, conventions, [row.name for row in rows])
    return {row.name: row.value(counted[row.counted_as], pair.prediction.size) for row in rows}
