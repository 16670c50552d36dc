"""Images that show the same object, whatever was done to one of them.

Every image is compared with every other by its fingerprints (`spectra`); pairs that rank high are laid on each other
(`image_registration`), and only what then fits is reported, with how it fits. Found are copies that were shifted (to a tenth
of the width), cropped (to 80 % a side, enlarged or not), resized, re-encoded, noised or smoothed, changed in
brightness, contrast or gamma, mirrored, turned by quarter turns, by up to 15°, or scaled by 10 %, and combinations. What
is outside a field of view does not count. Not found are negatives, copies turned by other angles, bent ones, and parts
of less than about two thirds of a side. Of volumes, small angles about the first axis are found.

The thresholds are in the gap that trials left (`benchmarks/near_duplicates.py`). Copies fit at 0.97 with an evidence
of 13 and more, or at 0.79 with an evidence of 22 and more (noise of 10 greys). Different pictures of round fields reached
a fit of 0.86 and an evidence of 13.7 where there was little to see.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from itertools import batched, chain, islice

import numpy as np
import numpy.typing as npt

from minivess.foundation.digests import digest_json
from minivess.foundation.implements import implements
from minivess.foundation.processes.processors import usable_processors
from minivess.ml.quality.duplicates.candidates import candidates
from minivess.ml.quality.duplicates.common_structure import without_common
from minivess.ml.quality.duplicates.pair_fits import ALIKE, CLEAR, COPY, EVIDENCE, ComparedImage, judged
from minivess.ml.quality.duplicates.spectra import fingerprints
from minivess.ml.quality.duplicates.views import views
from minivess.records.data.likeness import Likeness, NearDuplicate
from minivess.records.sinks import Progress

_VERSION = 4
"""Raised by each change that can change what is found."""
_WORTH_A_POOL = 64
"""Images, or pairs, from which on other processes help: each takes about two CPU seconds to start."""
_BATCH = 16

_Source = tuple[str, npt.NDArray[np.generic]]


def method() -> str:
    """Digest of the method's version and thresholds: a kept search holds for the same method only."""
    return digest_json(["near-duplicates", _VERSION, COPY, ALIKE, CLEAR, *EVIDENCE])


@implements("REQ-085", "REQ-293", "REQ-312")
def find(images: Iterable[_Source], *, progress: Progress | None = None) -> tuple[NearDuplicate, ...]:
    """Find all pairs of images that show the same object, in order of the images.

    Images are taken a few at a time and not kept. Of each image at most twelve likely partners are looked at. Large sets
    are searched by one process a core; the result does not depend on that.

    Args:
        images: id and array, (y, x) or (z, y, x), with or without colours last (see `views`).
        progress: hears about each image and each pair.

    Raises:
        UsageError: an array has another number of axes.
    """
    from threadpoolctl import threadpool_limits

    source = iter(images)
    few = list(islice(source, _WORTH_A_POOL))
    with ExitStack() as stack:
        pool = None
        if len(few) == _WORTH_A_POOL:
            pool = stack.enter_context(_processes())
        known: list[ComparedImage] = []
        for described in _in_order(_described, batched(chain(few, source), _BATCH), pool):
            if progress is not None:
                for number in range(len(known), len(known) + len(described)):
                    progress("fingerprints", number, 0)
            known += described
        del few
        known = [
            replace(image, views=seen)
            for image, seen in zip(known, without_common([image.views for image in known]), strict=True)
        ]
        with threadpool_limits(usable_processors(), "blas"):
            pairs = candidates([image.prints[image.frames(from_the_side=False)] for image in known])
        if pool is None and len(pairs) > 4 * _WORTH_A_POOL:
            pool = stack.enter_context(_processes())
        found = list(_identical(known))
        done, order = 0, iter(pairs)
        batches = ([(known[a], known[b]) for a, b in some] for some in batched(pairs, _BATCH))
        for records in _in_order(_judged, batches, pool):
            if progress is not None:
                progress("near duplicates", done, len(pairs))
            done += len(records)
            found += [(pair, record) for record, pair in zip(records, order, strict=False) if record is not None]
    if progress is not None:
        progress("near duplicates", len(pairs), len(pairs))
    return tuple(record for _, record in sorted(found, key=lambda item: item[0]))


def _processes() -> ProcessPoolExecutor:
    from multiprocessing import get_context

    return ProcessPoolExecutor(usable_processors(), get_context("spawn"))


def _in_order[T, R](work: Callable[[T], R], batches: Iterable[T], pool: ProcessPoolExecutor | None) -> Iterator[R]:
    """The results of all batches in order; a few are on their way at a time, so that memory does not grow."""
    if pool is None:
        yield from map(work, batches)
        return
    waiting: deque[Future[R]] = deque()
    for batch in batches:
        waiting.append(pool.submit(work, batch))
        if len(waiting) > 2 * usable_processors():
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _described(images: tuple[_Source, ...]) -> list[ComparedImage]:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        return [_compared(name, array) for name, array in images]


def _compared(name: str, array: npt.NDArray[np.generic]) -> ComparedImage:
    seen = views(array)
    digest = hashlib.sha256(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes()).digest()
    return ComparedImage(name, digest, seen, np.stack([fingerprints(view.grey) for view in seen]))


def _judged(pairs: list[tuple[ComparedImage, ComparedImage]]) -> list[NearDuplicate | None]:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        return judged(pairs)


def _identical(known: list[ComparedImage]) -> Iterator[tuple[tuple[int, int], NearDuplicate]]:
    first: dict[bytes, int] = {}
    for index, image in enumerate(known):
        other = first.setdefault(image.digest, index)
        if other != index:
            yield (
                (other, index),
                NearDuplicate(
                    cases=(known[other].name, image.name), kind=Likeness.IDENTICAL, score=1.0, detail="the same numbers"
                ),
            )
