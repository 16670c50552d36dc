"""Take a risk control out of a running test session, to see whether its scenarios notice.

The program itself has no switch that turns a control off: here the code of the function that does its work is exchanged, in
the memory of a process that runs tests and nothing else.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any

from minivess.foundation.errors import UsageError


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _empty(*_: Any, **__: Any) -> tuple[()]:
    return ()


def _first(first: Any, *_: Any, **__: Any) -> Any:
    return first


_INSTEAD: dict[str, Callable[..., Any]] = {"nothing": _nothing, "empty": _empty, "first": _first}


def switch_off(call: str, gives: str) -> None:
    """Make a function do nothing, for everybody who has imported it already too.

    Args:
        call: its dotted name.
        gives: what it returns from now on: `nothing`, `empty` or `first` (its first argument).

    Raises:
        UsageError: there is no such function, or it cannot be exchanged.
    """
    function = _found(call)
    if gives not in _INSTEAD:
        raise UsageError(f"a control that is off can give {', '.join(_INSTEAD)}, not {gives}")
    if function.__code__.co_freevars:
        raise UsageError(f"{call} is made by another function and cannot be exchanged", hint="name the function inside")
    function.__code__ = _INSTEAD[gives].__code__
    function.__defaults__ = function.__kwdefaults__ = None


def _found(call: str) -> FunctionType:
    steps = call.split(".")
    for length in range(len(steps) - 1, 0, -1):
        try:
            place: Any = importlib.import_module(".".join(steps[:length]))
        except ImportError:
            continue
        for step in steps[length:]:
            place = getattr(place, step, None)
        found = inspect.unwrap(getattr(place, "__func__", place)) if callable(place) else None
        if isinstance(found, FunctionType):
            return found
        break
    raise UsageError(f"there is no function {call}", hint="`switch: {call: package.module.function, gives: nothing}`")
