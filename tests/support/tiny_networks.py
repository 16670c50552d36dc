"""A family of small networks for tests, as another package would bring it. It needs PyTorch and no library of networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from minivess.ml.models.adapter import ModelAdapter
from minivess.records.models.networks.network import NetworkSpec
from minivess.records.models.task import SegmentationTask

if TYPE_CHECKING:
    import torch


class TinySpec(NetworkSpec):
    """A few convolutions."""

    architecture: Literal["tiny"] = "tiny"
    maps: int = 8


class TinyAdapter(ModelAdapter[TinySpec]):
    """Convolutions on two resolutions, with normalisation between them."""

    specification = TinySpec

    def divisor(self, spec: TinySpec) -> int:
        """Of the coarser resolution."""
        return 2

    def network(self, spec: TinySpec, task: SegmentationTask) -> torch.nn.Module:
        """Weights are drawn by PyTorch's random state."""
        from torch import nn

        deep = len(task.axes) == 3
        convolution, normalisation = (nn.Conv3d, nn.InstanceNorm3d) if deep else (nn.Conv2d, nn.InstanceNorm2d)
        pooling = nn.AvgPool3d(2) if deep else nn.AvgPool2d(2)

        def block(inside: int) -> list[nn.Module]:
            made = [convolution(inside, spec.maps, 3, padding=1), normalisation(spec.maps, affine=True)]
            return [*made, nn.LeakyReLU(inplace=True)]

        return nn.Sequential(
            *block(task.channels),
            *block(spec.maps),
            pooling,
            *block(spec.maps),
            *block(spec.maps),
            nn.Upsample(scale_factor=2, mode="trilinear" if deep else "bilinear"),
            *block(spec.maps),
            convolution(spec.maps, task.outputs, 1),
        )


ADAPTER = TinyAdapter()
