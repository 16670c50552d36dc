"""The rules about data: what each is called, how severe it is, what it means and what to do about it (`rules.csv`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, cast, get_args

from minivess.foundation.reading.packaged_tables import read_table
from minivess.records.data.validation import Severity

Group = Literal["file", "record", "reading", "table", "image", "mask", "duplicate", "capability"]
"""What a rule looks at: prepared files, the record of a case, a file while it is read, the table of all cases, images,
masks, pairs of cases, what the chosen model, calibration, measures and service can take.

What breaks a rule of `reading` is refused when the file is read; no severity lets it through."""

_COLUMNS = ("group", "rule", "severity", "title", "meaning", "hint")


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: what findings and `data.rules` call it.
        group: what it looks at.
        severity: what a finding does unless the project says otherwise.
        title: what is wrong, in a few words.
        meaning: what it means and why it matters.
        hint: what to do.
    """

    name: str
    group: Group
    severity: Severity
    title: str
    meaning: str
    hint: str


def _rule(row: Mapping[str, str]) -> Rule:
    if row["group"] not in get_args(Group):
        raise ValueError(f"{row['group']!r} is no group of rules")
    group, severity = cast("Group", row["group"]), Severity(row["severity"])
    return Rule(row["rule"], group, severity, row["title"], row["meaning"], row["hint"])


RULES: Mapping[str, Rule] = MappingProxyType(
    {rule.name: rule for rule in read_table("minivess.ml.quality", "rules.csv", _COLUMNS, _rule)}
)
"""Every rule by name, in the order of the table."""
