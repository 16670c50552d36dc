"""The search for near duplicates: false pairs, recall and time. Run it as parts of `benchmarks/data.py`."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minivess.ml.quality.duplicates.near_duplicates import find


def row(what: str, found: str, limit: str = "") -> None:
    """Print one figure."""
    print(f"{what:<58} {found:>18}  {limit}", flush=True)


def _searched(images: Iterator[tuple[str, Any]], what: str, limit: str) -> Any:
    """Search made images; print the time of this process and its children, with the making."""
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    before, wall = _cpu(), time.perf_counter()
    found = find(images)
    taken, elapsed, cores = _cpu() - before, time.perf_counter() - wall, len(os.sched_getaffinity(0))
    row(what, f"{taken:.0f} s CPU", f"{taken / cores:.0f} s on {cores} free cores, {limit}")
    row("  by the clock", f"{elapsed:.0f} s", f"load of the machine {load} at the beginning")
    return found


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def textured(seed: int, shape: tuple[int, ...] = (320, 320)) -> Any:
    """A grey image or volume with structure of several sizes, uint8."""
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    total = sum(ndimage.gaussian_filter(rng.normal(size=shape), sigma) * sigma for sigma in (2.0, 4.0, 10.0))
    return np.rint(255 * (total - total.min()) / np.ptp(total)).astype(np.uint8)


def round_field(seed: int, side: int = 320) -> Any:
    """A picture of a round field with a notch, a disc and a border, the same in each; vessels and noise differ."""
    from PIL import Image, ImageDraw
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    field = (np.hypot(rows, columns) < 0.47 * side) & ~((np.abs(rows) < 0.06 * side) & (columns < -0.4 * side))
    disc = 60 * np.exp(-((rows + 0.03 * side) ** 2 + (columns - 0.19 * side) ** 2) / (2 * (0.05 * side) ** 2))
    large = Image.new("L", (2 * side, 2 * side))
    pen = ImageDraw.Draw(large)

    def grow(place: tuple[float, float], angle: float, width: float, steps: int) -> None:
        for _ in range(steps):
            end = place[0] + 6 * np.cos(angle), place[1] + 6 * np.sin(angle)
            pen.line([place, end], fill=255, width=max(1, round(width)))
            place, angle, width = end, angle + rng.normal(0, 0.12), 0.985 * width
            if rng.random() < 0.06 and width > 1.2:
                grow(place, angle + rng.choice([-1, 1]) * rng.uniform(0.4, 0.9), 0.75 * width, int(0.6 * steps))

    for _ in range(rng.integers(6, 10)):
        grow((1.38 * side, 0.94 * side), rng.uniform(0, 2 * np.pi), rng.uniform(5, 9), 60)
    vessels = ndimage.gaussian_filter(np.asarray(large.resize((side, side), Image.Resampling.BOX), float) / 255, 0.8)
    shaded = 110 - 30 * (np.hypot(rows, columns) / (0.47 * side)) ** 2
    seen = shaded + disc - 45 * vessels + rng.normal(0, 3, shaded.shape)
    return np.rint(np.clip(np.where(field, seen, 0), 0, 255)).astype(np.uint8)


def moved(image: Any, angles: tuple[float, float, float], scale: float) -> Any:
    """An image or a volume turned by degrees about z, y and x and scaled about its centre, on as many pixels."""
    from scipy import ndimage
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_euler("XYZ", angles, degrees=True).as_matrix()  # z is the first of the vector
    matrix = (turn if image.ndim == 3 else turn[1:, 1:]) / scale
    centre = (np.array(image.shape) - 1) / 2
    return ndimage.affine_transform(image.astype(np.float32), matrix, centre - matrix @ centre, order=1)


def false_pairs() -> None:
    """Pairs among 1,000 different pictures of one round field, half of them with vessels, half with texture."""
    inside = round_field(0) > 0
    made = ((f"{n}", round_field(n) if n % 2 else np.where(inside, textured(n), 0)) for n in range(1000))
    found = _searched(made, "near duplicates: 1,000 round fields of 320 × 320", "")
    row("near duplicates: false pairs among them", f"{len(found)}", "at most 1")


def turned() -> None:
    """Recall for copies turned by up to 15° and scaled by up to 10 %: pictures, round fields and volumes."""
    deep = (48, 96, 96)
    kinds: dict[str, tuple[int, Callable[[int], Any], int]] = {
        "pictures": (100, textured, 1),
        "round fields": (100, round_field, 1),
        "volumes, about the first axis": (40, lambda n: textured(n, deep), 1),
        "volumes, about one of the axes": (40, lambda n: textured(n, deep), 3),
    }
    for what, (count, make, axes) in kinds.items():
        rng = np.random.default_rng(11)
        images = [(f"{n}", make(n)) for n in range(count)]
        for name, image in list(images):
            angles = [0.0, 0.0, 0.0]
            angles[int(name) % axes] = rng.uniform(-15, 15)
            images.append((f"{name}-copy", moved(image, (angles[0], angles[1], angles[2]), rng.uniform(0.9, 1.1))))
        pairs = [{name.removesuffix("-copy") for name in pair.cases} for pair in find(images)]
        right = sum(len(pair) == 1 for pair in pairs)
        limit = f"at least {0.95 * count:.0f}; {len(pairs) - right} false pairs"
        row(f"near duplicates: {what}, turned and scaled", f"{right} of {count}", limit)


def few() -> None:
    """300 different pictures."""
    found = _searched(
        ((f"{n}", textured(n)) for n in range(300)), "near duplicates: 300 pictures of 320 × 320", "< 30 s"
    )
    row("near duplicates: false pairs among them", f"{len(found)}")


def many() -> None:
    """2,500 and 5,000 different pictures; the ratio of both times is the growth."""
    for count in (2500, 5000):
        made = ((f"{n}", textured(n, (160, 160))) for n in range(count))
        found = _searched(made, f"near duplicates: {count} pictures of 160 × 160", "5,000: < 600 s")
        row("near duplicates: false pairs among them", f"{len(found)}")


PARTS: dict[str, Callable[[], None]] = {
    "near-duplicates-false": false_pairs,
    "near-duplicates-turned": turned,
    "near-duplicates-300": few,
    "near-duplicates-5000": many,
}
