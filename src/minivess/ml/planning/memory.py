"""Peak memory of training, from the tensors that the backward pass needs.

A network of levels keeps the outputs of its convolutions, normalisations and activations until their gradients are computed.
At level *l* a tensor has filters x 2^l channels and 1/2^(axes x l) of the voxels, four bytes a number. How many tensors a
level keeps is counted in the code of the network. The peak is where the backward pass enters the first level: nothing is
freed yet, and gradients and copies in the layout of the convolution library are added. How many was fitted to measurements on
a CPU (`benchmarks/plan.py`). Weights are held four times: with their gradient and the two moments of AdamW.
"""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from minivess.foundation.errors import CouldNotCheckError
from minivess.foundation.implements import implements
from minivess.records.models.networks.network import EncoderDecoderSpec, NetworkSpec
from minivess.records.models.plan import MemoryAtHand
from minivess.records.models.task import SegmentationTask

NUMBER = 4
"""Bytes of a number."""
_MASKS = 6
"""Bytes of a voxel of the mask in its forms (measured)."""
HELD = 4
"""How often each weight is held: itself, its gradient and two moments."""


@dataclass(frozen=True)
class KeptTensors:
    """How many tensors a family of networks keeps for the backward pass.

    Attributes:
        above: at each level but the last, on the way down and up.
        last: at the last level.
        first: besides, at the first level.
        passing: gradients and copies at the first level while the backward pass is there (fitted).
        fixed: bytes that do not depend on size (fitted).
    """

    above: float
    last: float
    first: float
    passing: float
    fixed: int


KEPT: Mapping[str, KeptTensors] = {
    # each residual block keeps the input, two activations, one convolution and the sum; up: the same, and a smaller convolution
    "segresnet": KeptTensors(above=10.125, last=5, first=1, passing=5.2, fixed=13_000_000),
    # each block keeps two convolutions and two activations; up: the same, and the joined tensor of twice the channels
    "dynunet": KeptTensors(above=10, last=4, first=0, passing=13.0, fixed=4_000_000),
}
"""The families whose memory is known, by `architecture`."""


def predicted(spec: NetworkSpec) -> bool:
    """Whether the memory of a network of this specification can be predicted."""
    return isinstance(spec, EncoderDecoderSpec) and spec.architecture in KEPT


@implements("REQ-346")
def training_memory(spec: NetworkSpec, task: SegmentationTask, batch: int) -> int | None:
    """Bytes that training takes at its peak, beyond the imported libraries and the images; None: not known.

    It is not known for other families, and for single patches of volumes: one took up to 2.5 times as much as two, as the
    convolution library changes to other kernels for it.

    Args:
        spec: the network.
        task: channels and classes.
        batch: patches in a step.
    """
    if not isinstance(spec, EncoderDecoderSpec) or spec.architecture not in KEPT:
        return None
    if batch == 1 and len(spec.patch) == 3:
        return None
    kept = KEPT[spec.architecture]
    voxels = batch * math.prod(spec.patch)
    axes = len(spec.patch)
    level = [spec.filters * (1 << number) * voxels / (1 << axes * number) for number in range(spec.levels)]
    tensors = kept.above * sum(level[:-1]) + kept.last * level[-1] + (kept.first + kept.passing) * level[0]
    ends = voxels * (task.channels + 5 * task.outputs)  # images; logits, their gradient, and the terms of the loss
    numbers = tensors + ends + HELD * weights(spec, task)
    return kept.fixed + round(NUMBER * numbers)


def image_memory(*, voxels: float, resampled: float, channels: int) -> int:
    """Bytes that one image takes while training preprocesses it; later they are mapped from the disk.

    Args:
        voxels: of the image.
        resampled: the same at the target spacing.
        channels: of the image.
    """
    copies = NUMBER * channels * (voxels + 2 * max(voxels, resampled))
    return round(copies + voxels + _MASKS * resampled)


