"""What ends a training, in a sentence with a hint: memory, a loss that is no number, divergence, a full disk.

The error names the step and the cases of its patches. PyTorch is not imported here: its errors are recognised by what they say.
"""

from __future__ import annotations

import errno
import math
import os
import resource
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from minivess.foundation.errors import CannotWriteError, CouldNotCheckError, MinivessError, RefusedError
from minivess.foundation.implements import implements
from minivess.ml.models.registry import adapter_of
from minivess.ml.planning.memory import SHARE, memory_at_hand, memory_in_words, predicted, training_memory
from minivess.records.models.networks.network import NetworkSpec
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask
from minivess.records.models.training import TrainingSpec

NAMED = 6
"""Most cases that a sentence names."""
START, LONG = 10, 50
"""Steps whose median loss is the start of a run, and steps in a row after which a high loss is divergence."""
FAR = 2.0
"""A loss is far above its start when it exceeds it by more than this many times the start, or 1 where the start is smaller."""

_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory", "bad_alloc")
"""Parts of what PyTorch says when memory runs out: CUDA and MPS, Windows, Linux, oneDNN."""
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""A full disk, a full quota, and a limit of the size of files."""


@dataclass(frozen=True)
class Moment:
    """Where a run is.

    Attributes:
        seed: of the member.
        step: the number of the step, from 1.
        cases: whose patches are in it, or what names them: they are needed in errors alone.
        learning_rate: of the step.
    """

    seed: int
    step: int
    cases: tuple[str, ...] | Callable[[], tuple[str, ...]] = ()
    learning_rate: float | None = None

    def __str__(self) -> str:
        rate = "" if self.learning_rate is None else f" with the learning rate {self.learning_rate:.3g}"
        names = list(dict.fromkeys(self.cases() if callable(self.cases) else self.cases))
        shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
        listed = f", patches of {shown}" if names else ""
        return f"seed {self.seed}, step {self.step}{rate}{listed}"


@implements("REQ-366", "RC-150")
def check_finite(value: float, moment: Moment, training: TrainingSpec, *, of: str = "loss") -> None:
    """Check that the loss of a step, or the length of its gradient, is a number.

    Raises:
        RefusedError: it is NaN or infinite.
    """
    if math.isfinite(value):
        return
    rate = training.learning_rate / 4
    hint = f"lower training.learning_rate, for example to {rate:.1g}"
    if training.precision == "fp16":
        hint += ", or use training.precision: bf16, whose numbers reach further"
    elif training.clip is None:
        hint += ", or set training.clip: 12"
    if moment.step == 1:
        hint = f"look at these cases with minivess data check; if they are sound, {hint}"
    raise RefusedError(f"training diverged: the {of} is {value} ({moment})", hint=hint)


@implements("REQ-366", "RC-150")
def check_divergence(losses: Sequence[float], moment: Moment, training: TrainingSpec) -> None:
    """Check that the loss has not been far above its start for long: for the last 50 steps in a row.

    A single high loss is a difficult batch. The start is the median of the first ten. Far above is three times the start; where
    the start is less than 1, the start and 2.

    Args:
        losses: of all steps so far.
        moment: the last step.
        training: for the hint.

    Raises:
        RefusedError: it has.
    """
    if len(losses) < START + LONG:
        return
    start = statistics.median(losses[:START])
    limit = start + FAR * max(1.0, abs(start))
    if losses[-1] <= limit or min(losses[-LONG:]) <= limit:
        return
    cycle = training.schedule == "one-cycle"
    rise = "another training.schedule with training.warm_up" if cycle else "training.warm_up"
    raise RefusedError(
        f"training diverged: each of the last {LONG} losses is above {limit:.3g}, and the loss was {start:.3g} at the start "
        f"({moment})",
        hint=f"lower training.learning_rate, for example to {training.learning_rate / 4:.1g}, or use {rise}",
    )


@implements("REQ-366", "RC-150")
def explained(
    error: BaseException,
    moment: Moment,
    training: TrainingSpec,
    spec: NetworkSpec,
    *,
    device: str = "cpu",
    task: SegmentationTask = ONE_CLASS_OF_VOLUMES,
) -> BaseException:
    """The error that says what to do, for an error in a step; other errors, and ours, are returned as they are.

    Args:
        error: what a step raised.
        moment: the step.
        training: batch and options.
        spec: the network.
        device: as PyTorch names it.
        task: channels and classes.
    """
    if isinstance(error, MinivessError):
        return error
    if is_out_of_memory(error):
        return _out_of_memory(error, moment, training, spec, device=device, task=task)
    if _is_of_compiler(error):
        return CouldNotCheckError(
            f"PyTorch could not compile the network: {_first_line(error)} ({moment})",
            hint="set training.compile: false, or install the compiler that PyTorch asks for",
        )
    return error


@implements("REQ-366")
@contextmanager
def validating(step: int, cases: Sequence[str]) -> Iterator[None]:
    """Around a validation: memory that runs out there is not helped by a smaller batch of training.

    Raises:
        CouldNotCheckError: memory ran out.
    """
    try:
        yield
    except (OSError, MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise CouldNotCheckError(
            f"memory ran out while the network of step {step} was validated on {', '.join(cases[:NAMED])}: {_first_line(error)}",
            hint="use a machine with more memory, or training.validation.share: 0",
        ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is of memory that ran out, on a CPU or a GPU."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(part in said for part in _NO_MEMORY)


@dataclass(frozen=True)
class Smaller:
    """A smaller step.

    Attributes:
        batch: patches in a batch.
        patch: their size.
        memory: bytes it is predicted to take; None: not known, and half as much was chosen.
    """

    batch: int
    patch: tuple[int, ...]
    memory: int | None = None


@implements("REQ-366")
def smaller_step(spec: NetworkSpec, task: SegmentationTask, batch: int, memory: int | None) -> Smaller | None:
    """The largest step that fits a memory, with fewer patches or, where that is not enough, smaller ones.

    Where memory or network is not known, half the patches, or patches of half the length. None: there is no smaller step.

    Args:
        spec: the network.
        task: channels and classes.
        batch: patches in a batch that did not fit.
        memory: bytes that training may take.
    """
    if memory is None or not predicted(spec):
        return Smaller(batch // 2, spec.patch) if batch > 1 else _half_patch(spec, task, batch)
    for fewer in range(batch - 1, 0, -1):
        needed = training_memory(spec, task, fewer)
        if needed is not None and needed <= memory:
            return Smaller(fewer, spec.patch, needed)
    fewer, cut = min(batch, 2), spec
    while (halved := _half_patch(cut, task, fewer)) is not None:
        cut = cut.model_copy(update={"patch": halved.patch})
        needed = training_memory(cut, task, fewer)
        if needed is not None and needed <= memory:
            return Smaller(fewer, cut.patch, needed)
    return Smaller(batch // 2, spec.patch) if batch > 1 else _half_patch(spec, task, batch)


def _half_patch(spec: NetworkSpec, task: SegmentationTask, batch: int) -> Smaller | None:
    """The patch with its longest side halved, as the network takes it."""
    adapter = adapter_of(spec.architecture)
    divisor = adapter.divisor(spec)
    for side in sorted(range(len(spec.patch)), key=lambda side: -spec.patch[side]):
        half = spec.patch[side] // 2 // divisor * divisor
        patch = tuple(half if place == side else length for place, length in enumerate(spec.patch))
        if half and adapter.patch_fault(spec.model_copy(update={"patch": patch}), task.axes) is None:
            return Smaller(batch, patch)
    return None


def _out_of_memory(
    error: BaseException,
    moment: Moment,
    training: TrainingSpec,
    spec: NetworkSpec,
    *,
    device: str,
    task: SegmentationTask,
) -> MinivessError:
    memory = _memory_for_training() if device == "cpu" else None
    needed = training_memory(spec, task, training.batch) if device == "cpu" else None
    smaller = smaller_step(spec, task, training.batch, memory)
    step = f"training.batch: {training.batch} with model.patch: {list(spec.patch)}"
    predicted_need = "" if needed is None else f"; it takes about {memory_in_words(needed)}"
    return CouldNotCheckError(
        f"the memory of {device} ran out at {step}{predicted_need} ({moment}): {_first_line(error)}",
        hint=_smaller_in_words(smaller, training, spec),
    )


def _smaller_in_words(smaller: Smaller | None, training: TrainingSpec, spec: NetworkSpec) -> str:
    advice = []
    if smaller is not None:
        changes = []
        if smaller.batch != training.batch:
            changes.append(f"training.batch: {smaller.batch}")
            patches = training.batch * training.accumulate
            if smaller.patch == spec.patch and patches % smaller.batch == 0:
                changes.append(f"training.accumulate: {patches // smaller.batch}")
        if smaller.patch != spec.patch:
            changes.append(f"model.patch: {list(smaller.patch)}")
        takes = "" if smaller.memory is None else f", which takes about {memory_in_words(smaller.memory)}"
        advice.append(f"use {' and '.join(changes)}{takes}")
    if not training.checkpointing:
        advice.append("training.checkpointing: true takes less memory and more time")
    return "; ".join(advice) or "use a smaller network or a machine with more memory"


def _memory_for_training(process: Path = Path("/proc/self")) -> int | None:
    """What training may take on a CPU: the part that a plan uses of the free memory and of what this process holds now."""
    try:
        held = int((process / "statm").read_text(encoding="ascii").split()[5]) * os.sysconf("SC_PAGE_SIZE")
        mapped = int((process / "statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
        free = memory_at_hand().size
    except (OSError, CouldNotCheckError):
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        free = min(free, max(0, limit - mapped))
    return round(SHARE * (free + held))


@implements("REQ-366", "RC-150")
def checkpoint_not_written(
    error: CannotWriteError, path: Path, *, size: int, step: int, kept: int | None
) -> CannotWriteError:
    """The error for a checkpoint that could not be written, with the space it takes and the checkpoint that stays.

    Args:
        error: what writing raised.
        path: the checkpoint.
        size: bytes of it.
        step: after which it was made.
        kept: the step of the checkpoint before it, which is untouched; None: there is none.
    """
    cause = error.__cause__
    stays = "there is no earlier one" if kept is None else f"the one of step {kept} stays"
    if not (isinstance(cause, OSError) and cause.errno in _NO_SPACE):
        return CannotWriteError(f"{error.message}; of the checkpoints {stays}", hint=error.hint)
    free = shutil.disk_usage(path.parent).free if path.parent.is_dir() else 0
    return CannotWriteError(
        f"the checkpoint of step {step} takes {memory_in_words(size)}, and {path.parent} has no space for it "
        f"({memory_in_words(free)} free): {os.strerror(cause.errno or 0)}; {stays}",
        hint=f"free {memory_in_words(2 * size)}, for this checkpoint and the next, and run minivess train again: it continues",
    )


def _is_of_compiler(error: BaseException) -> bool:
    """Whether torch.compile failed."""
    exceptions = sys.modules.get("torch._dynamo.exc")
    kind = getattr(exceptions, "TorchDynamoException", None)
    return isinstance(kind, type) and isinstance(error, kind)


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300]
