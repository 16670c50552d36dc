"""Convolutions of small maps in fp32 where a CPU trains in bf16.

oneDNN's bf16 convolutions are wrong where a side of the map is shorter than the kernel: with PyTorch 2.15 on a CPU with
AVX-512 and bf16, weight gradients had values of memory that nobody wrote, answers were wrong, or the process was ended for a
damaged heap. Maps of three voxels and more were right. Such maps are those of the coarsest levels, so fp32 costs nothing there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn.modules.conv import _ConvNd

from minivess.foundation.implements import implements


@implements("REQ-364", "RC-175")
def small_maps_in_fp32(network: torch.nn.Module) -> list[Callable[[], None]]:
    """Let the convolutions of a network compute maps on a CPU in fp32 that are shorter than their kernel along an axis.

    Returns:
        What undoes it.
    """
    undo: list[Callable[[], None]] = []
    for module in network.modules():
        if isinstance(module, _ConvNd):
            module.forward = _Careful(module)
            undo.append(lambda module=module: module.__dict__.pop("forward", None))  # type: ignore[misc]
    return undo


class _Careful:
    """The forward pass of a convolution."""

    def __init__(self, convolution: _ConvNd) -> None:
        self._plain, self._kernel = convolution.forward, tuple(convolution.kernel_size)

    def __call__(self, maps: torch.Tensor, *more: Any, **named: Any) -> torch.Tensor:
        small = any(side < kernel for side, kernel in zip(maps.shape[2:], self._kernel, strict=True))
        if not small or maps.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return self._plain(maps, *more, **named)
        with torch.autocast("cpu", enabled=False):
            return self._plain(maps.float(), *more, **named)
