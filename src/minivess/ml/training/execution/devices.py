"""The device that trains: chosen, said in one sentence, and refused with a hint where it is missing.

One process uses one device. `--device cuda` and `auto` take one GPU, as `nvidia-smi` may show work of others on the rest;
`--devices N` takes N, with one process each (DDP, Li et al. 2020, arXiv 2006.15704). PyTorch and Lightning Fabric are imported
when a function is called.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from minivess.foundation.choices import nearest
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.ml.training.execution.places import ALONE, Place
from minivess.records.models.training import Precision

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Accelerator = Literal["cpu", "cuda", "mps"]

DEVICES = ("auto", "cpu", "cuda", "cuda:0", "mps")
"""What can be stated; `cuda:0` stands for each number."""
PATIENCE_S = 6 * 3600
"""So long processes wait for each other, for example while process 0 validates. One that died is noticed at once."""
_PRECISIONS: Mapping[Precision, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "fp32": "32-true",
    "bf16": "bf16-mixed",
    "fp16": "16-mixed",
}


@dataclass(frozen=True)
class DevicesAtHand:
    """What PyTorch finds on this machine.

    Attributes:
        gpus: the names of the CUDA devices, in order of their number.
        bf16: whether all of them compute in bf16.
        mps: whether there is a GPU of Apple.
        threads: of PyTorch in one process.
        no_gpu: why there is no CUDA device, and what to do, where that is known.
    """

    gpus: tuple[str, ...] = ()
    bf16: bool = True
    mps: bool = False
    threads: int = 1
    no_gpu: tuple[str, str] = ("PyTorch finds no GPU", "check the driver with nvidia-smi, or use --device cpu")


@dataclass(frozen=True)
class DeviceChoice:
    """Where a run is made.

    Attributes:
        accelerator: the kind of device.
        indices: the number of the device of each process on this machine.
        name: as PyTorch names it, for the record.
        threads: of PyTorch in each process.
        sentence: for the person who started it.
    """

    accelerator: Accelerator
    indices: tuple[int, ...]
    name: str
    threads: int
    sentence: str

    @property
    def processes(self) -> int:
        """Processes on this machine."""
        return len(self.indices)


@implements("REQ-364")
def choose_device(
    stated: str = "auto", *, processes: int = 1, place: Place = ALONE, at_hand: DevicesAtHand | None = None
) -> DeviceChoice:
    """The device that a person stated.

    Args:
        stated: `auto` (a CUDA device, else one of Apple, else the CPU), `cpu`, `cuda` (the first), `cuda:N` or `mps`.
        processes: that train together on this machine, each on a device of its own.
        place: of a process that torchrun started; it then states how many.
        at_hand: what there is; by default PyTorch is asked.

    Raises:
        UsageError: it is no such word, the device is not there, or there are fewer than processes.
    """
    number = re.fullmatch(r"cuda:(\d{1,3})", stated)
    if stated not in DEVICES and number is None:
        raise UsageError(f"there is no device {stated!r}", hint=nearest(stated, DEVICES))
    if place.world > 1 and processes not in (1, place.local_world):
        raise UsageError(
            f"--devices {processes} was stated, and torchrun started {place.local_world} processes on this machine",
            hint="leave out --devices: torchrun states the number",
        )
    processes = place.local_world if place.world > 1 else processes
    if processes < 1:
        raise UsageError(f"--devices {processes} is no number of devices", hint="state 1 or more")
    found = devices_at_hand() if at_hand is None else at_hand
    if stated == "auto":
        stated = "cuda" if found.gpus else "mps" if found.mps else "cpu"
        unused = "" if stated != "cpu" or not _driver() else f" {found.no_gpu[0]}: {found.no_gpu[1]}."
    else:
        unused = ""
    kind = "cuda" if number is not None else stated
    choice = _KINDS[kind](found, processes, None if number is None else int(number[1]))
    together = "" if place.nodes == 1 else f" {place.nodes} machines train together."
    return DeviceChoice(
        choice.accelerator, choice.indices, choice.name, choice.threads, choice.sentence + together + unused
    )


def _cpu(found: DevicesAtHand, processes: int, number: int | None) -> DeviceChoice:
    threads = max(1, found.threads // processes)
    words = f"{threads} thread{'' if threads == 1 else 's'}"
    if processes == 1:
        sentence = f"Training on the CPU with {words}."
    else:
        sentence = f"Training on the CPU in {processes} processes with {words} each."
    return DeviceChoice("cpu", tuple(range(processes)), "cpu", threads, sentence)


def _cuda(found: DevicesAtHand, processes: int, number: int | None) -> DeviceChoice:
    listed = ", ".join(f"cuda:{index} ({name})" for index, name in enumerate(found.gpus))
    if not found.gpus:
        raise UsageError(found.no_gpu[0], hint=found.no_gpu[1])
    if number is not None and processes > 1:
        raise UsageError(
            f"cuda:{number} is one device, and --devices asks for {processes}",
            hint=f"use --device cuda --devices {processes}; CUDA_VISIBLE_DEVICES chooses which",
        )
    if number is not None and number >= len(found.gpus):
        raise UsageError(f"there is no GPU cuda:{number}", hint=f"there is {listed}")
    if processes > len(found.gpus):
        raise UsageError(
            f"--devices {processes} asks for {processes} GPUs, and there are {len(found.gpus)}",
            hint=f"there is {listed}",
        )
    indices = tuple(range(processes)) if number is None else (number,)
    named = ", ".join(f"cuda:{index} ({found.gpus[index]})" for index in indices)
    spare = len(found.gpus) - len(indices)
    others = f" {spare} other GPU{'' if spare == 1 else 's'} not used; --devices {len(found.gpus)} uses all."
    return DeviceChoice(
        "cuda",
        indices,
        found.gpus[indices[0]],
        max(1, found.threads // processes),
        f"Training on {named}.{others if spare and number is None else ''}",
    )


def _mps(found: DevicesAtHand, processes: int, number: int | None) -> DeviceChoice:
    if not found.mps:
        raise UsageError("PyTorch finds no GPU of Apple", hint="use --device cpu, or auto")
    if processes > 1:
        raise UsageError(f"--devices {processes} was stated, and there is one GPU of Apple", hint="leave out --devices")
    return DeviceChoice("mps", (0,), "mps", found.threads, "Training on the GPU of Apple (mps).")


_KINDS: Mapping[str, Callable[[DevicesAtHand, int, int | None], DeviceChoice]] = {
    "cpu": _cpu,
    "cuda": _cuda,
    "mps": _mps,
}


@implements("REQ-364")
def check_precision(choice: DeviceChoice, precision: Precision, *, at_hand: DevicesAtHand | None = None) -> None:
    """Check that the device computes in a precision.

    Raises:
        UsageError: it does not, or nobody has tried it there.
    """
    if precision == "fp16" and choice.accelerator == "cpu":
        raise UsageError("training.precision: fp16 needs a GPU", hint="use bf16 or fp32 on a CPU")
    if precision != "fp32" and choice.accelerator == "mps":
        raise UsageError(f"training.precision: {precision} is not supported on mps", hint="use fp32")
    if precision == "bf16" and choice.accelerator == "cuda":
        found = devices_at_hand() if at_hand is None else at_hand
        if not found.bf16:
            raise UsageError(f"{choice.name} does not compute in bf16", hint="use training.precision: fp16 or fp32")


@implements("REQ-364", "REQ-365")
def fabric_of(choice: DeviceChoice, precision: Precision = "fp32", place: Place = ALONE) -> Fabric:
    """Lightning Fabric for one process, connected to the others of its place.

    Processes on GPUs exchange gradients by NCCL, those on CPUs by gloo.

    Raises:
        UsageError: the device does not compute in that precision.
    """
    check_precision(choice, precision)
    with _unimported("torchmetrics"):
        from lightning_fabric import Fabric

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it writes a banner, and a line on the precision
    if place.world == 1:
        devices: list[int] | int = list(choice.indices) if choice.accelerator == "cuda" else 1
        return Fabric(accelerator=choice.accelerator, devices=devices, precision=_PRECISIONS[precision])
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
    from lightning_fabric.strategies.ddp import DDPStrategy

    fabric = Fabric(
        accelerator=choice.accelerator,
        devices=list(choice.indices) if choice.accelerator == "cuda" else place.local_world,
        num_nodes=place.nodes,
        strategy=DDPStrategy(timeout=timedelta(seconds=PATIENCE_S)),
        precision=_PRECISIONS[precision],
        plugins=[TorchElasticEnvironment()],
    )
    fabric.launch()
    return fabric


@contextmanager
def _unimported(package: str) -> Iterator[None]:
    """Inside, a package that was not imported seems not to be installed.

    Lightning Fabric imports torchmetrics, and with it torchvision, to compare a version that one of its parts needs. Without,
    its import took 4.5 s of CPU and not 8.4 s, in each process.
    """
    absent = package not in sys.modules
    if absent:
        sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if absent:
            del sys.modules[package]


def devices_at_hand() -> DevicesAtHand:
    """What PyTorch finds on this machine."""
    import torch

    gpus = range(torch.cuda.device_count()) if torch.cuda.is_available() else range(0)
    missing = DevicesAtHand.no_gpu
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        missing = ("CUDA_VISIBLE_DEVICES hides all GPUs", "unset CUDA_VISIBLE_DEVICES, or use --device cpu")
    elif torch.version.cuda is None and torch.version.hip is None:
        missing = ("this PyTorch was built without support of GPUs", "install one with it, or use --device cpu")
    return DevicesAtHand(
        gpus=tuple(torch.cuda.get_device_name(index) for index in gpus),
        bf16=bool(gpus) and torch.cuda.is_bf16_supported(including_emulation=False),
        mps=torch.backends.mps.is_available(),
        threads=torch.get_num_threads(),
        no_gpu=missing,
    )


def _driver() -> bool:
    """Whether the driver of a GPU is loaded, so that a person expects it to be used."""
    return any(Path(place).exists() for place in ("/dev/nvidiactl", "/dev/kfd"))
