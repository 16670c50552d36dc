"""Words of other tools, in English, German and French, for what is ours.

They are tables beside this module, which anybody can review: `columns.csv` (names of columns and attributes, by our field),
`fmea_columns.csv`, `kinds.csv`, `relations.csv`, `values.csv` (by our field and its value) and `outcomes.csv` (of tests).
Where two rows have the same name, the earlier one counts; of several columns that fit a field, the one that stands earlier.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Literal

from minivess.foundation.reading.packaged_tables import read_table

Table = Literal["columns", "fmea_columns", "kinds", "relations", "values", "outcomes"]
Names = Mapping[str, Mapping[str, int]]
"""By our word: the names of others in plain form, each with its rank, the likeliest name being 0."""

_MEANS: Mapping[Table, tuple[str, ...]] = {
    "columns": ("field",),
    "fmea_columns": ("column",),
    "kinds": ("kind",),
    "relations": ("relation",),
    "values": ("field", "value"),
    "outcomes": ("outcome",),
}
_LANGUAGES = frozenset({"en", "de", "fr"})
_WORD = re.compile(r"[^\w#]+")


def plain(name: str) -> str:
    """A name as names are compared: lower case, words parted by one space."""
    return _WORD.sub(" ", name.casefold().replace("_", " ")).strip()


@cache
def names_of(table: Table) -> Names:
    """The names in a table, by our word for them (of `values`: field and value with a dot between).

    Raises:
        CouldNotCheckError: the table in this installation is damaged.
    """
    means = _MEANS[table]
    found: dict[str, dict[str, int]] = {}
    for ours, name in read_table(__name__, f"{table}.csv", (*means, "name", "language"), lambda row: _row(row, means)):
        names = found.setdefault(ours, {})
        names.setdefault(name, len(names))
    return MappingProxyType({ours: MappingProxyType(names) for ours, names in found.items()})


def _row(row: Mapping[str, str], means: tuple[str, ...]) -> tuple[str, str]:
    if row["language"] not in _LANGUAGES:
        raise ValueError(f"{row['language']!r} is no language of these tables")
    return ".".join(row[column] for column in means), plain(row["name"])
