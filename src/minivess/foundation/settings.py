"""Where the embedded stores of a workspace live, read once.

Four values, from the environment (`MINIVESS_DATABASE_URL`, `MINIVESS_LINEAGE_FILE`, `MINIVESS_LINEAGE_URL`,
`MINIVESS_MLFLOW_URI`), else from `minivess.settings.toml` in the workspace, else the embedded defaults under `evidence/`.
Settings hold no secret: a URL with a password in it is refused.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.files import read_limited

SETTINGS_FILE = "minivess.settings.toml"
_LIMIT = 64 * 1024
_INSTEAD = {
    "database_url": "leave it out of the URL; use a password file (PGPASSFILE) instead",
    "lineage_url": "leave it out of the URL; put a token into the environment variable MINIVESS_LINEAGE_TOKEN instead",
    "mlflow_uri": "leave it out of the URL; MLflow reads MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
}
_KEYS = ("database_url", "lineage_file", "lineage_url", "mlflow_uri")
_VARIABLES = frozenset(f"MINIVESS_{key.upper()}" for key in _KEYS)


class Settings(BaseModel):
    """The settings of one workspace; made by `load_settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str
    """SQLAlchemy URL of the audit log's database."""
    lineage_file: Path
    """JSON-lines file that OpenLineage events are delivered to."""
    lineage_url: str
    """OpenLineage endpoint that events are delivered to instead; empty: to the file."""
    mlflow_uri: str
    """MLflow tracking URI."""


def load_settings(workspace: Path) -> Settings:
    """Read the settings of a workspace.

    Raises:
        InputError: the settings file is malformed, too large, or holds a name that is no setting.
        UsageError: a URL carries a password, or the lineage URL a name.
    """
    root = workspace.absolute()
    evidence = root / "evidence"
    file = root / SETTINGS_FILE
    if file.exists():
        _check_file(file)
    defaults = {
        "database_url": f"sqlite:///{evidence / 'audit.db'}",
        "lineage_file": "evidence/lineage/events.jsonl",
        "lineage_url": "",
        "mlflow_uri": f"sqlite:///{evidence / 'mlflow.db'}",
    }
    stated = file.exists() or any(name.upper() in _VARIABLES for name in os.environ)
    values: Mapping[str, object] = _stated(root, file, defaults) if stated else defaults
    for key, value in values.items():
        if not isinstance(value, str) or not (value.strip() or key == "lineage_url"):
            raise InputError(f"setting {key!r} must be a non-empty text", path=SETTINGS_FILE)
    for key in ("database_url", "lineage_url", "mlflow_uri"):
        _refuse_password(key, str(values[key]))
    return Settings(
        database_url=str(values["database_url"]),
        lineage_file=root / str(values["lineage_file"]),
        lineage_url=str(values["lineage_url"]),
        mlflow_uri=str(values["mlflow_uri"]),
    )


def _stated(root: Path, file: Path, defaults: dict[str, str]) -> dict[str, object]:
    """The settings that the environment or the file states, and for the others the defaults."""
    from dynaconf import Dynaconf  # a third of a second that a workspace with the defaults does not need

    source = Dynaconf(
        envvar_prefix="MINIVESS",
        settings_files=[str(file)] if file.exists() else [],
        root_path=str(root),
        environments=False,
        load_dotenv=False,
        ignore_unknown_envvars=True,
        auto_cast=False,
        core_loaders=["TOML"],
        **defaults,
    )
    return {key: source.get(key) for key in _KEYS}


def _check_file(file: Path) -> None:
    import tomllib

    try:
        content = tomllib.loads(read_limited(file, limit=_LIMIT).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"is not valid TOML: {error}", path=file, hint="correct it or remove it") from error
    for key in content:
        if key.lower() not in _KEYS:
            raise InputError(f"{key!r} is no setting", path=file, hint=f"settings are: {', '.join(_KEYS)}")


def _refuse_password(key: str, url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"setting {key!r} is no URL") from error
    if parts.password is not None or (key == "lineage_url" and parts.username is not None):
        raise UsageError(f"setting {key!r} carries a password, and settings hold no secrets", hint=_INSTEAD[key])
