"""What a person sees: results on stdout as text or JSON, progress on stderr."""

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


VERBOSITY = "minivess.verbosity"
"""Under this name a command's context keeps -1 (quiet) or 1 (verbose)."""

_SHORT_S = 5.0

json_option = click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")


def verbosity() -> int:
    """-1: only results and errors; 0; 1: more on stderr."""
    context = click.get_current_context(silent=True)
    return 0 if context is None else int(context.meta.get(VERBOSITY, 0))


@implements("REQ-206")
def emit(text: str, value: Any, *, as_json: bool) -> None:
    """Write a result to stdout: its text, or its JSON when that was asked for."""
    if as_json:
        emit_json(value)
    else:
        click.echo(text)


def emit_entry(index: int, *, as_json: bool, **more: object) -> None:
    """Write the index of the log entry that a command appended."""
    emit(f"entry {index}", {"entry": index, **more}, as_json=as_json)


def emit_record(record: Record, *, as_json: bool) -> None:
    """Write a record: a line for each of its fields, or JSON."""
    if as_json:
        emit_json(record)
        return
    for name, value in record.model_dump(mode="json").items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        click.echo(f"{name.replace('_', ' ')}: {shown if len(shown) <= 160 else shown[:157] + '…'}")


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
        self._quiet = verbosity() < 0
        self._terminal = sys.stderr.isatty()
        self._said = self._began = 0.0
        self._first = 0
        self._label = ""

    def __call__(self, label: str, done: int, total: int) -> None:
        """Say that `done` of `total` steps of `label` are made (`total` 0: unknown)."""
        if self._quiet:
            return
        finished = bool(total) and done >= total
        now = time.monotonic()
        if not finished and label == self._label and now - self._said < (0.1 if self._terminal else 10.0):
            return
        if label != self._label:
            self._began, self._first = now, done
        new_line = "\n" if self._terminal and self._label not in {"", label} else ""
        self._label, self._said = label, now
        amount = f"{done}/{total}" if total else str(done)
        left = "" if finished else _time_left(now - self._began, done - self._first, total - done)
        if not self._terminal:
            click.echo(f"  {label}: {amount}{left}", err=True)
            return
        filled = 24 * done // total if total else 0
        bar = f"[{'█' * filled}{'·' * (24 - filled)}] " if total else ""
        click.echo(f"{new_line}\r\x1b[2K  {bar}{amount} {label}{left}", err=True, nl=finished)
        if finished:
            self._label = ""


def _time_left(seconds: float, made: int, steps: int) -> str:
    """How long the other steps take if each takes as long as those that were made; nothing is said of a few seconds.

    Args:
        seconds: that the steps took which were made.
        made: how many.
        steps: how many are left.
    """
    left = seconds / made * steps if made > 0 and seconds >= _SHORT_S else 0.0
    if left < _SHORT_S:
        return ""
    return f", about {left / 60:.0f} min left" if left >= 100 else f", about {left:.0f} s left"


def say(message: str) -> None:
    """One line of progress on stderr, unless the command is quiet."""
    if verbosity() >= 0:
        click.echo(message, err=True)


def say_more(message: str) -> None:
    """One line on stderr when the command is verbose."""
    if verbosity() > 0:
        click.echo(message, err=True)


def name_further_gates(sentences: Iterable[str]) -> None:
    """Name the gates that require more than the acceptance criteria, before a look is spent."""
    for sentence in sentences:
        say(f"beyond the acceptance criteria: {sentence}")
