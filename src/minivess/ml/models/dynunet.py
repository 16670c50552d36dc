"""DynUNet: the topology of nnU-Net (Isensee et al. 2021, Nature Methods 18:203)."""

from __future__ import annotations

import torch

from minivess.ml.models.levels import LEVELS, check_patch, filters_of_levels
from minivess.records.models.dynunet import DynUNetSpec


def build(spec: DynUNetSpec) -> torch.nn.Module:
    """Build the network with weights drawn by PyTorch's random state. MONAI is imported here.

    Raises:
        UsageError: the patch does not fit.
    """
    check_patch(spec)
    from monai.networks.nets import DynUNet

    network: torch.nn.Module = DynUNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=1,
        kernel_size=(3,) * LEVELS,
        strides=(1, *(2,) * (LEVELS - 1)),
        upsample_kernel_size=(2,) * (LEVELS - 1),
        filters=filters_of_levels(spec),
    )
    return network
