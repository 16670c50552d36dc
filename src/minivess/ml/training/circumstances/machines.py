"""What a run says of the machine that makes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from minivess.records.models.training_run import Circumstances

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def circumstances(fabric: Fabric, layout: str, not_repeatable: tuple[str, ...] = ()) -> Circumstances:
    """Where this process trains."""
    return Circumstances(
        device=device_name(fabric.device),
        processes=fabric.world_size,
        threads=torch.get_num_threads(),
        memory_format=layout,
        torch=torch.__version__,
        not_repeatable=not_repeatable,
    )


def device_name(device: torch.device) -> str:
    """The name of a GPU, else `cpu` or `mps`."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device.type)


def memory_held(device: torch.device) -> int:
    """Bytes that this process holds: on a GPU what PyTorch has there, else its anonymous memory (Linux; 0 elsewhere)."""
    if device.type == "cuda":
        return int(torch.cuda.memory_reserved(device))
    try:
        said = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    found = next((line.split()[1] for line in said.splitlines() if line.startswith("RssAnon:")), "0")
    return int(found) * 1024
