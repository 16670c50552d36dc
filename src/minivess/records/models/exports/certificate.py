"""What was measured when a model was exported."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from minivess.records.base import Record, ShortText
from minivess.records.models.exports.choice import BackendName

Difference = Annotated[float, Field(ge=0)]


class WholeImageParity(Record):
    """The largest differences between the answers of the exported model and of PyTorch to whole images.

    Both preprocess, tile and blend each image and answer on its own grid.
    """

    cases: Annotated[tuple[str, ...], Field(min_length=1)]
    """Calibration cases."""
    voxels: Annotated[int, Field(ge=1)]
    """Of all these cases together."""
    max_probability_difference: Difference
    """Over all voxels and outputs."""
    flipped_voxels: Annotated[int, Field(ge=0)]
    """Voxels whose value in the mask differs."""
    measures: dict[str, Difference]
    """The largest difference of each measure over cases and classes, by name of the measure."""


class BackendMeasurement(Record):
    """One way to run the graphs."""

    name: BackendName
    certified: bool
    reason: ShortText
    """Why it is certified, or why not."""
    seconds: Annotated[float, Field(gt=0)]
    """Wall time of one patch, the least of several rounds in turns with PyTorch."""
    seconds_eager: Annotated[float, Field(gt=0)]
    """The same of eager PyTorch, with the same batch and, for volumes, channels last."""
    speed: Annotated[float, Field(gt=0)]
    """How many times as fast as eager PyTorch it is; below 1: slower."""
    threads: Annotated[int, Field(ge=1)]
    """Threads of both."""
    parity: WholeImageParity

    @property
    def words(self) -> str:
        """The row for people, in one line."""
        verdict = "certified" if self.certified else "not certified"
        return (
            f"{self.name}: {verdict}, {self.reason}; {1000 * self.seconds:.3g} ms a patch, eager PyTorch "
            f"{1000 * self.seconds_eager:.3g} ms, {self.speed:.2f} times as fast, {self.threads} "
            f"thread{'' if self.threads == 1 else 's'}"
        )
