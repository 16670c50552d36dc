"""The function of each measure: `count` of the module in this folder that is named as the measure."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Protocol, cast

from minivess.foundation.choices import choose
from minivess.foundation.implements import implements
from minivess.ml.measures.case_pairs import CasePair
from minivess.records.evaluation.counts import MeasureCounts
from minivess.records.evaluation.evaluation import Conventions
from minivess.records.evaluation.measures import MEASURES


class CountFunction(Protocol):
    """Counts a measure in one case."""

    def __call__(self, pair: CasePair, conventions: Conventions) -> MeasureCounts:
        """The counts, of the class that the row of the measure names."""


def function_of(name: str) -> CountFunction:
    """The function of a measure.

    Raises:
        UsageError: the table of measures has no such name.
    """
    row = choose(MEASURES, name, what="measure")
    return cast("CountFunction", import_module(f"{__package__}.{row.name}").count)


@implements("REQ-024", "REQ-200", "REQ-214", "REQ-238", "REQ-241")
def count_measures(pair: CasePair, conventions: Conventions, names: Iterable[str]) -> dict[str, MeasureCounts]:
    """The counts of measures in one case, by name.

    Raises:
        UsageError: a name is no measure.
    """
    return {name: function_of(name)(pair, conventions) for name in names}
