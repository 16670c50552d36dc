"""Effectiveness by mutation: without a risk control, its scenarios must fail (ISO 14971:2019 7.2)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Literal, NamedTuple

from minivess.compliance.traceability.items import Items, load_items
from minivess.foundation.errors import CouldNotCheckError, UsageError
from minivess.foundation.implements import implements
from minivess.records.items import RiskControl

TIME_LIMIT_S = 600
_PASSED, _FAILED, _NO_TESTS = 0, 1, 5
"""What pytest's exit status means."""


class Drilled(NamedTuple):
    """What came of taking one control away."""

    control: str
    title: str
    outcome: Literal["noticed", "unnoticed", "no scenario"]
    switch: str
    detail: str


@implements("REQ-073")
def drill(
    source: Path, *, only: Collection[str] = (), progress: Callable[[str, int, int], None] = lambda *_: None
) -> list[Drilled]:
    """Take away each control that declares a switch, one after the other, and run the scenarios that carry its id.

    Args:
        source: the source tree.
        only: ids of controls; by default all that declare a switch.
        progress: hears which one is next, how many are done, and of how many.

    Raises:
        UsageError: a control is not known or declares no switch; or nothing declares one.
        CouldNotCheckError: pytest could not run, or the scenarios fail with the control in place.
    """
    chosen = _chosen(load_items(source), only)
    found = []
    for number, control in enumerate(chosen):
        progress(control.id, number, len(chosen))
        found.append(_drilled(source, control))
    progress("", len(chosen), len(chosen))
    return found


def _chosen(items: Items, only: Collection[str]) -> list[RiskControl]:
    for name in only:
        control = items.controls.get(name)
        if control is None or control.switch is None:
            what = f"there is no risk control {name}" if control is None else f"{name} declares no switch"
            raise UsageError(what, hint="`switch: {call: package.module.function, gives: nothing}` in risk/")
    able = [one for one in items.controls.values() if one.switch is not None and (not only or one.id in only)]
    if not able:
        raise UsageError("no risk control declares a switch", hint="see `switch` in docs/schemas/risk.json")
    return able


def _drilled(source: Path, control: RiskControl) -> Drilled:
    assert control.switch is not None  # noqa: S101  for the type checker: only those were chosen
    switch = f"{control.switch.call}={control.switch.gives}"
    with_it, told = _run(source, control.id)
    if with_it == _NO_TESTS:
        return Drilled(control.id, control.title, "no scenario", switch, "no scenario carries its id")
    if with_it != _PASSED:
        raise CouldNotCheckError(f"the scenarios of {control.id} do not pass with the control in place: {told}")
    without, told = _run(source, control.id, "--without", switch)
    if without not in (_PASSED, _FAILED):
        raise CouldNotCheckError(f"{control.id} cannot be taken away: {told}", hint="look at its `switch`")
    outcome: Literal["noticed", "unnoticed"] = "noticed" if without == _FAILED else "unnoticed"
    return Drilled(control.id, control.title, outcome, switch, told)


def _run(source: Path, control: str, *more: str) -> tuple[int, str]:
    """Exit status of the scenarios of a control, and the last line pytest said."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests/features",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--verifies={control}",
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MINIVESS_", "PYTEST_"))}
    try:
        done = subprocess.run(
            [*command, *more],
            cwd=source,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIME_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CouldNotCheckError(f"the scenarios of {control} took more than {TIME_LIMIT_S} s") from None
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    return done.returncode, lines[-1] if lines else ""
