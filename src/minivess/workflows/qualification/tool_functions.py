"""What this software is used for in a quality system, and which checks are made of each use (`tool-functions.csv`)."""

from __future__ import annotations

from functools import cache

from minivess.foundation.reading.packaged_tables import read_table
from minivess.records.device.qualification import ToolFunction

_COLUMNS = ("name", "intended_use", "failure", "process_risk", "checks", "requirements")


@cache
def tool_functions() -> tuple[ToolFunction, ...]:
    """The functions of this software that a quality system relies on.

    Raises:
        CouldNotCheckError: the table in this installation is damaged.
    """
    return read_table(__package__ or "", "tool-functions.csv", _COLUMNS, _function)


def _function(row: dict[str, str]) -> ToolFunction:
    lists = {name: tuple(row[name].split()) for name in ("checks", "requirements")}
    return ToolFunction.model_validate({**row, **lists})
