"""A proposal for the project file, line by line, each with its reason."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from minivess.records.base import Record, ShortText, Statement

PlannedValue = bool | int | float | str | tuple[int, ...] | tuple[float, ...]
"""A value as the project file holds it."""

Device = Literal["cpu", "gpu"]
State = Literal["proposed", "same", "kept", "advice"]


class PlannedLine(Record):
    """One field of the project file."""

    place: ShortText
    """The field, for example `model.patch`. Of advice: what it is about."""
    value: PlannedValue
    """What the plan contains. Of a kept line: what the file says."""
    state: State
    """`proposed`: the file says nothing, or something that is replaced. `same`: what the file already says. `kept`: what the
    file says, although the plan would be another. `advice`: no field of the project file states it."""
    instead: PlannedValue | None = None
    """What the file says and the plan replaces; of a kept line, what the plan would be."""
    reason: ShortText
    """Why, in one line."""

    @property
    def text(self) -> str:
        """The value as YAML of one line."""
        return in_yaml(self.value)

    @property
    def writes(self) -> bool:
        """Whether the project file changes by it."""
        return self.state == "proposed"


def in_yaml(value: PlannedValue) -> str:
    """A value as YAML of one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(in_yaml(one) for one in value)}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


class MemoryAtHand(Record):
    """How much memory training may take on this machine."""

    size: Annotated[int, Field(ge=1)]
    """In bytes."""
    device: Device
    """Where training would run."""
    source: ShortText
    """Where the size is from."""
    stated: bool = False
    """Whether the user stated it."""
    bf16: Annotated[bool | None, Field(exclude_if=lambda known: known is None)] = None
    """Whether the processor multiplies in bf16; None: not known, or training would run on a GPU."""


class Plan(Record):
    """What `minivess plan` proposes."""

    data: Statement
    """The cases it was made from, in words."""
    memory: MemoryAtHand
    predicted: Annotated[int, Field(ge=0)] | None
    """Peak memory of training by this plan, in bytes beyond the images and what the imported libraries take; None: not known
    for this family of networks, or for this batch."""
    images: Annotated[int, Field(ge=0)]
    """Bytes that an image takes in the memory of the machine while it is preprocessed."""
    lines: tuple[PlannedLine, ...]
    remarks: tuple[ShortText, ...] = ()
    """What the user may have to settle before."""
