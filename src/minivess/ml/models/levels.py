"""What networks with levels have in common: each level halves the resolution."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from minivess.ml.models.adapter import ModelAdapter
from minivess.records.models.networks.network import EncoderDecoderSpec

LevelsSpec = TypeVar("LevelsSpec", bound=EncoderDecoderSpec)


class LevelsAdapter(ModelAdapter[LevelsSpec], Generic[LevelsSpec]):  # noqa: UP046  as its base class
    """A family whose networks halve a patch from level to level."""

    specification: ClassVar[type[EncoderDecoderSpec]]

    def divisor(self, spec: LevelsSpec) -> int:
        """Two for each halving."""
        return int(2 ** (spec.levels - 1))


def filters_of_levels(spec: EncoderDecoderSpec) -> tuple[int, ...]:
    """Filters of each level: those of the first, and twice as many from level to level."""
    return tuple(spec.filters * 2**level for level in range(spec.levels))
