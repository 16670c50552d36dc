"""The function of each measure: `compute` of the module in this folder that is named as the measure."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Protocol, cast

from minivess.foundation.choices import choose
from minivess.foundation.implements import implements
from minivess.ml.measures.case_pairs import CasePair
from minivess.records.evaluation.evaluation import Conventions
from minivess.records.evaluation.measures import MEASURES


class Compute(Protocol):
    """Computes a measure of one case."""

    def __call__(self, pair: CasePair, conventions: Conventions) -> float | None:
        """The value, or None where the measure is undefined."""


def function_of(name: str) -> Compute:
    """The function of a measure.

    Raises:
        UsageError: the table of measures has no such name.
    """
    row = choose(MEASURES, name, what="measure")
    return cast("Compute", import_module(f"{__package__}.{row.name}").compute)


@implements("REQ-024", "REQ-200")
def measure(pair: CasePair, conventions: Conventions, names: Iterable[str]) -> dict[str, float | None]:
    """The values of measures of one case, by name.

    Raises:
        UsageError: a name is no measure.
    """
    return {name: function_of(name)(pair, conventions) for name in names}
