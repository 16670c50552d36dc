"""SwinUNETR (Hatamizadeh et al. 2022, arXiv 2201.01266)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minivess.ml.models.adapter import ModelAdapter
from minivess.ml.models.monai_networks import monai_networks
from minivess.records.models.networks.swinunetr import SwinUNETRSpec
from minivess.records.models.task import SegmentationTask

if TYPE_CHECKING:
    import torch

STAGES = 4
"""Stages of the transformer, each of half the resolution of the one before; the patches it embeds halve it once more."""


class SwinUNETRAdapter(ModelAdapter[SwinUNETRSpec]):
    """MONAI's SwinUNETR with four stages."""

    specification = SwinUNETRSpec
    supports = frozenset({"checkpointing"})

    def divisor(self, spec: SwinUNETRSpec) -> int:
        """The embedding halves a patch once, and each stage once."""
        return int(2 ** (STAGES + 1))

    def smallest(self, spec: SwinUNETRSpec) -> int:
        """One position must be left at the coarsest level."""
        return self.divisor(spec)

    def patch_fault(self, spec: SwinUNETRSpec, axes: str) -> str | None:
        """As every family; besides, normalisation needs two positions at the coarsest level, along one axis."""
        fault = super().patch_fault(spec, axes)
        if fault is None and max(spec.patch) < 2 * self.divisor(spec):
            return f"a patch of {spec.patch} does not fit {spec.architecture}: one side must be {2 * self.divisor(spec)} or more"
        return fault

    def network(self, spec: SwinUNETRSpec, task: SegmentationTask) -> torch.nn.Module:
        """As many blocks in each stage."""
        made: torch.nn.Module = monai_networks().SwinUNETR(
            spatial_dims=len(task.axes),
            in_channels=task.channels,
            out_channels=task.outputs,
            feature_size=spec.features,
            depths=(spec.depth,) * STAGES,
            num_heads=tuple(3 * 2**stage for stage in range(STAGES)),
            drop_rate=spec.dropout,
        )
        return made

    def recomputed_blocks(self, network: torch.nn.Module) -> tuple[torch.nn.Module, ...]:
        """The blocks of the transformer and of the decoder."""
        from monai.networks.blocks import UnetrBasicBlock, UnetrUpBlock
        from monai.networks.nets.swin_unetr import SwinTransformerBlock

        kinds = (SwinTransformerBlock, UnetrBasicBlock, UnetrUpBlock)
        return tuple(one for one in network.modules() if isinstance(one, kinds))
