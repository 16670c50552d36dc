"""Evidence by name: what each name means, who can tell whether it is there, and what makes it there.

The names are data (`catalogues/evidence.csv`). Whoever asks for coverage says which of them are present.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal, cast, get_args

from minivess.foundation.reading.packaged_tables import read_table

ToldBy = Literal["source", "results", "workspace", "release", "planned"]
_NAME = "catalogues/evidence.csv"
_COLUMNS = ("name", "told_by", "meaning", "next")


@dataclass(frozen=True)
class Evidence:
    """One kind of evidence."""

    name: str
    told_by: ToldBy
    """Where one has to look: the source tree, recorded results, the workspace with its log, a built pack; `planned`:
    nothing in this project can tell yet, so it is never there."""
    meaning: str
    """What holds when it is there."""
    next: str
    """What somebody has to do while it is not there, in one sentence."""


@cache
def evidence() -> Mapping[str, Evidence]:
    """All evidence by name.

    Raises:
        CouldNotCheckError: the table in this installation is damaged.
    """
    found = read_table("minivess.compliance.standards", _NAME, _COLUMNS, _make)
    return MappingProxyType({one.name: one for one in found})


def _make(row: dict[str, str]) -> Evidence:
    told_by = row["told_by"]
    if told_by not in get_args(ToldBy):
        raise ValueError(f"unknown person: `{told_by}` is")
    return Evidence(row["name"], cast("ToldBy", told_by), row["meaning"], row["next"])
