"""What the specifications of all networks have in common."""

from __future__ import annotations

from typing import Annotated, cast

from annotated_types import Ge
from pydantic import Field

from minivess.records.base import Record, Side

Patch = Annotated[tuple[Side, ...], Field(min_length=2, max_length=3)]
"""A size in voxels (z, y, x) or in pixels (y, x)."""

VOLUME_PATCH = (32, 64, 64)
PICTURE_PATCH = (128, 128)


class NetworkSpec(Record):
    """A segmentation network. Each family has its own record."""

    architecture: str
    """The name of the family, by which the record of a specification is chosen."""
    patch: Patch = VOLUME_PATCH
    """Input size in voxels (z, y, x), or in pixels (y, x), for training, sliding windows and export. Default for pictures:
    128 by 128."""

    @property
    def summary(self) -> str:
        """The network in a few words, for reports."""
        return self.architecture


class EncoderDecoderSpec(NetworkSpec):
    """An encoder that halves the resolution from level to level, and a decoder."""

    filters: Annotated[int, Field(ge=2, le=128)] = 8
    """Filters of the first level; each level doubles them."""
    levels: Annotated[int, Field(ge=2, le=6, exclude_if=lambda levels: levels == 3)] = 3
    """Levels of resolution. Each side of the patch is divisible by 2 to the power of (levels - 1)."""

    @classmethod
    def fewest_levels(cls) -> int:
        """The least number of levels that the family has."""
        bounds = cls.model_fields["levels"].metadata
        return next(cast("int", one.ge) for one in bounds if isinstance(one, Ge))

    @property
    def summary(self) -> str:
        """Family, width and, where it is not three, depth."""
        deep = "" if self.levels == 3 else f", {self.levels} levels"
        return f"{self.architecture}, {self.filters} filters at the first level{deep}"
