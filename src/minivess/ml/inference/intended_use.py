"""The intended-use envelope: what an image must be like for the model's measured performance to say anything about it.

Bounds come from the cases the model was made from (training and calibration part), widened by stated margins. An input
outside is refused with reasons, never answered with a guess.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.implements import implements
from minivess.records.data.dataset import Capabilities, Unit
from minivess.records.lengths import UNIT_NAMES, shown
from minivess.records.models.intended_use import SIGNAL_PERCENTILES, IntendedUse, SignalMeasures

Spacing = tuple[float, ...]
"""(z, y, x) of a volume, (y, x) of a picture."""

SERVED = Capabilities(axes=("zyx",), units=("um",), classes=1, smallest=(2,))
"""What the service answers: one mask for a grey volume with a voxel size in micrometres, of which the noise can be
estimated from neighbours along x."""

SPACING_MARGIN = 0.10
"""Voxel sizes may lie this share beyond the ones met."""
SHAPE_FACTOR = 2
"""Volumes may be this many times smaller or larger along an axis than the ones met."""
SIGNAL_FACTOR = 2.0
"""Contrast-to-noise may be this many times lower or higher than the ones met."""
TAIL_MARGIN = 0.15
"""The bright tail's share may differ this much from the ones met."""


def signal_measures(image: NDArray[Any]) -> SignalMeasures:
    """Contrast-to-noise ratio and bright-tail share of an image (z, y, x) or (y, x), free of its intensity unit.

    Noise is estimated from differences of neighbours along x: for Gaussian noise of standard deviation s the mean
    absolute difference is 2s/√π. Structure adds to it, so noise is over- rather than underestimated.

    Raises:
        InputError: the image holds values that are not finite, or no contrast at all.
    """
    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError(
            "the image holds voxels that are no finite number", hint="replace NaN and infinity at the source"
        )
    low, middle, high = (
        float(level) for level in np.percentile(values, (SIGNAL_PERCENTILES[0], 50, SIGNAL_PERCENTILES[1]))
    )
    noise = float(np.abs(np.diff(values, axis=-1)).mean()) * np.sqrt(np.pi) / 2 if values.shape[-1] > 1 else 0.0
    if not high > low or noise == 0:
        raise InputError("the image has no contrast", hint="check that the right channel was exported")
    return SignalMeasures(contrast_to_noise=(high - middle) / noise, bright_tail=(high - middle) / (high - low))


@implements("RC-12")
def derive_envelope(cases: Iterable[tuple[NDArray[Any], Spacing]], unit: Unit = "um") -> IntendedUse:
    """The envelope of the cases a model was made from.

    Args:
        cases: pairs of image (z, y, x) or (y, x) and spacing along its axes.
        unit: of the spacings.

    Raises:
        UsageError: there are no cases.
        InputError: an image holds values that are not finite, or no contrast.
    """
    shapes, spacings, signals = [], [], []
    for image, spacing in cases:
        shapes.append(image.shape)
        spacings.append(spacing)
        signals.append(signal_measures(image))
    if not signals:
        raise UsageError("an intended-use envelope needs cases")
    smallest, largest = np.min(shapes, axis=0), np.max(shapes, axis=0)
    contrasts = [signal.contrast_to_noise for signal in signals]
    tails = [signal.bright_tail for signal in signals]
    return IntendedUse(
        spacing=(
            tuple((np.min(spacings, axis=0) * (1 - SPACING_MARGIN)).tolist()),
            tuple((np.max(spacings, axis=0) * (1 + SPACING_MARGIN)).tolist()),
        ),
        unit=unit,
        shape=(_sizes(np.maximum(smallest // SHAPE_FACTOR, 1)), _sizes(largest * SHAPE_FACTOR)),
        contrast_to_noise=(min(contrasts) / SIGNAL_FACTOR, max(contrasts) * SIGNAL_FACTOR),
        bright_tail=(max(min(tails) - TAIL_MARGIN, 0.0), min(max(tails) + TAIL_MARGIN, 1.0)),
    )


@implements("RC-12", "REQ-029")
def outside_reasons(envelope: IntendedUse, image: NDArray[Any], spacing: Spacing, unit: Unit = "um") -> tuple[str, ...]:
    """Why an image with a spacing along its axes lies outside the envelope, one sentence a reason."""
    bounds = (*envelope.spacing, *envelope.shape)
    if unit != envelope.unit:
        return (f"the spacing is in {UNIT_NAMES[unit]}, and the bounds are in {UNIT_NAMES[envelope.unit]}",)
    if {image.ndim, len(spacing)} != {len(bound) for bound in bounds}:
        return (f"the image has {image.ndim} axes and {len(spacing)} spacings, and the bounds have {len(bounds[0])}",)
    reasons = []
    axes = "zyx"[-image.ndim :]
    for axis, size, low, high in zip(axes, image.shape, *envelope.shape, strict=True):
        if not low <= size <= high:
            reasons.append(f"size {size} voxels along {axis} is outside {low} to {high}")
    for axis, step, lowest, highest in zip(axes, spacing, *envelope.spacing, strict=True):
        if not lowest <= step <= highest:
            usual = shown((lowest, highest), unit, between=" to ")
            reasons.append(f"spacing {shown(step, unit)} along {axis} is outside {usual}")
    if reasons:
        return tuple(reasons)
    try:
        signal = signal_measures(image)
    except InputError as error:
        return (error.message,)
    for name, value, (bottom, top) in (
        ("contrast-to-noise ratio", signal.contrast_to_noise, envelope.contrast_to_noise),
        ("share of the intensity range above the median", signal.bright_tail, envelope.bright_tail),
    ):
        if not bottom <= value <= top:
            reasons.append(f"{name} {value:.2f} is outside {bottom:.2f} to {top:.2f}")
    return tuple(reasons)


def _sizes(values: NDArray[Any]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)
