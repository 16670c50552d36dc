"""Count how often functions are really called, wherever they were imported to. Nothing is replaced."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any

_TOOL = 4
"""A number that no debugger, profiler or coverage tool has."""


@contextmanager
def counted(*functions: Callable[..., Any]) -> Iterator[Counter[str]]:
    """Count the calls of some functions in the block, by the functions' qualified names.

    A function that is never called has no count.
    """
    counts: Counter[str] = Counter()
    codes: list[CodeType] = [getattr(one, "__func__", one).__code__ for one in functions]

    def started(code: CodeType, _: int) -> None:
        counts[code.co_qualname] += 1

    sys.monitoring.use_tool_id(_TOOL, "call counts")
    try:
        sys.monitoring.register_callback(_TOOL, sys.monitoring.events.PY_START, started)
        for code in codes:
            sys.monitoring.set_local_events(_TOOL, code, sys.monitoring.events.PY_START)
        yield counts
    finally:
        for code in codes:
            sys.monitoring.set_local_events(_TOOL, code, 0)
        sys.monitoring.free_tool_id(_TOOL)
