"""Files of proposals that several people sign before they are put into force: of roots, and of an action table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from minivess.foundation.files import write_text_atomic

if TYPE_CHECKING:
    from minivess.records.base import Record

_LIMIT = 1 << 20


def write_proposal(file: Path, proposal: Record) -> None:
    """Write a proposal with the signatures it has so far."""
    write_text_atomic(file, proposal.model_dump_json(indent=2) + "\n")


def read_proposal[R: Record](file: Path, kind: type[R], what: str, *, hint: str) -> R:
    """Read a proposal.

    Args:
        file: where it is.
        kind: its record.
        what: it proposes, for the error.
        hint: which command writes one.

    Raises:
        InputError: it is missing, too large, or not such a proposal.
    """
    from minivess.foundation.reading.json_records import read_json_record

    return read_json_record(file, kind, wrong=f"is no proposal of {what}", hint=hint, limit=_LIMIT)
