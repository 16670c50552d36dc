"""Share of the time of a training that recording and tracking take.

Measured are the listeners of `minivess train`: the file of events, MLflow in SQLite with the use of the machine, and what shows
events to a person. Counted are the processor seconds of their calls, and those of all threads but the one that trains.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import training_cases as shared  # of this folder

from minivess.records.models.training import TrainingSpec

STEPS, MOST = 100, 0.01


class _Timed:
    """Hands everything on to listeners, and notes the processor seconds that each kind of call takes in this thread."""

    def __init__(self, listeners: Any) -> None:
        self._listeners = listeners
        self.seconds: dict[str, float] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._call, name)

    def _call(self, name: str, *arguments: Any) -> Any:
        begun = time.thread_time()
        found = getattr(self._listeners, name)(*arguments)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.thread_time() - begun
        return found


def measure() -> int:
    """Print the share; 1 when it is too large."""
    from minivess.observability.tracking.machine_use import MachineUse
    from minivess.observability.tracking.mlflow_listener import MlflowListener
    from minivess.workflows.models.listening import listeners_of

    shared.pin(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = shared.store_of(folder / "cases", 16)
        tracker = MlflowListener(
            f"sqlite:///{folder}/mlflow.db", experiment="measured", artifacts=folder / "mlflow", machine=MachineUse()
        )
        (folder / "member").mkdir()
        listeners = _Timed(listeners_of(folder / "member", hear=lambda event: None, tracker=tracker))
        listeners.started("earlier", {"seed": 0})  # imports MLflow and makes its database, once
        listeners.finished({"loss": 1.0})
        listeners.seconds.clear()
        training = TrainingSpec.model_validate(
            {"members": [0], "steps": STEPS, "batch": shared.BATCH, "validation": {"share": 0}}
        )
        whole, own = time.process_time(), time.thread_time()
        shared.trained(store, training, workers=0, watch=listeners)
        whole, own = time.process_time() - whole, time.thread_time() - own
    steps = sum(listeners.seconds.get(name, 0.0) for name in ("beat", "phase"))
    ends, others = sum(listeners.seconds.values()) - steps, max(0.0, whole - own)
    share = (steps + others) / whole
    print(
        f"recording and tracking: {share:.2%} of {whole:.0f} CPU-s, at most {MOST:.0%}; load {os.getloadavg()[0]:.1f}\n"
        f"  {1000 * steps / STEPS:.2f} ms a step, {others:.2f} CPU-s of other threads; begin, files and end of the run take "
        f"{ends:.2f} CPU-s once",
        flush=True,
    )
    return int(share >= MOST)
