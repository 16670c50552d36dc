"""The steps of a scenario are looked for among the definitions that it can see.

For every step pytest-bdd asks every definition of every collected file whether the scenario can see it: a sixth of the CPU
time of all scenarios. Which ones a file of tests can see is the same for all its scenarios, so it is asked once.
"""

from __future__ import annotations

import importlib
from typing import Any
from weakref import WeakKeyDictionary

import pytest

_MODULE = importlib.import_module("pytest_bdd.scenario")
_every = _MODULE.get_fixture_names
_visible: WeakKeyDictionary[pytest.Collector, list[str]] = WeakKeyDictionary()


@pytest.hookimpl(optionalhook=True)
def pytest_bdd_before_scenario(request: pytest.FixtureRequest) -> None:
    """Offer pytest-bdd the names of the definitions that the scenario's file can see."""
    parent, manager = request.node.parent, request._fixturemanager
    names = _visible.get(parent)
    if names is None:
        every = (name for name in _every(fixturemanager=manager) if name.startswith("pytestbdd_stepdef"))
        names = _visible[parent] = [name for name in every if manager.getfixturedefs(name, parent)]

    def get_fixture_names(fixturemanager: Any) -> list[str]:
        return list(names) if fixturemanager is manager else list(_every(fixturemanager=fixturemanager))

    vars(_MODULE)["get_fixture_names"] = get_fixture_names
