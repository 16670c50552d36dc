"""What a person sees: tables and JSON on stdout, progress on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from minivess.foundation.implements import implements

if TYPE_CHECKING:
    from minivess.records.base import Record


def emit_json(value: Record | Sequence[Record | dict[str, Any]] | dict[str, Any]) -> None:
    """Write one JSON document to stdout."""
    from minivess.records.base import Record

    if isinstance(value, Record):
        plain: Any = value.model_dump(mode="json")
    elif isinstance(value, dict):
        plain = value
    else:
        plain = [item.model_dump(mode="json") if isinstance(item, Record) else item for item in value]
    click.echo(json.dumps(plain, indent=2, ensure_ascii=False))


def emit_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write an aligned table to stdout, as wide as its content."""
    text = [[str(cell) for cell in row] for row in rows]
    widths = [max([len(name), *(len(row[i]) for row in text)]) for i, name in enumerate(header)]
    for row in [list(header), ["─" * width for width in widths], *text]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@implements("REQ-045")
class Progress:
    """Progress on stderr: a bar that redraws itself on a terminal, a line every few seconds elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._said = 0.0
        self._label = ""

    def __call__(self, label: str, done: int, total: int) -> None:
        """Say that `done` of `total` steps of `label` are made (`total` 0: unknown)."""
        finished = bool(total) and done >= total
        now = time.monotonic()
        if not finished and label == self._label and now - self._said < (0.1 if self._terminal else 10.0):
            return
        new_line = "\n" if self._terminal and self._label not in {"", label} else ""
        self._label, self._said = label, now
        amount = f"{done}/{total}" if total else str(done)
        if not self._terminal:
            click.echo(f"  {label}: {amount}", err=True)
            return
        filled = 24 * done // total if total else 0
        bar = f"[{'█' * filled}{'·' * (24 - filled)}] " if total else ""
        click.echo(f"{new_line}\r\x1b[2K  {bar}{amount} {label}", err=True, nl=finished)
        if finished:
            self._label = ""


def say(message: str) -> None:
    """One line of progress on stderr."""
    click.echo(message, err=True)


def tell_beyond(sentences: Iterable[str]) -> None:
    """Name the gates that require more than the acceptance criteria, before a look is spent."""
    for sentence in sentences:
        say(f"beyond the acceptance criteria: {sentence}")
