"""Where Alembic finds the migrations of the log's tables."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config


def migrations() -> Config:
    """What Alembic needs to know of the folder of migrations."""
    config = Config()
    config.set_main_option("script_location", (Path(__file__).parent / "migrations").as_posix().replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
