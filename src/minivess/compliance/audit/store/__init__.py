"""The database behind the log: SQLModel tables, Alembic migrations, and how it is opened."""
