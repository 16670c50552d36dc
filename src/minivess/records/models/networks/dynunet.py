"""The specification of a DynUNet."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from minivess.records.models.networks.network import EncoderDecoderSpec


class DynUNetSpec(EncoderDecoderSpec):
    """DynUNet: the topology of nnU-Net (Isensee et al. 2021, Nature Methods 18:203)."""

    model_config = ConfigDict(json_schema_extra={"required": ["architecture"]})

    architecture: Literal["dynunet"] = "dynunet"
    """The family."""
    levels: Annotated[int, Field(ge=3, le=6, exclude_if=lambda levels: levels == 3)] = 3
    """Levels of resolution, at least 3. Each side of the patch is divisible by 2 to the power of (levels - 1)."""
