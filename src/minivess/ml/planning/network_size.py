"""Patch, levels, filters and batch: what fits the images, the memory and, on a CPU, the time of a step.

The order of nnU-Net (Isensee et al. 2021, supplementary note 2): a patch with sides of one physical length, cut to the median
image; as many levels as leave four voxels along each side; smaller patches until two of them fit the memory; a larger batch
with what is left, of at most 5 % of all voxels. Fields that the project file states are taken as they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.ml.models.levels import LevelsAdapter
from minivess.ml.planning.memory import GPU_AIM, SHARE, memory_in_words, training_memory
from minivess.records.models.networks.network import EncoderDecoderSpec
from minivess.records.models.plan import MemoryAtHand, PlannedValue
from minivess.records.models.task import SegmentationTask

CPU_WORK = 1 << 20
"""Voxels of a step on a CPU with the usual filters; with more filters as many fewer. About two seconds on two cores."""
GPU_VOXELS = {3: 256**3, 2: 2048**2}
"""Voxels of the first patch that is tried on a GPU, by the number of axes (as nnU-Net's)."""
FILTERS = {"cpu": 8, "gpu": 32}
BF16_FILTERS = 16
"""On a CPU that multiplies in bf16. A step then takes as long as with 8 filters in fp32: 1.0 times with DynUNet, 1.3 times with
SegResNet."""
LEVELS = {"cpu": 5, "gpu": 6}
"""Most levels. A level has twice the filters of the one before; on a CPU the sixth takes longer than it is worth."""
EDGE, COARSE_EDGE = 4, 2
"""Least voxels along a side of the last level; along an axis with coarse steps, which halving would soon use up."""
COARSE = 2.0
"""An axis is coarse from this many times the finest step on."""
LEAST_BATCH, MOST_BATCH = 2, 16
SEEN = 0.05
"""A step sees at most this part of all training voxels."""


@dataclass(frozen=True)
class Images:
    """What the network gets.

    Attributes:
        grid: the median size.
        spacing: of a voxel, in any unit; ones where no physical size is known.
        voxels: of all images together.
        memory: bytes that training holds of them, in the memory of the machine.
    """

    grid: tuple[int, ...]
    spacing: tuple[float, ...]
    voxels: float
    memory: int = 0


@dataclass(frozen=True)
class NetworkSize:
    """A proposed size.

    Attributes:
        spec: patch, levels and filters.
        batch: patches in a step.
        reasons: why, by the last word of a field's place.
    """

    spec: EncoderDecoderSpec
    batch: int
    reasons: Mapping[str, str] = field(default_factory=dict)


@implements("REQ-345")
def network_size(
    images: Images,
    task: SegmentationTask,
    adapter: LevelsAdapter[Any],
    memory: MemoryAtHand,
    stated: Mapping[str, PlannedValue],
    *,
    bf16: bool = False,
) -> NetworkSize:
    """The size of a network whose memory is known.

    Args:
        images: what it gets.
        task: channels, axes and classes.
        adapter: of the family.
        memory: at hand.
        stated: `patch`, `levels`, `filters` and `batch` as far as they are given.
        bf16: whether a CPU trains in bf16 and has instructions for it.

    Raises:
        UsageError: what is stated does not fit the network, or not even the smallest network fits the memory.
    """
    return _Sizing(images, task, adapter, memory, stated, bf16=bf16).made()


class _Sizing:
    def __init__(
        self,
        images: Images,
        task: SegmentationTask,
        adapter: LevelsAdapter[Any],
        memory: MemoryAtHand,
        stated: Mapping[str, PlannedValue],
        *,
        bf16: bool,
    ) -> None:
        self._images, self._task, self._adapter, self._memory = images, task, adapter, memory
        self._stated = stated
        self._fewest: int = adapter.specification.fewest_levels()
        self._budget = int(memory.size * SHARE)
        if memory.device == "cpu":
            self._budget -= images.memory
        elif not memory.stated:
            self._budget = min(self._budget, GPU_AIM)
        if self._budget <= 0:
            raise UsageError(
                f"an image takes {memory_in_words(images.memory)} while it is preprocessed, of "
                f"{memory_in_words(memory.size)} of memory",
                hint="choose a coarser preprocessing.spacing, or train on another machine and state its memory with --memory",
            )
        self._usual = BF16_FILTERS if bf16 and memory.device == "cpu" else FILTERS[memory.device]
        self._filters = self._number("filters", self._usual)
        self._batch = self._number("batch", LEAST_BATCH)
        self._reasons: dict[str, str] = {}

    def _number(self, name: str, usual: int) -> int:
        value = self._stated.get(name, usual)
        return value if isinstance(value, int) else usual

    def made(self) -> NetworkSize:
        if self._usual == BF16_FILTERS:
            self._reasons["filters"] = "in bf16 a step takes as long as with 8 in fp32; a plan for a GPU has 32"
        elif self._memory.device == "cpu":
            self._reasons["filters"] = "few filters keep a step on a CPU short; a plan for a GPU has 32"
        else:
            self._reasons["filters"] = "as nnU-Net has them"
        spec = self._of_stated_patch() if "patch" in self._stated else self._smaller(self._first())
        self._adapter.check(spec, self._task)
        coarsest = " x ".join(str(side // 2 ** (spec.levels - 1)) for side in spec.patch)
        self._reasons["levels"] = (
            f"the last level still has {coarsest} {'voxels' if len(spec.patch) == 3 else 'pixels'}"
        )
        batch = self._batch if "batch" in self._stated else self._largest_batch(spec)
        return NetworkSize(spec, batch, self._reasons)

    def _spec(self, patch: Sequence[int], levels: int) -> EncoderDecoderSpec:
        return self._adapter.specification.model_validate(
            {"patch": tuple(patch), "levels": levels, "filters": self._filters}
        )

    def _needs(self, spec: EncoderDecoderSpec, batch: int) -> int:
        needed = training_memory(spec, self._task, max(batch, LEAST_BATCH))
        if needed is None:
            raise UsageError(f"the memory of {spec.architecture} cannot be predicted")
        return needed

    def _of_stated_patch(self) -> EncoderDecoderSpec:
        patch = self._stated["patch"]
        sides = tuple(int(side) for side in patch) if isinstance(patch, tuple) else ()
        if len(sides) != len(self._images.grid):
            return self._spec(sides, self._number("levels", 3))  # refused with the sides that would fit
        if "levels" in self._stated:
            return self._spec(sides, self._number("levels", 3))
        fitting = [self._spec(sides, levels) for levels in range(self._most_levels(sides), self._fewest - 1, -1)]
        good = [spec for spec in fitting if self._adapter.patch_fault(spec, self._task.axes) is None]
        return good[0] if good else fitting[-1]

    def _first(self) -> EncoderDecoderSpec:
        """The patch of one physical length along each axis, cut to the median image, with its levels."""
        grid = self._images.grid
        whole = list(self._cube(self._first_voxels()))
        levels = self._number("levels", 0) or self._most_levels(whole)
        divisor = 2 ** (levels - 1)
        patch = []
        for side, most in zip(whole, grid, strict=True):
            rounded = math.ceil(side / divisor) if side >= most else side // divisor
            patch.append(max(2 * divisor, int(rounded) * divisor))
        shape = " x ".join(map(str, grid))
        if all(side >= most for side, most in zip(patch, grid, strict=True)):
            self._reasons["patch"] = f"the median image, {shape}, in whole steps of {divisor}"
        elif self._memory.device == "cpu":
            self._reasons["patch"] = f"the median image, {shape}, cut for short steps on a CPU"
        else:
            self._reasons["patch"] = f"the median image, {shape}, cut to one physical length"
        return self._spec(patch, levels)

    def _first_voxels(self) -> float:
        if self._memory.device == "gpu":
            return float(GPU_VOXELS[len(self._images.grid)])
        return CPU_WORK / self._batch * self._usual / self._filters

    def _cube(self, voxels: float) -> tuple[int, ...]:
        """Sides of one physical length with so many voxels, none longer than the image's; what one axis lacks, others get."""
        grid, spacing = self._images.grid, self._images.spacing
        sides = dict.fromkeys(range(len(grid)), 0.0)
        full: set[int] = set()
        while len(full) < len(grid):
            rest = [axis for axis in sides if axis not in full]
            left = voxels / math.prod(grid[axis] for axis in full)
            length = (left * math.prod(spacing[axis] for axis in rest)) ** (1 / len(rest))
            for axis in rest:
                sides[axis] = max(1.0, length / spacing[axis])
            over = {axis for axis in rest if sides[axis] >= grid[axis]}
            if not over:
                break
            full |= over
        return tuple(grid[axis] if axis in full else int(sides[axis]) for axis in sides)

    def _most_levels(self, sides: Sequence[int]) -> int:
        finest = min(self._images.spacing)
        edges = [COARSE_EDGE if step >= COARSE * finest else EDGE for step in self._images.spacing]
        halvings = min(int(math.log2(max(1.0, side / edge))) for side, edge in zip(sides, edges, strict=True))
        return min(LEVELS[self._memory.device], max(self._fewest, halvings + 1))

    def _smaller(self, spec: EncoderDecoderSpec) -> EncoderDecoderSpec:
        """Cut the patch until a step fits the memory: first the longest physical side, then levels, then filters."""
        cut = False
        while self._needs(spec, self._batch) > self._budget:
            cut = True
            divisor = 2 ** (spec.levels - 1)
            lengths = [side * step for side, step in zip(spec.patch, self._images.spacing, strict=True)]
            able = [axis for axis, side in enumerate(spec.patch) if side >= 3 * divisor]
            if able:
                longest = max(able, key=lambda axis: lengths[axis])
                patch = list(spec.patch)
                patch[longest] -= divisor * max(1, patch[longest] // divisor // 64)  # long sides in larger steps
                spec = self._spec(patch, spec.levels)
            elif spec.levels > self._fewest and "levels" not in self._stated:
                spec = self._spec(spec.patch, spec.levels - 1)
            elif self._filters > 4 and "filters" not in self._stated:
                self._filters //= 2
                self._reasons["filters"] = "more do not fit the memory at hand"
                spec = self._spec(spec.patch, spec.levels)
            else:
                raise UsageError(
                    f"training needs {memory_in_words(self._needs(spec, self._batch))} and may take "
                    f"{memory_in_words(self._budget)} of {memory_in_words(self._memory.size)}",
                    hint="free some memory, or train on another machine and state its memory with --memory",
                )
        if cut:
            self._reasons["patch"] = f"cut until a step fits {memory_in_words(self._budget)} of memory"
        return spec

    def _largest_batch(self, spec: EncoderDecoderSpec) -> int:
        voxels = math.prod(spec.patch)
        limits = {
            "more would not fit the memory": self._fitting_batch(spec),
            "a step sees at most 5 % of all training voxels": int(SEEN * self._images.voxels / voxels),
            "more gain little": MOST_BATCH,
        }
        if self._memory.device == "cpu":
            limits["more would make a step on a CPU long"] = int(CPU_WORK * self._usual / self._filters / voxels)
        reason, most = min(limits.items(), key=lambda limit: limit[1])
        least = most <= LEAST_BATCH
        self._reasons["batch"] = f"the least for a steady step; {reason}" if least else reason
        return max(LEAST_BATCH, most)

    def _fitting_batch(self, spec: EncoderDecoderSpec) -> int:
        batch = LEAST_BATCH
        while batch < MOST_BATCH and self._needs(spec, batch + 1) <= self._budget:
            batch += 1
        return batch
