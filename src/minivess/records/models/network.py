"""What the specifications of all networks have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from minivess.records.base import Record

Triple = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]


class NetworkSpec(Record):
    """A segmentation network for single-channel volumes with one foreground class. Each family has its own record."""

    architecture: str
    """The name of the family, by which the record of a specification is chosen."""

    @property
    def summary(self) -> str:
        """The network in a few words, for reports."""
        return self.architecture


class EncoderDecoderSpec(NetworkSpec):
    """A network of three levels: an encoder that halves the resolution at each level, and a decoder."""

    filters: Annotated[int, Field(ge=2, le=128)] = 8
    """Filters of the first level; each level doubles them."""
    patch: Triple = (32, 64, 64)
    """Input size in voxels (z, y, x) for training, sliding windows and export."""

    @property
    def summary(self) -> str:
        """Family and width."""
        return f"{self.architecture}, {self.filters} filters at the first level"
