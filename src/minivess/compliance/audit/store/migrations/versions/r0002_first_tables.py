"""First tables of entries in the format minivess-entry/2: entry, node, checkpoint, outbox.

Databases of revision 0001 held entries of another format, which no release of this package ever wrote.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "entry",
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("details", sa.LargeBinary(), nullable=True),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("time", sa.String(32), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("index"),
    )
    op.create_index("ix_entry_action", "entry", ["action"])
    op.create_index("ix_entry_actor", "entry", ["actor"])
    ends = sa.text("started IS NOT NULL")
    op.create_index("ix_entry_started", "entry", ["started"], unique=True, sqlite_where=ends, postgresql_where=ends)
    op.create_table(
        "node",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("timestamp", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("size"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("delivered_at", sa.String(32), nullable=True),
        sa.ForeignKeyConstraint(["entry"], ["entry.index"]),
        sa.PrimaryKeyConstraint("id"),
    )
    waiting = sa.text("delivered_at IS NULL")
    op.create_index("ix_outbox_waiting", "outbox", ["id"], sqlite_where=waiting, postgresql_where=waiting)
