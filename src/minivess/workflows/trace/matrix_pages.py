"""The traceability matrix: as a table for the terminal, as a file, and as pages."""

from __future__ import annotations

import json
from pathlib import Path

from minivess.compliance.site.trace_tables import terminal_view, write_csv, write_xlsx
from minivess.foundation.errors import UsageError
from minivess.foundation.files import write_text_atomic
from minivess.foundation.implements import implements
from minivess.records.items.trace_data import TraceData

__all__ = ["terminal_view", "write_matrix", "write_pages"]


def _write_json(seen: TraceData, out: Path) -> None:
    write_text_atomic(out, json.dumps(seen.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n")


_WRITERS = {".csv": write_csv, ".xlsx": write_xlsx, ".json": _write_json}


@implements("REQ-070")
def write_matrix(seen: TraceData, out: Path) -> None:
    """Write the whole matrix to a file.

    Args:
        seen: the trace, as `pages_of` gives it.
        out: a .csv, .xlsx or .json file.

    Raises:
        UsageError: another kind of file.
    """
    if out.suffix not in _WRITERS:
        raise UsageError(
            f"the matrix cannot be written to {out.name}", hint=f"use a file of {', '.join(sorted(_WRITERS))}"
        )
    _WRITERS[out.suffix](seen, out)


@implements("REQ-070")
def write_pages(seen: TraceData, folder: Path) -> tuple[Path, ...]:
    """Write the matrix as pages for any browser; returns the files, the start page first."""
    from minivess.compliance.site.writer import write_site

    return tuple(write_site(seen, folder))
