"""Arithmetic and chance with the same bits on every machine.

IEEE 754 fixes the result of + - * / and of the square root to the last bit; it fixes neither exp nor log nor the order
of a sum, and NumPy promises the raw words of PCG64 but not the samples of `Generator`. So everything here is made of
those raw words, whole numbers and these five operations, one array operation at a time, and no sum whose order is left
to a library. Rounding must be to nearest and subnormal numbers do not occur.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from math import factorial

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_LOG2E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10
"""ln 2 in two parts, the first with its last 33 bits zero (fdlibm, `e_exp.c`)."""
_EXP = tuple(1.0 / factorial(k) for k in range(14))
_LOG = tuple(2.0 / (2 * k + 1) for k in range(12))
_ROOT_HALF = 0.70710678118654752440
_LEVELS = 1 << 16
_SEARCHED = 64.0
"""Up to this mean a Poisson count is found exactly; above it from its normal quantile."""


def _rational(*coefficients: str) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(map(float, row.split())) for row in coefficients)


# Wichura, 1988, Applied Statistics 37:477, algorithm AS 241 (PPND16)
_CENTRE = _rational(
    "3.3871328727963666080e0 1.3314166789178437745e2 1.9715909503065514427e3 1.3731693765509461125e4"
    " 4.5921953931549871457e4 6.7265770927008700853e4 3.3430575583588128105e4 2.5090809287301226727e3",
    "1 4.2313330701600911252e1 6.8718700749205790830e2 5.3941960214247511077e3"
    " 2.1213794301586595867e4 3.9307895800092710610e4 2.8729085735721942674e4 5.2264952788528545610e3",
)
_TAIL = _rational(
    "1.42343711074968357734e0 4.63033784615654529590e0 5.76949722146069140550e0 3.64784832476320460504e0"
    " 1.27045825245236838258e0 2.41780725177450611770e-1 2.27238449892691845833e-2 7.74545014278341407640e-4",
    "1 2.05319162663775882187e0 1.67638483018380384940e0 6.89767334985100004550e-1"
    " 1.48103976427480074590e-1 1.51986665636164571966e-2 5.47593808499534494600e-4 1.05075007164441684324e-9",
)


def exp(x: Floats | float) -> Floats:
    """e to the x for x in -700 to 700, within 2 units of the last place."""
    x = np.asarray(x, dtype=np.float64)
    power = np.rint(x * _LOG2E)
    rest = x - power * _LN2_HIGH
    rest = rest - power * _LN2_LOW
    return np.ldexp(_polynomial(_EXP, rest), power.astype(np.int32))


def log(x: Floats | float) -> Floats:
    """Natural logarithm of positive normal numbers, within 4 units of the last place (absolutely so near 1)."""
    fraction, power = np.frexp(np.asarray(x, dtype=np.float64))
    low = fraction < _ROOT_HALF
    fraction = np.where(low, fraction * 2.0, fraction)
    whole = (power - low).astype(np.float64)
    s = (fraction - 1.0) / (fraction + 1.0)
    made: Floats = whole * _LN2_HIGH + (s * _polynomial(_LOG, s * s) + whole * _LN2_LOW)
    return made


def power(base: Floats | float, exponent: float) -> Floats:
    """Positive base to any exponent."""
    return exp(exponent * log(base))


def length(vectors: Floats) -> Floats:
    """Euclidean length along the last axis of (…, 3)."""
    z, y, x = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    made: Floats = np.sqrt(z * z + y * y + x * x)
    return made


def unit(vectors: Floats) -> Floats:
    """Vectors (…, 3) brought to length one; the zero vector stays."""
    made: Floats = vectors / np.maximum(length(vectors), 1e-9)[..., None]
    return made


def _polynomial(coefficients: tuple[float, ...], x: Floats) -> Floats:
    made = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        made = made * x
        made = made + coefficient
    return made


@cache
def _quantiles() -> Floats:
    """Quantiles of the standard normal distribution at the middles of 65536 equal steps of probability."""
    q = (np.arange(_LEVELS) + 0.5) / _LEVELS - 0.5
    centre = 0.180625 - q * q
    middle = q * _polynomial(_CENTRE[0], centre) / _polynomial(_CENTRE[1], centre)
    r = np.sqrt(-log(0.5 - np.abs(q))) - 1.6
    tail = np.copysign(_polynomial(_TAIL[0], r) / _polynomial(_TAIL[1], r), q)
    made: Floats = np.where(np.abs(q) <= 0.425, middle, tail)
    made.flags.writeable = False
    return made


class Purpose(IntEnum):
    """What a stream of chance is for. Each has its own, so that one effect does not change what another draws."""

    NETWORK = 0
    TEXTURE = 1
    OPTICS = 2
    DETECTOR = 3
    WANDER = 4
    STENOSES = 5
    LEAKS = 6
    MOTION = 7
    DYE = 8
    VEINS = 9


class Stream:
    """Random numbers from the raw words of PCG64, which NumPy guarantees for a given `SeedSequence`.

    Args:
        seed: what the whole volume depends on.
        purpose: which of its streams.
    """

    def __init__(self, seed: int | tuple[int, ...], purpose: Purpose) -> None:
        self._words = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(int(purpose),)))

    def uniform(self, *shape: int) -> Floats:
        """Multiples of 2^-32 plus 2^-33, between 0 and 1, both excluded."""
        made: Floats = (self._parts(shape, "<u4").astype(np.float64) + 0.5) * 2.0**-32
        return made

    def normal(self, *shape: int) -> Floats:
        """Standard normal, in 65536 equally probable steps from -4.3 to 4.3."""
        made: Floats = _quantiles()[self._parts(shape, "<u2")]
        return made

    def one(self) -> float:
        """One number as by `uniform`."""
        return float(self.uniform(1)[0])

    def below(self, count: int) -> int:
        """A whole number from 0 to `count` - 1."""
        return int(self.one() * count)

    def poisson(self, mean: Floats) -> Floats:
        """A count for every mean: the smallest k whose cumulative probability exceeds a uniform number.

        Above a mean of 64 the count is the normal quantile with its first correction for skewness (Cornish and Fisher,
        1938), rounded.
        """
        counts = np.zeros(mean.size)
        flat = mean.ravel()
        chance = self.uniform(flat.size)
        few = flat <= _SEARCHED
        at = np.flatnonzero(few)
        rate, wanted = flat[at], chance[at]
        term = exp(-rate)
        total = term
        for k in range(1, 8 * int(_SEARCHED)):
            more = wanted > total
            at, rate, wanted = at[more], rate[more], wanted[more]
            if not len(at):
                break
            counts[at] = k
            term = term[more] * (rate / k)
            total = total[more] + term
        if not few.all():
            rate = flat[~few]
            z = _quantiles()[(chance[~few] * _LEVELS).astype(np.int64)]
            counts[~few] = np.maximum(np.rint(rate + np.sqrt(rate) * z + (z * z - 1.0) / 6.0), 0.0)
        return counts.reshape(mean.shape)

    def _parts(self, shape: tuple[int, ...], kind: str) -> npt.NDArray[np.unsignedinteger]:
        count = 1
        for size in shape:
            count *= size
        each = 8 // np.dtype(kind).itemsize
        words = self._words.random_raw(-(-count // each))
        return np.asarray(words).astype("<u8").view(kind)[:count].reshape(shape)
