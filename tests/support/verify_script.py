"""`verify.py` as a module. It computes each signature once: the tests put the same entries to it thousands of times."""

from __future__ import annotations

import importlib.util
from functools import cache
from types import ModuleType

from tests.support.builders.pack_builder import TEMPLATES


def _load() -> ModuleType:
    specification = importlib.util.spec_from_file_location("script_verify", TEMPLATES / "verify.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    for name, (prefix, length, holds) in module.PREFIXES.items():
        if holds is not None:
            remembered = cache(holds)
            setattr(module, holds.__name__, remembered)
            module.PREFIXES[name] = (prefix, length, remembered)
    return module


verify = _load()
