"""The grid of a patch: its size, the size of a voxel, and the axis along which slices are thick."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

ALIKE = 1.5
"""Steps along two axes are alike where the longer one is at most this many times the shorter one."""


class Frame(NamedTuple):
    """The grid of a patch. Make it with `of`."""

    patch: tuple[int, ...]
    """Sides in voxels."""
    steps: tuple[float, ...]
    """Size of a voxel along each axis, in any unit."""
    thick: int | None
    """The axis along which the steps of a volume are longer than along the others; None: there is none."""

    @classmethod
    def of(cls, patch: Sequence[int], spacing: Sequence[float] | None) -> Self:
        """The frame of a patch.

        A volume has thick slices where its longest step is more than 1.5 times its shortest one. Where no spacing is known, the
        slices of a volume count as thick.

        Args:
            patch: sides in voxels, 2 or 3 of them.
            spacing: size of a voxel that the network gets; None: not known.
        """
        sides = tuple(patch)
        if spacing is None:
            return cls(sides, (1.0,) * len(sides), 0 if len(sides) == 3 else None)
        steps = tuple(float(step) for step in spacing)
        uneven = len(sides) == 3 and max(steps) > ALIKE * min(steps)
        return cls(sides, steps, steps.index(max(steps)) if uneven else None)

    @property
    def even(self) -> tuple[int, ...]:
        """The axes that a change in space may mix: all, or those within a thick slice."""
        return tuple(axis for axis in range(len(self.patch)) if axis != self.thick)

    @property
    def square(self) -> bool:
        """Whether steps along y and x are alike, so that a quarter turn keeps shapes."""
        y, x = self.steps[-2:]
        return max(y, x) <= ALIKE * min(y, x)
