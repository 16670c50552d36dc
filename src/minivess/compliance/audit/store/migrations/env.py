"""Alembic's environment: works on the connection, and inside the transaction, it is handed by `store.database`."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

from minivess.compliance.audit.store import tables  # noqa: F401  registers the tables with the metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata)
with context.begin_transaction():
    context.run_migrations()
