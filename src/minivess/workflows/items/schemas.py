"""JSON Schemas of the items, for editors."""

from __future__ import annotations

from pathlib import Path

from minivess.compliance.items.schemas import write_schemas


def write_item_schemas(folder: Path) -> tuple[Path, ...]:
    """Write the JSON Schema of each kind of item into a folder; returns the files."""
    return tuple(write_schemas(folder))
