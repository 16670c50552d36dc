"""The place of a process among those that train together, and the batches of a step that it takes.

A step has `training.accumulate` batches over all processes. Batch k holds the patches k x batch to (k + 1) x batch - 1 of the
step. Process r of n takes the batches r, r + n, r + 2n, ... The gradient is the mean over all batches of the step. So the
patches of a step and its gradient do not depend on the number of processes, but for the order of the sums.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements

RANK, LOCAL_RANK, WORLD, LOCAL_WORLD = "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"
ADDRESS, PORT = "MASTER_ADDR", "MASTER_PORT"
LAUNCHER = "TORCHELASTIC_RUN_ID"
"""The variable by which PyTorch and Lightning Fabric know that torchrun started the process."""


@dataclass(frozen=True)
class Place:
    """One of the processes that train together.

    Attributes:
        rank: its number among all, from 0. Process 0 reports and writes.
        local_rank: its number on its machine, from 0.
        world: processes together.
        local_world: processes on its machine.
    """

    rank: int = 0
    local_rank: int = 0
    world: int = 1
    local_world: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process reports and writes: one alone does."""
        return self.rank == 0

    @property
    def processes(self) -> int:
        """All that train together."""
        return self.world

    @property
    def nodes(self) -> int:
        """Machines that take part; each has as many processes."""
        return self.world // self.local_world

    def variables(self, *, address: str, port: int) -> dict[str, str]:
        """The variables of the environment that torchrun would set for this process."""
        return {
            RANK: str(self.rank),
            LOCAL_RANK: str(self.local_rank),
            WORLD: str(self.world),
            LOCAL_WORLD: str(self.local_world),
            "GROUP_RANK": str(self.rank // self.local_world),
            ADDRESS: address,
            PORT: str(port),
            LAUNCHER: "minivess",
            "TORCHELASTIC_USE_AGENT_STORE": "True",
            "TORCHELASTIC_RESTART_COUNT": "0",
        }


ALONE = Place()
"""One process trains."""


@implements("REQ-364")
def torchrun_place(environment: Mapping[str, str] = os.environ) -> Place | None:
    """The place that torchrun gave this process; None where torchrun did not start it.

    Raises:
        UsageError: a variable of torchrun is missing or no number, or the machines have different numbers of processes.
    """
    if LAUNCHER not in environment:
        return None
    missing = [name for name in (RANK, LOCAL_RANK, WORLD, LOCAL_WORLD, ADDRESS, PORT) if not environment.get(name)]
    if missing:
        raise UsageError(
            f"{LAUNCHER} is set and {', '.join(missing)} is not",
            hint="start each process with torchrun, or unset its variables",
        )
    texts = [environment[name] for name in (RANK, LOCAL_RANK, WORLD, LOCAL_WORLD)]
    if not all(text.isdecimal() for text in texts):
        raise UsageError(f"the variables of torchrun are no numbers: {', '.join(texts)}", hint="start with torchrun")
    rank, local_rank, world, local_world = map(int, texts)
    if not (rank < world and local_rank < local_world and local_world and world % local_world == 0):
        raise UsageError(
            f"torchrun gave process {rank} of {world}, and {local_rank} of {local_world} on this machine",
            hint="start as many processes on each machine: torchrun --nproc-per-node",
        )
    return Place(rank, local_rank, world, local_world)


@implements("REQ-365")
def batches_of(place: Place, accumulate: int) -> range:
    """The batches of each step that a process takes, by their number in the step from 0."""
    return range(place.rank, accumulate, place.world)


@implements("REQ-365")
def check_shares(processes: int, *, batch: int, accumulate: int) -> None:
    """Check that each process takes the same number of batches of a step.

    Raises:
        UsageError: the batches of a step cannot be shared equally; the hint has values that make the same steps.
    """
    if accumulate % processes == 0:
        return
    patches = batch * accumulate
    counts = f"{accumulate} batch{'' if accumulate == 1 else 'es'}"
    if patches % processes == 0:
        hint = (
            f"training.batch: {patches // processes} and training.accumulate: {processes} make steps of the same {patches} "
            f"patches"
        )
    else:
        hint = f"set training.accumulate to a multiple of {processes}, or use one process"
    raise UsageError(f"a step has {counts}, and {processes} processes cannot share them equally", hint=hint)
