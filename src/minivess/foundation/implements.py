"""The link from code to the requirements and risk controls it fulfils.

`trace check` reads the decorator from the syntax tree (it never imports the code), so the ids must be string literals.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


def implements(*identifiers: str) -> Callable[[_T], _T]:
    """Declare on a class or function which requirements or risk controls (`REQ-…`, `RC-…`) it fulfils.

    The object is returned unchanged: the declaration is data for the traceability graph, not behaviour.

    Raises:
        ValueError: no id was given.
    """
    if not identifiers:
        raise ValueError("implements() needs at least one id")

    def declare(item: _T) -> _T:
        return item

    return declare
