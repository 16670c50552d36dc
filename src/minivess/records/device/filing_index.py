"""The index of a filing: clause by clause, what in an evidence pack answers it."""

from __future__ import annotations

from datetime import date
from typing import Literal

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText

INDEX_FORMAT = "minivess-filing-index/1"
Filing = Literal["fda", "eu", "part11"]
"""eSTAR and QMSR; MDR and AI Act; 21 CFR Part 11."""
IndexState = Literal["met in the pack", "your own process", "not met"]
AnswerKind = Literal["document", "section", "file", "entry"]


class FilingEdition(Record):
    """A framework in the edition that the rows are about."""

    name: ShortText
    edition: ShortText
    source: ShortText
    reviewed: date
    compared: bool
    """Whether the rows were compared with the text of that edition."""


class Answer(Record):
    """A part of the pack that answers a clause."""

    kind: AnswerKind
    title: str
    place: str
    """Relative to the pack, with an anchor where it is a section."""


class IndexRow(Record):
    """How one clause stands."""

    id: ShortText
    edition: FilingEdition
    clause: ShortText
    label: ShortText
    state: IndexState
    reason: str
    """Why it is not met; empty otherwise."""
    answers: tuple[Answer, ...]
    note: str
    """What stays with the manufacturer."""


class FilingIndex(Record):
    """All clauses of a filing, for one pack."""

    format: Literal["minivess-filing-index/1"]
    filing: Filing
    device: str
    version: str
    pack: str
    """The name of the pack's file or folder, without `.zip`; answers are relative to it."""
    tag_manifest: Digest
    """Of `tagmanifest-sha512.txt`, which the signatures of the release name."""
    verdict: str
    """Of the verification before the index was made."""
    keys: str
    """The keys that the verification used."""
    rows: tuple[IndexRow, ...]

    def number(self, state: IndexState) -> int:
        """How many rows have a state."""
        return sum(row.state == state for row in self.rows)
