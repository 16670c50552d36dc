"""What is known about the preprocessed copy of a training case on the disk."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from minivess.foundation.digests import Digest, digest_json
from minivess.records.base import Record, Side

STORED_CASE_LIMIT = 1 << 16
"""Bytes of the file."""


class StoredCaseRecord(Record):
    """`stored.json`: written last, so that a copy without it does not exist."""

    image: Digest
    """Of `image.npy`."""
    label: Digest
    """Of `label.npy`."""
    places: Digest
    """Of `places.npy`."""
    grid: tuple[Side, ...]
    """Sizes of image and mask along the spatial axes, with the padding."""
    voxels: tuple[Annotated[int, Field(ge=0)], ...]
    """Voxels of the background and of each class, without the padding."""
    bounds: tuple[Annotated[int, Field(ge=0)], ...]
    """Where the places of each class begin in `places.npy`, and where the last ones end."""
    root: Digest | None = None
    """Of the other fields."""

    @property
    def rooted(self) -> StoredCaseRecord:
        """The same record with its root."""
        return self.model_copy(update={"root": digest_json(self.model_dump(mode="json", exclude={"root"}))})
