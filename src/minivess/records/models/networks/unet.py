"""The specification of a UNet."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict

from minivess.records.models.networks.network import EncoderDecoderSpec


class UNetSpec(EncoderDecoderSpec):
    """U-Net (Kerfoot et al. 2018)."""

    model_config = ConfigDict(json_schema_extra={"required": ["architecture"]})

    architecture: Literal["unet"] = "unet"
    """The family."""
