"""The Python interpreters of this machine, one of each minor version from 3.9 on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

OLDEST, NEWEST = 9, 14


def _candidates() -> Iterator[Path]:
    yield Path(sys.executable)
    for minor in range(OLDEST, NEWEST + 1):
        yield from (Path(found) for found in [shutil.which(f"python3.{minor}")] if found)
        for folder in (Path.home() / ".pyenv" / "versions", Path.home() / ".local" / "share" / "uv" / "python"):
            yield from sorted(folder.glob(f"*3.{minor}.*/bin/python3"))


@cache
def interpreters() -> dict[str, Path]:
    """One interpreter of each minor version from 3.9 on that starts."""
    found: dict[str, Path] = {}
    for path in _candidates():
        asked = subprocess.run(
            [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode == 0:
            found.setdefault(asked.stdout.strip(), path)
    return found
