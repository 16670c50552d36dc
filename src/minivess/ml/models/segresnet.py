"""SegResNet (Myronenko 2018, arXiv 1810.11654), without the variational branch."""

from __future__ import annotations

import torch

from minivess.ml.models.levels import LEVELS, check_patch
from minivess.records.models.segresnet import SegResNetSpec


def build(spec: SegResNetSpec) -> torch.nn.Module:
    """Build the network with weights drawn by PyTorch's random state. MONAI is imported here.

    Raises:
        UsageError: the patch does not fit.
    """
    check_patch(spec)
    from monai.networks.nets import SegResNet

    network: torch.nn.Module = SegResNet(
        spatial_dims=3,
        init_filters=spec.filters,
        in_channels=1,
        out_channels=1,
        norm=("GROUP", {"num_groups": _groups(spec.filters)}),
        blocks_down=(1,) * LEVELS,
        blocks_up=(1,) * (LEVELS - 1),
    )
    return network


def _groups(filters: int) -> int:
    """The largest number of groups up to eight that divides the filters of the first level."""
    return next(groups for groups in range(min(8, filters), 0, -1) if filters % groups == 0)
