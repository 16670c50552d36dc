"""DynUNet: the topology of nnU-Net (Isensee et al. 2021, Nature Methods 18:203)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minivess.ml.models.levels import LevelsAdapter, filters_of_levels
from minivess.records.models.networks.dynunet import DynUNetSpec
from minivess.records.models.task import SegmentationTask

if TYPE_CHECKING:
    import torch


class DynUNetAdapter(LevelsAdapter[DynUNetSpec]):
    """MONAI's DynUNet with one kernel size and stride for all levels."""

    specification = DynUNetSpec

    def network(self, spec: DynUNetSpec, task: SegmentationTask) -> torch.nn.Module:
        """Two convolutions a level."""
        from monai.networks.nets import DynUNet

        made: torch.nn.Module = DynUNet(
            spatial_dims=len(task.axes),
            in_channels=task.channels,
            out_channels=task.outputs,
            kernel_size=(3,) * spec.levels,
            strides=(1, *(2,) * (spec.levels - 1)),
            upsample_kernel_size=(2,) * (spec.levels - 1),
            filters=filters_of_levels(spec),
        )
        return made
