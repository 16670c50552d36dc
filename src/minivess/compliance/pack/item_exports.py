"""The items of a release for other tools: a workbook and ReqIF, written as `minivess trace export` writes them."""

from __future__ import annotations

from pathlib import Path

from minivess.compliance.documents.dossier import PackInputs
from minivess.compliance.exchange.exporting import foreign_of, render_items
from minivess.foundation.implements import implements

FORMATS = ("traceability/items.xlsx", "traceability/items.reqif")


@implements("REQ-627")
def item_exports(inputs: PackInputs) -> dict[str, bytes]:
    """Every item of the source tree in each format, by name relative to `data/`. They state the time of the release.

    Raises:
        InputError: a text holds a character, or is of a length, that a format cannot carry.
    """
    items = [foreign_of(item) for item in inputs.tree.items.all()]
    return {name: render_items(items, Path(name), clock=lambda: inputs.time) for name in FORMATS}
