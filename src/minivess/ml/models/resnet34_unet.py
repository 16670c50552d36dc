"""A U-Net with a ResNet-34 encoder, from segmentation-models-pytorch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minivess.ml.models.adapter import ModelAdapter
from minivess.records.data.dataset import Capabilities
from minivess.records.models.networks.resnet34_unet import ResNet34UNetSpec
from minivess.records.models.task import SegmentationTask

if TYPE_CHECKING:
    import torch


class ResNet34UNetAdapter(ModelAdapter[ResNet34UNetSpec]):
    """For pictures. The weights are drawn by the seed; none are downloaded."""

    specification = ResNet34UNetSpec
    axes = ("yx",)
    takes = Capabilities(axes=("yx",), classes=1)
    supports = frozenset({"checkpointing"})
    needs = ("segmentation_models_pytorch",)

    def divisor(self, spec: ResNet34UNetSpec) -> int:
        """Each stage of the encoder halves a patch."""
        return int(2**spec.depth)

    def smallest(self, spec: ResNet34UNetSpec) -> int:
        """One position must be left at the coarsest stage, and normalisation needs more than one."""
        return 2 * self.divisor(spec)

    def network(self, spec: ResNet34UNetSpec, task: SegmentationTask) -> torch.nn.Module:
        """The decoder has half as many channels from stage to stage."""
        from segmentation_models_pytorch import Unet

        made: torch.nn.Module = Unet(
            encoder_name="resnet34",
            encoder_depth=spec.depth,
            encoder_weights=None,
            decoder_channels=tuple(spec.width * 2 ** (spec.depth - 1 - stage) for stage in range(spec.depth)),
            in_channels=task.channels,
            classes=task.outputs,
        )
        return made

    def recomputed_blocks(self, network: torch.nn.Module) -> tuple[torch.nn.Module, ...]:
        """The residual blocks of the encoder and the blocks of the decoder."""
        from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoderBlock
        from segmentation_models_pytorch.encoders.resnet import BasicBlock

        return tuple(one for one in network.modules() if isinstance(one, (BasicBlock, UnetDecoderBlock)))
