"""What a training run says while it goes on, and what it leaves."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from minivess.records.base import Record, ShortText


class Circumstances(Record):
    """Where a part of a run was made. On a CPU, the same circumstances and seed give the same weights."""

    device: ShortText
    """As PyTorch names it, for example `cpu` or `NVIDIA H200`."""
    processes: Annotated[int, Field(ge=1)] = 1
    """Processes that trained together."""
    threads: Annotated[int, Field(ge=1)]
    """Threads of PyTorch in each process."""
    memory_format: ShortText
    """`channels-last` or `contiguous`."""
    torch: ShortText
    """The version of PyTorch."""
    not_repeatable: tuple[ShortText, ...] = ()
    """Operations without a deterministic kernel on this device, as PyTorch warned. With one, the run is not repeatable."""


class RunPart(Record):
    """Steps of a run that one process made without a break."""

    first_step: Annotated[int, Field(ge=1)]
    last_step: Annotated[int, Field(ge=0)]
    """The last step that counts: later ones, made before the process was killed, were made again."""
    where: Circumstances
    seconds: float
    entry: int | None = None
    """Index of the entry of the log that announced the part."""


class CaseFigures(Record):
    """What a validation found in one case."""

    case: ShortText
    dice: dict[str, float | None]
    """Dice of each class by its name; None where neither mask has the class."""


class ValidationPoint(Record):
    """One validation during training, on cases of the training part that the run does not learn from."""

    step: Annotated[int, Field(ge=0)]
    dice: dict[str, float | None]
    """Mean Dice over the cases, of each class by its name; None where no case has the class."""
    mean: float | None
    """The mean over the classes; None where no case has a class."""
    cases: tuple[CaseFigures, ...] = ()


class TrainingCurves(Record):
    """`curves.json` of a member: what training and validation showed."""

    losses: tuple[float, ...]
    """The loss of each step."""
    validated_on: tuple[ShortText, ...] = ()
    """The cases of the validation; empty where there was none."""
    validations: tuple[ValidationPoint, ...] = ()
    best_step: int | None = None
    """The step of the weights that are kept as the member; None without validation: then they are the last."""
    stopped_early: bool = False
    note: ShortText | None = None
    """Why there was no validation."""


class Beat(Record):
    """What is said after a step."""

    member: int
    step: int
    steps: int
    loss: float
    learning_rate: float
    steps_per_second: float
    seconds_left: float
    device: ShortText
    memory: int
    """Bytes of memory that the process holds; of a GPU, those that PyTorch holds there."""
    waited: Annotated[float, Field(ge=0, le=1)]
    """Share of the time in which the device waited for patches."""
    validation: ValidationPoint | None = None
    """The validation after this step, if there was one."""
