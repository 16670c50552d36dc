"""Near duplicates that were looked for before are not looked for again: most projects of the tests have the same volumes."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest

from minivess.foundation.digests import digest_bytes

_MODULE = "minivess.ml.quality.duplicates.near_duplicates"
_WORK = ("_described", "_judged")
"""Pure functions of images and of pairs of images: what a process of the search is handed."""


@pytest.fixture(autouse=True)
def remembered_duplicates() -> None:
    """Remember what they gave by all that they were given. Their module is not loaded for this: it takes a second."""
    module = sys.modules.get(_MODULE)
    for name in _WORK if module is not None else ():
        work = getattr(module, name)
        if not hasattr(work, "__wrapped__"):
            setattr(module, name, _remembered(work))


def _remembered(work: Callable[[Any], list[Any]]) -> Callable[[Any], list[Any]]:
    known: dict[str, bytes] = {}

    @wraps(work)
    def done(given: Any) -> list[Any]:
        key = digest_bytes(pickle.dumps(given))
        if key not in known:
            known[key] = pickle.dumps(work(given))
        result: list[Any] = pickle.loads(known[key])  # noqa: S301  what this process wrote
        return result

    return done
