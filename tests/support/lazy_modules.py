"""Modules with heavy libraries that a test file imports at its top and that load when a test first uses them.

    with lazily("torch", "minivess.ml.training.loop"):
        import torch

        from minivess.ml.training import loop

Collecting such a file loads nothing. A type checker reads the imports as they are written.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class _Lazy(ModuleType):
    """Stands in for a module: its public attributes are read from, and set on, the real one."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # pytest asks each global of a test file for a few such names
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:  # `from package import module`, amid the imports
            return _Lazy(f"{self.__name__}.{name}")
        return getattr(importlib.import_module(self.__name__), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(importlib.import_module(self.__name__), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(importlib.import_module(self.__name__), name)


@contextmanager
def lazily(*names: str) -> Iterator[None]:
    """Inside, imports of the named modules load nothing. Modules that are loaded already are imported as usual."""
    new = [name for name in names if name not in sys.modules]
    sys.modules.update({name: _Lazy(name) for name in new})
    try:
        yield
    finally:
        for name in new:
            del sys.modules[name]
