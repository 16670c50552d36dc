"""Jobs for several processes that train together; a started process loads them from here by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from minivess.foundation.errors import InputError
from minivess.ml.training.execution.devices import choose_device, fabric_of
from minivess.ml.training.execution.places import Place, batches_of


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
class Steps:
    """Steps of AdamW on a small network of convolutions, with patches that step and number draw."""

    steps: int
    batch: int
    accumulate: int
    killed_at: int | None = None

    def __call__(self, place: Place, report: Callable[[float], None]) -> list[float]:
        """Train; gives the weights as numbers and reports the loss of each step."""
        import torch

        fabric = fabric_of(choose_device("cpu", processes=place.local_world), place=place)
        torch.manual_seed(1)
        network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Tanh(), torch.nn.Conv2d(4, 1, 3))
        module, optimiser = fabric.setup(network, torch.optim.AdamW(network.parameters(), lr=0.01))
        for step in range(1, self.steps + 1):
            mine = batches_of(place, self.accumulate)
            total = torch.zeros(())
            for number in mine:
                drawn = torch.Generator().manual_seed(1000 * step + number)
                images = torch.randn(self.batch, 1, 12, 12, generator=drawn)
                with fabric.no_backward_sync(module, enabled=place.world > 1 and number != mine[-1]):
                    loss = (module(images) - images[..., 2:-2, 2:-2]).square().mean()
                    fabric.backward(loss / len(mine))
                total += loss.detach() / len(mine)
            if self.killed_at == step and place.rank == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            optimiser.step()
            optimiser.zero_grad()
            report(float(fabric.all_reduce(total)))
        return torch.nn.utils.parameters_to_vector(network.parameters()).tolist()


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
