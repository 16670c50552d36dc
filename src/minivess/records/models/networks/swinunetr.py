"""The specification of a SwinUNETR."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from minivess.records.models.networks.network import NetworkSpec


class SwinUNETRSpec(NetworkSpec):
    """SwinUNETR (Hatamizadeh et al. 2022, arXiv 2201.01266): a transformer with shifted windows, and a decoder."""

    model_config = ConfigDict(json_schema_extra={"required": ["architecture"]})

    architecture: Literal["swinunetr"] = "swinunetr"
    """The family."""
    features: Annotated[int, Field(ge=12, le=96, multiple_of=12)] = 12
    """Features of the first level, a multiple of 12."""
    depth: Annotated[int, Field(ge=1, le=6)] = 2
    """Transformer blocks of each of the four stages."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of values that training sets to zero."""

    @property
    def summary(self) -> str:
        """Family and width."""
        return f"{self.architecture}, {self.features} features at the first level"