def weights(spec: EncoderDecoderSpec, task: SegmentationTask) -> int:
    """How many numbers the convolutions of a SegResNet or DynUNet have."""
    axes = len(spec.patch)
    kernel, filters = (9 if axes == 2 else 27), [spec.filters * (1 << number) for number in range(spec.levels)]
    if spec.architecture == "segresnet":
        blocks = sum(2 * kernel * one**2 for one in (*filters, *filters[:-1]))
        steps = sum(kernel * fine * coarse + fine * coarse for fine, coarse in itertools.pairwise(filters))
        return blocks + steps + kernel * task.channels * filters[0]
    down = sum(
        kernel * (before * one + one**2) for before, one in zip((task.channels, *filters), filters, strict=False)
    )
    up = sum((1 << axes) * coarse * fine + kernel * 3 * fine**2 for fine, coarse in itertools.pairwise(filters))
    return down + up


SHARE = 0.7
"""The part of the memory at hand that a plan uses: the rest is for images, libraries and other programs."""

GPU_AIM = 8 << 30
"""A plan for a GPU uses no more unless the user states a memory: it can be repeated on a usual one (nnU-Net's target)."""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def memory_in_words(size: int) -> str:
    """Bytes for people."""
    return f"{size / 1e9:.1f} GB" if size >= 10**9 else f"{max(1, round(size / 1e6))} MB"


def stated_memory(text: str) -> int | None:
    """Bytes of a size such as `4 GB` or `800 MB` (powers of ten); None when it is no size."""
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)b?\s*", text.lower())
    size = 0 if found is None else round(float(found[1]) * _UNITS[found[2]])
    return size or None


def memory_at_hand(root: Path = Path("/")) -> MemoryAtHand:
    """What training may take: the free memory of the GPU that PyTorch would use, else the least of MemAvailable and what is
    left of the limit of the control group (cgroup v2, or v1). Of a processor also whether it multiplies in bf16.

    Args:
        root: where `/proc` and `/sys` are.

    Raises:
        CouldNotCheckError: the system states no memory.
    """
    if (free := _gpu_memory()) is not None:
        return MemoryAtHand(size=free, device="gpu", source="the free memory of the GPU")
    found = [(size, source) for size, source in (_available(root), _group_limit(root)) if size is not None]
    if not found:
        raise CouldNotCheckError("the memory of this machine is not known", hint="state it: --memory 8GB")
    size, source = min(found)
    return MemoryAtHand(size=max(1, size), device="cpu", source=source, bf16=_multiplies_in_bf16(root))


def _multiplies_in_bf16(root: Path) -> bool | None:
    """Whether an x86 processor has instructions for it (AVX-512 or AMX); None where Linux states no such flags."""
    flags = re.search(r"^flags\s*:(.*)$", _read(root / "proc/cpuinfo"), re.MULTILINE)
    return None if flags is None else not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags[1].split())


def _available(root: Path) -> tuple[int | None, str]:
    said = _read(root / "proc/meminfo")
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", said, re.MULTILINE)
    return (int(found[1]) << 10 if found else None), "the available memory of this machine"


def _group_limit(root: Path) -> tuple[int | None, str]:
    group = root / "sys/fs/cgroup"
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        most, taken = _read(group / limit).strip(), _read(group / used).strip()
        if most.isdecimal() and int(most) < 1 << 60:
            return int(most) - (int(taken) if taken.isdecimal() else 0), "what is left of the container's memory limit"
    return None, ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _gpu_memory() -> int | None:
    """Free bytes of the first GPU; None without one. PyTorch is imported only where the driver of a GPU is."""
    if (
        not any(Path(place).exists() for place in ("/dev/nvidiactl", "/dev/kfd"))
        or os.environ.get("CUDA_VISIBLE_DEVICES") == ""
    ):
        return None
    import torch

    if not torch.cuda.is_available():
        return None
    free, _ = torch.cuda.mem_get_info()
    return int(free)
