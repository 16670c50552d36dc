"""What making a released model again from its pack and its data gave: `release reproduce --json`."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from minivess.records.base import Record
from minivess.records.changes.difference import ComparedRelease, Measures

FORMAT: Final = "minivess-reproduction/1"

Verdict = Literal["equal", "different", "not reproduced"]


class SideBySide(Record):
    """Something in the pack, and the same now."""

    name: str
    packed: str
    now: str

    @property
    def equal(self) -> bool:
        """Whether both are the same."""
        return self.packed == self.now


class Reproduction(Record):
    """A reproduction."""

    format: Literal["minivess-reproduction/1"] = FORMAT
    release: ComparedRelease
    circumstances: tuple[SideBySide, ...]
    """Lock file, source tree, Python, PyTorch, threads and device. On a CPU, the same ones give the same weights."""
    results: tuple[SideBySide, ...]
    """Digests: of the cases, the weights, the calibration, the graph and the figures."""
    figures: Annotated[Measures | None, Field(exclude_if=lambda value: value is None)] = None
    """Figures of the model now minus those of the pack, on the same cases. None: it was not evaluated."""
    not_done: tuple[str, ...] = ()
    """What was not made again, with the reason."""
    seconds: float
    """Wall time."""

    @property
    def verdict(self) -> Verdict:
        """`equal`: everything was made again and has the digest of the pack."""
        if not self.results or any(not one.equal for one in self.results if one.name.startswith("case")):
            return "not reproduced"
        if any(not one.equal for one in self.results):
            return "different"
        return "not reproduced" if self.not_done else "equal"
