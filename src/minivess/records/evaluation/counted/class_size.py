"""How large a class is in a mask."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from minivess.records.base import Record

Amount = Annotated[float, Field(ge=0)]
SizeUnit = Literal["mm³", "µm³", "voxel", "mm²", "µm²", "px"]
"""Of a volume, or of an area; voxels or pixels where no physical size is known."""
Count = Annotated[int, Field(ge=0)]


class ClassSize(Record):
    """Sizes of one class in a mask."""

    voxels: Count
    """Voxels, or pixels."""
    size: Amount
    """Volume or area."""
    size_unit: SizeUnit
    components: Count
    """Connected components: of a volume over 26 neighbours, of a picture over 8."""
    largest_component: Amount
    """Volume or area of the largest component, in the same unit."""
    extent: tuple[Amount, ...]
    """Sides of the smallest box along the axes that holds the class, (z, y, x) or (y, x); zero where it is not there."""
    extent_unit: Literal["mm", "µm", "voxel", "px"]
