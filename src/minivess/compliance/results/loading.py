"""Note which files Python runs as code, with an audit hook (PEP 578). Imports the standard library alone.

A file is noted when its code is run (`exec`, which every import of a Python file comes to) or when it is imported as an
extension module. Modules that were there before the hook are taken from `sys.modules` at the end. Files that are only read
are not noted, nor is what other processes run.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

_SUFFIXES = (".py", ".pyc", ".pyw", ".so", ".pyd")


class LoadedPaths:
    """The absolute paths of files that this process has run as code since `begin`, and before."""

    def __init__(self) -> None:
        self._noted: set[str] = set()

    def begin(self) -> None:
        """Add the hook; it cannot be taken away again."""
        noted = self._noted

        def note(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "exec":
                name = getattr(arguments[0], "co_filename", "")
            elif event == "import":
                name = arguments[1]
            else:
                return
            if name and name not in noted:
                noted.add(name)

        sys.addaudithook(note)

    def paths(self) -> set[str]:
        """Every path until now. A relative one is completed with the folder in which the process is."""
        names = {*self._noted, *filter(None, map(_origin, list(sys.modules.values())))}
        return {str(Path(name).absolute()) for name in names if name.endswith(_SUFFIXES) and not name.startswith("<")}


def _origin(module: Any) -> str | None:
    if not issubclass(type(module), ModuleType):  # some objects in `sys.modules` only state that they are one
        return None
    spec = ModuleType.__getattribute__(module, "__dict__").get("__spec__")
    place = getattr(spec, "origin", None)
    return place if getattr(spec, "has_location", False) and isinstance(place, str) else None
