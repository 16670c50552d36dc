"""The specification of a DynUNet."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict

from minivess.records.models.network import EncoderDecoderSpec


class DynUNetSpec(EncoderDecoderSpec):
    """DynUNet: the topology of nnU-Net (Isensee et al. 2021, Nature Methods 18:203)."""

    model_config = ConfigDict(json_schema_extra={"required": ["architecture"]})

    architecture: Literal["dynunet"] = "dynunet"
    """The family."""
