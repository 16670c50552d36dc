"""Margins of non-inferiority, as a project file states them and an analysis plan registers them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from minivess.records.base import Record
from minivess.records.evaluation.measures import MeasureName


class Margin(Record):
    """The largest loss in a measure that does not matter when another model replaces one, fixed before the look at it."""

    measure: MeasureName
    """Each class is compared with it."""
    loss: Annotated[float, Field(gt=0)]
    """In the measure itself; of a distance in the unit of the tolerance."""
