"""Alembic migrations of the log's database, run when it is opened."""
