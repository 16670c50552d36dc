"""The functions of the site for traces as JSON, as somebody else might hand them over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from minivess.compliance.site import trace_tables, writer
from minivess.compliance.site.view import PackPaths, TraceView, read_trace_data


def view_of(trace: dict[str, Any], pack: PackPaths = PackPaths()) -> TraceView:  # noqa: B008  a value
    return TraceView(read_trace_data(trace), pack)


def write_site(trace: dict[str, Any], folder: Path) -> list[Path]:
    return writer.write_site(read_trace_data(trace), folder)


def write_csv(trace: dict[str, Any], path: Path) -> None:
    trace_tables.write_csv(read_trace_data(trace), path)


def write_xlsx(trace: dict[str, Any], path: Path) -> None:
    trace_tables.write_xlsx(read_trace_data(trace), path)


def terminal_view(trace: dict[str, Any], **filters: Any) -> trace_tables.TerminalView:
    return trace_tables.terminal_view(read_trace_data(trace), **filters)
