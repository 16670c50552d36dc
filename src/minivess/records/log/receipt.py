"""Proof, in the hands of whoever caused an entry, that the entry stands in the log."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from minivess.records.base import Record


class Receipt(Record):
    """An entry, its place, and the signed checkpoint that covers it.

    `entry` holds the canonical entry bytes as text (the Merkle leaf), `details` the canonical JSON text of its details
    (None when it has none, or they were erased), `proof` the RFC 6962 audit path as base64 hashes from leaf to root,
    `checkpoint` a C2SP signed note whose tree has at least `index + 1` leaves.
    """

    index: int
    entry: str
    proof: tuple[str, ...]
    checkpoint: str
    details: str | None = None
    through: Annotated[tuple[Receipt, ...], Field(max_length=8)] = ()
    """For an entry of a serving log: receipts of the device's log that lead to it. They name the service's key, the serving
    log with its key, and its newest anchor where one covers this entry."""

    @model_validator(mode="after")
    def _one_step(self) -> Self:
        if any(one.through for one in self.through):
            raise ValueError("a receipt leads through one other log")
        return self
