"""Entries that others rest on: how one is named, and the role that it has in a release."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.base import Record


class EntryReference(Record):
    """An earlier entry of the same log."""

    index: Annotated[int, Field(ge=0)]
    digest: Digest
    """Of the canonical JSON of the entry's body."""


ROLES: Final[dict[str, str]] = {
    "ingest": "data.ingest",
    "validation": "data.validate",
    "split": "data.split",
    "seal": "data.seal",
    "run": "training",
    "disposition": "run.disposition",
    "ensemble": "ensemble",
    "calibration": "calibration",
    "export": "model.export",
    "criteria": "criteria.register",
    "policy": "policy.register",
    "request": "test-set.request",
    "approval": "test-set.approve",
    "evaluation": "evaluation",
    "scenarios": "scenarios",
    "drill": "risk.drill",
    "qualification": "tool.qualified",
}
"""The action of the entry in each role."""

CHAIN_ACTIONS: Final = frozenset(ROLES.values())
"""The actions a release can rest on."""
