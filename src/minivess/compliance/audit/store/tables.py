"""The tables of the log's database.

`entry` is the log; everything else hangs on it. Its columns beside `content` and `details`, and the whole table `node`,
repeat what the bytes say, for queries and proofs: the bytes are what is signed and proven, and `audit rebuild` derives
the rest from them again.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, Text, text
from sqlalchemy import Index as DatabaseIndex
from sqlmodel import Field, SQLModel


class EntryRow(SQLModel, table=True):
    """One entry: its place, its canonical bytes (the Merkle leaf's content) and its details while they are not erased."""

    __tablename__ = "entry"

    index: int = Field(sa_column=Column("index", BigInteger, primary_key=True, autoincrement=False))
    content: bytes = Field(sa_column=Column("content", LargeBinary, nullable=False))
    details: bytes | None = Field(default=None, sa_column=Column("details", LargeBinary, nullable=True))
    action: str = Field(max_length=64, index=True)
    outcome: str = Field(max_length=16)
    actor: str = Field(max_length=64, index=True)
    time: str = Field(max_length=32)
    started: int | None = Field(default=None, sa_column=Column("started", BigInteger, nullable=True))

    __table_args__ = (
        DatabaseIndex(
            "ix_entry_started",
            "started",
            unique=True,
            sqlite_where=text("started IS NOT NULL"),
            postgresql_where=text("started IS NOT NULL"),
        ),
    )


class NodeRow(SQLModel, table=True):
    """The root of a complete subtree of the Merkle tree, leaves included, by `proofs.merkle.node_id`."""

    __tablename__ = "node"

    id: int = Field(sa_column=Column("id", BigInteger, primary_key=True, autoincrement=False))
    hash: bytes = Field(sa_column=Column("hash", LargeBinary(32), nullable=False))


class CheckpointRow(SQLModel, table=True):
    """A signed checkpoint (C2SP signed note) of the first `size` entries, and a timestamp token for it where there is one."""

    __tablename__ = "checkpoint"

    size: int = Field(sa_column=Column("size", BigInteger, primary_key=True, autoincrement=False))
    note: str = Field(sa_column=Column("note", Text, nullable=False))
    timestamp: bytes | None = Field(default=None, sa_column=Column("timestamp", LargeBinary, nullable=True))
    """RFC 3161 response over the note's text."""


class OutboxRow(SQLModel, table=True):
    """An OpenLineage event that was committed with its entry, and when it was delivered."""

    __tablename__ = "outbox"

    id: int | None = Field(
        default=None,
        sa_column=Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    )
    entry: int = Field(sa_column=Column("entry", BigInteger, ForeignKey("entry.index"), nullable=False))
    event: str = Field(sa_column=Column("event", Text, nullable=False))
    delivered_at: str | None = Field(default=None, max_length=32)

    __table_args__ = (
        DatabaseIndex(
            "ix_outbox_waiting",
            "id",
            sqlite_where=text("delivered_at IS NULL"),
            postgresql_where=text("delivered_at IS NULL"),
        ),
    )
