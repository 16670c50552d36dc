"""How PyTorch lays out batches: the faster of two ways, found in a short measurement."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch

from minivess.foundation.implements import implements
from minivess.ml.inference.predictor import memory_format
from minivess.ml.training.execution.small_maps import small_maps_in_fp32
from minivess.records.models.task import SegmentationTask

PROBE_FROM = 100
"""Runs of fewer steps are not worth a measurement."""
_STEPS = 5
"""Measured steps of each layout, after one that warms up."""
_GAIN = 1.1

_found: dict[tuple[object, ...], str] = {}


class Layout(NamedTuple):
    """A layout by name."""

    name: str
    format: torch.memory_format


def layout_of(name: str, task: SegmentationTask) -> Layout:
    """The layout of a name for batches of the task's axes."""
    last = torch.channels_last_3d if len(task.axes) == 3 else torch.channels_last
    return Layout(name, last if name == "channels-last" else torch.contiguous_format)


def usual_layout(task: SegmentationTask) -> str:
    """The layout by which networks are asked (`ml.inference.predictor`)."""
    return "contiguous" if memory_format(task) is torch.contiguous_format else "channels-last"


@implements("REQ-369")
def clearly_faster(seconds: Mapping[str, float], usual: str) -> str:
    """The layout whose steps were faster; the usual one unless another was faster by a tenth, so that noise decides nothing."""
    best = min(seconds, key=lambda name: seconds[name])
    return best if seconds[best] * _GAIN < seconds[usual] else usual


def faster_layout(
    network: torch.nn.Module,
    task: SegmentationTask,
    shape: tuple[int, ...],
    device: torch.device,
    key: object,
    *,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> str:
    """The name of the faster layout for training steps of a network; the network stays as it is.

    A second question with the same key, shape, device and number of threads gets the first answer.

    Args:
        network: what is trained.
        task: channels, axes and classes.
        shape: of a batch (n, channels, *patch).
        device: where it is trained.
        key: stands for the network and its arithmetic, for example its specification with the precision.
        autocast: the arithmetic of the forward pass: another layout may be faster in bf16 than in fp32.
    """
    asked = (key, task, shape, str(device), torch.get_num_threads())
    if asked not in _found:
        usual = usual_layout(task)
        other = "contiguous" if usual == "channels-last" else "channels-last"
        _found[asked] = clearly_faster(_measure(network, task, shape, device, (usual, other), autocast=autocast), usual)
    return _found[asked]


def _measure(
    network: torch.nn.Module,
    task: SegmentationTask,
    shape: tuple[int, ...],
    device: torch.device,
    names: tuple[str, ...],
    *,
    autocast: Callable[[], AbstractContextManager[object]],
) -> dict[str, float]:
    """Seconds of the fastest step of each layout, measured in turns."""
    copies, batches = {}, {}
    for name in names:
        layout = layout_of(name, task).format
        copies[name] = copy.deepcopy(network).to(device, memory_format=layout).train()
        small_maps_in_fp32(copies[name])
        batches[name] = torch.zeros(shape, device=device).to(memory_format=layout)
    least = dict.fromkeys(names, float("inf"))
    for turn in range(_STEPS + 1):
        for name in names:
            begun = time.perf_counter()
            with autocast():
                answer = copies[name](batches[name])
            sum(one.float().mean() for one in (answer if isinstance(answer, list | tuple) else [answer])).backward()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if turn:
                least[name] = min(least[name], time.perf_counter() - begun)
    return least
