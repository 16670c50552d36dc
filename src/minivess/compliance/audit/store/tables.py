"""The tables of the log's database.

`entry` is the log; `checkpoint` and `outbox` hang on it. The other columns of `entry` repeat what its bytes say, for
queries: the bytes are what is signed and proven.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, Text
from sqlmodel import Field, SQLModel


class EntryRow(SQLModel, table=True):
    """One entry: its place, its canonical bytes (the Merkle leaf's content) and its RFC 6962 leaf hash."""

    __tablename__ = "entry"

    index: int = Field(sa_column=Column("index", BigInteger, primary_key=True, autoincrement=False))
    content: bytes = Field(sa_column=Column("content", LargeBinary, nullable=False))
    leaf: bytes = Field(sa_column=Column("leaf", LargeBinary(32), nullable=False))
    action: str = Field(max_length=64, index=True)
    outcome: str = Field(max_length=16)
    actor: str = Field(max_length=64, index=True)
    time: str = Field(max_length=32)


class CheckpointRow(SQLModel, table=True):
    """A signed checkpoint (C2SP signed note) of the first `size` entries."""

    __tablename__ = "checkpoint"

    size: int = Field(sa_column=Column("size", BigInteger, primary_key=True, autoincrement=False))
    note: str = Field(sa_column=Column("note", Text, nullable=False))


class OutboxRow(SQLModel, table=True):
    """An OpenLineage event that was committed with its entry, and when it was delivered."""

    __tablename__ = "outbox"

    id: int | None = Field(
        default=None,
        sa_column=Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    )
    entry: int = Field(
        sa_column=Column("entry", BigInteger, ForeignKey("entry.index"), nullable=False, index=True),
    )
    event: str = Field(sa_column=Column("event", Text, nullable=False))
    delivered_at: str | None = Field(default=None, max_length=32, index=True)
