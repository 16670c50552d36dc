"""DynUNet: the topology of nnU-Net (Isensee et al. 2021, Nature Methods 18:203)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from minivess.ml.models.adapter import CoarserMap
from minivess.ml.models.levels import LevelsAdapter, filters_of_levels
from minivess.ml.models.monai_networks import monai_networks
from minivess.records.models.networks.dynunet import DynUNetSpec
from minivess.records.models.task import SegmentationTask

if TYPE_CHECKING:
    import torch
    from monai.networks.nets import DynUNet

COARSER = 2
"""Coarser levels that learn too, where there are as many."""


class DynUNetAdapter(LevelsAdapter[DynUNetSpec]):
    """MONAI's DynUNet with one kernel size and stride for all levels."""

    specification = DynUNetSpec
    supports = frozenset({"checkpointing", "deep_supervision"})

    def network(self, spec: DynUNetSpec, task: SegmentationTask) -> torch.nn.Module:
        """Two convolutions a level."""
        made: torch.nn.Module = monai_networks().DynUNet(
            spatial_dims=len(task.axes),
            in_channels=task.channels,
            out_channels=task.outputs,
            kernel_size=(3,) * spec.levels,
            strides=(1, *(2,) * (spec.levels - 1)),
            upsample_kernel_size=(2,) * (spec.levels - 1),
            filters=filters_of_levels(spec),
        )
        return made

    def recomputed_blocks(self, network: torch.nn.Module) -> tuple[torch.nn.Module, ...]:
        """The blocks of each level, down and up."""
        made = cast("DynUNet", network)
        return (made.input_block, *made.downsamples, made.bottleneck, *made.upsamples)

    def coarser_maps(self, network: torch.nn.Module) -> tuple[CoarserMap, ...]:
        """The upward blocks but the last one, at most two."""
        made = cast("DynUNet", network)
        ups = list(made.upsamples)
        return tuple(CoarserMap(up, made.filters[1 + place]) for place, up in enumerate(ups[-2::-1][:COARSER]))
