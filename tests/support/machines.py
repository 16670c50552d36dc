"""A machine of its own for a test or a fixture: an empty profile, in which no log has been seen yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def machine(profile: Path) -> Iterator[None]:
    """Inside, and in the processes started there, the user's profile is `profile`.

    Each test and each test file has one. A fixture that goes on from a copy of a log that another fixture of its file
    goes on from as well, and a fixture that lives for a session, begins on one of its own.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(profile))
        yield
