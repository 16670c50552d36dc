"""Proof, in the hands of whoever caused an entry, that the entry stands in the log."""

from __future__ import annotations

from minivess.records.base import Record


class Receipt(Record):
    """An entry, where it stands, and the signed checkpoint that covers it.

    `entry` holds the canonical entry bytes as text (the Merkle leaf), `details` the canonical JSON text of its details
    (None when it has none, or they were erased), `proof` the RFC 6962 audit path as base64 hashes from leaf to root,
    `checkpoint` a C2SP signed note whose tree has at least `index + 1` leaves.
    """

    index: int
    entry: str
    proof: tuple[str, ...]
    checkpoint: str
    details: str | None = None
