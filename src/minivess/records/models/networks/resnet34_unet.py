"""The specification of a U-Net with a ResNet-34 encoder."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from minivess.records.models.networks.network import NetworkSpec


class ResNet34UNetSpec(NetworkSpec):
    """A U-Net (Ronneberger et al. 2015, arXiv 1505.04597) whose encoder is a ResNet-34 (He et al. 2015, arXiv 1512.03385)."""

    model_config = ConfigDict(json_schema_extra={"required": ["architecture"]})

    architecture: Literal["resnet34-unet"] = "resnet34-unet"
    """The family."""
    depth: Annotated[int, Field(ge=3, le=5)] = 5
    """Stages of the encoder. Each side of the patch is divisible by 2 to this power."""
    width: Annotated[int, Field(ge=4, le=64)] = 16
    """Channels of the decoder's last stage; each stage before has twice as many."""

    @property
    def summary(self) -> str:
        """Family and depth."""
        return f"{self.architecture}, {self.depth} stages"
