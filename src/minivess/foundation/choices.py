"""Choosing by name: the row of a registry, and the nearest word when there is none."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from minivess.foundation.errors import UsageError


def choose[T](rows: Mapping[str, T], name: str, *, what: str) -> T:
    """The row of that name.

    Args:
        rows: a registry.
        name: the name of a row.
        what: how an error calls a row, for example `loss`.

    Raises:
        UsageError: there is no such row; the hint names the nearest one, or all of them.
    """
    if name in rows:
        return rows[name]
    raise UsageError(f"there is no {what} {name!r}", hint=_meant(name, rows) or f"known: {', '.join(rows)}")


def nearest(word: str, known: Sequence[str]) -> str:
    """A hint that names the nearest of what is known, or all of it when nothing is near (at most twelve)."""
    return _meant(word, known) or (f"known here: {', '.join(sorted(known)[:12])}" if known else "")


def _meant(word: str, known: Iterable[str]) -> str:
    """The hint that names the nearest word; empty when none is near."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else ""
