"""Figures of an evaluation that were drawn before are not drawn again: most evaluations of the tests are of the same cases."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from pydantic import BaseModel

from minivess.foundation.digests import digest_bytes

_MODULE = "minivess.ml.evaluation.figures"
_DRAWN = ("overlay", "reliability", "measures_by_case")
_FIXED = {"model": f"sha256:{'0' * 64}", "data": f"sha256:{'0' * 64}", "request": "any"}
"""What an evaluation is about: figures show none of it, and get this instead."""


@pytest.fixture(autouse=True)
def remembered_figures() -> None:
    """Remember figures by all that they are drawn of. Their module is not loaded for this: it takes a second."""
    module = sys.modules.get(_MODULE)
    for name in _DRAWN if module is not None else ():
        draw = getattr(module, name)
        if not hasattr(draw, "__wrapped__"):
            setattr(module, name, _remembered(draw))


def _remembered(draw: Callable[..., bytes]) -> Callable[..., bytes]:
    known: dict[str, bytes] = {}

    @wraps(draw)
    def drawn(*arguments: Any) -> bytes:
        fixed = [one.model_copy(update=_FIXED) if isinstance(one, BaseModel) else one for one in arguments]
        plain = [one.model_dump_json() if isinstance(one, BaseModel) else one for one in fixed]
        key = digest_bytes(pickle.dumps(plain))
        if key not in known:
            known[key] = draw(*fixed)
        return known[key]

    return drawn
