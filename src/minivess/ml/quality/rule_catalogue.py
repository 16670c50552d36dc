"""The rules about data: what each is called, how severe it is, what it means and what to do about it (`rules.csv`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, cast, get_args

from minivess.foundation.reading.packaged_tables import read_table
from minivess.records.data.findings import RuleText
from minivess.records.data.validation import Severity

Group = Literal["file", "record", "reading", "list", "table", "image", "mask", "duplicate", "capability"]
"""What a rule looks at: prepared files, the record of a case, a file while it is read, the list of cases of the project,
the table of all cases, images, masks, pairs of cases, what the chosen model, calibration, measures and service can take."""

Lowered = Literal["yes", "with a reason", "never"]
"""Whether a project may lower the severity of a rule. What breaks a rule of reading is never let through: there is no
case without it."""

_COLUMNS = ("group", "rule", "severity", "lowered", "title", "meaning", "expected", "hint")


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: what findings and `data.rules` call it.
        group: what it looks at.
        severity: what a finding does unless the project says otherwise.
        lowered: whether a project may lower it.
        title: what is wrong, in a few words.
        meaning: what it means and why it matters.
        expected: what should have been found.
        hint: what to do.
    """

    name: str
    group: Group
    severity: Severity
    lowered: Lowered
    title: str
    meaning: str
    expected: str
    hint: str


def _rule(row: Mapping[str, str]) -> Rule:
    for column, kind in (("group", Group), ("lowered", Lowered)):
        if row[column] not in get_args(kind):
            raise ValueError(f"{row[column]!r} is no value of the column {column}")
    severity = Severity(row["severity"])
    if (severity is Severity.BLOCK) == (row["lowered"] == "yes"):
        raise ValueError("a rule that blocks is lowered with a reason or never, and no other one")
    return Rule(
        row["rule"],
        cast("Group", row["group"]),
        severity,
        cast("Lowered", row["lowered"]),
        *(row[column] for column in ("title", "meaning", "expected", "hint")),
    )


RULES: Mapping[str, Rule] = MappingProxyType(
    {rule.name: rule for rule in read_table("minivess.ml.quality", "rules.csv", _COLUMNS, _rule)}
)
"""Every rule by name, in the order of the table."""

TEXTS: Mapping[str, RuleText] = MappingProxyType(
    {name: RuleText(rule=name, title=one.title, expected=one.expected, hint=one.hint) for name, one in RULES.items()}
)
"""What findings are shown with, by rule."""
