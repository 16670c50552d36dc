"""The intended-use envelope: what an image must be like for the model's measured performance to say anything about it.

Bounds come from the cases the model was made from (training and calibration part), widened by stated margins. An input
outside is refused with reasons, never answered with a guess.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.preprocessing.order_statistics import order_statistics, percentiles
from minivess.ml.preprocessing.preprocessor import Preprocessor
from minivess.records.data.dataset import Capabilities, Unit
from minivess.records.lengths import shown
from minivess.records.models.intended_use import SIGNAL_PERCENTILES, ChannelBounds, IntendedUse, SignalMeasures
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask

Spacing = tuple[float, ...]
"""(z, y, x) of a volume, (y, x) of a picture."""

SERVED = Capabilities(smallest=(2,))
"""What the service answers: any case of which the noise can be estimated from neighbours along x."""

SPACING_MARGIN = 0.10
"""Voxel sizes may lie this share beyond the ones met."""
SHAPE_FACTOR = 2
"""Volumes may be this many times smaller or larger along an axis than the ones met."""
SIGNAL_FACTOR = 2.0
"""Contrast-to-noise may be this many times lower or higher than the ones met."""
TAIL_MARGIN = 0.15
"""The bright tail's share may differ this much from the ones met."""
DIFFERENCE_FACTOR = 4.0
"""A channel may differ this many times less from the others than in the cases met."""
_UNITS: dict[Unit, str] = {
    "um": "the image has no spacing; the model is for images of known physical size",
    "px": "the image has a spacing; the model is for images without a physical size",
}
_CONTRASTS = "contrast-to-noise ratio"
_TAILS = "share of the intensity range above the median"


def signal_measures(image: NDArray[Any], *, may_be_empty: bool = False) -> SignalMeasures:
    """Contrast-to-noise ratio and bright-tail share of a channel (z, y, x) or (y, x), free of its intensity unit.

    Noise is estimated from differences of neighbours along x: for Gaussian noise of standard deviation s the mean
    absolute difference is 2s/√π. Structure adds to it, so noise is over- rather than underestimated.

    Args:
        image: one channel.
        may_be_empty: a channel without contrast measures 0 and 0; else it is refused.

    Raises:
        InputError: the image holds values that are not finite, or no contrast at all.
    """
    values = np.asarray(image)
    if not all(np.isfinite(plane).all() for plane in values):
        raise InputError(
            "the image holds voxels that are no finite number", hint="replace NaN and infinity at the source"
        )
    low, middle, high = _percentiles(values, (SIGNAL_PERCENTILES[0], 50, SIGNAL_PERCENTILES[1]))
    noise = _mean_step(values) * np.sqrt(np.pi) / 2 if values.shape[-1] > 1 else 0.0
    if not high > low or noise == 0:
        if may_be_empty:
            return SignalMeasures(contrast_to_noise=0.0, bright_tail=0.0)
        raise InputError("the image has no contrast", hint="check that the right channel was exported")
    return SignalMeasures(contrast_to_noise=(high - middle) / noise, bright_tail=(high - middle) / (high - low))


def _percentiles(values: NDArray[Any], wanted: Sequence[float]) -> tuple[float, ...]:
    """Percentiles in double precision, interpolated linearly."""
    places = [share / 100 * (values.size - 1) for share in wanted]
    around = sorted({end for place in places for end in (int(place), min(int(place) + 1, values.size - 1))})
    found = dict(zip(around, map(float, order_statistics(values, around)), strict=True))
    return tuple(
        float(
            np.interp(
                place, (int(place), int(place) + 1), (found[int(place)], found[min(int(place) + 1, values.size - 1)])
            )
        )
        for place in places
    )


def _mean_step(values: NDArray[Any]) -> float:
    """The mean absolute difference of neighbours along x, in double precision; plane by plane, which needs little memory."""
    sums = [float(np.abs(np.diff(plane.astype(np.float64), axis=-1)).sum()) for plane in values]
    steps = values.size // values.shape[-1] * (values.shape[-1] - 1)
    return math.fsum(sums) / float(steps)


@implements("REQ-349")
def channel_differences(channels: NDArray[Any]) -> tuple[float, ...]:
    """How much each channel after the first differs from the channel before it that is most like it.

    Args:
        channels: an image (channels, *grid).

    Returns:
        Mean absolute differences, 0 or more, of intensities whose `SIGNAL_PERCENTILES` are put on 0 and 1. A copy has 0, whatever
        its gain and offset.
    """
    scaled: list[NDArray[np.float64]] = []
    found = []
    if len(channels) == 1:
        return ()
    for given in channels:
        channel = np.asarray(given, dtype=np.float64)
        low, high = percentiles(channel, SIGNAL_PERCENTILES)
        scaled.append((channel - low) / (high - low) if high > low else np.zeros_like(channel))
        if len(scaled) > 1:
            found.append(min(float(np.abs(scaled[-1] - other).mean()) for other in scaled[:-1]))
    return tuple(found)


