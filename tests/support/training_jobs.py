"""Jobs for several processes that train together; a started process loads them from here by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minivess.foundation.errors import InputError
from minivess.ml.sampling.case_store import TrainingCase, store_cases
from minivess.ml.training.execution.devices import choose_device
from minivess.ml.training.execution.places import Place
from minivess.records.models.networks.network import NetworkSpec
from minivess.records.models.networks.unet import UNetSpec
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES
from minivess.records.models.training import TrainingSpec

if TYPE_CHECKING:
    from minivess.ml.training.member import Fitting


@dataclass(frozen=True)
class Count:
    """Each process reports three numbers and gives its rank; the last may do something else first."""

    trouble: str = ""

    def __call__(self, place: Place, report: Callable[[str], None]) -> str:
        """Count."""
        for number in range(3):
            report(f"{place.rank} of {place.world}: {number}")
        if place.rank == place.world - 1:
            self._trouble()
        elif self.trouble:
            time.sleep(600)  # as a process that waits for the gradients of another
        return f"result of {place.rank}"

    def _trouble(self) -> None:
        if self.trouble == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.trouble == "ends":
            os._exit(7)
        elif self.trouble == "refuses":
            raise InputError("is not a mask", path="case-3.npy", hint="replace it")
        elif self.trouble == "fails":
            raise ZeroDivisionError("of the job")


@dataclass(frozen=True)
class Wait:
    """Process 0 reports its number in the system, and each waits."""

    def __call__(self, place: Place, report: Callable[[int], None]) -> None:
        """Wait."""
        report(os.getpid())
        time.sleep(600)


def fitting(
    folder: Path, training: TrainingSpec, *, processes: int = 1, spec: NetworkSpec | None = None, goes_on: bool = False
) -> Fitting:
    """A training on one small case, in as many processes: of two convolutions, for which MONAI is not imported, or of a network.

    It writes a checkpoint after each step.
    """
    import torch

    from minivess.ml.models.registry import build_network
    from minivess.ml.training.job import Job
    from minivess.ml.training.member import Fitting

    rng = np.random.default_rng(0)
    label = (rng.random((6, 20, 20)) < 0.2).astype(np.uint8)
    case = TrainingCase((label * 5 + rng.random(label.shape)).astype(np.float32), label, name="case-1")
    wanted, task = spec or UNetSpec(levels=2, patch=(4, 12, 12)), ONE_CLASS_OF_VOLUMES
    store = store_cases([case], folder, patch=wanted.patch, task=task, preprocessing=Preprocessing.of(task))
    torch.manual_seed(1)
    network = torch.nn.Sequential(
        torch.nn.Conv3d(1, 4, 3, padding=1),
        torch.nn.Dropout3d(0.2),
        torch.nn.Tanh(),
        torch.nn.Conv3d(4, 1, 3, padding=1),
    )
    if spec is not None:
        network = build_network(spec, task, seed=3)
    job = Job(wanted, task, Preprocessing.of(task), training, seed=3, store=store, folder=folder, checkpoint_every=1)
    return Fitting(job, network, choose_device("cpu", processes=processes), goes_on=goes_on, elsewhere=False)


@contextmanager
def kept_for_backward() -> Iterator[dict[int, int]]:
    """The bytes of each memory that PyTorch keeps inside for the backward pass, by address."""
    import torch

    sizes: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        memory = tensor.untyped_storage()
        sizes[memory.data_ptr()] = memory.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield sizes
