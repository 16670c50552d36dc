"""Tables that are part of this package: CSV files with a fixed head, read whole or refused.

Lists that a person without knowledge of Python reviews (clauses of standards, words of other tools, rules about data) are
such tables.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import cache
from importlib.resources import files

from minivess.foundation.errors import CouldNotCheckError


def read_table[T](
    package: str, path: str, columns: tuple[str, ...], make: Callable[[dict[str, str]], T]
) -> tuple[T, ...]:
    """Make something of every row of a packaged table.

    Args:
        package: dotted name of the package whose folder contains the table.
        path: of the table from there, with `/`; errors name it.
        columns: its head.
        make: makes something of a row; a `ValueError` that it raises is reported with the line.

    Raises:
        CouldNotCheckError: this installation lacks the table, or `parse_table` refuses it.
    """
    return parse_table(path, packaged_text(package, path), columns, make)


@cache
def packaged_text(package: str, path: str) -> str:
    """A packaged file as text.

    Raises:
        CouldNotCheckError: this installation lacks it.
    """
    try:
        return files(package).joinpath(*path.split("/")).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise damaged(path, "cannot be read") from None


def parse_table[T](
    name: str, text: str, columns: tuple[str, ...], make: Callable[[dict[str, str]], T]
) -> tuple[T, ...]:
    """Make something of every row of a table.

    Args:
        name: how errors call the table.
        text: the table.
        columns: its head.
        make: makes something of a row; a `ValueError` that it raises is reported with the line.

    Raises:
        CouldNotCheckError: the table has another head, a row of the wrong length, or a row `make` cannot use.
    """
    reader = csv.DictReader(text.splitlines(), strict=True)
    made = []
    try:
        if tuple(reader.fieldnames or ()) != columns:
            raise damaged(name, "has other columns than expected")
        for row in reader:
            if None in row or None in row.values():
                raise damaged(name, f"has a row of the wrong length on line {reader.line_num}")
            made.append(make(row))
    except (csv.Error, ValueError) as error:
        raise damaged(name, f"is wrong on line {reader.line_num}: {error}") from None
    return tuple(made)


def damaged(name: str, what: str) -> CouldNotCheckError:
    """The error for a table that this installation should contain whole."""
    return CouldNotCheckError(f"the table {name} {what}", hint="install minivess again")
