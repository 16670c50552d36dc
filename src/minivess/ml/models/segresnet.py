"""SegResNet (Myronenko 2018, arXiv 1810.11654), without the variational branch."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from minivess.ml.models.levels import LevelsAdapter
from minivess.ml.models.monai_networks import monai_networks
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.task import SegmentationTask

if TYPE_CHECKING:
    import torch
    from monai.networks.nets import SegResNet


class SegResNetAdapter(LevelsAdapter[SegResNetSpec]):
    """MONAI's SegResNet."""

    specification = SegResNetSpec
    supports = frozenset({"checkpointing"})

    def network(self, spec: SegResNetSpec, task: SegmentationTask) -> torch.nn.Module:
        """One residual block a level."""
        made: torch.nn.Module = monai_networks().SegResNet(
            spatial_dims=len(task.axes),
            init_filters=spec.filters,
            in_channels=task.channels,
            out_channels=task.outputs,
            norm=("GROUP", {"num_groups": _groups(spec.filters)}),
            blocks_down=(1,) * spec.levels,
            blocks_up=(1,) * (spec.levels - 1),
        )
        return made

    def recomputed_blocks(self, network: torch.nn.Module) -> tuple[torch.nn.Module, ...]:
        """The residual blocks, and what leads to the answer."""
        from monai.networks.blocks.segresnet_block import ResBlock

        made = cast("SegResNet", network)
        return (*(one for one in made.modules() if isinstance(one, ResBlock)), made.conv_final)


def _groups(filters: int) -> int:
    """The largest number of groups up to eight that divides the filters of the first level."""
    return next(groups for groups in range(min(8, filters), 0, -1) if filters % groups == 0)
