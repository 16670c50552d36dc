"""The published action tables: which action which actors may append to which kind of log, and what is checked then.

A table is a data file of this folder, known by its number and the digest of its canonical JSON. Version 0.1.0 had no table;
number 1 says what it did. `verify.py` of a pack holds a copy of the newest table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.errors import VerificationError
from minivess.records.base import Record
from minivess.records.log.action_table import AdoptedRules

NEWEST = 2
"""The table that new logs follow."""
ANYONE, PERSON, ROOT, LOG = "anyone", "person", "root", "log"
"""Words of `ActionRule.by` beside the roles: any enrolled identity, any enrolled person, a root in force, the log's own key."""

LogKind = Literal["device", "serving"]


class ActionRule(Record):
    """One row: who may append an action, what is checked of completed entries, and in which kind of log it may be."""

    by: tuple[str, ...]
    checks: tuple[str, ...]
    """Names of `admission.CHECKS`."""
    log: Literal["any", "device", "serving"]


class _File(Record):
    format: Literal["minivess-actions/1"]
    number: int
    actions: dict[str, ActionRule]
    others: ActionRule | None = None


@dataclass(frozen=True)
class ActionTable:
    """One published table."""

    number: int
    digest: str
    rows: Mapping[str, ActionRule]
    others: ActionRule | None = None
    """The row of actions that are not named; None: they are refused."""

    def row(self, action: str) -> ActionRule:
        """The row of an action.

        Raises:
            VerificationError: the table does not have the action.
        """
        row = self.rows.get(action, self.others)
        if row is None:
            raise VerificationError(f"action table {self.number} does not have the action {action}")
        return row

    @property
    def layout(self) -> int:
        """The least layout of the packs of a log that follows this table: 1 for that of version 0.1.0."""
        return 1 if self.number == 1 else 2

    @property
    def adopted(self) -> AdoptedRules:
        """How entries name this table."""
        return AdoptedRules(number=self.number, digest=self.digest)


@cache
def table(number: int = NEWEST) -> ActionTable:
    """A published table by its number.

    Raises:
        VerificationError: this version does not know it.
    """
    try:
        plain = json.loads(files(__package__).joinpath(f"actions-{number:d}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise VerificationError(
            f"the log follows action table {number}, which this version does not know",
            hint="use a newer version of minivess",
        ) from None
    read = _File.model_validate(plain)
    return ActionTable(read.number, digest_of(plain), read.actions, read.others)


def adopted_table(adopted: AdoptedRules | None) -> ActionTable:
    """The table an entry names; without one, that of version 0.1.0.

    Raises:
        VerificationError: the table is not known, or the digest is that of other rules.
    """
    found = table(1 if adopted is None else adopted.number)
    if adopted is not None and adopted.digest != found.digest:
        raise VerificationError(f"the log names action table {adopted.number} by the digest of other rules")
    return found