@implements("RC-12", "REQ-348", "REQ-349")
def derive_envelope(
    cases: Iterable[tuple[NDArray[Any], Spacing]], unit: Unit = "um", task: SegmentationTask = ONE_CLASS_OF_VOLUMES
) -> IntendedUse:
    """The envelope of the cases a model was made from.

    One of several channels may be empty in a case, as the third of two fluorescences that were saved as colour.

    Args:
        cases: pairs of image (z, y, x) or (y, x), with channels last where there are several, and spacing along its axes.
        unit: of the spacings.
        task: the channels and axes of the images.

    Raises:
        UsageError: there are no cases.
        InputError: an image has other axes or channels, holds values that are not finite, or has no contrast.
    """
    preprocessor = Preprocessor(Preprocessing.of(task))
    shapes, spacings, signals, differences = [], [], [], []
    for image, spacing in cases:
        channels = preprocessor.channels(image)
        shapes.append(channels.shape[1:])
        spacings.append(spacing)
        several = len(channels) > 1
        signals.append([signal_measures(channel, may_be_empty=several) for channel in channels])
        if all(signal.contrast_to_noise == 0 for signal in signals[-1]):
            signal_measures(channels[0])
        differences.append(channel_differences(channels))
    if not signals:
        raise UsageError("an intended-use envelope needs cases")
    smallest, largest = np.min(shapes, axis=0), np.max(shapes, axis=0)
    least = np.min(differences, axis=0) / DIFFERENCE_FACTOR
    first, *others = (_signal_bounds(one) for one in zip(*signals, strict=True))
    return IntendedUse(
        spacing=(
            tuple((np.min(spacings, axis=0) * (1 - SPACING_MARGIN)).tolist()),
            tuple((np.max(spacings, axis=0) * (1 + SPACING_MARGIN)).tolist()),
        ),
        unit=unit,
        shape=(_sizes(np.maximum(smallest // SHAPE_FACTOR, 1)), _sizes(largest * SHAPE_FACTOR)),
        contrast_to_noise=first[0],
        bright_tail=first[1],
        further_channels=tuple(
            ChannelBounds(contrast_to_noise=contrasts, bright_tail=tails, difference=float(difference))
            for (contrasts, tails), difference in zip(others, least, strict=True)
        ),
    )


def _signal_bounds(signals: Sequence[SignalMeasures]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Bounds of contrast-to-noise and of the bright tail, of one channel of all cases."""
    contrasts = [signal.contrast_to_noise for signal in signals]
    tails = [signal.bright_tail for signal in signals]
    return (
        (min(contrasts) / SIGNAL_FACTOR, max(contrasts) * SIGNAL_FACTOR),
        (max(min(tails) - TAIL_MARGIN, 0.0), min(max(tails) + TAIL_MARGIN, 1.0)),
    )


@implements("RC-12", "REQ-029", "REQ-348")
def outside_reasons(envelope: IntendedUse, image: NDArray[Any], spacing: Spacing, unit: Unit = "um") -> tuple[str, ...]:
    """Why an image lies outside the envelope, one sentence a reason.

    Args:
        envelope: the bounds.
        image: (z, y, x) or (y, x), with channels last where there are several.
        spacing: along its axes; 1 where it is in pixels.
        unit: of the spacing.
    """
    if unit != envelope.unit:
        return (_UNITS[envelope.unit],)
    axes = envelope.axes
    try:
        channels = Preprocessor(Preprocessing(channels=envelope.channels, axes=axes)).channels(image)
    except InputError as error:
        return (error.message,)
    if len(spacing) != len(axes):
        return (f"{len(spacing)} spacings where {len(axes)} are needed",)
    reasons = []
    what = "voxels" if len(axes) == 3 else "pixels"
    for axis, size, low, high in zip(axes, channels.shape[1:], *envelope.shape, strict=True):
        if not low <= size <= high:
            reasons.append(f"size {size} {what} along {axis} is outside {low} to {high}")
    for axis, step, lowest, highest in zip(axes, spacing, *envelope.spacing, strict=True):
        if not lowest <= step <= highest:
            usual = shown((lowest, highest), unit, between=" to ")
            reasons.append(f"spacing {shown(step, unit)} along {axis} is outside {usual}")
    if reasons:
        return tuple(reasons)
    return (*_signal_reasons(envelope, channels), *channel_reasons(envelope, channels))


def _signal_reasons(envelope: IntendedUse, channels: NDArray[Any]) -> Iterator[str]:
    """Why the intensities of a channel lie outside its bounds."""
    bounds = [(envelope.contrast_to_noise, envelope.bright_tail)]
    bounds += [(one.contrast_to_noise, one.bright_tail) for one in envelope.further_channels]
    for number, (channel, (contrasts, tails)) in enumerate(zip(channels, bounds, strict=True), 1):
        where = f"channel {number}: " if len(bounds) > 1 else ""
        try:
            signal = signal_measures(channel, may_be_empty=bool(envelope.further_channels) and contrasts[0] == 0)
        except InputError as error:
            yield f"{where}{error.message}"
            continue
        for name, value, (bottom, top) in (
            (_CONTRASTS, signal.contrast_to_noise, contrasts),
            (_TAILS, signal.bright_tail, tails),
        ):
            if not bottom <= value <= top:
                yield f"{where}{name} {value:.2f} is outside {bottom:.2f} to {top:.2f}"


@implements("REQ-349", "RC-144")
def channel_reasons(envelope: IntendedUse, channels: NDArray[Any]) -> tuple[str, ...]:
    """Which channels of an image (channels, *grid) are too much like another channel, one sentence each.

    A grey picture that was saved as colour has three such channels. Cases that the model was made from may have been such.
    """
    if not envelope.further_channels or not np.isfinite(channels).all():
        return ()
    found = zip(channel_differences(channels), envelope.further_channels, strict=True)
    return tuple(
        f"channel {number} is like another channel: its difference {value:.3f} is below {bounds.difference:.3f}"
        for number, (value, bounds) in enumerate(found, 2)
        if value < bounds.difference
    )


def _sizes(values: NDArray[Any]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)
