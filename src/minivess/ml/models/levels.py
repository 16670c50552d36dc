"""What networks with levels have in common: three levels, and patches that can be halved twice."""

from __future__ import annotations

from minivess.foundation.errors import UsageError
from minivess.records.models.network import EncoderDecoderSpec

LEVELS = 3
_DIVISOR = 2 ** (LEVELS - 1)


def patch_fault(spec: EncoderDecoderSpec) -> str | None:
    """The sentence about a patch that some level cannot halve without a rest; None when it fits."""
    if any(side % _DIVISOR or side < 2 * _DIVISOR for side in spec.patch):
        return f"a patch of {spec.patch} does not fit {spec.architecture}: sides must be 8, 12, 16, … voxels"
    return None


def check_patch(spec: EncoderDecoderSpec) -> None:
    """Check that each level halves the patch without a rest.

    Raises:
        UsageError: a side of the patch is not divisible by four, or is below eight.
    """
    if (fault := patch_fault(spec)) is not None:
        raise UsageError(fault, hint="choose for example model.patch: [32, 64, 64]")


def filters_of_levels(spec: EncoderDecoderSpec) -> tuple[int, ...]:
    """Filters of each level: those of the first, twice and four times as many."""
    return tuple(spec.filters * 2**level for level in range(LEVELS))
