"""Choosing a row of a registry by its name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

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
    close = difflib.get_close_matches(name, list(rows), n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known: {', '.join(rows)}"
    raise UsageError(f"there is no {what} {name!r}", hint=hint)
