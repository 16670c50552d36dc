"""U-Net (Kerfoot et al. 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minivess.ml.models.levels import LevelsAdapter, filters_of_levels
from minivess.ml.models.monai_networks import monai_networks
from minivess.records.models.networks.unet import UNetSpec
from minivess.records.models.task import SegmentationTask

if TYPE_CHECKING:
    import torch


class UNetAdapter(LevelsAdapter[UNetSpec]):
    """MONAI's U-Net."""

    specification = UNetSpec
    supports = frozenset({"checkpointing"})

    def network(self, spec: UNetSpec, task: SegmentationTask) -> torch.nn.Module:
        """One convolution a level on each side."""
        made: torch.nn.Module = monai_networks().UNet(
            spatial_dims=len(task.axes),
            in_channels=task.channels,
            out_channels=task.outputs,
            channels=filters_of_levels(spec),
            strides=(2,) * (spec.levels - 1),
        )
        return made

    def recomputed_blocks(self, network: torch.nn.Module) -> tuple[torch.nn.Module, ...]:
        """Each convolution with its normalisation and activation."""
        from monai.networks.blocks import Convolution

        return tuple(one for one in network.modules() if isinstance(one, Convolution))
