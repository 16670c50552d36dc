"""The static site of a trace: written whole, from nothing but the trace, the same bytes for the same trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from minivess.compliance.site.entry_pages import entry_pages
from minivess.compliance.site.item_pages import item_pages
from minivess.compliance.site.matrix.items_script import items_script, to_json
from minivess.compliance.site.matrix.matrix_script import matrix_script
from minivess.compliance.site.pages import Pages
from minivess.compliance.site.templating import asset, project_title, running_heads
from minivess.compliance.site.trace_tables import items_csv
from minivess.compliance.site.view import TraceView
from minivess.foundation.generated_folder import check_replaceable, replace_folder
from minivess.foundation.implements import implements
from minivess.records.items.trace_data import TraceData


@implements("REQ-070")
def write_site(trace: TraceData, folder: Path) -> list[Path]:
    """Write the site, which opens from a disk, needs nothing from elsewhere, and runs scripts on two pages alone.

    Args:
        trace: what `trace.trace_data.view` gives.
        folder: where it shall stand; an older site of ours is replaced whole.

    Returns:
        The files, the start page first.

    Raises:
        InputError: an id stands twice.
        UsageError: `folder` is there and is not a site of ours.
        CannotWriteError: the disk is full, read-only or out of reach; an older site still stands.
    """
    check_replaceable(folder)
    return replace_folder(folder, site_files(TraceView(trace)))


@implements("REQ-070", "REQ-107")
def site_files(view: TraceView) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file of the site, the start page first, made one by one."""
    for name, text in Pages(view).all():
        yield name, _encoded(text)
    for name, text in item_pages(view):
        yield name, _encoded(text)
    for name, text in entry_pages(view):
        yield name, _encoded(text)
    yield "assets/site.css", asset("site.css")
    yield "assets/print.css", _encoded(running_heads(project_title(view), "Traceability"))
    yield "assets/matrix.js", asset("matrix.js")
    yield "assets/items.js", asset("items.js")
    yield "data/items.js", items_script(view)
    yield "data/matrix.js", matrix_script(view)
    yield "data/items.csv", _encoded(items_csv(view))
    yield "data/trace.json", to_json(view.trace.model_dump(mode="json"))


def _encoded(text: str) -> bytes:
    """UTF-8. Half a surrogate pair, which file names and messages can hold, becomes a question mark."""
    return text.encode("utf-8", "replace")
