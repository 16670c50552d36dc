"""U-Net (Kerfoot et al. 2018)."""

from __future__ import annotations

import torch

from minivess.ml.models.levels import LEVELS, check_patch, filters_of_levels
from minivess.records.models.unet import UNetSpec


def build(spec: UNetSpec) -> torch.nn.Module:
    """Build the network with weights drawn by PyTorch's random state. MONAI is imported here.

    Raises:
        UsageError: the patch does not fit.
    """
    check_patch(spec)
    from monai.networks.nets import UNet

    network: torch.nn.Module = UNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=1,
        channels=filters_of_levels(spec),
        strides=(2,) * (LEVELS - 1),
    )
    return network
